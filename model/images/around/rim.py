"""Follow the rim of a shape, and measure how much ink lies along it: the geometry that circles, boxes and discs share.

Rays go from the middle of the shape outwards. Along each ray, the rim begins where the convex hull of the shape ends.
From there the ray is followed inwards, through paper outside the line, the line itself, and what is inside.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.raster import Grey, Mask

RAYS = 72
"""Number of rays: one for every five degrees."""

DEPTHS = 64
"""Number of places at which each ray is looked at, from the rim to the middle."""

MAX_TILT = 10
"""Maximum angle of a box, in degrees, from upright. An open four leans more."""

BOX_AREA = 0.9
"""Minimum area of a box, as a share of the smallest rectangle around it. That of an ellipse is 0.785."""

_ANGLES = 2 * np.pi * np.arange(RAYS) / RAYS
_WAYS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
_SHARES = (np.arange(DEPTHS) + 0.5) / DEPTHS


@dataclass(frozen=True, slots=True, eq=False)
class Rim:
    """The convex hull of a shape, and the ink along its rays. All lengths are in pixels.

    Attributes:
        hull: Corners of the hull, column and row, int32 (n, 1, 2).
        centre: Column and row of the hull's centre of mass, float (2,).
        radius: Distance of the hull from the centre along each ray, (RAYS,).
        start: Distance from the hull inwards to the first ink of each ray, (RAYS,); `radius` where a ray has none.
        run: Length of the ink that begins there, (RAYS,); 0 where a ray has none.
    """

    hull: NDArray[np.int32]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    start: NDArray[np.float64]
    run: NDArray[np.float64]

    @classmethod
    def of(cls, ink: Mask) -> "Rim | None":
        """Follow the rim of ink.

        Args:
            ink: Mask, not empty.

        Returns:
            The rim. None where the ink's hull has no area.
        """
        points = cv2.findNonZero(ink)
        hull = cv2.convexHull(points)
        moments = cv2.moments(hull)
        if moments["m00"] < 1:
            return None
        centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        corners = hull[:, 0].astype(np.float64) - centre
        sides = np.roll(corners, -1, axis=0) - corners
        normals = np.stack([sides[:, 1], -sides[:, 0]])
        distances = (normals * corners.T).sum(axis=0)
        if distances.sum() < 0:
            normals, distances = -normals, -distances
        slopes = _WAYS.T @ normals
        with np.errstate(divide="ignore", invalid="ignore"):
            crossings = np.where(slopes > 1e-9, distances / slopes, np.inf)
        radius = crossings.min(axis=1)
        if not np.isfinite(radius).all() or radius.min() < 1:
            return None
        found = looked_at(ink, centre, radius) > 0
        begins = found.argmax(axis=1)
        has_ink = found.any(axis=1)
        after = np.arange(DEPTHS) > begins[:, np.newaxis]
        ends = np.where((after & ~found).any(axis=1), (after & ~found).argmax(axis=1), DEPTHS)
        start = np.where(has_ink, begins / DEPTHS * radius, radius)
        return cls(
            np.asarray(hull, np.int32), centre, radius, start, np.where(has_ink, (ends - begins) / DEPTHS * radius, 0)
        )

    def covered(self, depth: float) -> float:
        """Return the share of the rays whose first ink lies within this share of the radius."""
        return float((self.start <= depth * self.radius + 1).mean())

    def asymmetry(self) -> float:
        """Return the deviation of opposite radii, as a share of the mean radius: 0 for an ellipse or a rectangle."""
        half = RAYS // 2
        return float((self.radius[:half] - self.radius[half:]).std() / self.radius.mean())

    def inset(self, depth: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the corners of the rim moved inwards by a distance for each ray, column and row, (RAYS, 2)."""
        corners: NDArray[np.float64] = self.centre + (_WAYS * np.maximum(self.radius - depth, 0)).T
        return corners

    def bounds(self) -> tuple[float, float]:
        """Return the shorter and the longer side of the smallest rectangle around the hull, at any angle."""
        _, (width, height), _ = cv2.minAreaRect(self.hull)
        return min(width, height) + 1, max(width, height) + 1


def has_corners(hull: MatLike) -> bool:
    """Return whether a hull fills an upright rectangle, as that of a box with round corners does."""
    _, (width, height), angle = cv2.minAreaRect(hull)
    tilt = angle % 90
    return min(tilt, 90 - tilt) <= MAX_TILT and cv2.contourArea(hull) >= BOX_AREA * width * height


def looked_at(image: Mask, centre: NDArray[np.float64], radius: NDArray[np.float64]) -> Mask:
    """Return the pixels along the rays, from the rim to the middle, (RAYS, DEPTHS).

    Args:
        image: Any image, (height, width).
        centre: Column and row of the middle.
        radius: Length of each ray, (RAYS,).
    """
    lengths = radius[:, np.newaxis] * (1 - _SHARES)
    rows, columns = image.shape
    x = np.clip(np.rint(centre[0] + _WAYS[0][:, np.newaxis] * lengths), 0, columns - 1).astype(np.intp)
    y = np.clip(np.rint(centre[1] + _WAYS[1][:, np.newaxis] * lengths), 0, rows - 1).astype(np.intp)
    pixels: Mask = image[y, x]
    return pixels


def at_depth(image: Grey, rim: Rim, depth: NDArray[np.float64]) -> Mask:
    """Return the pixel of each ray at a distance from the rim, (RAYS,)."""
    places = np.rint(rim.inset(depth)).astype(np.intp)
    rows, columns = image.shape
    pixels: Mask = image[np.clip(places[:, 1], 0, rows - 1), np.clip(places[:, 0], 0, columns - 1)]
    return pixels


def polygon(shape: tuple[int, int], corners: NDArray[np.float64]) -> Mask:
    """Return the mask of the inside of a polygon with these corners, column and row."""
    mask = np.zeros(shape, np.uint8)
    return cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 255)


def filled_neighbours(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return values around a circle, with unknown ones interpolated between their known neighbours.

    Args:
        values: One value for each ray, (RAYS,).
        known: Whether each value is known, bool (RAYS,); at least one is.
    """
    at = np.arange(len(values))
    return np.interp(at, at[known], values[known], period=len(values))


def is_bar(mask: Mask, thinness: float) -> tuple[bool, float]:
    """Return whether a shape is a straight bar, and how far it leans from upright, in degrees, 0 to 90."""
    _, (width, height), angle = cv2.minAreaRect(cv2.findNonZero(mask))
    short, long = sorted((width + 1, height + 1))
    lean = math.fmod(abs(angle if height >= width else angle + 90), 180)
    lean = min(lean, 180 - lean)
    return short <= thinness * long, lean


def is_blob(mask: Mask, filled: float, thinness: float) -> bool:
    """Return whether a shape fills this share of the smallest rectangle around it, and is not as thin as a bar."""
    points = cv2.findNonZero(mask)
    _, (width, height), _ = cv2.minAreaRect(points)
    short, long = sorted((width + 1, height + 1))
    return len(points) >= filled * short * long and short > thinness * long
