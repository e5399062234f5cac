"""Leave out a coloured margin of a card: a band along one side of what is drawn, as the head of a calendar's leaf."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.layout.drawn import SPECK
from model.images.raster import DETAILED_SIDE, Components, Mask, connected_components, strokes_width


@dataclass(frozen=True, slots=True)
class MarginLimits:
    """What tells a margin from a stroke: the bar of a five, the loose bar of a seven, a one beside a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds head side_band` and
    `benchmarks/several.py --training`.
    """

    whole: float = 0.85
    """Minimum length of a margin, as a share of that side of all that is drawn."""

    edge: float = 0.02
    """Maximum distance of a margin from the edge of all that is drawn, as a share of the margin's length."""

    covered: float = 0.5
    """Minimum share of a row of a margin that is ink. The rest is small print, or a round corner."""

    bare: float = 0.2
    """Maximum share of the row below a margin that is ink, as that of lines round the card."""

    width: tuple[float, float] = (0.05, 0.5)
    """Minimum and maximum width of a margin, as a share of its length. A narrower one is a line."""

    tilt: float = 0.09
    """Maximum number of rows in which a margin ends because it is tilted, as a share of its length, besides two."""

    frame: float = 0.06
    """Distance from the edge of the card, as a share of the margin's length, within which lines round it are."""

    elsewhere: float = 0.05
    """Maximum share of such lines, where they touch the margin, that is not there. It is a digit that touches."""

    content: float = 0.2
    """Minimum length of what is beside a margin, as a share of the margin's length. Otherwise a card is empty."""

    beyond: float = 0.05
    """Minimum length by which a margin extends at each end beyond what is beside it, as a share of its own length."""

    longer: float = 1.25
    """Minimum length of a margin, as a multiple of the length of what is beside it."""

    thick: float = 1.5
    """Minimum width of a margin, as a multiple of the width of the strokes, for it to have round corners on all sides.
    A narrower one has two corners, as a stroke of a pen has not, or a line round the card."""

    least_thick: float = 0.7
    """The same for a margin with two corners."""

    corner: float = 0.12
    """Length of each end of a margin, as a share of its own, in which its corners may be round."""

    straight: float = 0.012
    """Maximum distance of the edges of a margin from straight ones, as a share of its length, besides a pixel."""

    even: float = 0.12
    """Maximum difference of its widths, as a share of the width, besides two pixels."""

    squared: float = 0.96
    """Minimum share of its length on which the inner edge of a margin is straight, if it has two corners."""


LIMITS = MarginLimits()


def without_margins(strokes: Components) -> Components:
    """Return the strokes without a margin along one side of them, what is printed in it, and the lines round the card.

    Args:
        strokes: Components of all strokes, at least one.
    """
    if len(strokes.stats) == 1 or max(strokes.mask.shape) < DETAILED_SIDE:
        return strokes
    first, size = np.array(strokes.whole.bounds).reshape(2, 2)
    index = int(strokes.stats[:, 2:4].max(axis=1).argmax())
    start, length = strokes.stats[index, :4].reshape(2, 2)
    for axis in np.flatnonzero(length >= LIMITS.whole * size).tolist():
        before = start[1 - axis] - first[1 - axis]
        after = size[1 - axis] - before - length[1 - axis]
        for distance, is_at_end in ((before, False), (after, True)):
            if distance > LIMITS.edge * length[axis]:
                continue
            beside = _beside_margin(strokes, index, axis, is_at_end=is_at_end)
            if beside is not None:
                return connected_components(strokes.mask_of(beside))
    return strokes


def _beside_margin(strokes: Components, index: int, axis: int, *, is_at_end: bool) -> NDArray[np.bool_] | None:
    """Return which components are beside a margin, bool (n,), or None where there is no margin.

    Args:
        strokes: Components of all strokes.
        index: Index of the one that may be the margin, perhaps with lines round the card.
        axis: Axis of the margin's length: 0 for a level one.
        is_at_end: Whether it is at the lower or the right end.
    """
    left, top, columns, rows = strokes.stats[index, :4].tolist()
    ink = strokes.mask_of_one(index)[top : top + rows, left : left + columns]
    ink = ink.T if axis else ink
    ink = ink[::-1] if is_at_end else ink  # now the margin is at the top
    depth = _depth(ink)
    if depth is None:
        return None
    high, size = ink.shape
    start, length = strokes.stats[:, axis] - strokes.stats[index, axis], strokes.stats[:, 2 + axis]
    near, deep = strokes.stats[:, 1 - axis] - strokes.stats[index, 1 - axis], strokes.stats[:, 3 - axis]
    near = high - near - deep if is_at_end else near
    room, card = round(LIMITS.frame * size), max(high, int((near + deep).max()))
    further = ink[depth : card - room, room : size - room]
    if cv2.countNonZero(further) > LIMITS.elsewhere * cv2.countNonZero(ink[depth:]):
        return None
    is_frame = (start + length <= room) | (start >= size - room) | (near >= card - room)
    beside = (near + deep > depth) & ~is_frame
    beside[index] = False
    area = np.where(beside, strokes.stats[:, 4], 0)
    main = beside & (area >= SPECK.max_area * area.max())
    if not main.any() or near[main].min() < depth - 1:
        return None
    begin, end = int(start[main].min()), int((start + length)[main].max())
    if max(end - begin, int(deep[main].max())) < LIMITS.content * size or LIMITS.longer * (end - begin) > size:
        return None
    if min(begin, size - end) < LIMITS.beyond * size:
        return None
    content = strokes.mask_of(main)
    stroke = strokes_width(content, cv2.countNonZero(content))
    return beside if _is_margin(ink[:depth], stroke, is_framed=depth < high) else None


def _depth(ink: Mask) -> int | None:
    """Return the number of rows, from the first one, that may be a margin, or None where none are.

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
        return None
    return depth


def _is_margin(ink: Mask, stroke: float, *, is_framed: bool) -> bool:
    """Return whether ink is a level band with straight edges.

    Args:
        ink: Mask, (height, width), with the inner edge of the band at its end.
        stroke: Width of the strokes beside it, in pixels.
        is_framed: Whether lines round the card begin at the band.
    """
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
    if not all(edge[middle].all() for edge in near) or abs(widths[0] - widths[-1]) > LIMITS.even * width + 2:
        return False
    has_corners = is_framed or bool(near[1].mean() >= LIMITS.squared)
    return width >= (LIMITS.least_thick if has_corners else LIMITS.thick) * stroke
