"""The confidence below which a person should look at an image."""

from typing import Final

REVIEW_BELOW: Final = 0.8
"""The default of `--min-confidence`: images with a lower confidence are listed for review.

Of MNIST's test images 0.9 % are below it, and these hold two thirds of the mistakes. A higher threshold lets fewer
images
pass that are not a digit, and lists more images that are read correctly. `benchmarks/not_a_digit.py` measures both."""
