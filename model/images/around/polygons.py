"""Tell a polygon, such as a diamond, a hexagon or a triangle, from the loops of digits."""

from dataclasses import dataclass

import cv2
from cv2.typing import MatLike

from model.images.around.rim import has_corners
from model.images.raster import Mask


@dataclass(frozen=True, slots=True)
class PolygonLimits:
    """What tells a polygon from a zero.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training`.
    """

    straight: tuple[float, ...] = (0.84, 0.9, 0.92, 0.93)
    """Minimum area of a polygon with three, four, five and six corners, as a share of its hull's.

    Lines have round corners, so thick triangles have the least. A hexagon in a circle has 0.83 of the circle's area."""

    tolerance: float = 0.02
    """Maximum distance of the hull from the side of the polygon, as a share of the hull's length."""

    square: float = 0.75
    """Minimum of the shorter side, as a share of the longer one, with more than three corners. Zeros are narrower."""

    convex: float = 0.9
    """Minimum area within an outline, as a share of its hull's. A four with a foot has less."""

    hole: float = 0.5
    """Minimum area of the hole within an outline that is a line, as a share of its hull's."""


LIMITS = PolygonLimits()

_TRIANGLE = 3


def is_polygon(hull: MatLike) -> bool:
    """Return whether a hull has few, straight sides, and is not an upright box."""
    corners = cv2.approxPolyDP(hull, LIMITS.tolerance * cv2.arcLength(hull, closed=True), closed=True)
    extra = len(corners) - _TRIANGLE
    if not 0 <= extra < len(LIMITS.straight) or has_corners(hull):
        return False
    short, long = sorted(cv2.minAreaRect(hull)[1])
    if extra and short < LIMITS.square * long:
        return False
    return cv2.contourArea(corners) >= LIMITS.straight[extra] * cv2.contourArea(hull)


def is_line_around_polygon(ink: Mask) -> bool:
    """Return whether ink, not empty, is a line along the sides of a polygon."""
    outlines, tree = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    areas = [cv2.contourArea(outline) for outline in outlines]
    holes = [area for area, (_, _, _, parent) in zip(areas, tree[0].tolist(), strict=True) if parent >= 0]
    if not holes:
        return False
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
    area = cv2.contourArea(hull)
    return max(areas) >= LIMITS.convex * area and max(holes) >= LIMITS.hole * area and is_polygon(hull)
