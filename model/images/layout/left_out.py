"""Measure how much of what is drawn a digit leaves out, so that nobody takes a part of a picture for all of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.images.layout.drawn import Drawn


@dataclass(frozen=True, slots=True)
class LeftOutLimits:
    """What counts as drawn beside a digit, and how much of it may be left out."""

    min_size: float = 0.2
    """Minimum length of what is left out, as a share of the digit's. Shorter pieces are dust or small print.

    With 0.15, one in twenty of `benchmarks/scruffy.py --training --kinds printed_text` is doubtful, and with 0.2 one in
    fifty."""

    min_pixels: int = 4
    """The same in pixels of the view. In a view of a whole page dust is as long as a part of a small digit.

    Without it, one in fourteen of `benchmarks/scruffy.py --training --kinds small_on_a_scan` is read from less than
    70 % of the ink, and with it none."""

    min_read: float = 0.75
    """Share of the ink in the digit below which its reading is doubtful.

    Of 687 drawings and 800 scans of one digit none has less than 0.9, and of 5,500 images of all kinds of
    `benchmarks/scruffy.py --training` one in a thousand has less than 0.75."""


LIMITS = LeftOutLimits()


def share_read(drawn: Drawn, chosen: NDArray[np.bool_]) -> float:
    """Return the share of the ink that the digit has of all that is drawn, 0 to 1.

    Printed lines, frames, what the border cuts off, and specks do not count.

    Args:
        drawn: What is drawn.
        chosen: Which components form the digit, bool (n,), at least one.
    """
    if len(chosen) == 1 or chosen.all():
        return 1.0
    others = drawn.is_piece & ~chosen
    if not others.any():
        return 1.0
    stats = drawn.components.stats
    left, top, width, height, area = stats.T
    across = (left + width)[chosen].max() - left[chosen].min()
    down = (top + height)[chosen].max() - top[chosen].min()
    min_length = max(LIMITS.min_pixels, LIMITS.min_size * max(across, down))
    beside = area[others & (np.maximum(width, height) >= min_length)].sum()
    read = area[chosen].sum()
    return float(read / (read + beside))
