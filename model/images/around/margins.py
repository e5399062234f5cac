"""Find the part of a card beside its coloured margin: a band along one side, as the head of a calendar's leaf."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.layout.drawn import SPECK
from model.images.raster import DETAILED_SIDE, Bounds, Components, Mask, strokes_width


@dataclass(frozen=True, slots=True)
class MarginLimits:
    """What tells a margin from a stroke: the bar of a five, the loose bar of a seven, a one beside a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds headed_card
    side_band` and `benchmarks/several.py --training`.
    """

    whole: float = 0.85
    """Minimum length of a margin, as a share of that side of all that is drawn."""

    edge: float = 0.02
    """Maximum distance of a margin from the edge of all that is drawn, as a share of the margin's length,
    besides two pixels."""

    covered: float = 0.5
    """Minimum share of a row of a margin that is ink. The rest is small print, or a round corner."""

    bare: float = 0.2
    """Maximum share of ink in the row below a margin. Lines around the card may be there."""

    width: tuple[float, float] = (0.05, 0.5)
    """Minimum and maximum width of a margin, as a share of its length. A narrower one is a line."""

    tilt: float = 0.09
    """Maximum number of rows in which a margin ends because it is tilted, as a share of its length, besides two."""

    frame: float = 0.06
    """Distance from the edge of the card, as a share of the margin's length, within which lines around it are."""

    elsewhere: float = 0.05
    """Maximum share of the ink of such lines farther inside, if they touch the margin. More ink belongs to a digit."""

    content: float = 0.2
    """Minimum length of what is beside a margin, as a share of the margin's length. Otherwise a card is empty."""

    beyond: float = 0.05
    """Minimum length by which a margin extends at each end beyond what is beside it, as a share of its own length."""

    least_beyond: float = 0.015
    """The same of a level margin that is thick."""

    longer: float = 1.25
    """Minimum length of a margin, as a multiple of the length of what is beside it, unless it is level and thick."""

    thick: float = 1.5
    """Minimum width of a thick margin, as a multiple of the width of the strokes.

    It may have round corners on all sides. A narrower margin must have two square corners, which the stroke of a pen
    does not have, or a line around the card."""

    least_thick: float = 0.7
    """The same for a margin with two square corners or a line around the card."""

    corner: float = 0.12
    """Length of each end of a margin, as a share of its own, in which its corners may be round."""

    straight: float = 0.012
    """Maximum distance of the edges of a margin from straight ones, as a share of its length, besides a pixel."""

    even: float = 0.12
    """Maximum difference of its widths, as a share of the width, besides two pixels."""

    tall: float = 1
    """Maximum height of what is under or above a margin, as a share of the margin's length, unless it is thick or
    there are lines around the card. The stem of a seven is longer than its loose bar."""

    upright_width: float = 0.09
    """Minimum width of an upright margin, as a share of its length, if there are no lines around the card."""

    upright_lean: float = 0.03
    """Maximum distance from one end of such a margin to an upright line through the other, as a share of its length.

    Without these two, 10 of 8,000 numbers of `benchmarks/several.py --training` lose a one at their side."""

    squared: float = 0.96
    """Minimum share of its length on which the inner edge of a margin is straight, if it has two corners."""


LIMITS = MarginLimits()


def find_card(components: Components) -> Bounds | None:
    """Return the bounds of the part of a card beside a margin, without the lines around the card.

    Args:
        components: Components of all strokes, at least one.

    Returns:
        Left, top, width and height in pixels. None where there is no margin, or nothing is drawn beside it.
    """
    if len(components.stats) == 1 or max(components.mask.shape) < DETAILED_SIDE:
        return None
    left, top, width, height = components.whole.bounds
    for axis, box in enumerate((components.whole.within_bounds, components.whole.within_bounds.T)):
        depth = min(1 + round(LIMITS.edge * (width, height)[axis]), len(box) - 1)
        least = LIMITS.covered * LIMITS.whole * (width, height)[axis]
        ends = [end for end in (0, 1) if np.count_nonzero(box[-1 - depth if end else depth]) >= least]
        if not ends:
            continue  # as in nearly all images
        length = components.stats[:, 2 + axis]
        is_long = length >= LIMITS.whole * (width, height)[axis]
        if not is_long.any():
            continue
        for is_at_end in map(bool, ends):
            side = _Side.of(components, axis, is_at_end=is_at_end)
            at_edge = np.where(is_long & (side.near <= LIMITS.edge * length + 2), components.stats[:, 4], 0)
            index = int(at_edge.argmax())
            card = _card(side, index, components.stats[:, 4], is_upright=axis == 1) if at_edge[index] else None
            if card is None:
                continue
            near, far = card.near, card.far
            if is_at_end:
                across = (height, width)[axis]
                near, far = across - far, across - near
            along, down = (card.start, card.end), (near, far)
            (x0, x1), (y0, y1) = (down, along) if axis else (along, down)
            return left + x0, top + y0, x1 - x0, y1 - y0
    return None


class _Side(NamedTuple):
    """Components, turned so that one side of all strokes is at the top. All is in pixels from its left end."""

    numbers: NDArray[np.uint16]  # number of the component of each pixel within the bounds of all strokes, from 1
    start: MatLike  # first column of each component, (n,)
    end: MatLike  # column after its last one
    near: MatLike  # first row
    far: MatLike  # row after its last one

    @classmethod
    def of(cls, components: Components, axis: int, *, is_at_end: bool) -> "_Side":
        """Turn components.

        Args:
            components: Components of all strokes.
            axis: Axis of the side: 0 for a level one.
            is_at_end: Whether it is the lower or the right one.
        """
        left, top, width, height = components.whole.bounds
        numbers = components.numbers[top : top + height, left : left + width]
        starts = components.stats[:, :2] - (left, top)
        ends = starts + components.stats[:, 2:4]
        near, far = starts[:, 1 - axis], ends[:, 1 - axis]
        numbers = numbers.T if axis else numbers
        if is_at_end:
            numbers, near, far = numbers[::-1], len(numbers) - far, len(numbers) - near
        return cls(numbers, starts[:, axis], ends[:, axis], near, far)


class _Card(NamedTuple):
    """The part of a card beside a margin, in the columns and rows of a side."""

    start: int
    end: int
    near: int
    far: int


def _card(side: _Side, index: int, area: MatLike, *, is_upright: bool) -> _Card | None:
    """Return the part of a card that the margin along one side leaves, or None if that side has no margin.

    Args:
        side: Components of all strokes.
        index: Index of the one that may be the margin, perhaps with lines around the card.
        area: Area of each component in pixels, (n,).
        is_upright: Whether the side is, so that the margin might be a one.
    """
    left, right = int(side.start[index]), int(side.end[index])
    ink = np.where(side.numbers[:, left:right] == index + 1, np.uint8(255), np.uint8(0))
    depth = _depth(ink)
    if not depth:
        return None
    size, low = right - left, int(side.far.max())
    room = round(LIMITS.frame * size)
    inside = side.numbers[depth : low - room, left + room : right - room]
    elsewhere = np.bincount(inside.ravel(), minlength=len(area) + 1)[1:]
    is_apart = side.near >= depth - 1
    is_framed = side.far[index] > depth + 2
    if is_framed and elsewhere[index] > LIMITS.elsewhere * np.count_nonzero(ink[depth:]):
        return None
    content = is_apart & (elsewhere > LIMITS.elsewhere * area)
    content[index] = False
    content &= area >= SPECK.max_area * np.where(content, area, 0).max()
    if not content.any():
        return None
    start, end = int(side.start[content].min()), int(side.end[content].max())
    near, far = int(side.near[content].min()), int(side.far[content].max())
    beyond = min(start - left, right - end)
    is_large = max(end - start, far - near) >= LIMITS.content * size
    is_within = beyond >= LIMITS.beyond * size and LIMITS.longer * (end - start) <= size
    if not is_large or not (is_within or (not is_upright and beyond >= LIMITS.least_beyond * size)):
        return None
    may_be_bar = not is_within or (not is_framed and not is_upright and far - near > LIMITS.tall * size)
    values = np.concatenate([[np.uint8(0)], np.where(content, np.uint8(255), np.uint8(0))])
    drawn = values[side.numbers]
    stroke = strokes_width(drawn, cv2.countNonZero(drawn))
    band = _Band.of(ink[:depth])
    has_corners = (is_framed or band.has_corners) and not may_be_bar
    is_wide = band.width >= (LIMITS.least_thick if has_corners else LIMITS.thick) * stroke
    if not band.is_straight or not is_wide or (is_upright and not is_framed and band.may_be_one):
        return None
    inset = min(room + 1, start - left - 2, right - end - 2)
    lowest = low - min(room, low - far - 1) if low - far > 1 else far + room
    return _Card(left + inset, right - inset, min(depth + 1, near), lowest)


def _depth(ink: Mask) -> int:
    """Return the number of rows, from the first one, that may be a margin; 0 where none are.

    Args:
        ink: Mask that fills its bounds, (height, width).
    """
    least, most = (share * ink.shape[1] for share in LIMITS.width)
    covered = cv2.reduce(ink, 1, cv2.REDUCE_AVG).ravel() / 255
    is_bare = covered <= LIMITS.bare
    is_bare[: int(least)] = False
    depth = int(is_bare.argmax()) if is_bare.any() else len(ink)
    is_full = covered[:depth] >= LIMITS.covered
    width = np.count_nonzero(is_full)
    if not least <= width <= most or depth > most or np.count_nonzero(~is_full) > LIMITS.tilt * ink.shape[1] + 2:
        return 0
    return depth


class _Band(NamedTuple):
    """What ink along a side looks like."""

    width: float  # in pixels
    is_straight: bool  # whether it is a band with straight edges, of one width
    has_corners: bool  # whether its inner edge is straight up to its ends
    may_be_one: bool  # whether it is narrow or leans, as a one

    @classmethod
    def of(cls, ink: Mask) -> "_Band":
        """Measure ink, (height, width), with the inner edge of the band at its end."""
        rows, columns = ink.shape
        outer, inner = (ink > 0).argmax(axis=0), rows - (ink[::-1] > 0).argmax(axis=0)
        at = np.arange(columns)
        end = round(LIMITS.corner * columns)
        middle = slice(end, columns - end)
        slack = 1 + LIMITS.straight * columns
        lines = [np.polyval(np.polyfit(at[middle], edge[middle], 1), at) for edge in (outer, inner)]
        near = [np.abs(edge - line) <= slack for edge, line in zip((outer, inner), lines, strict=True)]
        widths = lines[1] - lines[0]
        width = float(widths.mean())
        lean = abs(float(lines[1][-1] - lines[1][0]))
        is_even = abs(float(widths[0] - widths[-1])) <= LIMITS.even * width + 2
        return cls(
            width,
            is_even and all(bool(edge[middle].all()) for edge in near),
            bool(near[1].mean() >= LIMITS.squared),
            width < LIMITS.upright_width * columns or lean > LIMITS.upright_lean * columns,
        )
