"""When an answer is too uncertain to be believed unseen."""

from typing import Final

REVIEW_BELOW: Final = 0.8
"""The confidence below which an image is listed for review, unless `--min-confidence` says otherwise.

Of MNIST's test images 0.9 % are below it, and two thirds of the mistakes on them are among these; a higher one
lets less pass that is no digit, and lists more that is read rightly. `benchmarks/not_a_digit.py` has the table."""
