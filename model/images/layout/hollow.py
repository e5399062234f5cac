"""Fill the strokes of a digit that is drawn as an outline, as of a letter to be coloured in."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike

from model.images.raster import DETAILED_SIDE, Components, Mask, Region, strokes_width


@dataclass(frozen=True, slots=True)
class HollowLimits:
    """What the inside of an outlined stroke looks like, as shares of the longer side of the digit.

    Chosen on MNIST's training digits, drawn as in `benchmarks/scruffy.py`: of 100 hollow digits these values fill about
    three quarters, and of 250 each in thin lines, in clean strokes and from paint programs none. The kind
    `outlined` of `benchmarks/surroundings.py --training` also draws bold print.
    """

    max_depth: float = 0.11
    """Maximum of half the width of such a stroke. The hole of a zero or a nine is seldom so narrow."""

    min_length: float = 0.8
    """Minimum length of all strokes: the area between their outlines over its greatest width. The narrow loop of a two
    or a nine is far shorter."""

    max_line: float = 0.06
    """Maximum width of the outline itself."""

    max_bold_depth: float = 0.16
    """The same as `max_depth`, if the outlines have the shape of a digit with holes in bold print."""

    max_ring: float = 3
    """Maximum width of the line around a hole, on both sides together, in line widths, besides two pixels."""

    tall: float = 1.15
    """Minimum height of a zero or an eight in outlines, as a share of its width. Most rings are not so tall."""

    convex: float = 0.95
    """Minimum area of the outer line, as a share of its hull's, if it may be a ring around a zero.

    Printed fours, sixes and nines have 0.74 to 0.86, and zeros 0.99."""

    slender: float = 1.5
    """Minimum height of the hole of a zero, as a share of its width, as a multiple of the same of the whole zero.

    Bold printed zeros have 1.7 and more. Two ellipses with the same gap on all sides have 1.3."""


LIMITS = HollowLimits()

_MAX_HOLES = 2
_OUTER, _INNER, _HOLE, _HOLE_LINE = range(4)  # depths of edges: two of the line around all, two of one around a hole


def filled(digit: Region) -> Region:
    """Fill an outlined digit.

    Args:
        digit: The digit, not empty.

    Returns:
        The digit with the space between its outlines filled; the same value for other digits.
    """
    size = max(digit.bounds[2:])
    if size < DETAILED_SIDE:
        return digit
    depths = _depths(digit.outlines[1])
    if _INNER not in depths:
        return digit  # nothing is enclosed
    inside = _between(digit, depths)
    max_depth = LIMITS.max_bold_depth if _has_shape_of_bold_print(digit, depths) else LIMITS.max_depth
    if not _is_like_strokes(digit, inside, max_depth):
        return digit
    whole = Region(digit.mask.copy(), digit.bounds, digit.touches_border)
    place = whole.within_bounds
    place[:] = cv2.bitwise_or(place, inside)
    return whole


def is_bold_print(strokes: Components) -> bool:
    """Return whether strokes are the outlines of a digit with holes in bold print, and not a shape around something.

    Args:
        strokes: Components of all strokes, at least one.
    """
    whole = strokes.whole
    if not 1 < len(strokes.stats) <= 1 + _MAX_HOLES or max(whole.bounds[2:]) < DETAILED_SIDE:
        return False
    depths = _depths(whole.outlines[1])
    return _has_shape_of_bold_print(whole, depths) and _is_like_strokes(
        whole, _between(whole, depths), LIMITS.max_bold_depth
    )


def _between(digit: Region, depths: list[int]) -> Mask:
    """Return the mask, within the bounds, of what is between the outlines of strokes.

    Args:
        digit: The digit, not empty.
        depths: In how many others each of its outlines lies.
    """
    outlines, _ = digit.outlines
    inside = np.zeros_like(digit.within_bounds)
    for index, depth in enumerate(depths):
        if depth % 4 == _INNER:  # what is in a hole may have depths of four and more
            cv2.drawContours(inside, outlines, index, 255, cv2.FILLED)
    for index, depth in enumerate(depths):
        if depth % 4 == _HOLE:
            cv2.drawContours(inside, outlines, index, 0, cv2.FILLED)
    return cv2.subtract(inside, digit.within_bounds)


def _is_like_strokes(digit: Region, inside: Mask, max_depth: float) -> bool:
    """Return whether what is between outlines is as narrow and as long as strokes, and the outlines are thin.

    Args:
        digit: The digit, not empty.
        inside: Mask, within the bounds, of what is between its outlines.
        max_depth: Maximum of half the width of such strokes, as a share of the longer side of the digit.
    """
    size = max(digit.bounds[2:])
    deepest, line = _deepest(inside), _deepest(digit.within_bounds)
    if not 0 < deepest <= max_depth * size or 2 * line > LIMITS.max_line * size + 2:
        return False
    return cv2.countNonZero(inside) >= LIMITS.min_length * size * 2 * deepest


def _deepest(mask: Mask) -> float:
    """Return the greatest distance in a mask, in pixels, from its edge."""
    cut = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    return float(cv2.minMaxLoc(cv2.distanceTransform(cut, cv2.DIST_L2, 3))[1])


def _has_shape_of_bold_print(digit: Region, depths: list[int]) -> bool:
    """Return whether one outline goes around all and one around each of one or two holes, as in 0, 4, 6, 8 and 9.

    Args:
        digit: The digit, not empty.
        depths: In how many others each of its outlines lies.
    """
    holes = [index for index, depth in enumerate(depths) if depth == _HOLE]
    expected = [_OUTER, _INNER, *[_HOLE] * len(holes), *[_HOLE_LINE] * len(holes)]
    if not 1 <= len(holes) <= _MAX_HOLES or sorted(depths) != expected:
        return False
    outlines, tree = digit.outlines
    _, _, width, height = digit.bounds
    boxes = [cv2.boundingRect(outlines[index]) for index in holes]
    inner = [cv2.boundingRect(outlines[int(tree[index, 2])]) for index in holes]
    line = strokes_width(digit.within_bounds, cv2.countNonZero(digit.within_bounds))
    widest = LIMITS.max_ring * line + 2
    if any(box[axis] - within[axis] > widest for box, within in zip(boxes, inner, strict=True) for axis in (2, 3)):
        return False  # what is inside is more than a ring
    is_tall = height >= LIMITS.tall * width
    if len(holes) == _MAX_HOLES:
        upper, lower = sorted(boxes, key=lambda box: box[1])
        return is_tall and upper[1] + upper[3] <= lower[1]
    outer = outlines[depths.index(_OUTER)]
    if cv2.contourArea(outer) < LIMITS.convex * cv2.contourArea(cv2.convexHull(outer)):
        return True
    _, _, columns, rows = boxes[0]
    return is_tall and rows * width >= LIMITS.slender * columns * height


def _depths(tree: MatLike) -> list[int]:
    """Return in how many others each contour lies, from the parents in OpenCV's hierarchy, int (n, 4)."""
    depths: list[int] = []
    parents = tree[:, 3].tolist()
    for first in parents:
        depth, parent = 0, first
        while parent >= 0:
            depth, parent = depth + 1, parents[parent]
        depths.append(depth)
    return depths
