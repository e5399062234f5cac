"""Recognise digits that are crossed out: by straight strokes across the digit, by a cross, or by a scribble.

A stroke that crosses a digit out begins beside the digit, runs straight across it, and ends beside its other side. So
both of its ends are corners of the convex hull of all ink, one near the left side and one near the right side, with
nothing beside the stroke there. Of two strokes side by side, one may have its ends inside the hull. The bar of a four
begins at a corner of the digit, and that of a seven seldom extends beyond the digit on both sides. Three and more
strokes across are found by their ends, like the teeth of a scribble.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.raster import SQUARE, Mask, Region, strokes_width


@dataclass(frozen=True, slots=True)
class CrossedOutLimits:
    """What tells strokes that cross a digit out from the strokes of the digit.

    Chosen on MNIST's training digits with `benchmarks/surroundings.py --training --groups "crossed out" alone zero` and
    `benchmarks/scruffy.py --training`.
    """

    min_side: int = 32
    """Minimum length of the longer side of the image. In smaller ones, as those of MNIST's size, lines are noise."""

    min_pixels: int = 20
    """Minimum size of the ink in pixels. In smaller ink a stroke is hardly longer than wide."""

    corner: float = 0.02
    """Distance, as a share of the size of the ink, up to which points of the hull belong to one side of it."""

    min_width: float = 0.4
    """Minimum width of the ink, as a share of its height. A stroke through a one makes it wider."""

    min_length: float = 1.9
    """Minimum length of all strokes together, as a multiple of the size of the ink. A one that is struck has 1.8 to 2,
    other struck digits more. It saves time."""

    min_two: float = 3
    """The same, for a second stroke to be looked for beside the first. A digit with two has 3.1 and more."""

    min_scribble: float = 3.3
    """The same with a scribble. Most digits have less."""

    max_end: float = 3.2
    """Maximum length of ink in the outermost columns at each side, in stroke widths.

    The ends of one or two strokes are shorter, and the side of a zero is longer."""

    at_end: float = 0.03
    """Width of these columns, as a share of the size of the ink."""

    outer: float = 0.2
    """Share of the width at the left and at the right in which the ends of a stroke are."""

    covered: float = 0.95
    """Minimum share of the line between the ends that is ink."""

    furthest: float = 4
    """Maximum distance between strokes that run side by side, in stroke widths."""

    thin_ends: float = 0.9
    """Maximum length of one run of ink in the outermost columns, in stroke widths, at the ends of strokes that are
    thinner than those of the digit. The line between such ends may run a pixel beside the stroke.

    With 0.7, 4.4 % of other digits that two lines cross out pass, with 0.9 3.7 %, and without this 5.9 %."""

    between: float = 0.6
    """Maximum share of ink along some line between them. There is paper, apart from the strokes of the digit."""

    parallel: float = 8
    """Maximum angle, in degrees, between strokes that run side by side."""

    crossing: float = 25
    """Minimum angle, in degrees, between the strokes of a cross."""

    beside: float = 0.95
    """Distance from a stroke, in stroke widths, at which nothing is beside its ends. A pixel is added."""

    free: float = 0.06
    """Minimum length of each end with nothing beside it, as a share of the size of the ink."""

    free_widths: float = 0.8
    """The same as a share of the distance at which nothing is beside it. A stroke that bends there needs as much."""

    free_of_thin: float = 0.7
    """Length of free ends, as a share of `free` and `free_widths`, that is enough where strokes are thin.

    The bars of fat fours have such ends, too."""

    thin: float = 0.12
    """Maximum width of thin strokes, as a share of the size of the ink."""

    beyond: float = 0.02
    """Minimum length by which a stroke extends beyond the rest on both sides, as a share of the size of the ink."""

    bar: float = 9
    """Maximum angle from level, in degrees, of the bar of a seven, which crosses one stroke."""

    beyond_bar: float = 0.08
    """Minimum length by which a stroke like such a bar extends beyond the rest. With `beyond`, eight of the hundred
    sevens among `pen_scans` are doubted because of their bars, and with this three."""

    reach: float = 0.18
    """Minimum distance of the rest from a stroke, on each side of it, as a share of the size of the ink."""

    on_each_side: float = 0.06
    """Minimum share of the rest on each side of a stroke. The top bar of a seven has less above it."""

    teeth: int = 3
    """Number of strokes, near the left side and near the right side, that only a scribble has."""

    turns: float = 3.5
    """Number of strokes in the middle of such a scribble. An eight has three, and chalk has frayed sides, too."""

    turns_on_average: float = 3.7
    """Mean number of strokes in the middle of a scribble that has its `teeth` on one side, where no stroke of the digit
    joins them."""

    many_turns: float = 5
    """Number of strokes in the middle that only a scribble has."""

    several: int = 3
    """Number of strokes right across from which nothing else is asked of them."""

    near_end: float = 0.15
    """Share of the width, at each side, that such strokes reach."""

    most_of_end: float = 0.5
    """Minimum share of the columns there that cross as many strokes."""

    max_run: float = 2.5
    """Maximum length of one run of ink in the outermost columns, in stroke widths. The sides of an eight and of a zero
    with a slash are longer."""

    side: float = 0.12
    """Share of the width that is near a side."""


LIMITS = CrossedOutLimits()

_STEPS = 40  # places at which a line is looked at
_MAX_PAPER = _STEPS * (1 - LIMITS.covered)  # places of a line that may be paper
_SHARES = [(step + 0.5) / _STEPS for step in range(_STEPS)]
_SPREAD = [
    share for first in range(4) for share in sorted(_SHARES[first::4], key=lambda share: abs(share - 0.5))
]  # the same, far apart first, and from the middle, which the ends of strokes do not reach
_FIRST = _SPREAD[: _STEPS // 4]
_INNER = np.array(_SHARES[2:-2])[:, np.newaxis]  # strokes side by side need not begin and end side by side

_Point: TypeAlias = Sequence[int]
"""Column and row."""

_Line: TypeAlias = tuple[_Point, _Point]
"""Left and right end."""


def is_crossed_out(digit: Region) -> bool:
    """Return whether strokes cross a digit out.

    Args:
        digit: The digit with the strokes that may cross it out, not empty.
    """
    _, _, width, height = digit.bounds
    if max(width, height) < LIMITS.min_pixels or width < LIMITS.min_width * height:
        return False
    ink = digit.within_bounds
    area = cv2.countNonZero(ink)
    stroke_width = strokes_width(ink, area)
    length = area / (stroke_width * max(width, height))
    if length >= LIMITS.min_length and _is_struck(digit, stroke_width, by_two=length >= LIMITS.min_two):
        return True
    if length < LIMITS.min_scribble:
        return False
    return any(_is_scribbled_or_struck_often(way, stroke_width) for way in (ink, ink.T))


def _is_struck(digit: Region, width: float, *, by_two: bool) -> bool:
    """Return whether one stroke runs across a digit and beyond it on both sides, or two strokes cross each other on it.

    Args:
        digit: The digit with the strokes that may cross it out.
        width: Mean width of strokes in pixels.
        by_two: Whether there may be two strokes side by side.
    """
    ink = digit.within_bounds
    outermost = max(1, round(LIMITS.at_end * max(ink.shape)))
    shares = cv2.reduce(ink, 0, cv2.REDUCE_AVG).tobytes()
    longest = max(*shares[:outermost], *shares[-outermost:]) * len(ink) / 255
    if longest > LIMITS.max_end * width:
        return False
    corners = _corners(digit)
    inner, outer = _lines_across(corners, ink.shape[1])
    if not inner:
        return False
    sides = ink[:, :outermost], ink[:, -outermost:]
    are_thin = longest <= 2 * LIMITS.thin_ends * width and max(map(_longest_run, sides)) <= LIMITS.thin_ends * width
    levels = (cv2.dilate(ink, SQUARE) if are_thin else ink).tobytes()
    likely = [line for line in inner if _is_covered(levels, ink.shape[1], line, _FIRST)]
    if not any(_may_cross(line, corners, ink.shape) and _is_covered(levels, ink.shape[1], line) for line in likely):
        return False  # most digits are done here
    lines = [line for line in (*likely, *outer) if _is_covered(levels, ink.shape[1], line)]
    if by_two:
        lines += _side_by_side(ink, lines, width)
    angles = [_angle(*line) for line in lines]
    is_cross = max(angles) - min(angles) >= LIMITS.crossing
    return (is_cross or _may_extend(ink, lines, width)) and _cross_out(ink, lines, width)


def _cross_out(ink: Mask, lines: Sequence[_Line], width: float) -> bool:
    """Return whether one of the strokes runs across the digit and beyond it, or two of them cross each other on it.

    Args:
        ink: Mask of the digit and of the strokes across it, (height, width), which fills its bounds.
        lines: Lines along strokes, at least one.
        width: Mean width of strokes in pixels.
    """
    size = max(ink.shape)
    margin = round(width) + 2  # as far from a stroke as anything is looked at
    ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    both = np.array(lines) + margin
    middles = both.mean(axis=1)
    angles = np.array([_angle(*line) for line in lines])
    distance = LIMITS.beside * width + 1
    least_free = max(LIMITS.free * size, LIMITS.free_widths * distance)
    if width <= LIMITS.thin * size:
        least_free *= LIMITS.free_of_thin
    seen: list[float] = []
    for (start, end), angle in zip(both, angles, strict=True):
        length = float(np.hypot(*(end - start)))
        normal = np.array([start[1] - end[1], end[0] - start[0]]) / length
        is_parallel = np.abs(angles - angle) <= LIMITS.parallel
        is_apart = np.abs((middles - start) @ normal) > 0.8 * width  # nearer ones are the same stroke
        around = _without(ink, both[is_parallel & is_apart].tolist(), width)
        shifts = normal * distance, -normal * distance
        sides = np.array([[*_along(around, start + shift, end + shift, _SHARES)] for shift in shifts]) > 0
        beside = np.flatnonzero(sides.any(axis=0))
        if len(beside) and min(beside[0], _STEPS - 1 - beside[-1]) / _STEPS * length < least_free:
            continue
        rest = _without(around, both[is_parallel & ~is_apart].tolist(), width)
        points = cv2.findNonZero(_opened(rest, width))
        if points is None:
            continue
        away = (points.reshape(-1, 2) - start) @ normal
        if min(away.max(), -away.min()) < LIMITS.reach * size:
            continue
        above = float((away > 0).mean())
        if min(above, 1 - above) < LIMITS.on_each_side:
            continue
        x, _, extent, _ = cv2.boundingRect(points)
        is_bar = abs(angle) <= LIMITS.bar and (sides[:, 1:] & ~sides[:, :-1]).sum(axis=1).max() <= 1
        enough = max(1, (LIMITS.beyond_bar if is_bar else LIMITS.beyond) * size)
        if min(x - start[0], end[0] - (x + extent - 1)) >= enough:
            return True
        seen.append(angle)
    return bool(seen) and max(seen) - min(seen) >= LIMITS.crossing


def _side_by_side(ink: Mask, lines: Sequence[_Line], width: float) -> list[_Line]:
    """Return the lines along strokes that run beside others, with paper between. Their ends may not be corners.

    Args:
        ink: Mask of the digit and of the strokes across it, (height, width), which fills its bounds.
        lines: Lines along strokes, at least one.
        width: Mean width of strokes in pixels.
    """
    furthest = round(LIMITS.furthest * width) + 1
    last = ink.shape[1] - 1, ink.shape[0] - 1
    ink = cv2.copyMakeBorder(ink, furthest, furthest, furthest, furthest, cv2.BORDER_CONSTANT)
    both = np.array(lines)
    starts, along = both[:, 0], both[:, 1] - both[:, 0]
    normals = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, np.newaxis]
    found: list[_Line] = []
    for direction in (-1, 1):
        shifts = direction * np.arange(1, furthest)[:, np.newaxis, np.newaxis] * normals  # (distances, lines, 2)
        places = (starts + shifts)[:, :, np.newaxis] + along[:, np.newaxis] * _INNER
        columns, rows = np.moveaxis((places + (furthest + 0.5)).astype(np.intp), -1, 0)
        covered = (ink[rows, columns] > 0).mean(axis=2)
        covered[~np.logical_or.accumulate(covered <= LIMITS.between)] = 0  # it is the same stroke
        best = covered.argmax(axis=0)
        for number in np.flatnonzero(covered.max(axis=0) >= LIMITS.covered):
            ends = (both[number] + shifts[best[number], number]).round().astype(int)
            left, right = np.clip(ends, 0, last).tolist()
            found.append((left, right))
    return found


def _may_extend(ink: Mask, lines: Sequence[_Line], width: float) -> bool:
    """Return whether any of the strokes may extend far enough beyond the rest of the digit, on both sides.

    Without one of them, at least as much of the digit is left as without all of them.
    """
    left, _, extent, _ = cv2.boundingRect(_opened(_without(ink, lines, width), width))
    right = left + extent - 1
    enough = max(1, LIMITS.beyond * max(ink.shape))
    return not extent or any(min(left - start[0], end[0] - right) >= enough for start, end in lines)


def _opened(rest: Mask, width: float) -> Mask:
    """Return what is left of ink without the crumbs that a stroke leaves where strokes are wide."""
    return cv2.morphologyEx(rest, cv2.MORPH_OPEN, _TWO_BY_TWO, borderValue=0) if width >= 3 else rest


def _corners(digit: Region) -> list[_Point]:
    """Return the corners, within the bounds of a digit, of its hull. Each stands for all points nearby."""
    outlines, _ = digit.outlines
    hull = cv2.convexHull(outlines[0] if len(outlines) == 1 else np.concatenate(outlines))
    corners: list[_Point] = cv2.approxPolyDP(hull, LIMITS.corner * max(digit.bounds[2:]), closed=True)[:, 0].tolist()
    return corners


def _lines_across(corners: Sequence[_Point], columns: int) -> tuple[list[_Line], list[_Line]]:
    """Return the straight lines from corners near the left side to corners near the right side, `columns` apart.

    Returns:
        The lines between corners that are not neighbours; and the lines along the hull, which have all ink on one side.
    """
    inner: list[_Line] = []
    outer: list[_Line] = []
    last = len(corners) - 1
    for number, start in enumerate(corners):
        if start[0] <= LIMITS.outer * columns:
            for other, end in enumerate(corners):
                if end[0] >= (1 - LIMITS.outer) * columns:
                    (outer if abs(number - other) in (1, last) else inner).append((start, end))
    return inner, outer


def _may_cross(line: _Line, corners: Sequence[_Point], shape: tuple[int, int]) -> bool:
    """Return whether ink may reach far enough from a line, on each side of it, for the line to cross the rest out.

    Args:
        line: The line.
        corners: Corners of the hull of ink. Ink reaches `CrossedOutLimits.corner` further, and twice that is safe.
        shape: Height and width of the ink.
    """
    (x, y), (to_x, to_y) = line
    across, down = to_x - x, to_y - y
    away = [across * (row - y) - down * (column - x) for column, row in corners]
    least = (LIMITS.reach - 2 * LIMITS.corner) * max(shape)
    return min(max(away), -min(away)) >= least * math.hypot(across, down)


def _is_covered(levels: bytes, columns: int, line: _Line, shares: Sequence[float] = _SPREAD) -> bool:
    """Return whether nearly all of a line is ink. Most lines fail at the first places that are looked at.

    Args:
        levels: Levels of a mask, row by row. Python takes the few levels that are asked for from bytes in a fraction of
            the time that an array takes.
        columns: Number of its columns.
        line: The line.
        shares: Places that are looked at, as distances from the start.
    """
    (x, y), (to_x, to_y) = line
    across, down = to_x - x, to_y - y
    allowed = _MAX_PAPER
    for share in shares:
        if not levels[int(y + down * share + 0.5) * columns + int(x + across * share + 0.5)]:
            allowed -= 1
            if allowed < 0:
                return False
    return True


def _along(mask: Mask, start: Iterable[float], end: Iterable[float], shares: Sequence[float]) -> Iterator[int]:
    """Yield the levels of a mask along a line that is inside the mask.

    Python takes the few levels that are asked for in less time than NumPy takes all of them.

    Args:
        mask: Mask, (height, width).
        start: Column and row of the start of the line.
        end: Column and row of its end.
        shares: Distances from the start, as shares of the length.
    """
    (x, y), (to_x, to_y) = start, end
    across, down = to_x - x, to_y - y
    levels = mask.data  # it gives Python's numbers, in a fraction of the time that the array takes for its own
    for share in shares:
        yield levels[int(y + down * share + 0.5), int(x + across * share + 0.5)]


def _angle(start: _Point, end: _Point) -> float:
    """Return the angle of a line in degrees, 0 if it is level."""
    return math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))


def _without(ink: Mask, lines: Sequence[_Line], width: float) -> Mask:
    """Return ink without the strokes along these lines, which have this width."""
    if not lines:
        return ink
    thickness = round(2 * width) + 2  # a line may run along an edge of its stroke
    rest = ink.copy()
    for start, end in lines:
        cv2.line(rest, start, end, 0, thickness)
    return rest


def _is_scribbled_or_struck_often(ink: Mask, width: float) -> bool:
    """Return whether ink goes to and fro between the left side and the right side, or in several strokes across.

    Args:
        ink: Mask that fills its bounds, (height, width).
        width: Mean width of strokes in pixels.
    """
    strokes = _strokes_by_column(ink)
    if strokes.max() < LIMITS.several:
        return False  # most digits are done here
    middle = strokes[len(strokes) // 4 : max(len(strokes) // 4 + 1, len(strokes) * 3 // 4)]
    return _is_scribble(strokes, middle) or (middle.mean() >= LIMITS.several and _is_struck_often(ink, strokes, width))


def _is_struck_often(ink: Mask, strokes: NDArray[np.int32], width: float) -> bool:
    """Return whether several strokes run right across, from the left side to the right side.

    Args:
        ink: Mask that fills its bounds, (height, width).
        strokes: How many strokes each column crosses, int32 (width,).
        width: Mean width of strokes in pixels.
    """
    near = max(2, round(LIMITS.near_end * ink.shape[1]))
    if min((side >= LIMITS.several).mean() for side in (strokes[:near], strokes[-near:])) < LIMITS.most_of_end:
        return False
    outermost = max(1, round(LIMITS.at_end * max(ink.shape)))
    longest = max(_longest_run(columns) for columns in (ink[:, :outermost], ink[:, -outermost:]))
    return longest <= LIMITS.max_run * width


def _longest_run(columns: Mask) -> int:
    """Return the number of neighbouring rows, at most, in which columns have ink."""
    rows = cv2.reduce(columns, 1, cv2.REDUCE_MAX).tobytes()
    return max(map(len, rows.split(b"\0")))


def _strokes_by_column(ink: Mask) -> NDArray[np.int32]:
    """Return how many strokes each column crosses, int32 (width,)."""
    below = cv2.copyMakeBorder(ink, 1, 0, 0, 0, cv2.BORDER_CONSTANT)
    begins = cv2.subtract(below[1:], below[:-1])
    strokes: NDArray[np.int32] = cv2.reduce(begins, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] // 255
    return strokes


def _is_scribble(strokes: NDArray[np.int32], middle: NDArray[np.int32]) -> bool:
    """Return whether ink goes to and fro between the left side and the right side.

    Args:
        strokes: How many strokes each column crosses, int32 (width,).
        middle: The same of the middle half of the columns.
    """
    if strokes.max() < LIMITS.turns:
        return False
    turns = float(np.median(middle))
    if turns >= LIMITS.many_turns:
        return True
    near = max(2, round(LIMITS.side * len(strokes)))
    fewer, more = sorted((int(strokes[:near].max()), int(strokes[-near:].max())))
    if fewer >= LIMITS.teeth:
        return turns >= LIMITS.turns
    return more >= LIMITS.teeth and float(middle.mean()) >= LIMITS.turns_on_average


_TWO_BY_TWO = np.ones((2, 2), np.uint8)
