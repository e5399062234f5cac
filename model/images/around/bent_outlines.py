"""Find the outline of a star, a speech bubble or a shirt around a digit: a closed line that bends inwards.

The rim of such an outline is not convex, so the line does not follow its hull. But the line encloses one large place.
In this place, apart from the line, is something as large as a digit.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.around import outlines
from model.images.around.rim import Rim
from model.images.raster import Components, Mask, has_hole, strokes_width, without_holes


@dataclass(frozen=True, slots=True)
class BentOutlineLimits:
    """What tells an outline from a loop of a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds bent_outline` and
    with the groups `alone` and `zero`.
    """

    max_components: int = 60
    """Maximum number of all components. It bounds time."""

    radius: float = 0.22
    """Minimum radius of the largest disc in the outline, as a share of the longer side of the outline."""

    width: float = 0.26
    """Maximum width of the line, as a share of that radius."""

    hole: float = 0.3
    """Minimum area of the largest place that the outline encloses, as a share of the area of the outline's bounds."""

    coverage: float = 0.97
    """Minimum share of the rays that meet the line near its hull if the outline is a circle, a box or a zero. A round
    speech bubble with a small tail has up to 0.96."""

    content: float = 0.3
    """Minimum length of what is inside, as a share of the diameter of the largest disc in the outline."""

    ring: float = 0.45
    """Minimum area of paper in rings, as a share of what they enclose. Most sixes, eights and nines have less."""

    beside: float = 0.8
    """Minimum radius of the largest disc beside rings, as a share of that of the largest one in the outline.

    If only the edges of a digit are drawn, there is only its stroke beside its loops."""


LIMITS = BentOutlineLimits()


def find_bent_outline(components: Components, least: float) -> outlines.Outline | None:
    """Find a closed line whose form is not convex, with a digit inside.

    Args:
        components: Components of all strokes, at least one.
        least: Minimum of the shorter side of the outline, in pixels.
    """
    stats = components.stats
    if not 1 < len(stats) <= LIMITS.max_components:
        return None
    index = int((stats[:, 2] * stats[:, 3]).argmax())
    columns, rows, area = stats[index, 2:].tolist()
    line = components.mask_of_one(index)
    if min(columns, rows) < least or not has_hole(line):
        return None
    hole, width = _largest_hole(line), strokes_width(line, area)
    radius = float(cv2.distanceTransform(hole, cv2.DIST_L2, 5).max())
    is_large = radius >= LIMITS.radius * max(columns, rows) and cv2.countNonZero(hole) >= LIMITS.hole * columns * rows
    rim = Rim.of(line) if is_large and width <= LIMITS.width * radius else None
    if rim is None or rim.covered(outlines.LIMITS.start) >= LIMITS.coverage:
        return None
    is_inside = np.bincount(components.numbers[hole == 0], minlength=len(stats) + 1)[1:] == 0
    largest = int(np.where(is_inside, stats[:, 4], 0).argmax())
    if not is_inside[largest] or max(stats[largest, 2:4].tolist()) < LIMITS.content * 2 * radius:
        return None
    inside = components.mask_of(is_inside)
    if outlines.is_dot(components.mask_of_one(largest)) or _is_hollow(inside, hole, radius):
        return None
    return outlines.Outline(rim, width, hole, inside, outlines.Content.DIGIT)


def _largest_hole(line: Mask) -> Mask:
    """Return the mask of the largest place that a line with a hole encloses."""
    edges, tree = cv2.findContours(line, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = [edge for edge, (*_, parent) in zip(edges, tree[0].tolist(), strict=True) if parent >= 0]
    place = cv2.fillPoly(np.zeros_like(line), [max(holes, key=cv2.contourArea)], 255)
    return cv2.subtract(place, line)


def _is_hollow(inside: Mask, hole: Mask, radius: float) -> bool:
    """Return whether rings fill an outline, as the loops of a digit do if only its edges are drawn.

    Args:
        inside: Mask of what is inside the outline.
        hole: Mask of the place inside it.
        radius: Radius of the largest disc in that place, in pixels.
    """
    whole = without_holes(inside)
    area = cv2.countNonZero(whole)
    if area - cv2.countNonZero(inside) < LIMITS.ring * area:
        return False
    beside = cv2.distanceTransform(cv2.subtract(hole, whole), cv2.DIST_L2, 5)
    return float(beside.max()) < LIMITS.beside * radius
