"""Fill the strokes of a digit that is drawn as an outline, as of a letter to be coloured in."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike

from model.images.raster import DETAILED_SIDE, Region


@dataclass(frozen=True, slots=True)
class HollowLimits:
    """What the inside of an outlined stroke looks like, as shares of the longer side of the digit.

    Chosen on MNIST's training digits, drawn as in `benchmarks/scruffy.py`: of 100 hollow digits these values fill about
    three quarters, and of 250 each in thin lines, in clean strokes and from paint programs none.
    """

    max_depth: float = 0.11
    """Maximum of half the width of such a stroke. The hole of a zero or a nine is seldom so narrow."""

    min_length: float = 0.8
    """Minimum length of all strokes: the area between their outlines over its greatest width. The narrow loop of a two
    or a nine is far shorter."""

    max_line: float = 0.06
    """Maximum width of the outline itself."""


LIMITS = HollowLimits()


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
    outlines, tree = digit.outlines
    depths = _depths(tree)
    if 1 not in depths:
        return digit  # nothing is enclosed
    cut = cv2.copyMakeBorder(digit.within_bounds, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    inside = np.zeros_like(cut)
    for index, depth in enumerate(depths):
        if depth % 4 == 1:  # the inner edge of an outer line; depth 2 is the outer edge of an inner line
            cv2.drawContours(inside, outlines, index, 255, cv2.FILLED, offset=(1, 1))
    for index, depth in enumerate(depths):
        if depth % 4 == 2:
            cv2.drawContours(inside, outlines, index, 0, cv2.FILLED, offset=(1, 1))
    inside = cv2.subtract(inside, cut)
    deepest = float(cv2.minMaxLoc(cv2.distanceTransform(inside, cv2.DIST_L2, 3))[1])
    line = float(cv2.minMaxLoc(cv2.distanceTransform(cut, cv2.DIST_L2, 3))[1])
    if not 0 < deepest <= LIMITS.max_depth * size or 2 * line > LIMITS.max_line * size + 2:
        return digit
    if cv2.countNonZero(inside) < LIMITS.min_length * size * 2 * deepest:
        return digit
    whole = Region(digit.mask.copy(), digit.bounds, digit.touches_border)
    place = whole.within_bounds
    place[:] = cv2.bitwise_or(place, inside[1:-1, 1:-1])
    return whole


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
