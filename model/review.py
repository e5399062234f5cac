"""When an answer is too uncertain to be believed unseen."""

from typing import Final

REVIEW_BELOW: Final = 0.8
"""The confidence below which an image is listed for review, unless `--min-confidence` says otherwise.

About 1 % of MNIST's test images are below it, two thirds of the mistakes on them among these; a higher one
lets less pass that is no digit, and lists more that is read rightly. `benchmarks/not_a_digit.py` has the table."""
