"""Tell several digits from one digit in several pieces.

A five with a flying bar, a dotted digit and a digit that the pen left gaps in have several components, as two digits
have. What tells them apart is the arrangement: each of several digits is about as tall as the tallest, and together
they are wider or taller than one digit. Where the arrangement leaves doubt, as between a zero in two halves and an
eleven, it says so, and whoever has a network can ask that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.layout.continued import strokes_of
from model.images.layout.drawn import Drawn
from model.images.raster import Bounds, Region, strokes_width


@dataclass(frozen=True, slots=True)
class DivisionLimits:
    """What is a digit by itself, and which arrangements one digit never has.

    The values are those with which `benchmarks/several.py --training` finds most of the images of several digits,
    while it takes at most one in a hundred single digits of each kind for certain to be several.
    """

    max_pieces: int = 200
    """Number of pieces beyond which a drawing is a texture. It also bounds time and memory."""

    max_doubtful: int = 9
    """Number of pieces beyond which a drawing that may be one digit in dots or dashes is one."""

    min_height: float = 0.4
    """Minimum height of a digit, as a share of the tallest piece. The bar of a five has up to 0.35."""

    min_small: float = 0.28
    """The same, of a digit that is more than a straight stroke. Then the digits are never certain.

    With 0.4 for these too, three in four second digits of 0.3 to 0.4 of the first one's height are left out."""

    min_across: float = 2.5
    """Length of the shorter side of the box that turns with such a digit, in its stroke widths. Bars, commas and dashes
    have up to 2."""

    min_length: float = 3.5
    """Minimum length of a digit's longer side, in stroke widths. Dots have 1, and most dashes less than 3."""

    min_aspect: float = 0.4
    """Minimum height of a digit, as a share of its width. A flat five has 0.4."""

    min_straight_aspect: float = 0.7
    """Minimum height of a straight stroke that is a digit, as a share of its width. Flatter ones are bars."""

    min_bend: float = 1.5
    """Length of a stroke, as a share of the diagonal of its bounds, from which it is not straight."""

    min_low: float = 0.92
    """Place of the middle of a small piece below the top of the tallest, as a share of its height, from which the piece
    may be a comma. Commas have 0.95 to 1.02."""

    max_low: float = 1.08
    """The same, up to which it may be one."""

    max_high: float = 0.3
    """The same, up to which a small piece is a degree sign if it is round."""

    min_round: float = 0.75
    """Minimum width of what is round, as a share of its height. Small digits have 0.6."""

    reach: float = 0.25
    """Distance, as a share of the size of a digit, up to which pieces that are not digits belong to it."""

    same_overlap: float = 0.5
    """Overlap, as a share of the smaller piece, from which two pieces are not beside, or not above, each other."""

    max_stacked_height: float = 1.5
    """Height of two pieces above each other, as a share of their width, up to which they are one digit."""

    max_loose: float = 0.3
    """Share of ink in pieces that are not digits, beyond which the drawing may be one digit in dots or dashes."""

    min_row: float = 1.3
    """Width of all digits together, as a share of their height, from which they are a row. MNIST's digits have up to
    1.2, and nearly all have less than 1."""

    min_column: float = 2.3
    """Height of all digits together, as a share of their width, from which they may be a column. An eight in two loops
    has up to 2.2."""

    min_long_column: float = 2.5
    """The same, from which they are a column if one of them is more than a straight stroke. A dashed one is not."""

    min_gap: float = 0.15
    """Gap between digits, as a share of their mean height, from which a row or a column is certain. A pen that skips
    leaves 0.1."""

    min_row_gap: float = 0.04
    """Gap between digits, as a share of their mean height, from which they stand beside each other.

    With 0.06, twice as many rows of a digit and a one are one digit at the narrowest gaps. With 0.02, a quarter more of
    the fours that are cut along their stem are two."""

    min_stroke: float = 0.3
    """Minimum area of such a digit, as a share of that of a straight stroke of its length and the usual width. A rest
    of a frame may have 0.15."""

    min_in_lines: int = 5
    """Minimum number of digits in two lines or more, each as high as the others, from which they are certain.

    Most of them are more than a straight stroke. Fewer may be the dashes of one digit, and the network decides."""

    even: float = 0.7
    """Minimum height of each digit of a row that is certain without such a gap, as a share of the tallest.

    Lower digits may have narrower strokes than the tallest, as print of another size has."""

    min_column_width: float = 0.5
    """Minimum width of each digit of a column that is certain without a gap, as a share of the digit's height."""

    line_overlap: float = 0.25
    """Overlap of two digits, as a share of the lower one's height, from which they are on one line."""

    stair: float = 0.3
    """Maximum gap between two digits, as a share of the lower one's height, one of which is higher and further to the
    side than the other. They are on one line, because numbers are written from left to right, however they rise."""

    min_seen: int = 16
    """Size of a digit, in pixels, below which a view is too coarse to tell digits from specks."""

    neighbourhood: float = 2.5
    """Distance, in sizes of such a digit, up to which other digits may be. Digits 1.5 widths apart are within 1.1."""


LIMITS = DivisionLimits()

Boxes: TypeAlias = NDArray[np.integer]
"""Left, top, right and bottom of boxes in pixels, int (n, 4), or one length of each."""


@dataclass(frozen=True, slots=True)
class Division:
    """The digits that the components of a drawing may form: two or more."""

    digits: tuple[NDArray[np.bool_], ...]
    """Which components form each digit, bool (n,) each, in reading order."""

    certain: bool
    """Whether they are several digits for certain. Otherwise they may be the pieces of one."""

    in_row: bool = False
    """Whether they stand beside each other with gaps between them, each about as tall as the others."""

    is_one_large: bool = False
    """Whether all but one are small. Then that one is the digit, if there is only one."""

    in_shapes: bool = False
    """Whether each of them is in a shape of its own, such as the cell of a form."""

    @property
    def together(self) -> NDArray[np.bool_]:
        """Which components belong to any of the digits, bool (n,)."""
        together: NDArray[np.bool_] = np.any(self.digits, axis=0)
        return together


def divide(drawn: Drawn) -> Division | None:
    """Divide a drawing into digits, or return None if it is one digit.

    Args:
        drawn: What is drawn.
    """
    stats = drawn.components.stats
    if len(stats) == 1:
        return None
    is_piece = drawn.is_piece
    pieces = np.flatnonzero(is_piece)
    if not 0 < len(pieces) <= LIMITS.max_pieces:
        return None
    heights = stats[pieces, 3]
    if np.count_nonzero(heights >= LIMITS.min_small * heights.max()) + len(pieces) < 4:
        return None  # a digit, alone or with one piece that is too low for another; most images end here
    strokes = _strokes(drawn, pieces)
    units = _units(strokes)
    certain = _is_certain(units)
    if len(units.members) < 2 or (not certain and len(units.members) > LIMITS.max_doubtful):
        return None
    digits = []
    for index in _reading_order(units.boxes):
        chosen = np.zeros(len(stats), np.bool_)
        chosen[np.concatenate([strokes.members[number] for number in units.members[index]])] = True
        digits.append(chosen)
    return Division(tuple(digits), certain, _is_even_row(units), np.count_nonzero(~_are_small(units.boxes)) == 1)


def divide_by_shapes(drawn: Drawn, shapes: Sequence[Bounds]) -> Division:
    """Divide a drawing into shapes side by side, with what is in each.

    Args:
        drawn: What is drawn.
        shapes: Left, top, width and height of each shape in pixels; at least two.
    """
    boxes = _boxes(np.array(shapes))
    left, top, width, height, _ = drawn.components.stats.T
    across, down = left + width / 2, top + height / 2
    digits = []
    for index in _reading_order(boxes):
        x0, y0, x1, y1 = boxes[index].tolist()
        digits.append(drawn.is_candidate & (x0 <= across) & (across <= x1) & (y0 <= down) & (down <= y1))
    return Division(tuple(digits), certain=True, in_shapes=True)


def with_neighbours(drawn: Drawn, digit: Region) -> Region:
    """Return a digit together with other digits that may be near it, where the view is too coarse to tell.

    A closer view of all of them can tell.

    Args:
        drawn: What is drawn.
        digit: The digit, not empty.

    Returns:
        The digit alone where it is large enough.
    """
    left, top, width, height = digit.bounds
    size = max(width, height)
    stats = drawn.components.stats
    if size >= LIMITS.min_seen or len(stats) == 1:
        return digit
    boxes = _boxes(stats)
    is_alike = drawn.is_candidate & (stats[:, 3] >= LIMITS.min_height * height) & (_size(boxes) <= 2 * size)
    box, chosen = np.array([left, top, left + width, top + height]), np.zeros(len(stats), np.bool_)
    while True:
        near = is_alike & (_gaps(boxes, box[np.newaxis])[:, 0] <= LIMITS.neighbourhood * size)
        if (near == chosen).all():
            break
        box, chosen = _around(np.concatenate([box[np.newaxis], boxes[near]])), near
    return Region.of(cv2.bitwise_or(digit.mask, drawn.components.mask_of(chosen)))


class _Strokes(NamedTuple):
    """The pieces of a drawing. Those of one stroke are one."""

    members: list[NDArray[np.intp]]  # of each, the numbers of its components
    boxes: Boxes
    areas: NDArray[np.integer]  # in pixels, (n,)
    widths: NDArray[np.floating]  # in pixels, (n,): of a small digit its own width, of the others that of all together
    is_bent: NDArray[np.bool_]  # whether each is more than a straight stroke, (n,)
    usual_width: float  # of all together


def _strokes(drawn: Drawn, pieces: NDArray[np.intp]) -> _Strokes:
    """Put pieces of one stroke together.

    Args:
        drawn: What is drawn.
        pieces: Numbers of the components that are pieces.
    """
    components, stats = drawn.components, drawn.components.stats
    usual_width = strokes_width(components.mask_of(drawn.is_piece), int(stats[pieces, 4].sum()))
    stroke = strokes_of(components, pieces, usual_width)
    members = [pieces[stroke == number] for number in np.unique(stroke)]
    boxes = np.stack([_around(_boxes(stats[each])) for each in members])
    areas = np.array([stats[each, 4].sum() for each in members])
    widths, is_wide = np.full(len(members), usual_width), np.zeros(len(members), np.bool_)
    shares = _height(boxes) / _height(boxes).max()
    is_small = (shares >= LIMITS.min_small) & (shares < LIMITS.even) & ~_are_marks(boxes)
    for index in np.flatnonzero(is_small).tolist():
        first = int(members[index][0])
        mask = components.mask_of_one(first)
        width = strokes_width(mask, int(stats[first, 4]))
        if min(cv2.minAreaRect(cv2.findNonZero(mask))[1]) >= LIMITS.min_across * width:
            widths[index], is_wide[index] = width, True
    is_bent = np.where(shares < LIMITS.min_height, is_wide, _is_bent(boxes, areas, widths))
    return _Strokes(members, boxes, areas, widths, is_bent, usual_width)


def _are_marks(boxes: Boxes) -> NDArray[np.bool_]:
    """Return which pieces, if small, are where a comma or a degree sign is beside the tallest, bool (n,)."""
    _, top, _, bottom = boxes[_height(boxes).argmax()]
    middle = (boxes[:, 1] + boxes[:, 3] - 2 * top) / (2 * (bottom - top))
    is_round = _width(boxes) >= LIMITS.min_round * _height(boxes)
    marks: NDArray[np.bool_] = ((middle > LIMITS.min_low) & (middle < LIMITS.max_low)) | (
        (middle < LIMITS.max_high) & is_round
    )
    return marks


@dataclass(frozen=True, slots=True)
class _Units:
    """Pieces that may be digits by themselves, each with the smaller pieces near it.

    Boxes are left, top, right and bottom in pixels, int (n, 4).
    """

    members: list[NDArray[np.intp]]  # of each unit, the numbers of its pieces
    boxes: Boxes
    bent: int  # number of them that are more than a straight stroke
    loose: float  # share of ink in the smaller pieces
    has_hairline: bool = False  # whether one of them is a line that is much thinner than the strokes


def _units(strokes: _Strokes) -> _Units:
    """Put pieces together to units."""
    _, boxes, area, widths, is_bent, usual_width = strokes
    tallest = int(_height(boxes).max())
    is_flat = _height(boxes) < LIMITS.min_straight_aspect * _width(boxes)
    min_height = np.where(is_bent, LIMITS.min_small, LIMITS.min_height) * tallest
    is_digit = _is_like_a_digit(boxes, min_height, widths) & (is_bent | ~is_flat)
    owner = np.where(is_digit, np.arange(len(boxes)), -1)
    if not is_digit.any():
        return _Units([], boxes, bent=0, loose=1.0)
    digits, others = np.flatnonzero(is_digit), np.flatnonzero(~is_digit)
    near = np.zeros(0, np.intp)
    if len(others):
        gaps = _gaps(boxes[others], boxes[digits])
        is_near = (gaps <= LIMITS.reach * _size(boxes[digits])).any(axis=1)
        near, far = others[is_near], others[~is_near]
        clusters = _joined(boxes[far], _are_near)
        for cluster in np.unique(clusters):
            members = far[clusters == cluster]
            if _is_like_a_digit(_around(boxes[members])[np.newaxis], LIMITS.min_height * tallest, usual_width).any():
                owner[members] = members[0]
        owner[near] = digits[gaps[is_near].argmin(axis=1)]
    groups = [np.flatnonzero(owner == number) for number in np.unique(owner[owner >= 0])]
    same = _joined(np.stack([_around(boxes[np.setdiff1d(group, near)]) for group in groups]), _are_pieces_of_one)
    members = [
        np.concatenate([group for group, number in zip(groups, same, strict=True) if number == unit])
        for unit in np.unique(same)
    ]
    together = np.stack([_around(boxes[unit]) for unit in members])
    total = np.array([area[unit].sum() for unit in members])
    has_hairline = bool((total < LIMITS.min_stroke * usual_width * _size(together)).any())
    bent = int(np.count_nonzero(_is_bent(together, total, usual_width)))
    return _Units(members, together, bent, area[near].sum() / area.sum(), has_hairline)


def _is_like_a_digit(
    boxes: Boxes, min_height: NDArray[np.floating] | float, stroke_width: NDArray[np.floating] | float
) -> NDArray[np.bool_]:
    """Return which pieces have the size and the shape of a digit, bool (n,)."""
    like: NDArray[np.bool_] = (
        (_height(boxes) >= min_height)
        & (_size(boxes) >= LIMITS.min_length * stroke_width)
        & (_height(boxes) >= LIMITS.min_aspect * _width(boxes))
    )
    return like


def _is_bent(boxes: Boxes, area: NDArray[np.integer], stroke_width: NDArray[np.floating] | float) -> NDArray[np.bool_]:
    """Return which pieces have more ink than a straight stroke across their bounds, bool (n,)."""
    bent: NDArray[np.bool_] = area >= LIMITS.min_bend * stroke_width * np.hypot(_width(boxes), _height(boxes))
    return bent


def _is_certain(units: _Units) -> bool:
    """Return whether one digit never has such an arrangement."""
    if len(units.members) < 2 or units.loose > LIMITS.max_loose or _are_small(units.boxes).any():
        return False
    left, top, right, bottom = _around(units.boxes)
    width, height = int(right - left), int(bottom - top)
    is_row, is_column = width >= LIMITS.min_row * height, height >= LIMITS.min_column * width
    if not (is_row or is_column):
        return _are_lines(units)
    heights = _height(units.boxes)
    axis = 0 if is_row else 1
    boxes = units.boxes[np.argsort(units.boxes[:, axis] + units.boxes[:, axis + 2])]
    if is_column and (np.minimum(boxes[1:, 2], boxes[:-1, 2]) <= np.maximum(boxes[1:, 0], boxes[:-1, 0])).any():
        return False  # nothing is above the other, as slivers of paper at both sides of a broad one
    if (boxes[1:, axis] - boxes[:-1, axis + 2]).min() >= LIMITS.min_gap * heights.mean():
        return True
    if is_row:
        return bool(heights.min() >= LIMITS.even * heights.max())
    is_wide = (_width(units.boxes) >= LIMITS.min_column_width * heights).all()
    return bool(is_wide or (units.bent > 0 and height >= LIMITS.min_long_column * width))


def _are_lines(units: _Units) -> bool:
    """Return whether units are numbers below each other, as dashes and dots of one digit never are."""
    lines, heights = _lines(units.boxes), _height(units.boxes)
    return (
        len(units.members) >= LIMITS.min_in_lines
        and len(lines) > 1
        and min(map(len, lines)) > 1
        and bool(heights.min() >= LIMITS.even * heights.max())
        and 2 * units.bent > len(units.members)
    )


def _are_small(boxes: Boxes) -> NDArray[np.bool_]:
    """Return which units are small beside the tallest, bool (n,)."""
    small: NDArray[np.bool_] = _height(boxes) < LIMITS.min_height * _height(boxes).max()
    return small


def _is_even_row(units: _Units) -> bool:
    """Return whether units stand beside each other with gaps between them, each about as tall as the others."""
    boxes, heights = units.boxes[np.argsort(units.boxes[:, 0])], _height(units.boxes)
    gap = (boxes[1:, 0] - boxes[:-1, 2]).min()
    is_apart = gap >= LIMITS.min_row_gap * heights.mean()
    return bool(is_apart and heights.min() >= LIMITS.even * heights.max() and not units.has_hairline)


def _are_pieces_of_one(boxes: Boxes) -> NDArray[np.bool_]:
    """Return which pairs of units are one digit for certain, bool (n, n)."""
    across = _overlap(boxes, 0) >= LIMITS.same_overlap * _smaller(_width(boxes))
    down = _overlap(boxes, 1) >= LIMITS.same_overlap * _smaller(_height(boxes))
    low, high = np.minimum(boxes[:, np.newaxis], boxes), np.maximum(boxes[:, np.newaxis], boxes)
    width, height = high[..., 2] - low[..., 0], high[..., 3] - low[..., 1]
    one: NDArray[np.bool_] = across & (down | (height <= LIMITS.max_stacked_height * width))
    return one


def _are_near(boxes: Boxes) -> NDArray[np.bool_]:
    """Return which pairs of pieces are near each other for their size, bool (n, n)."""
    size = _size(boxes)
    near: NDArray[np.bool_] = _gaps(boxes, boxes) < LIMITS.reach * np.maximum(size[:, np.newaxis], size)
    return near


def _joined(boxes: Boxes, related: Callable[[Boxes], NDArray[np.bool_]]) -> NDArray[np.intp]:
    """Join related boxes, and then those that are related when they are joined, until none are.

    Returns:
        For each box the number of the first one that it is joined with, (n,).
    """
    number = np.arange(len(boxes))
    while True:
        firsts = np.unique(number)
        joined = np.stack([_around(boxes[number == first]) for first in firsts]) if len(boxes) else boxes
        pairs = related(joined) | np.eye(len(firsts), dtype=np.bool_)
        if np.count_nonzero(pairs) == len(firsts):
            return number
        number = firsts[pairs.argmax(axis=1)][np.searchsorted(firsts, number)]


def _reading_order(boxes: Boxes) -> list[int]:
    """Return the units from left to right in each line, and the lines from top to bottom."""
    return [index for line in _lines(boxes) for index in sorted(line, key=lambda index: int(boxes[index, ::2].sum()))]


def _lines(boxes: Boxes) -> list[list[int]]:
    """Return the units in each line, from the top line to the lowest.

    Units are on one line if they overlap by a part of their height, as a power does with its base, or if neither is
    above the other.
    """
    lines: list[list[int]] = []
    for index in np.argsort(boxes[:, 1] + boxes[:, 3]).tolist():
        if lines:
            left, top, right, bottom = _around(boxes[lines[-1]])
            height = min(bottom - top, boxes[index, 3] - boxes[index, 1])
            overlap = min(bottom, boxes[index, 3]) - max(top, boxes[index, 1])
            is_beside = boxes[index, 2] <= left or boxes[index, 0] >= right
            if overlap >= (-LIMITS.stair if is_beside else LIMITS.line_overlap) * height:
                lines[-1].append(index)
                continue
        lines.append([index])
    return lines


def _boxes(stats: MatLike) -> Boxes:
    """Return the boxes of components, of which `stats` has left, top, width and height."""
    return np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1)


def _around(boxes: Boxes) -> Boxes:
    """Return the bounds of all boxes together, (4,)."""
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _width(boxes: Boxes) -> Boxes:
    return boxes[..., 2] - boxes[..., 0]


def _height(boxes: Boxes) -> Boxes:
    return boxes[..., 3] - boxes[..., 1]


def _size(boxes: Boxes) -> Boxes:
    return np.maximum(_width(boxes), _height(boxes))


def _smaller(lengths: Boxes) -> Boxes:
    """Return the smaller length of each pair, (n, n)."""
    return np.minimum(lengths[:, np.newaxis], lengths)


def _overlap(boxes: Boxes, axis: int) -> Boxes:
    """Return by how much the boxes of each pair overlap along an axis, (n, n); negative where there is a gap."""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    return _smaller(high) - np.maximum(low[:, np.newaxis], low)


def _gaps(boxes: Boxes, others: Boxes) -> Boxes:
    """Return the gap between each box and each other box, along the axis where it is wider, (n, m)."""
    before = others[:, :2] - boxes[:, np.newaxis, 2:]
    after = boxes[:, np.newaxis, :2] - others[:, 2:]
    gaps: Boxes = np.maximum(before, after).max(axis=-1)
    return gaps
