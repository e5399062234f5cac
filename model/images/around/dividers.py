"""Leave out the lines that divide a box into cells, and refuse a box in which there is nothing else."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.around import inside
from model.images.around.outlines import empty_shape
from model.images.raster import FULL, Components, Region, connected_components


@dataclass(frozen=True, slots=True)
class DividerLimits:
    """What tells a line between two cells from a one.

    Chosen with `benchmarks/surroundings.py --training --kinds table_cell form_cell divided_box rounded_box` and the
    boxes of `benchmarks/several.py --training`.
    """

    length: float = 0.9
    """Minimum length of a divider, as a share of the side of the box that it runs along. Its ends are cut off with the
    lines of the box. A one may be as long, so something must be on both sides of a divider."""

    width: float = 0.16
    """Maximum width of a divider, as a share of its length. The ends of its line may have corners."""

    filled: float = 0.25
    """Maximum area of dividers that cross, as a share of their bounds."""

    beside: float = 0.25
    """Minimum height or width of something else in the box, as a share of that side of the box. A one alone in it
    stays."""

    ruled: float = 0.8
    """Minimum share of ink in the rows and columns that belong to lines which cross."""

    beyond: float = 0.05
    """Maximum share of the ink of such lines outside these rows and columns. A four in a box has more there."""


LIMITS = DividerLimits()


def without_dividers(strokes: Components) -> Components:
    """Return the strokes inside a box without the lines that run through it from side to side.

    Args:
        strokes: Components of all strokes in the view of a box, which has a margin around its inside
            (`inside.LIMITS.margin`); at least one.

    Raises:
        ImageError: The box shows nothing but such lines, which cross (BLANK).
    """
    rows, columns = strokes.mask.shape
    margin = inside.LIMITS.margin * max(rows, columns) / (1 + 2 * inside.LIMITS.margin)
    high, wide = rows - 2 * margin, columns - 2 * margin
    if len(strokes.stats) == 1:
        if _are_lines(strokes.whole, high, wide):
            raise empty_shape()
        return strokes
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


def _are_lines(whole: Region, high: float, wide: float) -> bool:
    """Return whether all strokes are level and upright lines that cross, and run through a box from side to side.

    Args:
        whole: All strokes in the box.
        high: Height of the inside of the box in pixels.
        wide: Width of that inside.
    """
    _, _, width, height = whole.bounds
    if height < LIMITS.length * high or width < LIMITS.length * wide:
        return False
    ink = whole.within_bounds
    down, across = (cv2.reduce(ink, axis, cv2.REDUCE_AVG).ravel() > LIMITS.ruled * FULL for axis in (0, 1))
    if not down.any() or not across.any():
        return False
    beyond = cv2.countNonZero(ink[~_with_neighbours(across)][:, ~_with_neighbours(down)])
    return bool(beyond <= LIMITS.beyond * cv2.countNonZero(ink))


def _with_neighbours(is_line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows or columns belong to a line or are next to one, where its soft edges are, bool (n,)."""
    wide = is_line.copy()
    wide[1:] |= is_line[:-1]
    wide[:-1] |= is_line[1:]
    return wide


def _are_between(middles: NDArray[np.floating], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which middles have those of others on both sides, bool (n,)."""
    between: NDArray[np.bool_] = (middles > middles[others].min()) & (middles < middles[others].max())
    return between
