"""Leave out the lines that divide a box into cells."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.images.around import inside
from model.images.raster import Components, connected_components


@dataclass(frozen=True, slots=True)
class DividerLimits:
    """What tells a line between two cells from a one."""

    length: float = 0.9
    """Minimum length of a divider, as a share of the side of the box that it runs along. Its ends are cut off with the
    lines of the box. A one may be as long, so something must be on both sides of a divider."""

    width: float = 0.16
    """Maximum width of a divider, as a share of its length. The ends of its line may have corners."""

    filled: float = 0.25
    """Maximum area of dividers that cross, as a share of their bounds."""

    beside: float = 0.25
    """Minimum height or width of something else in the box, as a share of that side. A one alone in it stays."""


LIMITS = DividerLimits()


def without_dividers(strokes: Components) -> Components:
    """Return the strokes inside a box without the lines that run through it from side to side.

    Args:
        strokes: Components of all strokes in the view of a box, which has a margin around its inside
            (`inside.LIMITS.margin`); at least one.
    """
    if len(strokes.stats) == 1:
        return strokes
    rows, columns = strokes.mask.shape
    margin = inside.LIMITS.margin * max(rows, columns) / (1 + 2 * inside.LIMITS.margin)
    high, wide = rows - 2 * margin, columns - 2 * margin
    left, top, width, height, area = strokes.stats.T
    runs_down, runs_across = height >= LIMITS.length * high, width >= LIMITS.length * wide
    is_down, is_across = runs_down & (width <= LIMITS.width * height), runs_across & (height <= LIMITS.width * width)
    is_grid = runs_down & runs_across & (area <= LIMITS.filled * width * height)
    may_be_line = is_down | is_across | is_grid
    others = ~may_be_line & ((height >= LIMITS.beside * high) | (width >= LIMITS.beside * wide))
    if not may_be_line.any() or not others.any():
        return strokes
    is_line = is_grid | (is_down & _are_between(left + width / 2, others))
    is_line |= is_across & _are_between(top + height / 2, others)
    return connected_components(strokes.mask_of(~is_line)) if is_line.any() else strokes


def _are_between(middles: NDArray[np.floating], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which middles have those of others on both sides, bool (n,)."""
    between: NDArray[np.bool_] = (middles > middles[others].min()) & (middles < middles[others].max())
    return between
