"""The confidence below which a person should look at an image."""

from typing import Final

REVIEW_BELOW: Final = 0.8
"""The default of `--min-confidence`: digitmill lists images with a lower confidence for review.

Of MNIST's test images, 1.0 % are below it, and they include over half of the mistakes. With a higher threshold, fewer
images without a digit pass, and people review more images that were read correctly. `benchmarks/not_a_digit.py`
measures both."""
