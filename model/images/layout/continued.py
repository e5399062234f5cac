"""Find pieces of one stroke: a pen that skips leaves a gap in a stroke, which goes on below it in the same direction.

Two digits above each other seldom do so, unless the lower one is a one. A one, a four, a seven and a nine that are cut
across their stem always do.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.raster import Components, Mask


@dataclass(frozen=True, slots=True)
class ContinuedLimits:
    """Where a stroke goes on.

    Chosen on digits of MNIST's training set that trainings hold out, and on digits in 12 fonts: ones that are cut once,
    and digits above each other with gaps of 0.1 to 0.8 widths.
    """

    max_pieces: int = 9
    """Number of pieces beyond which none are compared. It bounds the time."""

    min_length: float = 3.5
    """Minimum length of each piece, in stroke widths. Shorter ones are dots and dashes, not digits by themselves."""

    max_gap: float = 0.15
    """Maximum height of the gap, as a share of the height of both pieces together. The height that is wanted in a cut
    is 0.1. With 0.25, no more of the cut ones are found."""

    could_be_two: float = 0.4
    """Height of the lower piece, as a share of the taller one, from which they may be two digits as well."""

    max_narrow_gap: float = 1.0
    """Maximum height of the gap between such pieces, in stroke widths.

    Without it, half of the ones below a seven, a nine or a one are taken for the end of its stem."""

    max_lap: float = 0.1
    """Maximum height by which the pieces overlap, as a share of the same, because a cut may slant."""

    cut: float = 0.5
    """Height of the end that a slanting cut makes narrower, in stroke widths."""

    end: float = 1.5
    """Height of the part above or below it that shows the direction, in stroke widths."""

    min_rows: int = 3
    """Minimum height of that part, in pixels."""

    max_offset: float = 0.8
    """Mean distance, in stroke widths, by which the ends miss each other when each is drawn on to the other.

    With 0.5, three in four of the cut ones are found. With 1.2, no more are, and twice as many pairs of digits are one
    stroke."""

    max_width: float = 2.4
    """Maximum width of an end, in stroke widths, if it stands upright. Wider ends are corners, loops and bars."""


LIMITS = ContinuedLimits()


class _End(NamedTuple):
    """The upper or the lower end of a piece, as a straight stroke, in pixels."""

    column: float  # of its middle
    row: float
    slope: float  # columns to the right for each row down
    width: int  # number of columns of its widest row


def strokes_of(components: Components, pieces: NDArray[np.intp], stroke_width: float) -> NDArray[np.intp]:
    """Return the stroke that each piece belongs to.

    Args:
        components: Connected components.
        pieces: Numbers of the components that are pieces, (n,).
        stroke_width: Width of strokes in pixels.

    Returns:
        For each piece a number that the pieces of one stroke share, (n,).
    """
    stroke = np.arange(len(pieces))
    if len(pieces) > LIMITS.max_pieces:
        return stroke
    pairs = np.argwhere(_may_go_on(components.stats[pieces], stroke_width))
    for upper, lower in pairs.tolist():
        first, second = (components.stats[pieces[index]] for index in (upper, lower))
        end = _end_of(components.mask_of_one(int(pieces[upper])), first, stroke_width, upper=False)
        start = _end_of(components.mask_of_one(int(pieces[lower])), second, stroke_width, upper=True)
        if end is not None and start is not None and _goes_on(end, start, stroke_width):
            stroke[stroke == stroke[lower]] = stroke[upper]
    return stroke


def _may_go_on(stats: MatLike, stroke_width: float) -> NDArray[np.bool_]:
    """Return which pieces, in rows, may go on in which others, in columns, bool (n, n): those that begin below them."""
    top, bottom = stats[:, 1], stats[:, 1] + stats[:, 3]
    left, right = stats[:, 0], stats[:, 0] + stats[:, 2]
    gap, together = top - bottom[:, np.newaxis], bottom - top[:, np.newaxis]
    height = stats[:, 3]
    shorter, taller = np.minimum(height, height[:, np.newaxis]), np.maximum(height, height[:, np.newaxis])
    could_be_two = shorter >= LIMITS.could_be_two * taller
    apart = np.maximum(left - right[:, np.newaxis], left[:, np.newaxis] - right)
    is_long = np.maximum(stats[:, 2], height) >= LIMITS.min_length * stroke_width
    may: NDArray[np.bool_] = (
        (is_long & is_long[:, np.newaxis])
        & (gap <= np.where(could_be_two, LIMITS.max_narrow_gap * stroke_width, LIMITS.max_gap * together))
        & (gap >= -LIMITS.max_lap * together)
        & (top > top[:, np.newaxis])
        & (bottom > bottom[:, np.newaxis])
        & (apart <= LIMITS.max_gap * together)
    )
    return may


def _end_of(mask: Mask, stats: MatLike, stroke_width: float, *, upper: bool) -> _End | None:
    """Return the upper or the lower end of a piece, or None where it is too low or not one stroke.

    Args:
        mask: Mask of the piece, (height, width).
        stats: Its left, top, width, height and area.
        stroke_width: Width of strokes in pixels.
        upper: Whether the upper end is wanted.
    """
    left, top, width, height, _ = stats.tolist()
    skipped, rows = round(LIMITS.cut * stroke_width), max(LIMITS.min_rows, round(LIMITS.end * stroke_width))
    if height < skipped + rows:
        return None
    first = top + skipped if upper else top + height - skipped - rows
    ink = mask[first : first + rows, left : left + width] > 0
    counts = ink.sum(axis=1)
    if not counts.all():
        return None
    columns, places = ink @ np.arange(left, left + width) / counts, np.arange(first, first + rows)
    row = float(places.mean())
    slope = float((places - row) @ columns / np.square(places - row).sum())
    widest = width - (ink.argmax(axis=1) + ink[:, ::-1].argmax(axis=1)).min()
    return _End(float(columns.mean()), row, slope, int(widest))


def _goes_on(end: _End, start: _End, stroke_width: float) -> bool:
    """Return whether a stroke that ends goes on where another one starts."""
    down, right = start.row - end.row, start.column - end.column
    if down <= 0:
        return False
    max_width = LIMITS.max_width * stroke_width * float(np.hypot(1, right / down))
    offset = (abs(end.slope * down - right) + abs(start.slope * down - right)) / 2
    return max(end.width, start.width) <= max_width and offset <= LIMITS.max_offset * stroke_width
