"""Find what is drawn around a digit: circles, ellipses and boxes with round corners, double or single, open or closed.

An outline is a line along the rim of a shape, with a digit inside. A zero is such a line too, but nothing is inside; an
eight and a six have inside only what runs from side to side. So an outline is left out only if what is inside could be
a digit of its own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.around.polygons import is_line_around_polygon, is_polygon
from model.images.around.rim import (
    DEPTHS,
    Rim,
    at_depth,
    filled_neighbours,
    has_corners,
    is_bar,
    is_blob,
    looked_at,
    polygon,
)
from model.images.layout.view import Around
from model.images.raster import SQUARE, Components, Grey, Mask, connected_components, has_hole


@dataclass(frozen=True, slots=True)
class OutlineLimits:
    """What tells an outline from a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training`.
    """

    min_pixels: int = 14
    """Minimum of the shorter side of an outline in pixels. In a smaller one no digit can be read."""

    near_bounds: float = 0.78
    """Minimum distance of an outline from the middle of its bounds, as a share of half its sides."""

    away: float = 0.25
    """Minimum distance of a polygon's line from the middle of its bounds, as a share of half a side.

    The sides of a triangle come as near as 0.4, and the width of the line brings its inner edge nearer."""

    surrounded: float = 0.9
    """Minimum share of directions in which an outline has ink there."""

    start: float = 0.16
    """Distance from the hull, as a share of the radius, within which an outline has its line."""

    coverage: float = 0.8
    """Minimum share of the rays that meet the line, where what is inside does not touch it."""

    touching_coverage: float = 0.95
    """Minimum share of the rays that meet the line, where what is inside touches it."""

    width: float = 0.3
    """Maximum width of the line, as a share of the radius."""

    even_width: float = 0.6
    """Maximum width of a line that is as wide everywhere, as a share of the radius."""

    unevenness: float = 0.25
    """Maximum deviation of the width of such a line, as a share of the width."""

    run: float = 1.8
    """Factor of the usual width beyond which the ink that begins at the rim is not only the line."""

    content: float = 0.3
    """Minimum length of what is inside, as a share of the diameter."""

    box_content: float = 0.15
    """The same in a box or another polygon, which is not a zero with a mark in it."""

    small_content: float = 0.2
    """The same in a thin outline that is round or has corners. Few zeros are such."""

    small_bar: float = 0.25
    """The same of a straight bar, which is a one at any angle. Slashes of round zeros have 0.67 and more."""

    bar_content: float = 0.38
    """The same of a straight bar in any other outline."""

    touching_content: float = 0.45
    """The same where it touches the line."""

    touching_bar: float = 0.6
    """The same where a straight bar touches it, as the stroke with which many people begin a zero."""

    piece: float = 0.15
    """Minimum area of another component inside, as a share of the largest one's. A smaller one is a speck."""

    thin: float = 0.12
    """Maximum width of a line, as a share of the radius, that a digit inside may touch. Zeros are drawn thicker."""

    thin_pixels: float = 1.8
    """The same in pixels, because a line is not drawn thinner in a small image."""

    thin_exact: float = 0.16
    """The same of a circle that a program drew, which the zeros of a pen are not."""

    pen_width: float = 0.2
    """Maximum width of a line, as a share of the radius, around a digit, unless the line is symmetric. A zero with a
    dash in it is drawn with one pen."""

    upright: float = 12
    """Angle from upright, in degrees, up to which a bar that touches the line is a one."""

    off_centre: float = 0.15
    """Distance of a bar from the middle, as a share of the radius, from which it is a one although it leans. Slashes of
    zeros have up to 0.08."""

    bar: float = 0.3
    """Maximum width of a straight bar, as a share of its length."""

    dot: float = 0.72
    """Minimum area of a dot, as a share of the smallest rectangle around it. That of an ellipse is 0.785."""

    dot_shape: float = 0.45
    """Minimum width of a dot, as a share of its length. A bold one is narrower."""

    crumbs: float = 0.2
    """Distance from the line, as a share of the radius, up to which what is left inside belongs to the line."""

    slash_lean: float = 22
    """Angle from upright, in degrees, from which a bar may be the slash of a zero."""

    slash_length: float = 0.86
    """Minimum length of such a slash, as a share of the room that the outline leaves along it.

    Of 26 slashes that do not touch the outline, two have 0.85 and the others 0.86 and more. Of 850 ones in circles and
    ellipses, those that lean as much have 0.86 at most, and in `small_in_a_circle` 0.6."""

    round: float = 0.93
    """Minimum of the shorter over the longer side of an outline that is round, which few zeros are."""

    exact_round: float = 0.97
    """Minimum of the shorter over the longer side of a circle that a program drew."""

    exact_asymmetry: float = 0.02
    """Maximum deviation of its opposite radii, as a share of the radius."""

    filled: float = 0.62
    """Minimum size of the inner line of a double outline, as a share of the image inside the outer one."""

    asymmetry: float = 0.03
    """Maximum deviation of opposite radii, as a share of the radius, of an inner line that is not a zero."""

    drawn_asymmetry: float = 0.015
    """The same of a smaller inner line, which must also run along the outer one."""

    gap_difference: float = 0.06
    """Maximum difference between the gaps beside and above such a line, as a share of its longer side.

    A zero a tenth narrower than high has 0.1."""

    gap_pixels: float = 1.5
    """Difference in pixels that is added to it, because lines are drawn at whole pixels."""

    concentric: float = 0.1
    """Maximum distance of the middle of such a line from that of the image inside the outer one, as a share of half a
    side."""

    double: float = 0.74
    """Minimum size of a ring, as a share of the image inside the ring around it, for both to be one double ring.

    With 0.7, 5 of 100 drawings of three rings pass as a zero, and with 0.74 one. With 0.78, one of 280 zeros in double
    circles more is refused."""

    rings: int = 2
    """Number of rings around a line with nothing inside from which it is one more ring, however it is drawn."""

    box_shape: float = 0.9
    """Minimum width of an empty box, as a share of its height. Zeros with corners are narrower."""

    thin_box_shape: float = 0.73
    """The same where the line is thin."""

    second_line: float = 0.25
    """Maximum distance of the second line of a double outline from the first, as a share of the radius."""

    second_line_coverage: float = 0.55
    """Minimum share of the rays that meet the second line; elsewhere it may touch the first."""

    box_side: float = 0.4
    """Minimum of the shorter side of an empty box, as a share of the longer one."""

    two_lines: float = 0.8
    """Maximum of the ink between two lines that touch, as a share of the ink in them."""

    two_lines_pixels: float = 3
    """Minimum width, in pixels, of a line that may be two."""


LIMITS = OutlineLimits()

_MAX_COMPONENTS = 500  # that are looked at; a picture of more is a texture
_CELLS = 16  # a side of the coarse image in which a digit is told from an outline

_ONE_CONTACT = 2  # components: the background and the place of contact


def find_outline(components: Components, ink: Grey, least: float, around: Around) -> "Outline | None":
    """Find an outline with something inside that could be a digit.

    Args:
        components: Components of all strokes, at least one.
        ink: Ink, uint8 (height, width), in which the strokes were found.
        least: Minimum of the shorter side of an outline, in pixels.
        around: What has been left out around these strokes.

    Raises:
        ImageError: The strokes are an outline of two lines, or a box, with nothing inside (BLANK).
    """
    outline = _outline(components, least)
    if outline is None or outline.content is Content.DIGIT:
        return outline
    if outline.content is Content.NOTHING and _is_empty_shape(outline, components.mask, ink, around):
        raise empty_shape()
    return None


def content_of(components: Components, index: int) -> "Content | None":
    """Return what is inside a component that is an outline, or None where it is not an outline.

    Args:
        components: Components of all strokes.
        index: Index of the component.
    """
    ink = components.mask_of_one(index)
    left, top, width, height, _ = components.stats[index].tolist()
    if not _surrounds(ink[top : top + height, left : left + width]):
        return None
    outline = _followed(components.mask, ink)
    return None if outline is None else outline.content


def empty_shape() -> ImageError:
    """Return the error of an image that shows a shape with nothing in it (BLANK)."""
    return ImageError(
        FailureCode.BLANK,
        "The image is blank: it shows a shape with nothing in it. Leave it out, or draw the digit in it.",
    )


class Content(Enum):
    """What is inside an outline."""

    NOTHING = auto()  # or a dot
    PART = auto()  # what belongs to the outline, as the slash of a zero or the middle of an eight
    DIGIT = auto()  # what could be a digit of its own


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A line along the rim of a shape.

    Attributes:
        rim: The rim.
        width: Usual width of the line in pixels.
        hole: Mask of the place inside, (height, width).
        inside: Mask of the strokes inside, (height, width).
        content: What they are.
    """

    rim: Rim
    width: float
    hole: Mask
    inside: Mask
    content: Content

    def around(self, outer: Around, shape: tuple[int, ...]) -> Around:
        """Return what is around the inside of this outline.

        Args:
            outer: What has been left out around the outline.
            shape: Shape of the image in which the outline was found.
        """
        is_round = not has_corners(self.rim.hull)
        _, _, width, height = cv2.boundingRect(self.rim.hull)
        is_second_line = outer.rings > 0 and min(width / shape[1], height / shape[0]) >= LIMITS.double
        is_ring = is_round and self.width <= LIMITS.width * self.rim.radius.mean()
        return Around(outer.shapes + 1, outer.rings + (not is_second_line) if is_ring else 0, is_round)


def _outline(components: Components, least: float) -> Outline | None:
    """Return the outline with a digit inside; or else any outline; or None where no component is one."""
    found = None
    for ink in _candidates(components, max(LIMITS.min_pixels, least)):
        outline = _followed(components.mask, ink)
        if outline is not None and outline.content is Content.DIGIT:
            return outline
        found = found or outline
    return found


def _candidates(components: Components, least: float) -> Iterator[Mask]:
    """Yield the masks of the components that may be an outline, the largest first, and at last of all together.

    A round outline in pieces does not include what lies in its middle. A box may include it, as a line between cells.
    """
    sides = enumerate(components.stats[:_MAX_COMPONENTS, 2:4].tolist())
    boxes = [(columns * rows, index) for index, (columns, rows) in sides if min(columns, rows) >= least]
    if not boxes:
        return
    if len(components.stats) > 1:
        for _, index in sorted(boxes, reverse=True)[:2]:
            x, y, columns, rows, _ = components.stats[index].tolist()
            ink = components.mask_of_one(index)
            if _surrounds(ink[y : y + rows, x : x + columns]):
                yield ink
    if _surrounds(components.whole.within_bounds):
        ink = components.mask_of(_reaches_rim(components))
        yield components.mask if has_corners(cv2.convexHull(cv2.findNonZero(ink))) else ink


def _reaches_rim(components: Components) -> NDArray[np.bool_]:
    """Return which components come near the ellipse in the bounds of all, bool (n,). The others are inside."""
    left, top, width, height = components.whole.bounds
    x, y, columns, rows, _ = components.stats.T
    across = np.maximum(np.abs(2 * (x - left) - width), np.abs(2 * (x + columns - left) - width)) / width
    down = np.maximum(np.abs(2 * (y - top) - height), np.abs(2 * (y + rows - top) - height)) / height
    reaches: NDArray[np.bool_] = np.hypot(across, down) > 1 - LIMITS.start
    return reaches


def _surrounds(ink: Mask) -> bool:
    """Return whether ink lies near its bounds, or near the ellipse in them, in nearly all directions, or is a polygon.

    This costs a tenth of following the rim, and most digits fail it.
    """
    coarse = cv2.resize(ink, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    cells = int.from_bytes(coarse.tobytes(), "little")
    bare = len(_SECTORS) * (1 - LIMITS.surrounded)  # directions that may have no ink
    for sector in _SECTORS:
        if not cells & sector:
            bare -= 1
            if bare < 0:
                return _is_enclosed(cells) and is_line_around_polygon(ink)
    return True


def _is_enclosed(cells: int) -> bool:
    """Return whether ink leaves the middle free, and lies in all directions or all but one. Most digits fail this, too.

    Args:
        cells: The bits of a coarse image.
    """
    return not cells & _MIDDLE and sum(not cells & sector for sector in _WIDE_SECTORS) <= 1


def _sectors(count: int, near_bounds: float) -> list[int]:
    """Return, for each direction, the bits that the cells near the edge of a coarse image have in all its bytes.

    Python compares all bits of a number at once.

    Args:
        count: Number of directions.
        near_bounds: Distance from the middle, as a share of half a side, from which cells count.
    """
    at = (np.arange(_CELLS) + 0.5) * 2 / _CELLS - 1
    across, down = np.meshgrid(at, at)
    sector = np.floor(np.arctan2(down, across) / (2 * np.pi) * count).astype(int) % count
    near = np.hypot(across, down) >= near_bounds
    masks = (np.where(near & (sector == number), np.uint8(255), np.uint8(0)) for number in range(count))
    return [int.from_bytes(mask.tobytes(), "little") for mask in masks]


def _followed(strokes: Mask, ink: Mask) -> Outline | None:
    """Return the outline that ink forms along its rim, or None where it forms none."""
    rim = Rim.of(ink)
    if rim is None or rim.covered(LIMITS.start) < LIMITS.coverage:
        return None
    met = rim.start <= LIMITS.start * rim.radius + 1
    runs = rim.run[met]
    width, mean = float(np.median(runs)), float(rim.radius.mean())
    if width > LIMITS.width * mean:
        low, high = np.quantile(runs, (0.1, 0.9))
        if width > LIMITS.even_width * mean or high - low > LIMITS.unevenness * width + 1:
            return None
    deep = filled_neighbours(rim.start + np.minimum(rim.run, LIMITS.run * width) + 1, met)
    hole = polygon(strokes.shape, rim.inset(deep))
    inside = _without_crumbs(cv2.bitwise_and(strokes, hole), hole, mean)
    content = _content(inside, hole, rim, ink, width)
    if content is Content.DIGIT:  # what lies on the line belongs to the digit, too
        touching = met & (rim.run > LIMITS.run * width)
        hole = polygon(strokes.shape, rim.inset(np.where(touching, rim.start + width, deep)))
        inside = _without_crumbs(cv2.bitwise_and(strokes, hole), hole, mean)
    return Outline(rim, width, hole, inside, content)


def _without_crumbs(inside: Mask, hole: Mask, radius: float) -> Mask:
    """Return what is inside an outline without what remains of its line, or of a second line beside it.

    Args:
        inside: Mask of the strokes inside.
        hole: Mask of the place inside.
        radius: Mean radius of the outline in pixels.
    """
    depth = round(LIMITS.crumbs * radius)
    deep = cv2.erode(hole, np.ones((2 * depth + 1,) * 2, np.uint8), borderValue=0)
    parts = connected_components(inside)
    return parts.mask_of(np.bincount(parts.numbers[deep > 0], minlength=len(parts.stats) + 1)[1:] > 0)


def _content(inside: Mask, hole: Mask, rim: Rim, ink: Mask, width: float) -> Content:
    """Tell what is inside an outline."""
    if not cv2.hasNonZero(inside):
        return Content.NOTHING
    parts = connected_components(inside)
    largest = int(parts.stats[:, 4].argmax())
    _, _, columns, rows, _ = parts.stats[largest].tolist()
    _, _, hole_width, hole_height = cv2.boundingRect(hole)
    length = max(columns, rows) / min(hole_width, hole_height)
    part = parts.mask_of_one(largest)
    least = LIMITS.small_content if _is_thin_shape(rim, width) else LIMITS.content
    if _is_box(rim, width) or is_polygon(rim.hull):
        least = LIMITS.box_content
    if length < least or is_dot(part):
        return Content.NOTHING
    if cv2.hasNonZero(cv2.bitwise_and(part, ink)):
        is_digit = _touching_is_digit(part, hole, rim, width, length)
    else:
        is_piece = parts.stats[:, 4] >= LIMITS.piece * parts.stats[largest, 4]
        is_digit = _apart_is_digit(parts.mask_of(is_piece), int(is_piece.sum()), hole, rim, width, length)
    return Content.DIGIT if is_digit else Content.PART


def is_dot(part: Mask) -> bool:
    """Return whether something inside an outline, not empty, is a dot, as in the middle of some zeros."""
    return is_blob(part, LIMITS.dot, LIMITS.dot_shape) and not has_hole(part)


def _touching_is_digit(part: Mask, hole: Mask, rim: Rim, width: float, length: float) -> bool:
    """Return whether what touches the line of an outline is a digit, and not a stroke of the same digit.

    Args:
        part: Mask of what touches it, without the line.
        hole: Mask of the place inside the outline.
        rim: Rim of the outline.
        width: Width of its line in pixels.
        length: Length of the part, as a share of the diameter of the hole.
    """
    if not _is_thin(rim, width) or _is_narrow(rim) or rim.covered(LIMITS.start) < LIMITS.touching_coverage:
        return False
    bar, lean = is_bar(part, LIMITS.bar)
    if length < (LIMITS.touching_bar if bar else LIMITS.touching_content):
        return False
    edge = cv2.subtract(hole, cv2.erode(hole, SQUARE, borderValue=0))
    contacts, _ = cv2.connectedComponents(cv2.bitwise_and(part, edge))  # and the background
    return not bar or contacts <= _ONE_CONTACT or lean <= LIMITS.upright or _is_off_centre(part, rim)


def _is_off_centre(bar: Mask, rim: Rim) -> bool:
    """Return whether the line through a bar passes the middle of an outline by some distance."""
    across, down, x, y = cv2.fitLine(cv2.findNonZero(bar), cv2.DIST_L2, 0, 0.01, 0.01).ravel().tolist()
    column, row = rim.centre.tolist()
    distance = abs(across * (row - y) - down * (column - x))
    return bool(distance > LIMITS.off_centre * rim.radius.mean())


def _is_exact_circle(rim: Rim) -> bool:
    """Return whether an outline is as round and symmetric as a program draws a circle."""
    short, long = rim.bounds()
    return short >= LIMITS.exact_round * long and rim.asymmetry() <= LIMITS.exact_asymmetry


def _apart_is_digit(parts: Mask, count: int, hole: Mask, rim: Rim, width: float, length: float) -> bool:
    """Return whether what is inside an outline without touching it is a digit, and not the mark in a zero.

    Args:
        parts: Mask of what is inside.
        count: Number of its components.
        hole: Mask of the place inside the outline.
        rim: Rim of the outline.
        width: Width of its line in pixels.
        length: Length of the largest component, as a share of the diameter of the hole.
    """
    if width > LIMITS.pen_width * rim.radius.mean() and rim.asymmetry() > LIMITS.asymmetry:
        return False
    if not is_bar(parts, LIMITS.bar)[0]:
        return True
    least = LIMITS.small_bar if _is_thin_shape(rim, width) else LIMITS.bar_content
    return length >= least and not is_slash(parts, count, hole, rim)


def is_slash(parts: Mask, count: int, hole: Mask, rim: Rim) -> bool:
    """Return whether what is inside an outline is the slash of a zero, in one piece or in dashes.

    Args:
        parts: Mask of what is inside.
        count: Number of its components.
        hole: Mask of the place inside the outline.
        rim: Rim of the outline.
    """
    bar, lean = is_bar(parts, LIMITS.bar)
    if not bar or lean <= LIMITS.slash_lean or not _may_be_zero(rim):
        return False
    return count > 1 or _runs_across(parts, hole)


def _is_thin_shape(rim: Rim, width: float) -> bool:
    """Return whether an outline is a thin line, and as round as a circle or angular as a box."""
    short, long = rim.bounds()
    return _is_thin(rim, width) and (short >= LIMITS.round * long or has_corners(rim.hull) or is_polygon(rim.hull))


def _is_thin(rim: Rim, width: float) -> bool:
    """Return whether the line of an outline is thinner than that of a zero."""
    thin = LIMITS.thin_exact if _is_exact_circle(rim) else LIMITS.thin
    return width <= max(thin * float(rim.radius.mean()), LIMITS.thin_pixels)


def _runs_across(bar: Mask, hole: Mask) -> bool:
    """Return whether a bar leaves hardly any room at its ends in the hole that it is in."""
    points = cv2.findNonZero(bar)
    across, down, x, y = cv2.fitLine(points, cv2.DIST_L2, 0, 0.01, 0.01).ravel().tolist()
    far = 2 * max(hole.shape)
    start, end = ((round(x + way * across), round(y + way * down)) for way in (-far, far))
    line = cv2.line(np.zeros_like(hole), start, end, 255)
    _, _, columns, rows = cv2.boundingRect(cv2.bitwise_and(line, hole))
    _, (width, height), _ = cv2.minAreaRect(points)
    return max(width, height) + 1 >= LIMITS.slash_length * math.hypot(columns, rows)


def _may_be_zero(rim: Rim) -> bool:
    """Return whether an outline is round, or narrow as most zeros."""
    short, long = rim.bounds()
    return _is_narrow(rim) or (short >= LIMITS.round * long and not has_corners(rim.hull))


def _is_narrow(rim: Rim) -> bool:
    """Return whether an outline is higher than wide, as a zero, and has no corners."""
    short, long = rim.bounds()
    _, _, columns, rows = cv2.boundingRect(rim.hull)
    return short < LIMITS.round * long and rows > columns and not has_corners(rim.hull)


def _is_empty_shape(outline: Outline, strokes: Mask, ink: Grey, around: Around) -> bool:
    """Return whether an outline with nothing inside is a shape and not a zero.

    Args:
        outline: The outline.
        strokes: Mask of all strokes.
        ink: Ink, uint8 (height, width).
        around: What has been left out around it.
    """
    if around.shapes:
        return around.rings >= LIMITS.rings or _runs_along(outline.rim, strokes.shape, around)
    if _is_box(outline.rim, outline.width) or is_polygon(outline.rim.hull):
        return True
    return _has_second_line(outline, strokes) or _has_two_lines(outline, ink)


def _has_second_line(outline: Outline, strokes: Mask) -> bool:
    """Return whether most rays meet a second line near the first one."""
    rim = outline.rim
    seen = looked_at(strokes, rim.centre, rim.radius) > 0
    beyond = np.arange(DEPTHS) / DEPTHS * rim.radius[:, np.newaxis] - (rim.start + rim.run)[:, np.newaxis]
    second = seen & (beyond >= 0) & (beyond <= LIMITS.second_line * rim.radius.mean())
    is_met = second.any(axis=1) & ~seen[:, -1]  # a dot in the middle is not a line around it
    return bool(is_met.mean() >= LIMITS.second_line_coverage)


def _has_two_lines(outline: Outline, ink: Grey) -> bool:
    """Return whether a line is two lines side by side, with a little less ink between them."""
    rim = outline.rim
    if outline.width < LIMITS.two_lines_pixels:
        return False
    steps = np.linspace(0, 1, 9) * outline.width
    levels = np.stack([at_depth(ink, rim, rim.start + step) for step in steps]).astype(np.float64)
    profile = np.median(levels, axis=1)
    middle = int(profile[2:7].argmin()) + 2
    return bool(profile[middle] < LIMITS.two_lines * min(profile[:middle].max(), profile[middle + 1 :].max()))


def _runs_along(rim: Rim, shape: tuple[int, ...], around: Around) -> bool:
    """Return whether an outline runs along the shape that was left out around it, as a zero in a circle does not.

    It has the same form. It lies close to the shape, or both are rings or boxes that are drawn exactly, one in the
    middle of the other.
    """
    if around.is_round == has_corners(rim.hull):
        return False
    rows, columns = shape
    left, top, width, height = cv2.boundingRect(rim.hull)
    if min(width / columns, height / rows) >= LIMITS.filled:
        return rim.asymmetry() <= LIMITS.asymmetry
    if not around.rings and around.is_round:
        return False  # on a disc it is a round zero
    off_centre = max(abs(2 * left + width - columns) / columns, abs(2 * top + height - rows) / rows)
    difference = abs((columns - width) - (rows - height)) - LIMITS.gap_pixels
    return (
        rim.asymmetry() <= LIMITS.drawn_asymmetry
        and off_centre <= LIMITS.concentric
        and difference <= LIMITS.gap_difference * max(width, height)
    )


def _is_box(rim: Rim, width: float) -> bool:
    """Return whether an outline is a box drawn with a thin line, and not a zero or an open four.

    Args:
        rim: Rim of the outline.
        width: Width of its line in pixels.
    """
    short, long = rim.bounds()
    _, _, columns, rows = cv2.boundingRect(rim.hull)
    is_thin = width <= LIMITS.thin * rim.radius.mean()
    return (
        has_corners(rim.hull)
        and rim.covered(LIMITS.start) >= LIMITS.touching_coverage
        and short >= LIMITS.box_side * long
        and columns >= rows * (LIMITS.thin_box_shape if is_thin else LIMITS.box_shape)
    )


_SECTORS = _sectors(24, LIMITS.near_bounds)
_WIDE_SECTORS = _sectors(12, LIMITS.away)
_MIDDLE = ~sum(_WIDE_SECTORS) & ((1 << 8 * _CELLS**2) - 1)  # all other cells
