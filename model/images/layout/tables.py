"""Find the cell of a table or a form that holds the digit, where parts of the cells around it show."""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.raster import DETAILED_SIDE, SQUARE, Components, Mask, Region, connected_components, strokes_width


@dataclass(frozen=True, slots=True)
class TableLimits:
    """What counts as a table.

    Chosen on `benchmarks/surroundings.py --training --kinds table_cell form_cell`.
    """

    max_width: float = 0.08
    """Maximum width of its lines, as a share of the image's shorter side."""

    min_pixels: int = 4
    """Width of lines in pixels that is never too wide."""

    max_cells: int = 25
    """Maximum number of places between the lines, with those that the border cuts off and the loops of digits. More are
    squared paper."""

    min_cell: float = 0.25
    """Minimum length of each side of a cell, as a share of the image's side."""

    rectangle: float = 0.9
    """Minimum area of a cell, with what a digit cuts out of it, as a share of the smallest rectangle around it."""

    lean: float = 8
    """Maximum angle of a cell, in degrees, from upright."""

    min_content: float = 0.2
    """Minimum length of what a cell holds, as a share of the shorter side of the cell."""


LIMITS = TableLimits()


def in_cell(strokes: Components) -> Region:
    """Return the strokes in the one cell of a table that is not empty, or all strokes where there is no table.

    A table has lines from border to border, and others that meet them. If several whole cells hold something, the table
    holds several digits, and all strokes are returned.

    Args:
        strokes: Components of all strokes, at least one.
    """
    whole = strokes.whole
    if not whole.touches_border or min(whole.mask.shape) < DETAILED_SIDE:
        return whole
    grid = _grid(strokes)
    if grid is None:
        return whole
    cells = _cells(grid)
    full = [inside for cell in cells if (inside := _held(cell, whole.mask)) is not None]
    return Region.of(full[0]) if len(full) == 1 else whole


def _grid(strokes: Components) -> Mask | None:
    """Return the mask of the largest component that runs from border to border, if it is as thin as lines; or None."""
    rows, columns = strokes.mask.shape
    left, top, width, height, area = strokes.stats.T
    sides = [left == 0, left + width == columns, top == 0, top + height == rows]
    crosses = (sides[0] & sides[1]) | (sides[2] & sides[3])
    chosen = np.flatnonzero(crosses & (np.minimum(width / columns, height / rows) >= LIMITS.min_cell))
    if not len(chosen):
        return None
    index = int(chosen[area[chosen].argmax()])
    grid = strokes.mask_of_one(index)
    widest = max(LIMITS.min_pixels, LIMITS.max_width * min(rows, columns))
    return grid if strokes_width(grid, int(area[index])) <= widest else None


def _cells(grid: Mask) -> list[Mask]:
    """Return the masks of the large places that a grid encloses whole."""
    rows, columns = grid.shape
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(255 - grid, connectivity=4)  # the first is the grid
    if len(stats) > LIMITS.max_cells:
        return []
    left, top, width, height, _ = stats.T
    is_large = (width >= LIMITS.min_cell * columns) & (height >= LIMITS.min_cell * rows)
    is_whole = (left > 0) & (top > 0) & (left + width < columns) & (top + height < rows)
    chosen = np.flatnonzero((is_large & is_whole)[1:]) + 1
    return [np.where(numbers == number, np.uint8(255), np.uint8(0)) for number in chosen.tolist()]


def _held(cell: Mask, strokes: Mask) -> Mask | None:
    """Return the strokes in a cell, or None where it is not a rectangle or holds nothing."""
    hull = cv2.convexHull(cv2.findNonZero(cell))
    _, (width, height), angle = cv2.minAreaRect(hull)
    lean = min(angle % 90, 90 - angle % 90)
    if lean > LIMITS.lean or cv2.contourArea(hull) < LIMITS.rectangle * width * height:
        return None
    place = cv2.erode(cv2.fillConvexPoly(np.zeros_like(cell), hull, 255), SQUARE, borderValue=0)
    inside = cv2.bitwise_and(strokes, place)
    if not cv2.hasNonZero(inside):
        return None
    largest = connected_components(inside).stats[:, 2:4].max()
    return inside if largest >= LIMITS.min_content * min(width, height) else None
