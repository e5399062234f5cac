"""Find a circle with a wide gap, or in two halves, around a digit.

A circle that nearly closes is an outline. One with a wider gap looks like a part of a digit, as the curve of a six. So
its line must follow one ellipse. What is inside must be apart from the line, near the middle, and as large as a digit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.around.outlines import Content, Outline
from model.images.around.rim import Rim, is_bar, is_blob
from model.images.raster import Components, Mask, has_hole


@dataclass(frozen=True, slots=True)
class OpenCircleLimits:
    """What tells an open circle from a part of a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds wide_open_circle` and
    with the groups `alone` and `zero`.
    """

    max_components: int = 60
    """Maximum number of all components. It bounds time."""

    line_area: float = 0.4
    """Maximum area of the line, as a share of its bounds."""

    content: float = 0.25
    """Minimum length of what is inside, as a share of the diameter of the circle."""

    shape: float = 0.7
    """Minimum of the shorter axis of the ellipse, as a share of the longer one."""

    width: float = 0.22
    """Maximum width of the line, as a share of the radius."""

    deviation: float = 0.12
    """Maximum distance of the middle of the line from the ellipse, as a share of the radius."""

    covered: float = 0.61
    """Minimum share of the full turn that the line covers. A gap of 130 degrees leaves 0.64."""

    halves_covered: float = 0.8
    """The same of a line in two pieces."""

    closed: float = 0.96
    """Maximum share of the full turn that a line of one piece covers. A line that covers more has no gap.

    Other limits apply to it, because it is an outline."""

    main_gap: float = 0.9
    """Minimum width of the widest gap in a line of one piece, as a share of the width of all its gaps."""

    off_centre: float = 0.35
    """Maximum distance of the middle of what is inside from that of the circle, as a share of the radius."""

    dot: float = 0.72
    """Minimum area of a dot, as a share of the smallest rectangle around it. That of an ellipse is 0.785."""

    bar: float = 0.3
    """Maximum width of a bar, as a share of its length."""

    upright: float = 22
    """Angle from upright, in degrees, up to which a bar is a one. One that leans more may be the slash of a zero."""

    leaning: float = 0.45
    """Minimum length of a bar that leans more, as a share of the diameter."""

    narrow: float = 0.85
    """Maximum width of a zero with a slash, as a share of its height. In a rounder circle a bar that leans is a one."""


LIMITS = OpenCircleLimits()

_PARTS = 72  # of the full turn
_MIN_POINTS = 20  # pixels of a line to which an ellipse is fitted


def find_open_circle(components: Components, least: float) -> Outline | None:
    """Find a circle with a wide gap, or in two halves, with a digit inside.

    Args:
        components: Components of all strokes, at least one.
        least: Minimum of the shorter side of the circle, in pixels.
    """
    stats = components.stats
    if not 1 < len(stats) <= LIMITS.max_components:
        return None
    for pieces in _lines(components, least):
        outline = _outline(components, pieces)
        if outline is not None:
            return outline
    return None


def _lines(components: Components, least: float) -> Iterator[NDArray[np.bool_]]:
    """Yield which components may be the line: the largest one, and then it and the second-largest."""
    left, top, width, height, area = components.stats.T
    order = np.argsort(-(width * height))[:2]
    for count in range(1, len(order) + 1):
        pieces = np.zeros(len(width), np.bool_)
        pieces[order[:count]] = True
        if pieces.all():
            return
        x, y = int(left[pieces].min()), int(top[pieces].min())
        columns, rows = int((left + width)[pieces].max()) - x, int((top + height)[pieces].max()) - y
        largest = int(np.maximum(width, height)[~pieces].max())
        is_thin = area[pieces].sum() <= LIMITS.line_area * columns * rows
        if min(columns, rows) >= least and is_thin and largest >= LIMITS.content * min(columns, rows):
            yield pieces


def _outline(components: Components, pieces: NDArray[np.bool_]) -> Outline | None:
    """Return the open circle that some components form around another one, or None where they form none."""
    line = components.mask_of(pieces)
    circle = _circle(line, int(np.count_nonzero(pieces)))
    if circle is None:
        return None
    rim = Rim.of(line)
    if rim is None:
        return None
    ellipse, width = circle
    hole = ellipse.mask(line.shape)
    outside = components.numbers[hole == 0]
    is_inside = (np.bincount(outside, minlength=len(pieces) + 1)[1:] == 0) & ~pieces
    largest = int(np.where(pieces, 0, components.stats[:, 4]).argmax())
    if not is_inside[largest] or not _may_be_digit(components, largest, ellipse):
        return None
    return Outline(rim, width, hole, components.mask_of(is_inside), Content.DIGIT)


def _circle(line: Mask, pieces: int) -> "tuple[_Ellipse, float] | None":
    """Return the ellipse that a line follows, and the width of the line in pixels; None where it follows none.

    Args:
        line: Mask of the line.
        pieces: Number of its pieces.
    """
    points = cv2.findNonZero(line).reshape(-1, 2)
    ellipse = _Ellipse.fitted(points) if len(points) >= _MIN_POINTS else None
    if ellipse is None:
        return None
    away, turn = ellipse.polar(points)
    is_met = np.bincount((turn * _PARTS).astype(np.intp) % _PARTS, minlength=_PARTS) > 0
    covered = float(is_met.mean())
    least, most = (LIMITS.covered, LIMITS.closed) if pieces == 1 else (LIMITS.halves_covered, 1)
    if not least <= covered <= most:
        return None
    if pieces == 1 and _widest_gap(is_met) < LIMITS.main_gap * np.count_nonzero(~is_met):
        return None
    width = len(points) / (covered * 2 * np.pi * ellipse.radius)
    farthest = LIMITS.deviation + width / 2 / ellipse.radius
    if width > LIMITS.width * ellipse.radius or np.abs(away - 1).max() > farthest:
        return None
    return ellipse, width


def _may_be_digit(components: Components, index: int, circle: "_Ellipse") -> bool:
    """Return whether a component in a circle has the size and the place of a digit, and is not a mark in a zero.

    Args:
        components: Components of all strokes.
        index: Index of the component.
        circle: The ellipse around it.
    """
    x, y, columns, rows, _ = components.stats[index].tolist()
    length = max(columns, rows) / (2 * circle.radius)
    [away], _ = circle.polar(np.array([[x + (columns - 1) / 2, y + (rows - 1) / 2]]))
    if length < LIMITS.content or away > LIMITS.off_centre:
        return False
    return not _is_mark(components.mask_of_one(index), length, circle)


def _is_mark(part: Mask, length: float, circle: "_Ellipse") -> bool:
    """Return whether what is inside may be the dot or the slash of a zero that does not close.

    Args:
        part: Mask of what is inside.
        length: Its length, as a share of the diameter.
        circle: The ellipse around it.
    """
    if is_blob(part, LIMITS.dot, LIMITS.bar):
        return not has_hole(part)
    bar, lean = is_bar(part, LIMITS.bar)
    if not bar or lean <= LIMITS.upright:
        return False
    return length < LIMITS.leaning or circle.is_narrow


def _widest_gap(parts: NDArray[np.bool_]) -> int:
    """Return the number of parts of a turn in the widest gap between those that are covered, at least one."""
    met = np.flatnonzero(parts)
    return int(np.diff(met, append=met[0] + len(parts)).max()) - 1


@dataclass(frozen=True, slots=True, eq=False)
class _Ellipse:
    """An ellipse.

    Attributes:
        centre: Column and row of its middle.
        axes: Its semi-axes in pixels.
        angle: Angle of the first of them, in degrees.
    """

    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float

    @classmethod
    def fitted(cls, points: MatLike) -> "_Ellipse | None":
        """Fit an ellipse to points, column and row, (n, 2); None where it is too narrow for a circle."""
        centre, (width, height), angle = cv2.fitEllipseDirect(points)
        short, long = sorted((width, height))
        if not np.isfinite((*centre, short, long)).all() or short < max(1, LIMITS.shape * long):
            return None
        return cls((centre[0], centre[1]), (width / 2, height / 2), angle)

    @property
    def radius(self) -> float:
        """Mean of the semi-axes in pixels."""
        return sum(self.axes) / 2

    @property
    def is_narrow(self) -> bool:
        """Whether it is as much higher than wide as a zero."""
        angle = np.radians(self.angle)
        width = np.hypot(self.axes[0] * np.cos(angle), self.axes[1] * np.sin(angle))
        height = np.hypot(self.axes[0] * np.sin(angle), self.axes[1] * np.cos(angle))
        return bool(width <= LIMITS.narrow * height)

    def polar(self, points: MatLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the place of points, column and row, (n, 2), as seen from the middle.

        Returns:
            Distance from the middle, (n,), where 1 is on the ellipse; and the share of the full turn, 0 to 1, (n,).
        """
        angle = np.radians(self.angle)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        across, down = ((points - self.centre) @ turn / self.axes).T
        return np.hypot(across, down), np.arctan2(down, across) / (2 * np.pi) + 0.5

    def mask(self, shape: tuple[int, ...]) -> Mask:
        """Return the mask of its inside."""
        (x, y), (across, down) = self.centre, self.axes
        box = (x, y), (2 * across, 2 * down), self.angle
        return cv2.ellipse(np.zeros(shape, np.uint8), box, 255, cv2.FILLED)
