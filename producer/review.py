"""When an answer is too uncertain to be believed unseen."""

from typing import Final

REVIEW_BELOW: Final = 0.8
"""The confidence below which an image is listed for review, unless `--min-confidence` says otherwise.

`benchmarks/not_a_digit.py` measures what it costs and gains; its README has the figures."""
