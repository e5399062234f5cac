"""Find shapes side by side, each with a digit in it: the cells of a form, keys, discs in a row."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.around.outlines import Content, content_of
from model.images.around.surfaces import is_surface
from model.images.raster import Bounds, Components, Mask, without_holes


@dataclass(frozen=True, slots=True)
class SideBySideLimits:
    """Which shapes are side by side.

    They were chosen on tiles, discs, circles and boxes with MNIST's training digits (`benchmarks/several.py`).
    """

    min_pixels: int = 14
    """Minimum of the shorter side of a shape in pixels. In a smaller one no digit can be read."""

    alike: float = 0.75
    """Minimum width and height of a shape, as a share of those of the largest one."""

    max_shapes: int = 64
    """Maximum number of shapes. More are a texture."""

    min_hole: float = 0.005
    """Minimum area of the holes in a surface with a digit, as a share of it. Empty tiles, and the dots of a digit in
    dots, have none."""


LIMITS = SideBySideLimits()


def find_side_by_side(components: Components) -> list[Bounds]:
    """Return the bounds of the shapes that have a digit in them, if there are two and more alike; otherwise nothing.

    Args:
        components: Components of all strokes, at least one.
    """
    if len(components.stats) == 1:
        return []  # as most images
    _, _, width, height, _ = components.stats.T
    sizes = np.minimum(width, height)
    largest = int((width * height).argmax())
    if sizes[largest] < LIMITS.min_pixels:
        return []
    is_alike = _are_alike(width, largest) & _are_alike(height, largest)
    numbers = np.flatnonzero(is_alike).tolist()
    if not 1 < len(numbers) <= LIMITS.max_shapes or _overlap(components.stats[numbers]):
        return []
    shapes = []
    for number in numbers:
        content = _surface_content(components.mask_of_one(number), components.mask) or content_of(components, number)
        if content is None or content is Content.PART:
            return []
        if content is Content.DIGIT:
            shapes.append(components.stats[number, :4].tolist())
    return shapes if len(shapes) > 1 else []


def _surface_content(ink: Mask, strokes: Mask) -> Content | None:
    """Return what is on a surface, or None where ink is not a surface.

    Args:
        ink: Mask of the component, (height, width).
        strokes: Mask of all strokes.
    """
    if not is_surface(ink, strokes):
        return None
    whole = cv2.countNonZero(without_holes(ink))
    return Content.DIGIT if cv2.countNonZero(ink) <= (1 - LIMITS.min_hole) * whole else Content.NOTHING


def _overlap(stats: MatLike) -> bool:
    """Return whether any of these components is within the bounds of another, as one circle in another is."""
    starts, lengths = stats[:, :2], stats[:, 2:4]
    ends = starts + lengths
    shared = np.minimum(ends[:, np.newaxis], ends) - np.maximum(starts[:, np.newaxis], starts)
    return int(np.count_nonzero((shared > 0).all(axis=2))) > len(stats)  # each overlaps with itself


def _are_alike(lengths: NDArray[np.integer], largest: int) -> NDArray[np.bool_]:
    """Return which lengths differ little from one of them, bool (n,)."""
    least, most = LIMITS.alike * lengths[largest], lengths[largest] / LIMITS.alike
    are_alike: NDArray[np.bool_] = (lengths >= least) & (lengths <= most)
    return are_alike
