"""What of a picture is the digit: not the table under the sheet, nor form lines, nor specks."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.ink import COARSE
from model.images.raster import SQUARE, TELLING, Grey, Mask, connected_pieces, otsu, quantiles, rim, shrink

SHEET = 0.12
"""Of the image: a sheet on a table covers at least as much."""

WHOLE = 0.97
"""Of the image: what covers more is no sheet on a table, but all there is."""

STRAIGHT = 0.88
"""Of the outline of a sheet: a polygon of its `CORNERS` covers at least as much; of a small one as much is covered by
0.91, as its outline is coarse. Of an ellipse, five cover 0.76."""

CORNERS = (4, 5)
"""Of a sheet, seen at any angle; five if a corner lies outside of the image."""

WRITTEN = (0.005, 0.4)
"""Of a sheet: ink inside of it, away from its edge, covers as much; at least, as paper between strokes has none."""

CORNER = 0.03
"""Of the outline's length: how far a side of a sheet may bend, by its pixels, without a corner more."""

UNBROKEN = 0.95
"""Of the edge of a sheet: as much of it is paper, and not ink or table."""

BAND = 0.2
"""Of a side: how far inwards the frame of a form, or the table beside the sheet, may reach."""

SLIVER = 0.06
"""Of a side: what lies along it and is thinner is a rest of something, not a stroke."""

MARGIN = 0.04
"""Of a side: a line this near to it belongs to it."""

BOX_SIZE = 0.4
"""Of both sides of the image: a printed box around a digit is at least as large."""

BOX_BAND = 0.12
"""Of the box: how far inwards its lines may reach by their width and tilt."""

BOX_FILL = 0.2
"""Of the box: what it is drawn around is at least as large."""

LINE = 0.08
"""Of the shorter side: a line that is drawn through the image is at most as wide."""

SLANTED = 4
"""Pixels: or at most as wide, in a small image, where it meets the edge at a slant."""

CROSSING = 0.7
"""Of the longer side: such a line is at least as long."""

COVERED = 0.9
"""Of such a line: as much of it is ink; of a straight line between the ends of a digit that reach the edge less is."""

SPECK = 0.03
"""Of the largest stroke: smaller pieces are specks."""

DEEP = 0.15
"""Of the shorter side: half the thickness that no stroke has; of markers, where they touch themselves, 0.12."""

COMPANION = 0.25
"""Of the shorter side: the digit beside such a shadow is at least as long."""

REACH = 0.4
"""Of the size of what belongs to the digit already: nearer pieces belong to it too, as the bar of a five that hovers a
third of its body's size above it. Print and neighbours' strokes are seldom as near."""


_TWO = 2  # ends of a line


def find_sheet(image: Grey) -> Mask | None:
    """A sheet of paper on a table, or another polygon of one grey with something drawn inside and nothing outside.

    Returns:
        The mask of the sheet, its edge left out; None if there is none.
    """
    if max(image.shape) < COARSE:
        return None
    coarse, _ = shrink(image, COARSE)
    light = otsu(coarse)[1]
    for side in (light, 255 - light):
        if not SHEET < cv2.countNonZero(side) / side.size < WHOLE or rim(side).mean() > WHOLE * 255:
            continue
        sheet = _straight(side)
        if sheet is not None and _is_bare(coarse, sheet, side):
            sheet = cv2.erode(sheet, SQUARE, borderValue=255)
            return cv2.resize(sheet, image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return None


def _straight(mask: Mask) -> Mask | None:
    """The convex hull of the largest part of a mask, if that has straight sides, and holes."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = cv2.convexHull(max(outlines, key=cv2.contourArea))
    if cv2.contourArea(outline) < SHEET * mask.size:
        return None
    corners = cv2.approxPolyDP(outline, CORNER * cv2.arcLength(outline, closed=True), closed=True)
    _, (width, height), _ = cv2.minAreaRect(outline)
    is_straight = len(corners) in CORNERS and cv2.contourArea(corners) > STRAIGHT * cv2.contourArea(outline)
    if not is_straight or min(width, height) <= COARSE / 4:
        return None
    hull = cv2.fillConvexPoly(np.zeros_like(mask), outline, 255)
    area = cv2.countNonZero(hull)
    edge = hull - cv2.erode(hull, SQUARE, borderValue=0)
    inside = cv2.erode(hull, np.ones((5, 5), np.uint8), borderValue=0)
    written = cv2.countNonZero(cv2.subtract(inside, mask))
    has_holes = WRITTEN[0] * area < written < WRITTEN[1] * area
    has_edge = cv2.mean(cv2.dilate(mask, SQUARE), edge)[0] > UNBROKEN * 255
    return hull if has_holes and has_edge and area < WHOLE * mask.size else None


def _is_bare(image: Grey, sheet: Mask, side: Mask) -> bool:
    """Whether nothing is drawn beside the sheet: else the sheet was a lit part of one, and would cut a digit."""
    outside = 255 - cv2.dilate(sheet, np.ones((5, 5), np.uint8))
    if cv2.countNonZero(outside) < 0.01 * outside.size:
        return False
    (inner,) = quantiles(image, cv2.bitwise_and(sheet, side), 0.5)
    darkest, outer, lightest = quantiles(image, outside, 0.01, 0.5, 0.99)
    beyond = outer - darkest if inner > outer else lightest - outer
    return beyond < 0.4 * abs(inner - outer)


def find_digit(strokes: Mask, near: Mask | None = None) -> Mask:
    """Of the strokes those of the digit: the largest piece and what lies near it, without frame and specks.

    Args:
        strokes: (height, width), not empty.
        near: (height, width), where the digit was seen before; it overrules the rest, unless nothing is there.
    """
    strokes = _without_box(_without_line(strokes))
    parts, stats = connected_pieces(strokes)
    if len(stats) == 1 and near is None:
        return strokes
    parts_of_digit = ~_belongs_to_frame(parts, stats)
    if near is not None:
        seen = cv2.bitwise_and(_only(parts, parts_of_digit), near)
        if seen.any():
            parts, stats = connected_pieces(seen)
            parts_of_digit = np.ones(len(stats), np.bool_)
    return _only(parts, _group(stats, parts_of_digit))


def _group(stats: MatLike, candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest candidate, and those that are near it, or near those that are."""
    left, top, width, height, area = stats.T
    right, bottom = left + width, top + height
    area = np.where(candidates, area, 0)
    group: NDArray[np.bool_] = np.arange(len(area)) == area.argmax()
    pieces = area >= SPECK * area.max()
    while np.count_nonzero(pieces) > 1:
        x0, y0, x1, y1 = left[group].min(), top[group].min(), right[group].max(), bottom[group].max()
        reach = REACH * max(x1 - x0, y1 - y0)
        near = (left < x1 + reach) & (right > x0 - reach) & (top < y1 + reach) & (bottom > y0 - reach) & pieces
        if (near == group).all():
            break
        group = near
    return group


def _only(parts: MatLike, chosen: NDArray[np.bool_]) -> Mask:
    """The mask of the chosen ones of labelled parts, of which 0 is the background."""
    values = np.concatenate([[np.uint8(0)], np.where(chosen, np.uint8(255), np.uint8(0))])
    mask: Mask = values[parts]
    return mask


def _without_line(strokes: Mask) -> Mask:
    """The strokes without a thin straight line from edge to edge, even if it runs through the digit.

    Nothing else may touch the edge: a digit that fills its image does so in more places, or at length.
    """
    rows, columns = strokes.shape
    edge = np.concatenate([strokes[0], strokes[1:, -1], strokes[-1, -2::-1], strokes[-2:0:-1, 0]]) > 0
    if not edge.any():
        return strokes
    starts, ends = (np.flatnonzero(edge & ~np.roll(edge, step)) for step in (1, -1))
    if len(starts) != _TWO:
        return strokes
    if ends[0] < starts[0]:  # a run goes on where counting begins
        ends = np.roll(ends, -1)
    lengths = (ends - starts) % len(edge) + 1
    if lengths.max() > max(SLANTED, LINE * min(strokes.shape)):
        return strokes
    corners = np.cumsum([0, columns - 1, rows - 1, columns - 1, rows - 1])
    middles = (starts + lengths // 2) % len(edge)
    across = np.interp(middles, corners, [0, columns - 1, columns - 1, 0, 0])
    down = np.interp(middles, corners, [0, 0, rows - 1, rows - 1, 0])
    start, end = np.stack([across, down], axis=1).round().astype(int)
    line = cv2.line(np.zeros_like(strokes), start.tolist(), end.tolist(), 255)
    if cv2.countNonZero(line) < CROSSING * max(strokes.shape) or cv2.mean(strokes, line)[0] < COVERED * 255:
        return strokes
    beyond = (end - start) // 4  # where it meets the edge at a slant
    cv2.line(line, (start - beyond).tolist(), (end + beyond).tolist(), 255)
    thick = np.ones((int(lengths.min()) + 2 | 1,) * 2, np.uint8)
    line = cv2.dilate(line, thick)
    rest = cv2.subtract(strokes, line)
    if cv2.countNonZero(rest) < cv2.countNonZero(line) / 2:
        return strokes
    crossing = cv2.dilate(rest, thick)
    return cv2.bitwise_or(rest, cv2.bitwise_and(strokes, cv2.bitwise_and(line, crossing)))


def _without_box(strokes: Mask) -> Mask:
    """The strokes without the lines of a printed box around them, which the digit may touch.

    A box has a line along each side of its bounds. So has an angular zero or eight: something must be left inside, and
    must not run from side to side.
    """
    left, top, width, height = cv2.boundingRect(strokes)
    if min(width / strokes.shape[1], height / strokes.shape[0]) < BOX_SIZE:
        return strokes
    box = strokes[top : top + height, left : left + width]
    band = max(1, round(BOX_BAND * min(width, height)))
    bands = (box[:band], box[::-1][:band], box.T[:band], box.T[::-1][:band])  # their first row is the outermost
    if any(np.count_nonzero(side.any(axis=0)) < 0.95 * side.shape[1] for side in bands):
        return strokes
    up, down, west, east = (_depth(side) for side in bands)
    inside = np.zeros_like(strokes)
    inner = slice(top + up, top + height - down), slice(left + west, left + width - east)
    inside[inner] = strokes[inner]
    _, _, inner_width, inner_height = cv2.boundingRect(inside)
    is_digit = max(inner_width / width, inner_height / height) > BOX_FILL
    crosses = inner_width >= width - west - east or inner_height >= height - up - down
    return inside if is_digit and not crosses else strokes


def _depth(band: Mask) -> int:
    """How many rows of a band a line along it takes, tilted a little perhaps."""
    covered = np.count_nonzero(band, axis=1) > 0.4 * band.shape[1]
    return int(np.flatnonzero(covered)[-1]) + 2 if covered.any() else 0


def _belongs_to_frame(parts: MatLike, stats: MatLike) -> NDArray[np.bool_]:
    """Which parts are printed lines, the table, shadows or a neighbour's strokes along the edge of the image.

    They lie along the edge and, inwards, within a band of it. Strokes of a digit that fills its image may do so too:
    what is at the same edge as the largest other part is left alone. If that touches no edge, the image shows all of
    the digit, and whatever the edge cuts off is something else.
    """
    rows, columns = parts.shape
    left, top, width, height, area = stats.T
    right, bottom = left + width, top + height
    at_edge = np.array(
        [
            left <= MARGIN * columns,
            right >= (1 - MARGIN) * columns,
            top <= MARGIN * rows,
            bottom >= (1 - MARGIN) * rows,
        ]
    )
    if not at_edge.any() or max(parts.shape) < TELLING:
        return np.zeros(len(stats), np.bool_)
    cut_off = np.array([left == 0, right == columns, top == 0, bottom == rows])
    band_y, band_x = int(BAND * rows), int(BAND * columns)
    centre = parts[band_y : rows - band_y, band_x : columns - band_x]
    in_band = np.bincount(centre.ravel(), minlength=len(stats) + 1)[1:] <= 0.1 * area
    whole = ~cut_off.any(axis=0) & (np.maximum(width, height) >= COMPANION * min(rows, columns))
    solid = whole.any() & cut_off.any(axis=0) & _is_solid(parts, len(stats))
    at_left, at_right, at_top, at_bottom = at_edge
    crosses = (at_left & at_right) | (at_top & at_bottom)
    is_line = crosses & (np.minimum(width, height) <= 0.1 * np.maximum(width, height))
    is_sliver = ((at_left | at_right) & (width <= SLIVER * columns)) | (
        (at_top | at_bottom) & (height <= SLIVER * rows)
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


def _is_solid(parts: MatLike, count: int) -> NDArray[np.bool_]:
    """Which of this many parts are somewhere thicker than strokes are."""
    depth = cv2.distanceTransform(np.minimum(parts, 1).astype(np.uint8), cv2.DIST_L2, 3)
    deep = parts[depth > DEEP * min(parts.shape)]
    return np.bincount(deep, minlength=count + 1)[1:] > 0


def _largest(area: MatLike, *choices: NDArray[np.bool_]) -> int | None:
    """The largest part of the first choice that has more than specks."""
    for choice in choices:
        chosen = np.where(choice, area, 0)
        if chosen.max() >= SPECK * area.sum():
            return int(chosen.argmax())
    return None
