"""Look at an image, and then more closely at a small digit in it."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from model.images.raster import SQUARE, Coarse, Grey, Mask, Region, shrink


@dataclass(frozen=True, slots=True)
class ViewLimits:
    """How closely an image is looked at."""

    side: int = 160
    """Maximum length of the longer side, in pixels, at which ink is looked for: eight times MNIST's box."""

    small_digit: float = 0.4
    """Size of a digit, as a share of the longer side, below which it is looked at again, more closely."""

    max_looks: int = 3
    """Maximum number of looks at an image, each closer than the one before."""

    fine_pixels: int = 250_000
    """Maximum number of pixels of a fine view, as many as `raster.connected_components` takes.

    Of digits of 60 pixels on scans of 1700 × 2200, with strokes of 2 pixels, dust and noise, the usual view shows a
    tenth only as specks (`benchmarks/scruffy.py --kinds small_on_a_scan`)."""


LIMITS = ViewLimits()


class Around(NamedTuple):
    """What was left out around a part of an image.

    Attributes:
        shapes: Number of shapes, such as circles and discs, one in the other.
        rings: Number of the innermost of them that are circles or ellipses drawn with a line. Two lines side by side
            are one ring.
        is_round: Whether the innermost of them has no corners.
    """

    shapes: int = 0
    rings: int = 0
    is_round: bool = False


class View(NamedTuple):
    """An image, or a part of it, as one look shows it.

    Attributes:
        full: The part of the image in its full size, uint8 (height, width).
        reduced: The same, with a longer side of at most `ViewLimits.side`, uint8.
        factor: Factor by which the sides of `reduced` are shorter than those of `full`.
        near: Mask of the place in `reduced` where the look before saw the digit; None in the first look.
        around: What was left out around this part of the image. A closer view of the digit has nothing around it,
            because the first view inside the shape has shown that there is a digit.
        coarse: `reduced`, reduced further, if a stage before the first look needed it; otherwise None.
        min_contrast: Contrast, 0 to 255, below which ink inside such a shape is only light on it; 0 outside of shapes.
    """

    full: Grey
    reduced: Grey
    factor: int
    near: Mask | None
    around: Around = Around()
    min_contrast: int = 0
    coarse: Coarse | None = None


def view_of(image: Grey, near: Mask | None = None) -> View:
    """Return the view of an image.

    Args:
        image: Grey levels, uint8 (height, width), of any size.
        near: Mask of the place where the digit was seen before, of any size.
    """
    reduced, factor = shrink(image, LIMITS.side)
    if near is not None:
        near = cv2.resize(near, reduced.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return View(image, reduced, factor, near)


def fine_view_of(view: View) -> View | None:
    """Return a view of the same part of the image in more detail, or None where it would show no more."""
    short, long = sorted(view.full.shape)
    reduced, factor = shrink(view.full, math.isqrt(LIMITS.fine_pixels * long // short))
    return View(view.full, reduced, factor, None) if factor < view.factor else None


def closer(view: View, digit: Region, others: Mask | None = None) -> View | None:
    """Return a closer view of a digit, or None where it would show no more.

    Args:
        view: The view in which the digit was found.
        digit: The digit in `view.reduced`, not empty.
        others: Mask of other digits. The digit is not where they are.
    """
    if view.factor == 1:
        return None
    rows, columns = digit.mask.shape
    left, top, width, height = digit.bounds
    size = max(width, height)
    if size >= LIMITS.small_digit * max(rows, columns):
        return None
    y0, y1 = max(0, top - size // 2), min(rows, top + height + size // 2)
    x0, x1 = max(0, left - size // 2), min(columns, left + width + size // 2)
    reach = 2 * (size // 6 + 2) + 1
    near = cv2.dilate(digit.mask, np.ones((reach, reach), np.uint8))
    if others is not None:
        near = cv2.bitwise_or(cv2.subtract(near, cv2.dilate(others, SQUARE)), digit.mask)
    near = near[y0:y1, x0:x1]
    return view_of(view.full[y0 * view.factor : y1 * view.factor, x0 * view.factor : x1 * view.factor], near)
