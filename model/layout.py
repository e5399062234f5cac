"""What of a picture is the digit: not the table under the sheet, nor form lines, nor specks."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.ink import COARSE
from model.raster import SQUARE, Grey, Mask, above, histogram, otsu, quantiles, rim, shrink

BAND = 0.2
"""Of a side: how far inwards the frame of a form, or the table beside the sheet, may reach."""

SLIVER = 0.06
"""Of a side: what lies along it and is thinner is a rest of something, not a stroke."""

MARGIN = 0.04
"""Of a side: a line this near to it belongs to it."""

SPECK = 0.03
"""Of the largest stroke: smaller pieces are specks."""

REACH = 0.3
"""Of the size of what belongs to the digit already: nearer pieces belong to it too."""


def find_sheet(image: Grey) -> Mask | None:
    """A sheet of paper on a table, or another rectangle of one grey with something drawn inside and nothing outside.

    Returns:
        The mask of the sheet, its edge left out; None if there is none.
    """
    if max(image.shape) < COARSE:
        return None
    coarse, _ = shrink(image, COARSE)
    light = above(coarse, otsu(histogram(coarse)))
    for side in (light, 255 - light):
        if not 0.12 < cv2.countNonZero(side) / side.size < 0.97 or rim(side).mean() > 0.98 * 255:
            continue  # too little for a sheet, or the whole image
        sheet = _rectangle(side)
        if sheet is not None and _is_bare(coarse, sheet, side):
            return cv2.resize(
                cv2.erode(sheet, SQUARE, borderValue=255), image.shape[::-1], interpolation=cv2.INTER_NEAREST
            )
    return None


def _rectangle(mask: Mask) -> Mask | None:
    """The convex hull of the largest part of a mask, if that is a rectangle with holes."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.max() < 0.12 * mask.size:
        return None
    part = np.where(parts == areas.argmax() + 1, 255, 0).astype(np.uint8)
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = cv2.convexHull(outlines[0])
    _, (width, height), _ = cv2.minAreaRect(corners)
    hull = cv2.fillConvexPoly(np.zeros_like(mask), corners, 255)
    area = cv2.countNonZero(hull)
    edge = hull - cv2.erode(hull, SQUARE, borderValue=0)
    is_rectangle = min(width, height) > COARSE / 4 and area > 0.93 * (width + 1) * (height + 1)
    has_holes = 0.6 * area < areas.max() < 0.99 * area
    has_an_edge = cv2.mean(cv2.dilate(part, SQUARE), edge)[0] > 0.95 * 255
    return hull if is_rectangle and has_holes and has_an_edge and area < 0.97 * mask.size else None


def _is_bare(image: Grey, sheet: Mask, side: Mask) -> bool:
    """Whether nothing is drawn beside the sheet: else the sheet was a lit part of one, and would cut a digit."""
    outside = 255 - cv2.dilate(sheet, np.ones((5, 5), np.uint8))
    if cv2.countNonZero(outside) < 0.02 * outside.size:
        return False
    (inner,) = quantiles(histogram(image, cv2.bitwise_and(sheet, side)), 0.5)
    darkest, outer, lightest = quantiles(histogram(image, outside), 0.01, 0.5, 0.99)
    beyond = outer - darkest if inner > outer else lightest - outer
    return beyond < 0.4 * abs(inner - outer)


def find_digit(strokes: Mask) -> Mask:
    """Of the strokes those of the digit: the largest piece and what lies near it, without frame and specks.

    Args:
        strokes: (height, width), not empty.
    """
    count, parts, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    if count == 2:
        return strokes
    left, top, width, height, area = stats[1:].T
    right, bottom = left + width, top + height
    area = np.where(_belongs_to_frame(parts, stats[1:]), 0, area)
    digit = np.arange(count - 1) == area.argmax()
    pieces = area >= SPECK * area.max()
    while True:
        x0, y0, x1, y1 = left[digit].min(), top[digit].min(), right[digit].max(), bottom[digit].max()
        reach = REACH * max(x1 - x0, y1 - y0)
        near = (left < x1 + reach) & (right > x0 - reach) & (top < y1 + reach) & (bottom > y0 - reach) & pieces
        if (near == digit).all():
            break
        digit = near
    values = np.zeros(count, np.uint8)
    values[1:][digit] = 255
    mask: Mask = values[parts]
    return mask


def _belongs_to_frame(parts: MatLike, stats: MatLike) -> NDArray[np.bool_]:
    """Which parts are printed lines, the table, shadows or a neighbour's strokes along the edge of the image.

    They lie along the edge and, inwards, within a band of it. Strokes of a digit that fills its image may do so too:
    what is at the same edge as the largest other part is left alone.
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
    if not at_edge.any():
        return np.zeros(len(stats), np.bool_)
    band_y, band_x = int(BAND * rows), int(BAND * columns)
    centre = parts[band_y : rows - band_y, band_x : columns - band_x]
    in_band = np.bincount(centre.ravel(), minlength=len(stats) + 1)[1:] <= 0.1 * area
    at_left, at_right, at_top, at_bottom = at_edge
    crosses = (at_left & at_right) | (at_top & at_bottom)
    is_line = crosses & (np.minimum(width, height) <= 0.1 * np.maximum(width, height))
    is_sliver = ((at_left | at_right) & (width <= SLIVER * columns)) | (
        (at_top | at_bottom) & (height <= SLIVER * rows)
    )
    frame: NDArray[np.bool_] = is_line | (in_band & (crosses | is_sliver))
    others = np.where(frame, 0, area)
    main = int(others.argmax())
    if others[main] < SPECK * area.sum():
        return np.zeros_like(frame)
    at_its_edge = np.array([left[main] == 0, right[main] == columns, top[main] == 0, bottom[main] == rows])
    shared: NDArray[np.bool_] = (at_edge & at_its_edge[:, np.newaxis]).any(axis=0)
    frame &= ~shared
    return frame
