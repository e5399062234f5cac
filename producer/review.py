"""When an answer is too uncertain to be believed unseen."""

from typing import Final

REVIEW_BELOW: Final = 0.8
"""The confidence below which an image is listed for review, unless `--min-confidence` says otherwise.

About 1 % of MNIST's test images are below it, two thirds of the mistakes on them among these. What is no digit passes
less often the higher it is, but hardly less above 0.8. `benchmarks/not_a_digit.py` has the whole table."""
