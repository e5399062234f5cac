"""Find the body of a badge: of a star, a seal, a flower, a gear or a speech bubble, without its points, teeth or tail.

The rim of a surface is full and convex. The rim of a badge is not, but that of its body is. The body is what discs of
one size cover if they fit into the badge. Larger discs leave more of a badge out, so the smaller size is tried first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from model.images.raster import Mask, connected_components


@dataclass(frozen=True, slots=True)
class BadgeLimits:
    """What a badge looks like.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds star_badge seal
    speech_bubble` and with the groups `alone` and `zero`.
    """

    discs: tuple[float, ...] = (0.5, 0.95)
    """Radii of the discs, as shares of that of the largest one that fits. The second is nearly the largest one itself,
    as in a star of five points."""

    min_radius: float = 0.26
    """Minimum radius of the largest disc, as a share of the longer side of the badge. A star of five points has
    0.28."""

    body: float = 0.45
    """Minimum area of the body, as a share of the badge's."""

    point: float = 0.1
    """Maximum area of one point, as a share of the badge's. A star of five points has up to 0.095. The loop of a bold
    six, eight or nine may be a body, and the rest of the digit has 0.14 and more.

    The lobes of a heart have up to 0.24. With 0.25, one in 300 digits drawn with a broad marker is taken for a
    badge."""


LIMITS = BadgeLimits()


def bodies(ink: Mask) -> Iterator[Mask]:
    """Yield the masks of the ink on the bodies that a badge may have, (height, width), the largest first.

    Ink that is not as thick as a badge has none.

    Args:
        ink: Mask of the ink of the badge, (height, width), not empty.
    """
    left, top, width, height = cv2.boundingRect(ink)
    within = np.pad(ink[top : top + height, left : left + width], 1)
    outlines, _ = cv2.findContours(within, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    badge = cv2.fillPoly(np.zeros_like(within), [max(outlines, key=cv2.contourArea)], 255)
    depth = cv2.distanceTransform(badge, cv2.DIST_L2, 5)
    radius = float(depth.max())
    if radius < LIMITS.min_radius * max(width, height):
        return
    for share in LIMITS.discs:
        middles = np.where(depth >= share * radius, np.uint8(0), np.uint8(255))
        covered = cv2.distanceTransform(middles, cv2.DIST_L2, 5) < share * radius
        area = cv2.countNonZero(badge)
        if np.count_nonzero(covered) < LIMITS.body * area:
            return
        points = connected_components(np.where(covered, np.uint8(0), badge))
        if points.stats[:, 4].max(initial=0) <= LIMITS.point * area:
            body = np.zeros_like(ink)
            body[top : top + height, left : left + width] = np.where(covered, within, np.uint8(0))[1:-1, 1:-1]
            yield body
