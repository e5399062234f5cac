"""Find an outline of dashes or dots around a digit: circles, ellipses and boxes that are dashed or dotted.

Small pieces lie along their common hull, all the way around, and something larger is inside. A digit that is drawn in
dashes or dots itself has nothing inside, or only pieces like the others.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike

from model.images.around.outlines import Content, Outline, is_slash
from model.images.around.rim import RAYS, Rim
from model.images.raster import Components, Mask, has_hole


@dataclass(frozen=True, slots=True)
class DashLimits:
    """What tells an outline of dashes from other drawings in many pieces.

    Each was chosen on `benchmarks/surroundings.py --training --kinds dashed_circle dashed_box dashed_zero` and on
    `benchmarks/scruffy.py --training --kinds dotted dashed`, with 400 images a kind. With them, 95 % of the outlines
    are found. In most of the others, dashes run together, so these outlines are found as lines. No zero in dashes is
    taken for an outline.
    """

    min_pieces: int = 4
    """Minimum number of pieces. In small images many dashes run together."""

    max_components: int = 150
    """Maximum number of all components. More are a texture. It also bounds time."""

    near_bounds: float = 0.6
    """Minimum distance of a piece from the middle of all bounds, as a share of half their sides."""

    depth: float = 0.19
    """Depth within the hull, as a share of its greatest depth, in which a piece lies. With 0.3, eights in dashes pass,
    and with 0.16 one in a hundred outlines is missed."""

    max_gap: float = 1 / 6
    """Maximum angle without a piece, as a share of the full turn. With a little more, nines in dashes pass."""

    content: float = 0.25
    """Minimum length of the largest component inside, as a share of the shorter side of the hull."""

    max_content: float = 0.9
    """Maximum length of that component."""

    middle: float = 0.5
    """Depth within the hull, as a share of its greatest depth, that what is inside reaches. Some dashes of a narrow
    zero lie deeper than the others."""

    main: float = 0.6
    """Minimum area of that component, as a share of all ink inside. With 0.7, fives with a loose bar are missed."""


LIMITS = DashLimits()

_BESIDE = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)


def find_dashed(components: Components, least: float) -> Outline | None:
    """Find an outline of dashes or dots with a digit inside.

    Args:
        components: Components of all strokes, at least one.
        least: Minimum of the shorter side of an outline, in pixels.
    """
    stats = components.stats
    if not LIMITS.min_pieces < len(stats) <= LIMITS.max_components or not _may_go_around(components):
        return None
    depth = _depths(components.mask)
    deepest = float(depth.max())
    deep = components.numbers[depth > LIMITS.depth * deepest + 1]
    is_piece = np.bincount(deep, minlength=len(stats) + 1)[1:] == 0
    if 2 * deepest < least or np.count_nonzero(is_piece) < LIMITS.min_pieces or is_piece.all():
        return None
    pieces = components.mask_of(is_piece)
    if not _is_digit(stats[~is_piece], 2 * deepest) or not _go_around(pieces, stats[is_piece]):
        return None
    rim = Rim.of(components.mask)
    if rim is None or has_hole(_without_pinholes(pieces)):
        return None
    width = float(depth[pieces > 0].max()) + 1
    hole: Mask = np.where(depth > width, np.uint8(255), np.uint8(0))
    inside = cv2.bitwise_and(components.mask_of(~is_piece), hole)
    is_deep = (depth[inside > 0] >= LIMITS.middle * deepest).any()
    if not is_deep or is_slash(inside, int(np.count_nonzero(~is_piece)), hole, rim):
        return None
    return Outline(rim, width, hole, inside, Content.DIGIT)


def _without_pinholes(mask: Mask) -> Mask:
    """Return a mask without holes of one pixel, which two dashes leave where they run together."""
    return cv2.bitwise_or(mask, cv2.erode(mask, _BESIDE))


def _may_go_around(components: Components) -> bool:
    """Return whether enough components lie near the bounds of all. This costs a tenth of what follows."""
    left, top, width, height = components.whole.bounds
    x, y, columns, rows, _ = components.stats.T
    across = (2 * (x - left) + columns - width) / width
    down = (2 * (y - top) + rows - height) / height
    return bool(np.count_nonzero(np.hypot(across, down) >= LIMITS.near_bounds) >= LIMITS.min_pieces)


def _depths(mask: Mask) -> MatLike:
    """Return the distance of each pixel from the edge of the convex hull of a mask, float32 (height, width)."""
    hull = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)  # the edge may lie on the border
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(mask)) + 1, 255)
    return cv2.distanceTransform(hull, cv2.DIST_L2, 3)[1:-1, 1:-1]


def _is_digit(stats: MatLike, size: float) -> bool:
    """Return whether most of what is inside is one component that could be a digit.

    Args:
        stats: Left, top, width, height and area of each component inside, int (n, 5).
        size: Shorter side of the hull in pixels.
    """
    areas = stats[:, 4]
    largest = int(areas.argmax())
    is_long = LIMITS.content * size <= stats[largest, 2:4].max() <= LIMITS.max_content * size
    return bool(is_long and areas[largest] >= LIMITS.main * areas.sum())


def _go_around(pieces: Mask, stats: MatLike) -> bool:
    """Return whether pieces lie in all directions, without a wide gap.

    Args:
        pieces: Mask of the pieces.
        stats: Left, top, width, height and area of each of them, int (n, 5).
    """
    rim = Rim.of(pieces)
    if rim is None:
        return False
    is_met = rim.start <= LIMITS.depth * rim.radius + 1
    middles = stats[:, :2] + (stats[:, 2:4] - 1) / 2 - rim.centre
    rays = np.rint(np.arctan2(middles[:, 1], middles[:, 0]) / (2 * np.pi) * RAYS).astype(np.intp) % RAYS
    is_met[rays] = True  # a ray may pass a dot
    met = np.flatnonzero(is_met)
    return bool(np.diff(met, append=met[0] + RAYS).max() <= LIMITS.max_gap * RAYS)
