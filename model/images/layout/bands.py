"""Undo a band of an image that is inverted: light ink on a dark page, but dark ink on light paper in the band."""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.raster import DETAILED_SIDE, Grey


@dataclass(frozen=True, slots=True)
class BandLimits:
    """What an inverted band looks like. It runs from one side of the image to the opposite one."""

    max_range: int = 8
    """Maximum range of the greys of the page at the border, inside the band and outside. Photographs have more.

    Chosen by eye, from the two levels of an inverted drawing: both are exact, unless the file is a JPEG."""

    max_asymmetry: int = 16
    """Maximum difference between the grey of the band's page and the negative of the other page's grey.

    Chosen by eye on the same. A table beside a sheet is seldom so exactly its negative."""

    min_difference: int = 96
    """Minimum difference between the two greys. Nearer ones are a stain or a shadow."""

    min_width: int = 2
    """Minimum width of the band and of the rest, in pixels. A line of one pixel is a stroke."""


LIMITS = BandLimits()


def without_band(image: Grey) -> Grey:
    """Return the image with an inverted band put right.

    Args:
        image: Grey levels, uint8 (height, width).

    Returns:
        Grey levels, uint8 (height, width); the same array if no band is inverted.
    """
    if max(image.shape) < DETAILED_SIDE:
        return image  # strokes are as wide as bands, and may run from side to side
    for turned in (image, image.T):
        band = _band(turned)
        if band is not None:
            mended = image.copy()
            part = mended[:, band] if turned is image else mended[band]
            part[:] = 255 - part
            return mended
    return image


def _band(image: Grey) -> slice | None:
    """Return the columns of a band that runs from the top to the bottom and is inverted, or None."""
    first = image[0].tobytes()
    if first.count(first[0]) == len(first):
        return None  # most clean drawings are done here
    low, high, _, _ = cv2.minMaxLoc(image[0])
    if high - low < LIMITS.min_difference or abs(low + high - 255) > LIMITS.max_asymmetry:
        return None
    is_light = image[0] > (low + high) / 2
    edges = np.flatnonzero(is_light[1:] != is_light[:-1]) + 1
    if len(edges) > 2 or min(np.diff([0, *edges, len(is_light)])) < LIMITS.min_width:
        return None
    page = np.where(is_light, high, low)
    if max(np.abs(row - page).max() for row in (image[0], image[-1])) > LIMITS.max_range:
        return None
    return slice(int(edges[0]), int(edges[1]) if len(edges) == 2 else len(is_light))
