"""Leave out lines drawn under a digit: straight or wavy, one or several, apart from the digit or touching it.

A line above the digit is left out as well if one under it is like it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.around.rim import is_bar
from model.images.raster import Components, Mask, Region, connected_components, strokes_width


@dataclass(frozen=True, slots=True)
class UnderlineLimits:
    """What tells a line under a digit from the foot of a two or a one.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training`.
    """

    flat: float = 3.5
    """Minimum width of a line, as a multiple of its height. Wavy ones have 4 and more."""

    height: float = 0.35
    """Maximum height of a line, as a share of the height of the digit."""

    width: float = 0.9
    """Minimum width of a line, as a share of the width of the digit."""

    length: float = 0.45
    """The same as a share of the height of the digit, because a one has hardly a width."""

    reach: float = 0.7
    """Maximum distance between a line and the digit, as a share of the digit's height."""

    overlap: float = 0.05
    """Height, as a share of the digit's, by which a line may begin above the digit's lowest ink."""

    gap: float = 0.5
    """Minimum distance between a line and the digit, as a share of the line's thickness, unless the line extends on
    both sides (`beyond`). The foot of a two that is broken off is nearer, and does not."""

    large: int = 32
    """Height of a digit, in pixels, from which the distance may be a pixel less, because blur reduces it."""

    corner: float = 0.12
    """Size of the lower corners of strokes, as a share of their bounds, in which a line that touches a digit has its
    ends."""

    touching_width: float = 0.13
    """Maximum width of a line that touches, as a share of the height of the strokes."""

    straight: float = 0.035
    """Maximum distance of the line from a straight one, as a share of its length."""

    bent: float = 0.006
    """Maximum deviation of the lower edge of a line that touches from the straight line that fits it best (root mean
    square), as a share of its length. The foot of a two bends where the two meets it.

    Of 2,000 twos of `benchmarks/surroundings.py --training --kinds plain`, 12 lose their foot without this limit and
    `bent_pixels`, and are read as sevens. None loses it with them. Of 2,100 lines that touch, one more stays."""

    bent_pixels: float = 0.35
    """Deviation in pixels that is added to `bent`, because edges are at whole pixels."""

    covered: float = 0.95
    """Minimum share of columns in which the strokes end in the line."""

    beyond: float = 0.12
    """Minimum length by which a line that touches, or nearly does, extends on each side of the digit, as a share of its
    own length.

    The foot of a two extends on one side, and begins where the two meets it."""

    foot: float = 2
    """Minimum length of all feet of the digit on the line, such as that of a two, in stroke widths, for them to stay.

    What lies under them is left as well, because nobody can tell it from them."""

    two_width: float = 0.72
    """Maximum width of a narrow two, whose foot may be straight, as a share of its height. With a line under them, only
    ones and a few sevens are as narrow."""

    two_line: float = 0.9
    """Minimum thickness of that foot, in stroke widths, because one pen draws the foot and the other strokes."""

    two_meets: float = 0.4
    """Part of that foot in which the two meets it, from its left end, as a share of its length."""

    bar: float = 0.3
    """Maximum width of a straight bar, as a share of its length. It is a one, which may lean."""

    body: float = 0.5
    """Minimum height of the digit above a line that touches, as a share of the height of the strokes."""

    inside: float = 0.7
    """Minimum share of the digit's width that a line lies under."""

    alike: float = 0.1
    """Maximum distance between the ends of a line above the digit and those of one under it, as a share of its length.

    Two such lines are ruled. The bar of a five is as long as the five, and does not begin to the left of it."""


LIMITS = UnderlineLimits()


def without_underlines(strokes: Components) -> Components:
    """Return the strokes without the lines under the digit.

    Args:
        strokes: Components of all strokes, at least one.
    """
    if len(strokes.stats) > 1:
        is_line = _are_lines(strokes)
        if is_line.any():
            strokes = connected_components(strokes.mask_of(~is_line))
    rest = _without_touching(strokes.whole)
    return strokes if rest is strokes.mask else connected_components(rest)


def _are_lines(components: Components) -> NDArray[np.bool_]:
    """Return which components are lines under the tallest one, or mirror such a line above it, bool (n,)."""
    left, top, width, height, _ = components.stats.T
    digit = int(height.argmax())
    tall, wide = height[digit], width[digit]
    below = top - (top[digit] + tall)
    inside = np.minimum(left + width, left[digit] + wide) - np.maximum(left, left[digit])
    flat = (width >= LIMITS.flat * height) & (height <= LIMITS.height * tall)
    long = width >= np.maximum(LIMITS.width * wide, LIMITS.length * tall)
    starts_below = below >= -LIMITS.overlap * tall
    lines: NDArray[np.bool_] = starts_below & flat & long & (inside >= LIMITS.inside * wide)
    near = lines & (below <= LIMITS.reach * tall)
    if not near.any() or not (near & _are_apart(components, digit)).any():  # one is near, the others under it
        return np.zeros(len(height), np.bool_)
    starts = np.abs(left[:, np.newaxis] - left[lines])
    ends = np.abs((left + width)[:, np.newaxis] - (left + width)[lines])
    mirrors = (np.maximum(starts, ends) <= LIMITS.alike * width[lines]).any(axis=1)
    above = top[digit] - (top + height)
    is_above = (above >= -LIMITS.overlap * tall) & (above <= LIMITS.reach * tall)
    extends = (left < left[digit]) & (left + width > left[digit] + wide)
    lines |= flat & extends & mirrors & is_above
    return lines


def _are_apart(components: Components, digit: int) -> NDArray[np.bool_]:
    """Return which components, if they are under a digit, are not its broken foot, bool (n,).

    Args:
        components: Components of all strokes.
        digit: Index of the digit.
    """
    left, top, width, height, area = components.stats.T
    right = left + width
    below = top - (top[digit] + height[digit])
    is_far = below + (height[digit] >= LIMITS.large) >= LIMITS.gap * area / width
    extends = np.minimum(left[digit] - left, right - right[digit]) >= LIMITS.beyond * width
    is_apart: NDArray[np.bool_] = is_far | (extends & (below >= 0))
    return is_apart


def _without_touching(whole: Region) -> Mask:
    """Return the strokes without a line along their lower edge that extends on both sides; or the same array."""
    strokes = whole.mask
    left, top, width, height = whole.bounds
    box = whole.within_bounds
    down, across = max(2, int(LIMITS.corner * height)), max(1, int(LIMITS.corner * width))
    if height < 12 or not cv2.hasNonZero(box[-down:, :across]) or not cv2.hasNonZero(box[-down:, -across:]):
        return strokes
    upwards = box[::-1] > 0
    lowest = upwards.argmax(axis=0)
    at = np.arange(width)
    heights = np.median(lowest[:across]), np.median(lowest[-across:])
    line = np.interp(at, (across / 2, width - across / 2), heights)
    is_on_line = np.abs(lowest - line) <= LIMITS.straight * width + 1
    if is_on_line.mean() < LIMITS.covered or _bent(lowest, across // 2) > LIMITS.bent * width + LIMITS.bent_pixels:
        return strokes
    rising = np.where(upwards.cumsum(axis=0) == np.arange(1, height + 1)[:, np.newaxis] - lowest, upwards, False)
    thicknesses = rising.sum(axis=0)
    tips = across // 2  # which may be pointed
    ends = thicknesses[tips:across], thicknesses[width - across : width - tips]
    thickness = int(max(np.median(end) for end in ends))
    if thickness > LIMITS.touching_width * height:
        return strokes
    rows = np.arange(height)[:, np.newaxis]
    beneath = rows < np.minimum(lowest, line + 2) + thickness + 1
    body = upwards & ~beneath
    feet = thicknesses > thickness + thickness // 2
    for part, least in ((body.any(axis=0), 1), (feet, max(2, thickness // 2))):  # a bump on the line is not a foot
        columns = np.flatnonzero(part)
        if len(columns) < least or min(columns[0], width - 1 - columns[-1]) < LIMITS.beyond * width:
            return strokes
    stroke = strokes_width(box, cv2.countNonZero(box))
    if np.count_nonzero(body.any(axis=1)) < LIMITS.body * height or (
        thickness >= LIMITS.two_line * stroke and _is_narrow_two(body, feet)
    ):
        return strokes
    is_foot = feet & (thicknesses <= stroke + thickness)
    if np.count_nonzero(is_foot) >= LIMITS.foot * stroke:
        body[:, is_foot] = upwards[:, is_foot]
    rest = np.zeros_like(strokes)
    rest[top : top + height, left : left + width] = np.where(body[::-1], np.uint8(255), np.uint8(0))
    return rest


def _is_narrow_two(body: NDArray[np.bool_], feet: NDArray[np.bool_]) -> bool:
    """Return whether strokes look like a narrow two on its foot.

    Args:
        body: Which pixels are above the line, bool (height, width), the lowest row first.
        feet: In which columns strokes reach the line, bool (width,), any.
    """
    height, width = body.shape
    is_narrow = width <= LIMITS.two_width * height and np.flatnonzero(feet)[-1] < LIMITS.two_meets * width
    return bool(is_narrow) and not is_bar(body.view(np.uint8), LIMITS.bar)[0]


def _bent(heights: NDArray[np.intp], ends: int) -> float:
    """Return the deviation of an edge from the straight line that fits it best, as a root mean square, in pixels.

    Args:
        heights: Height of the edge in each column, (n,).
        ends: Number of columns at each end that do not count.
    """
    edge = heights[ends : len(heights) - ends].astype(np.float64)
    at = np.linspace(-1, 1, len(edge))
    edge -= edge.mean()
    return float((edge - at * (at @ edge) / (at @ at)).std())
