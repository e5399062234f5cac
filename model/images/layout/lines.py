"""Tell strokes from printed lines: lines across the image, boxes, and what lies along the border."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.layout.drawn import SPECK, Drawn
from model.images.layout.tables import in_cell
from model.images.raster import DETAILED_SIDE, Components, Mask, Region, strokes_width
from model.images.strokes import is_thin


@dataclass(frozen=True, slots=True)
class LineLimits:
    """What counts as a line across the image."""

    max_width: float = 0.08
    """Maximum width of a line drawn through the image, as a share of the shorter side."""

    max_slanted_width: int = 4
    """Maximum width of such a line in a small image, in pixels, where the line meets the border at a slant."""

    min_length: float = 0.7
    """Minimum length of such a line, as a share of the longer side."""

    min_ink: float = 0.9
    """Minimum share of such a line that is ink.

    If both ends of a digit reach the border, a straight line between them has less."""

    max_lean: float = 10
    """Maximum angle, in degrees, from level or upright, of a ruled line in a scan or a photograph."""

    max_through: float = 0.2
    """A line as wide as the strokes is ruled only if at most this share of the strokes is on its smaller side.

    It is 0 for the lines under digits in `benchmarks/surroundings.py --training`, and 0.24 and more for strokes that
    cross digits out."""

    max_ruled_width: float = 0.5
    """Maximum width, as a share of that of the other strokes, of a line that is ruled wherever it lies. Before they are
    compared, a pixel is taken off the line, because its soft edges count."""

    min_width: int = 4
    """Width in pixels from which a line may be as wide as the strokes. Soft edges double that of thinner ones."""

    beyond: float = 0.08
    """Length by which a line that crosses a digit out extends beyond it on both sides, as a share of the digit's size.

    The bar of a four that fills its image extends less."""

    min_rest: float = 0.5
    """Minimum area of the other strokes, as a share of the line's, for the line to be more than the digit itself."""


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """What counts as a printed box around a digit."""

    min_side: float = 0.4
    """Minimum length of each side of the box, as a share of the image's side."""

    band: float = 0.12
    """Distance, as a share of the box, that the lines of a box may reach inwards by their width and tilt."""

    min_covered: float = 0.95
    """Minimum share of each side of the box along which its band has ink."""

    min_row: float = 0.4
    """Minimum share of a row of the band that is ink, for the row to belong to the line."""

    min_content: float = 0.2
    """Minimum length of the ink inside a box, as a share of the box."""


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """What counts as the frame of a form, the table, a shadow or a neighbour along the border."""

    band: float = 0.2
    """Distance, as a share of a side, that the frame or the table beside a sheet may reach inwards."""

    max_centre: float = 0.1
    """Maximum share of a component of the frame that is not in that band."""

    max_sliver: float = 0.06
    """Thickness, as a share of a side, up to which ink along that side is the rest of something and not a stroke."""

    edge_margin: float = 0.04
    """Distance from a side, as a share of it, up to which a line belongs to that side."""

    max_line_width: float = 0.1
    """Maximum width of a component that crosses the image and is a line, as a share of its length."""

    max_stroke_depth: float = 0.15
    """Maximum of half a stroke's thickness, as a share of the shorter side. Markers reach 0.12 where strokes touch."""

    min_companion: float = 0.25
    """Minimum length of the digit beside a shadow that the border cuts off, as a share of the shorter side."""

    min_main: float = 0.012
    """Minimum length of the component beside which the others are a frame, as a share of the image's longer side.

    Beside dust, a small digit near the border of a large page is not a frame. `DrawingLimits.min_size` is the same."""


LINE = LineLimits()
BOX = BoxLimits()
FRAME = FrameLimits()

_LINE_ENDS = 2


def without_lines(strokes: Components) -> Drawn:
    """Tell what is drawn from what is printed around it or along the border.

    Args:
        strokes: Components of all strokes, at least one.

    Returns:
        The components of the strokes without a line across the image and without a box, and which of them do not
        belong to a frame.
    """
    alone, is_struck = _without_line(in_cell(strokes))
    rest = _without_box(alone)
    if rest is not strokes.whole:
        strokes = Components.of(rest)
    return Drawn(strokes, ~_belongs_to_frame(strokes), is_struck)


def _without_line(whole: Region) -> tuple[Region, bool]:
    """Return the strokes without a thin straight line from border to border, even if it runs through the digit.

    The line is removed only if nothing else touches the border. A digit that fills its image touches the border in more
    places, or over a greater length.

    Returns:
        The strokes, and whether a line was removed that may cross the digit out.
    """
    if not whole.touches_border:
        return whole, False
    strokes = whole.mask
    rows, columns = strokes.shape
    edge = np.concatenate([strokes[0], strokes[1:, -1], strokes[-1, -2::-1], strokes[-2:0:-1, 0]]) > 0
    starts, ends = (np.flatnonzero(edge & ~np.roll(edge, step)) for step in (1, -1))
    if len(starts) != _LINE_ENDS:
        return whole, False
    if ends[0] < starts[0]:  # a run continues past the corner where counting begins
        ends = np.roll(ends, -1)
    lengths = (ends - starts) % len(edge) + 1
    if lengths.max() > max(LINE.max_slanted_width, LINE.max_width * min(strokes.shape)):
        return whole, False
    corners = np.cumsum([0, columns - 1, rows - 1, columns - 1, rows - 1])
    middles = (starts + lengths // 2) % len(edge)
    across = np.interp(middles, corners, [0, columns - 1, columns - 1, 0, 0])
    down = np.interp(middles, corners, [0, 0, rows - 1, rows - 1, 0])
    start, end = np.stack([across, down], axis=1).round().astype(int)
    line = cv2.line(np.zeros_like(strokes), start.tolist(), end.tolist(), 255)
    if cv2.countNonZero(line) < LINE.min_length * max(strokes.shape) or cv2.mean(strokes, line)[0] < LINE.min_ink * 255:
        return whole, False
    beyond = (end - start) // 4  # where the line meets the border at a slant
    cv2.line(line, (start - beyond).tolist(), (end + beyond).tolist(), 255)
    thick = np.ones((int(lengths.min()) + 2 | 1,) * 2, np.uint8)
    line = cv2.dilate(line, thick)
    rest = cv2.subtract(strokes, line)
    if cv2.countNonZero(rest) < LINE.min_rest * cv2.countNonZero(line):
        return whole, False
    crossing = cv2.dilate(rest, thick)
    alone = Region.of(cv2.bitwise_or(rest, cv2.bitwise_and(strokes, cv2.bitwise_and(line, crossing))))
    return alone, not _is_ruled(alone, start, end, int(lengths.min()))


def _is_ruled(rest: Region, start: NDArray[np.int_], end: NDArray[np.int_], width: int) -> bool:
    """Return whether a line is ruled: level or upright, and beside the other strokes or less than half as wide.

    The bar of a four that fills its image counts, too, because it does not extend beyond the other strokes.

    Args:
        rest: The other strokes.
        start: Column and row of the start of the line.
        end: Column and row of its end.
        width: Width of the line in pixels.
    """
    lean = float(np.degrees(np.arctan2(*np.sort(np.abs(end - start)))))
    if lean > LINE.max_lean:
        return False
    if width < LINE.min_width or width - 1 <= LINE.max_ruled_width * strokes_width(
        rest.within_bounds, cv2.countNonZero(rest.mask)
    ):
        return True
    left, top, *size = rest.bounds
    along = int(np.abs(end - start).argmax())
    first, length = (left, top)[along], size[along]
    room = min(first, rest.mask.shape[1 - along] - first - length)
    if room < LINE.beyond * max(size):
        return True
    across, down = end - start
    rows, columns = rest.mask.nonzero()
    on_one_side = float((across * (rows - start[1]) > down * (columns - start[0])).mean())
    return min(on_one_side, 1 - on_one_side) <= LINE.max_through


def _without_box(whole: Region) -> Region:
    """Return the strokes without the lines of a printed box around them, which the digit may touch.

    A box has a line along each side of its bounds. So has an angular zero or eight. Therefore the lines are removed
    only if something is left inside that does not run from side to side.
    """
    strokes = whole.mask
    left, top, width, height = whole.bounds
    if min(width / strokes.shape[1], height / strokes.shape[0]) < BOX.min_side:
        return whole
    box = whole.within_bounds
    band = max(1, round(BOX.band * min(width, height)))
    bands = (box[:band], box[::-1][:band], box.T[:band], box.T[::-1][:band])  # the first row is the outermost
    if any(np.count_nonzero(side.any(axis=0)) < BOX.min_covered * side.shape[1] for side in bands):
        return whole
    up, down, west, east = (_depth(side) for side in bands)
    mask = np.zeros_like(strokes)
    inner = slice(top + up, top + height - down), slice(left + west, left + width - east)
    mask[inner] = strokes[inner]
    inside = Region.of(mask)
    _, _, inner_width, inner_height = inside.bounds
    is_digit = max(inner_width / width, inner_height / height) > BOX.min_content
    crosses = inner_width >= width - west - east or inner_height >= height - up - down
    return inside if is_digit and not crosses else whole


def _depth(band: Mask) -> int:
    """Return how many rows of a band belong to a line along it. The line may be slightly tilted; 0 without a line."""
    covered = np.count_nonzero(band, axis=1) > BOX.min_row * band.shape[1]
    return int(np.flatnonzero(covered)[-1]) + 2 if covered.any() else 0


def _belongs_to_frame(components: Components) -> NDArray[np.bool_]:
    """Return which components are printed lines, the table, shadows or a neighbour's strokes along the border.

    Such a component lies along the border, within a band. Strokes of a digit that fills its image may do so too.
    Therefore the components at a side that cuts off the largest other component are not part of the frame. If no side
    cuts it off, the image shows the digit whole, and whatever the border cuts off is something else.

    Returns:
        Whether each component belongs to the frame, bool (n,).
    """
    stats = components.stats
    rows, columns = components.mask.shape
    if len(stats) == 1 or max(rows, columns) < DETAILED_SIDE:
        return np.zeros(len(stats), np.bool_)
    left, top, width, height, area = stats.T
    right, bottom = left + width, top + height
    at_edge = np.array(
        [
            left <= FRAME.edge_margin * columns,
            right >= (1 - FRAME.edge_margin) * columns,
            top <= FRAME.edge_margin * rows,
            bottom >= (1 - FRAME.edge_margin) * rows,
        ]
    )
    if not at_edge.any():
        return np.zeros(len(stats), np.bool_)
    cut_off = np.array([left == 0, right == columns, top == 0, bottom == rows])
    band_y, band_x = int(FRAME.band * rows), int(FRAME.band * columns)
    numbers = components.numbers
    centre = numbers[band_y : rows - band_y, band_x : columns - band_x]
    in_band = np.bincount(centre.ravel(), minlength=len(stats) + 1)[1:] <= FRAME.max_centre * area
    whole = ~cut_off.any(axis=0) & (np.maximum(width, height) >= FRAME.min_companion * min(rows, columns))
    solid = whole.any() & cut_off.any(axis=0) & _is_solid(numbers, len(stats))
    at_left, at_right, at_top, at_bottom = at_edge
    crosses = (at_left & at_right) | (at_top & at_bottom)
    is_line = crosses & (np.minimum(width, height) <= FRAME.max_line_width * np.maximum(width, height))
    is_sliver = ((at_left | at_right) & (width <= FRAME.max_sliver * columns)) | (
        (at_top | at_bottom) & (height <= FRAME.max_sliver * rows)
    )
    is_main = ~is_line & (np.maximum(width, height) >= FRAME.min_main * max(rows, columns))
    main = _largest(area, is_main & ~in_band & ~solid, is_main & ~cut_off.any(axis=0))
    if main is None:
        return np.zeros(len(stats), np.bool_)
    frame: NDArray[np.bool_] = is_line | (in_band & (crosses | is_sliver))
    if not cut_off[:, main].any():
        frame |= (in_band & cut_off.any(axis=0)) | solid
    shared: NDArray[np.bool_] = (at_edge & cut_off[:, main, np.newaxis]).any(axis=0)
    frame &= ~shared
    frame[main] = False  # it may lie along the border itself, if only specks do not
    if area[frame & ~is_line].sum() > area[~frame].sum() and is_thin(components.mask):
        return np.zeros(len(stats), np.bool_)  # what is most of a drawing in thin lines is not a frame
    return frame


def _is_solid(numbers: NDArray[np.uint16], count: int) -> NDArray[np.bool_]:
    """Return which components are thicker than a stroke somewhere, bool (count,)."""
    depth = cv2.distanceTransform(np.minimum(numbers, 1).astype(np.uint8), cv2.DIST_L2, 3)
    deep = numbers[depth > FRAME.max_stroke_depth * min(numbers.shape)]
    return np.bincount(deep, minlength=count + 1)[1:] > 0


def _largest(area: MatLike, *choices: NDArray[np.bool_]) -> int | None:
    """Return the index of the largest component of the first choice that has more than specks, or None if all have not.

    Args:
        area: Area of each component in pixels, (n,).
        *choices: Components to choose from, bool (n,), the preferred ones first.
    """
    for choice in choices:
        chosen = np.where(choice, area, 0)
        if chosen.max() >= SPECK.max_area * area.sum():
            return int(chosen.argmax())
    return None
