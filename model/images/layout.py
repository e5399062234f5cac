"""Find the digit in a picture: not the table under the sheet, a line of a form, or a speck."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.ink import COARSE_SIDE
from model.images.raster import (
    DETAILED_SIDE,
    SQUARE,
    Grey,
    Mask,
    border_pixels,
    connected_components,
    otsu,
    quantiles,
    shrink,
)

MIN_SHEET = 0.12
"""Minimum area of a sheet on a table, as a share of the image."""

MAX_SHEET = 0.97
"""Maximum area of a sheet, as a share of the image. What covers more is the whole image, not a sheet on a table."""

MIN_STRAIGHTNESS = 0.88
"""Minimum area of the polygon of a sheet's corners, as a share of the area of its outline.

The polygon of a small sheet covers about 0.91, because its outline is coarse. That of an ellipse, with five corners,
covers 0.76."""

SHEET_CORNERS = (4, 5)
"""Numbers of corners of a sheet, seen at any angle: five where a corner lies outside the image."""

WRITTEN_SHARE = (0.005, 0.4)
"""Minimum and maximum area of the ink inside a sheet, away from its edge, as a share of the sheet.

The minimum excludes paper between strokes, which has no ink in it."""

CORNER_TOLERANCE = 0.03
"""Distance, as a share of the outline's length, up to which pixels may bend a side of a sheet without a new corner."""

MIN_UNBROKEN_EDGE = 0.95
"""Minimum share of a sheet's edge that is paper, and not ink or table."""

FRAME_BAND = 0.2
"""Distance, as a share of a side, that the frame of a form or the table beside a sheet may reach inwards."""

MAX_SLIVER = 0.06
"""Thickness, as a share of a side, up to which ink along that side is the rest of something and not a stroke."""

EDGE_MARGIN = 0.04
"""Distance from a side, as a share of it, up to which a line belongs to that side."""

MIN_BOX = 0.4
"""Minimum length of each side of a printed box around a digit, as a share of the image's side."""

BOX_BAND = 0.12
"""Distance, as a share of the box, that the lines of a box may reach inwards by their width and tilt."""

MIN_BOX_CONTENT = 0.2
"""Minimum length of the ink inside a box, as a share of the box."""

MAX_LINE_WIDTH = 0.08
"""Maximum width of a line drawn through the image, as a share of the shorter side."""

MAX_SLANTED_LINE_WIDTH = 4
"""Maximum width of such a line in a small image, in pixels, where the line meets the border at a slant."""

MIN_LINE_LENGTH = 0.7
"""Minimum length of such a line, as a share of the longer side."""

MIN_LINE_INK = 0.9
"""Minimum share of such a line that is ink.

If both ends of a digit reach the border, a straight line between them has less."""

MAX_SPECK = 0.03
"""Area of a component, as a share of the largest stroke, below which it is a speck."""

MAX_STROKE_DEPTH = 0.15
"""Maximum of half a stroke's thickness, as a share of the shorter side. Markers reach 0.12 where strokes touch."""

MIN_COMPANION = 0.25
"""Minimum length of the digit beside a shadow that the border cuts off, as a share of the shorter side."""

REACH = 0.4
"""Distance, as a share of the size of the digit found so far, up to which other components belong to it.

The bar of a five may be a third of the body's size above it. Print and strokes of neighbours are seldom so near.
"""

_LINE_ENDS = 2


def find_sheet(image: Grey) -> Mask | None:
    """Find a sheet of paper on a table, or another polygon of one grey with a drawing inside and nothing outside.

    Args:
        image: Grey levels, uint8 (height, width).

    Returns:
        Mask of the sheet without its edge, (height, width). None if the image shows no sheet, or is too small to tell.
    """
    if max(image.shape) < COARSE_SIDE:
        return None
    coarse, _ = shrink(image, COARSE_SIDE)
    light = otsu(coarse)[1]
    for side in (light, 255 - light):
        share = cv2.countNonZero(side) / side.size
        if not MIN_SHEET < share < MAX_SHEET or border_pixels(side).mean() > MAX_SHEET * 255:
            continue
        sheet = _straight_sided(side)
        if sheet is not None and _is_bare_outside(coarse, sheet, side):
            sheet = cv2.erode(sheet, SQUARE, borderValue=255)
            return cv2.resize(sheet, image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return None


def _straight_sided(mask: Mask) -> Mask | None:
    """Return the convex hull of a mask's largest component if it has straight sides and holes in it; otherwise None."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = cv2.convexHull(max(outlines, key=cv2.contourArea))
    if cv2.contourArea(outline) < MIN_SHEET * mask.size:
        return None
    corners = cv2.approxPolyDP(outline, CORNER_TOLERANCE * cv2.arcLength(outline, closed=True), closed=True)
    _, (width, height), _ = cv2.minAreaRect(outline)
    is_straight = cv2.contourArea(corners) > MIN_STRAIGHTNESS * cv2.contourArea(outline)
    if len(corners) not in SHEET_CORNERS or not is_straight or min(width, height) <= COARSE_SIDE / 4:
        return None
    hull = cv2.fillConvexPoly(np.zeros_like(mask), outline, 255)
    area = cv2.countNonZero(hull)
    edge = hull - cv2.erode(hull, SQUARE, borderValue=0)
    inside = cv2.erode(hull, np.ones((5, 5), np.uint8), borderValue=0)
    written = cv2.countNonZero(cv2.subtract(inside, mask))
    has_holes = WRITTEN_SHARE[0] * area < written < WRITTEN_SHARE[1] * area
    has_edge = cv2.mean(cv2.dilate(mask, SQUARE), edge)[0] > MIN_UNBROKEN_EDGE * 255
    return hull if has_holes and has_edge and area < MAX_SHEET * mask.size else None


def _is_bare_outside(image: Grey, sheet: Mask, side: Mask) -> bool:
    """Return whether nothing is drawn outside the sheet.

    Otherwise the supposed sheet is only the lit part of a sheet, and its edge would cut through a digit.

    Args:
        image: Grey levels, uint8 (height, width).
        sheet: Mask of the sheet, with its ink.
        side: Mask of the pixels that are as light, or as dark, as the sheet's paper.
    """
    outside = 255 - cv2.dilate(sheet, np.ones((5, 5), np.uint8))
    if cv2.countNonZero(outside) < 0.01 * outside.size:
        return False
    (inner,) = quantiles(image, cv2.bitwise_and(sheet, side), 0.5)
    darkest, outer, lightest = quantiles(image, outside, 0.01, 0.5, 0.99)
    beyond = outer - darkest if inner > outer else lightest - outer
    return beyond < 0.4 * abs(inner - outer)


def find_digit(strokes: Mask, near: Mask | None = None) -> Mask:
    """Select the strokes of the digit: the largest component and those near it, without frame, lines and specks.

    Args:
        strokes: Mask of all strokes, not empty.
        near: Mask of the place where the digit was seen before. Only strokes there count, unless there are none.

    Returns:
        Mask of the digit, (height, width).
    """
    strokes = _without_box(_without_line(strokes))
    numbers, stats = connected_components(strokes)
    if len(stats) == 1 and near is None:
        return strokes
    is_digit = ~_belongs_to_frame(numbers, stats)
    if near is not None:
        seen = cv2.bitwise_and(_select(numbers, is_digit), near)
        if seen.any():
            numbers, stats = connected_components(seen)
            is_digit = np.ones(len(stats), np.bool_)
    return _select(numbers, _group(stats, is_digit))


def _group(stats: MatLike, candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which components form a group: the largest candidate, and step by step the candidates near the group.

    Specks are never part of the group.

    Args:
        stats: Left, top, width, height and area of each component, int (n, 5).
        candidates: Whether each component may be chosen, bool (n,).
    """
    left, top, width, height, area = stats.T
    right, bottom = left + width, top + height
    area = np.where(candidates, area, 0)
    group: NDArray[np.bool_] = np.arange(len(area)) == area.argmax()
    large_enough = area >= MAX_SPECK * area.max()
    while np.count_nonzero(large_enough) > 1:
        x0, y0, x1, y1 = left[group].min(), top[group].min(), right[group].max(), bottom[group].max()
        reach = REACH * max(x1 - x0, y1 - y0)
        near = (left < x1 + reach) & (right > x0 - reach) & (top < y1 + reach) & (bottom > y0 - reach) & large_enough
        if (near == group).all():
            break
        group = near
    return group


def _select(numbers: NDArray[np.uint16], chosen: NDArray[np.bool_]) -> Mask:
    """Return the mask of the chosen components.

    Args:
        numbers: Number of the component of each pixel, (height, width), 0 for the background.
        chosen: Whether each component is chosen, bool (n,).
    """
    values = np.concatenate([[np.uint8(0)], np.where(chosen, np.uint8(255), np.uint8(0))])
    mask: Mask = values[numbers]
    return mask


def _without_line(strokes: Mask) -> Mask:
    """Return the strokes without a thin straight line from border to border, even if it runs through the digit.

    The line is removed only if nothing else touches the border. A digit that fills its image touches the border in more
    places, or over a greater length.
    """
    rows, columns = strokes.shape
    edge = np.concatenate([strokes[0], strokes[1:, -1], strokes[-1, -2::-1], strokes[-2:0:-1, 0]]) > 0
    if not edge.any():
        return strokes
    starts, ends = (np.flatnonzero(edge & ~np.roll(edge, step)) for step in (1, -1))
    if len(starts) != _LINE_ENDS:
        return strokes
    if ends[0] < starts[0]:  # a run continues past the corner where counting begins
        ends = np.roll(ends, -1)
    lengths = (ends - starts) % len(edge) + 1
    if lengths.max() > max(MAX_SLANTED_LINE_WIDTH, MAX_LINE_WIDTH * min(strokes.shape)):
        return strokes
    corners = np.cumsum([0, columns - 1, rows - 1, columns - 1, rows - 1])
    middles = (starts + lengths // 2) % len(edge)
    across = np.interp(middles, corners, [0, columns - 1, columns - 1, 0, 0])
    down = np.interp(middles, corners, [0, 0, rows - 1, rows - 1, 0])
    start, end = np.stack([across, down], axis=1).round().astype(int)
    line = cv2.line(np.zeros_like(strokes), start.tolist(), end.tolist(), 255)
    if cv2.countNonZero(line) < MIN_LINE_LENGTH * max(strokes.shape) or cv2.mean(strokes, line)[0] < MIN_LINE_INK * 255:
        return strokes
    beyond = (end - start) // 4  # where the line meets the border at a slant
    cv2.line(line, (start - beyond).tolist(), (end + beyond).tolist(), 255)
    thick = np.ones((int(lengths.min()) + 2 | 1,) * 2, np.uint8)
    line = cv2.dilate(line, thick)
    rest = cv2.subtract(strokes, line)
    if cv2.countNonZero(rest) < cv2.countNonZero(line) / 2:
        return strokes
    crossing = cv2.dilate(rest, thick)
    return cv2.bitwise_or(rest, cv2.bitwise_and(strokes, cv2.bitwise_and(line, crossing)))


def _without_box(strokes: Mask) -> Mask:
    """Return the strokes without the lines of a printed box around them, which the digit may touch.

    A box has a line along each side of its bounds. So has an angular zero or eight. Therefore the lines are removed
    only if something is left inside that does not run from side to side.
    """
    left, top, width, height = cv2.boundingRect(strokes)
    if min(width / strokes.shape[1], height / strokes.shape[0]) < MIN_BOX:
        return strokes
    box = strokes[top : top + height, left : left + width]
    band = max(1, round(BOX_BAND * min(width, height)))
    bands = (box[:band], box[::-1][:band], box.T[:band], box.T[::-1][:band])  # the first row is the outermost
    if any(np.count_nonzero(side.any(axis=0)) < 0.95 * side.shape[1] for side in bands):
        return strokes
    up, down, west, east = (_depth(side) for side in bands)
    inside = np.zeros_like(strokes)
    inner = slice(top + up, top + height - down), slice(left + west, left + width - east)
    inside[inner] = strokes[inner]
    _, _, inner_width, inner_height = cv2.boundingRect(inside)
    is_digit = max(inner_width / width, inner_height / height) > MIN_BOX_CONTENT
    crosses = inner_width >= width - west - east or inner_height >= height - up - down
    return inside if is_digit and not crosses else strokes


def _depth(band: Mask) -> int:
    """Return how many rows of a band belong to a line along it. The line may be slightly tilted; 0 without a line."""
    covered = np.count_nonzero(band, axis=1) > 0.4 * band.shape[1]
    return int(np.flatnonzero(covered)[-1]) + 2 if covered.any() else 0


def _belongs_to_frame(numbers: NDArray[np.uint16], stats: MatLike) -> NDArray[np.bool_]:
    """Return which components are printed lines, the table, shadows or a neighbour's strokes along the border.

    Such a component lies along the border, within a band. Strokes of a digit that fills its image may do so too.
    Therefore the components at a side that cuts off the largest other component are not part of the frame. If no side
    cuts it off, the image shows the digit whole, and whatever the border cuts off is something else.

    Args:
        numbers: Number of the component of each pixel, (height, width), 0 for the background.
        stats: Left, top, width, height and area of each component, int (n, 5).

    Returns:
        Whether each component belongs to the frame, bool (n,).
    """
    rows, columns = numbers.shape
    left, top, width, height, area = stats.T
    right, bottom = left + width, top + height
    at_edge = np.array(
        [
            left <= EDGE_MARGIN * columns,
            right >= (1 - EDGE_MARGIN) * columns,
            top <= EDGE_MARGIN * rows,
            bottom >= (1 - EDGE_MARGIN) * rows,
        ]
    )
    if not at_edge.any() or max(numbers.shape) < DETAILED_SIDE:
        return np.zeros(len(stats), np.bool_)
    cut_off = np.array([left == 0, right == columns, top == 0, bottom == rows])
    band_y, band_x = int(FRAME_BAND * rows), int(FRAME_BAND * columns)
    centre = numbers[band_y : rows - band_y, band_x : columns - band_x]
    in_band = np.bincount(centre.ravel(), minlength=len(stats) + 1)[1:] <= 0.1 * area
    whole = ~cut_off.any(axis=0) & (np.maximum(width, height) >= MIN_COMPANION * min(rows, columns))
    solid = whole.any() & cut_off.any(axis=0) & _is_solid(numbers, len(stats))
    at_left, at_right, at_top, at_bottom = at_edge
    crosses = (at_left & at_right) | (at_top & at_bottom)
    is_line = crosses & (np.minimum(width, height) <= 0.1 * np.maximum(width, height))
    is_sliver = ((at_left | at_right) & (width <= MAX_SLIVER * columns)) | (
        (at_top | at_bottom) & (height <= MAX_SLIVER * rows)
    )
    main = _largest(area, ~is_line & ~in_band & ~solid, ~is_line & ~cut_off.any(axis=0))
    if main is None:
        return np.zeros(len(stats), np.bool_)
    frame: NDArray[np.bool_] = is_line | (in_band & (crosses | is_sliver))
    if not cut_off[:, main].any():
        frame |= (in_band & cut_off.any(axis=0)) | solid
    shared: NDArray[np.bool_] = (at_edge & cut_off[:, main, np.newaxis]).any(axis=0)
    frame &= ~shared
    return frame


def _is_solid(numbers: NDArray[np.uint16], count: int) -> NDArray[np.bool_]:
    """Return which components are thicker than a stroke somewhere, bool (count,)."""
    depth = cv2.distanceTransform(np.minimum(numbers, 1).astype(np.uint8), cv2.DIST_L2, 3)
    deep = numbers[depth > MAX_STROKE_DEPTH * min(numbers.shape)]
    return np.bincount(deep, minlength=count + 1)[1:] > 0


def _largest(area: MatLike, *choices: NDArray[np.bool_]) -> int | None:
    """Return the index of the largest component of the first choice that has more than specks, or None if all have not.

    Args:
        area: Area of each component in pixels, (n,).
        *choices: Components to choose from, bool (n,), the preferred ones first.
    """
    for choice in choices:
        chosen = np.where(choice, area, 0)
        if chosen.max() >= MAX_SPECK * area.sum():
            return int(chosen.argmax())
    return None
