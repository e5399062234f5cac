"""Leave out a coloured margin of a card: a band along one side of what is drawn, as the head of a calendar's leaf."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.layout.drawn import SPECK
from model.images.raster import DETAILED_SIDE, Components, Mask, connected_components, strokes_width


@dataclass(frozen=True, slots=True)
class MarginLimits:
    """What tells a margin from a stroke: the bar of a five, the loose bar of a seven, a one beside a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds head side_band` and
    `benchmarks/several.py --training`.
    """

    flat: float = 2
    """Minimum length of a margin, as a multiple of its width."""

    min_width: float = 0.05
    """Minimum width of a margin, as a share of its length. A narrower one is a line."""

    whole: float = 0.85
    """Minimum length of a margin, as a share of that side of all that is drawn."""

    edge: float = 0.02
    """Maximum distance of a margin from the edge of all that is drawn, as a share of the margin's length."""

    content: float = 0.2
    """Minimum length of what is beside a margin, as a share of the margin's length. Otherwise a card is empty."""

    beyond: float = 0.05
    """Minimum length by which a margin extends at each end beyond what is beside it, as a share of its own length."""

    longer: float = 1.25
    """Minimum length of a margin, as a multiple of the length of what is beside it."""

    thick: float = 1.5
    """Minimum width of a margin, as a multiple of the width of the strokes, for it to have round corners on all sides.
    A narrower one has two corners, as a stroke of a pen has not."""

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

    solid: float = 0.5
    """Minimum share of its area that is ink. The rest is small print."""


LIMITS = MarginLimits()


def without_margins(strokes: Components) -> Components:
    """Return the strokes without a margin along one side of them, and without what is printed in it.

    Args:
        strokes: Components of all strokes, at least one.
    """
    if len(strokes.stats) == 1 or max(strokes.mask.shape) < DETAILED_SIDE:
        return strokes
    for axis, is_at_end in _sides(strokes):
        rest = _beside(strokes, axis, is_at_end=is_at_end)
        if rest is not None:
            return connected_components(strokes.mask_of(rest))
    return strokes


def _sides(strokes: Components) -> list[tuple[int, bool]]:
    """Return the sides along which there may be a margin: the axis of its length, and whether it is at the far end."""
    starts, lengths = strokes.stats[:, :2], strokes.stats[:, 2:4]
    first, size = np.array(strokes.whole.bounds).reshape(2, 2)
    sides = []
    for axis in range(2):
        length, width = lengths[:, axis], lengths[:, 1 - axis]
        is_flat = (length >= LIMITS.whole * size[axis]) & (length >= LIMITS.flat * width)
        is_flat &= width >= LIMITS.min_width * length
        if not is_flat.any():
            continue
        before = starts[:, 1 - axis] - first[1 - axis]
        after = size[1 - axis] - before - width
        for is_at_end, distance in ((False, before), (True, after)):
            if (is_flat & (distance <= LIMITS.edge * length)).any():
                sides.append((axis, is_at_end))
    return sides


def _beside(strokes: Components, axis: int, *, is_at_end: bool) -> NDArray[np.bool_] | None:
    """Return which components are beside the margin along a side, bool (n,), or None where there is no margin.

    Args:
        strokes: Components of all strokes.
        axis: Axis of the margin's length: 0 for a level one.
        is_at_end: Whether it is at the lower or the right end.
    """
    stats = strokes.stats
    start, length = stats[:, axis], stats[:, 2 + axis]
    near, width = stats[:, 1 - axis], stats[:, 3 - axis]
    far = near + width
    may_be = (length >= LIMITS.flat * width) & (length == length.max())
    margin = int(np.where(may_be, stats[:, 4], 0).argmax())
    inner = near[margin] if is_at_end else far[margin]
    beside = far <= inner if is_at_end else near >= inner
    within = (near >= near[margin]) & (far <= far[margin])
    rest = beside & (stats[:, 4] >= SPECK.max_area * np.where(beside, stats[:, 4], 0).max(initial=0))
    if not rest.any() or not (beside | within).all():
        return None
    first, last = start[rest].min(), (start + length)[rest].max()
    size = int(length[margin])
    if last - first > size / LIMITS.longer or max(last - first, width[rest].max()) < LIMITS.content * size:
        return None
    if min(first - start[margin], start[margin] + size - last) < LIMITS.beyond * size:
        return None
    left, top, columns, rows = stats[margin, :4].tolist()
    band = strokes.mask_of_one(margin)[top : top + rows, left : left + columns]
    band = band.T if axis else band
    content = strokes.mask_of(rest)
    stroke = strokes_width(content, cv2.countNonZero(content))
    return beside if _is_band(band[::-1] if is_at_end else band, stroke) else None


def _is_band(ink: Mask, stroke: float) -> bool:
    """Return whether ink is a level band with straight edges.

    Args:
        ink: Mask that fills its bounds, (height, width), with the inner edge at its end.
        stroke: Width of the strokes beside it, in pixels.
    """
    rows, columns = ink.shape
    outer = (ink > 0).argmax(axis=0)
    inner = rows - (ink[::-1] > 0).argmax(axis=0)
    at = np.arange(columns)
    end = max(1, round(LIMITS.corner * columns))
    middle = slice(end, columns - end)
    slack = 1 + LIMITS.straight * columns
    lines = [np.polyval(np.polyfit(at[middle], edge[middle], 1), at) for edge in (outer, inner)]
    if any(_share_near(edge[middle], line[middle], slack) < 1 for edge, line in zip((outer, inner), lines, strict=True)):
        return False
    widths = lines[1] - lines[0]
    width = float(widths.mean())
    if abs(widths[0] - widths[-1]) > LIMITS.even * width + 2:
        return False
    if cv2.countNonZero(ink) < LIMITS.solid * width * columns:
        return False
    if width >= LIMITS.thick * stroke:
        return True
    return width >= LIMITS.least_thick * stroke and _share_near(inner, lines[1], slack) >= LIMITS.squared


def _share_near(edge: MatLike, line: MatLike, slack: float) -> float:
    """Return the share of an edge that is near a line."""
    return float((np.abs(edge - line) <= slack).mean())
