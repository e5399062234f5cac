"""Undo what inverts bands of an image: a quarter of it, a half, or every second stripe is its negative.

Along the border of such a band, from one side of the image to the other, each pixel is about the negative of its
neighbour. Nothing that people draw or photograph has such a border, but for two sheets that happen to complement each
other, and these may be taken for one as well.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.raster import Grey


@dataclass(frozen=True, slots=True)
class BandLimits:
    """What is the border of an inverted band.

    Chosen on every 60th of MNIST's training digits, with bands of a quarter on either side, a third or a half, upright
    and level: 97 to 99.6 % come back exactly. Whole digits and images in the wild are never changed.
    """

    min_difference: int = 60
    """Minimum difference of a pixel from its neighbour, across the border."""

    min_different: float = 0.75
    """Minimum share of the border where that holds. It does not where the edge of a stroke crosses the border."""

    max_surplus: int = 40
    """Maximum difference of a pixel from the negative of its neighbour, across the border."""

    min_complementary: float = 0.4
    """Minimum share of the border where both hold. Where a stroke runs along the border, the second does not."""

    min_width: float = 0.18
    """Minimum width of a band, as a share of the side. A narrower bar may be a digit one."""

    min_side: int = 24
    """Minimum length of each side of the image, in pixels.

    A digit that fills an image of 8 or 16 pixels has strokes from edge to edge: 3 of 1,840 images of
    `benchmarks/scruffy.py` were taken for bands, all of them that small."""


LIMITS = BandLimits()


def of_one_polarity(image: Grey) -> Grey:
    """Return an image without inverted bands, upright or level: itself if it has none, otherwise a new one.

    The middle keeps its levels.

    Args:
        image: Grey levels, uint8 (height, width).
    """
    if min(image.shape) < LIMITS.min_side:
        return image
    for axis in (0, 1):
        borders = _borders(image, axis)
        if borders:
            image = _undone(image, axis, borders)
    return image


def _borders(image: Grey, axis: int) -> list[int]:
    """Return the first columns (axis 0) or rows (axis 1) of all bands but the first one, in order."""
    lines = image.T if axis == 0 else image
    # A border reaches both edges of the image, and the edge of a stroke does not. So most images end here.
    edges = [np.ascontiguousarray(lines[:, end]) for end in (0, -1)]
    if any(high - low < LIMITS.min_difference for low, high, _, _ in map(cv2.minMaxLoc, edges)):
        return []
    steps = np.minimum(*(cv2.absdiff(edge[1:], edge[:-1]).ravel() for edge in edges))
    candidates = (np.flatnonzero(steps >= LIMITS.min_difference) + 1).tolist()
    found = [start for start in candidates if _are_negatives(lines[start - 1], lines[start])]
    widths = np.diff([0, *found, len(lines)])
    return found if widths.min() >= LIMITS.min_width * len(lines) else []


def _are_negatives(before: Grey, after: Grey) -> bool:
    one, other = before.astype(np.int16), after.astype(np.int16)
    differs, complements = np.abs(one - other) >= LIMITS.min_difference, np.abs(one + other - 255) <= LIMITS.max_surplus
    return (
        float(np.mean(differs)) >= LIMITS.min_different
        and float(np.mean(differs & complements)) >= LIMITS.min_complementary
    )


def _undone(image: Grey, axis: int, borders: list[int]) -> Grey:
    length = image.shape[1 - axis]
    is_other = np.searchsorted(borders, np.arange(length), side="right") % 2 == 1
    inverted = is_other != is_other[length // 2]
    undone: Grey = np.where(inverted[np.newaxis] if axis == 0 else inverted[:, np.newaxis], 255 - image, image)
    return undone
