"""Reducing pixels of any kind to one channel of grey in which ink and paper differ.

Lightness nearly always does it. It fails for yellow ink on white, red on green, and for drawings that only their
transparency carries; those are looked for here.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.raster import SQUARE, Grey

COLOUR_OVER_LIGHTNESS = 2.0
"""How many times greater the contrast along the best colour axis must be, before lightness is given up for it."""

ONE_COLOUR = 48
"""Of 255, from the darkest to the lightest: what is visible of a partly transparent image is of one colour up to here.
Not a deviation, as a thin stroke on a patch of paper hardly shows in it."""

_OPAQUE = 128
_VISIBLE = 8  # differences of opacity below this are not seen
_SAMPLES = 48  # per side: enough to find a colour axis
_LAG = 2  # samples between the two of a difference: across the edge of a stroke, hardly across the page
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as cv2 and Pillow convert


def to_eight_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale pixels of more than eight bits to 0 … 255, without clipping.

    Cameras and scanners store 10, 12 or 14 significant bits in 16, so white is taken to be the greatest value of as
    many bits as the image uses; values of 8 bits stay what they are. Fractions and signed values are stretched to their
    range.

    Args:
        values: float32 (height, width); what is not finite counts as 0.
    """
    exact = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    if low < 0 or high <= 1:
        exact -= low
        white = (high - low) or 1.0
    else:
        white = 2.0 ** max(8, int(high).bit_length()) - 1
    return np.rint(exact * (255 / white)).astype(np.uint8)


def from_colour(pixels: Grey) -> Grey:
    """Lightness, or the axis of colour along which neighbouring pixels differ most, if lightness differs far less.

    Args:
        pixels: uint8 (height, width, 3), RGB.
    """
    axis = _best_axis(pixels)
    if axis is None:
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    darkest, lightest = 255 * axis[axis < 0].sum(), 255 * axis[axis > 0].sum()
    along = pixels.astype(np.float32) @ axis
    grey: Grey = np.rint((along - darkest) * (255 / (lightest - darkest))).astype(np.uint8)
    return grey


def _best_axis(pixels: Grey) -> NDArray[np.float32] | None:
    """The first principal axis of the differences between near pixels; None where lightness serves as well."""
    step = _step(pixels)
    samples = pixels[::step, ::step].astype(np.float32)
    # Differences, not values: light that falls off across the page is no contrast.
    down = (samples[_LAG:] - samples[:-_LAG]).reshape(-1, 3)
    right = (samples[:, _LAG:] - samples[:, :-_LAG]).reshape(-1, 3)
    scatter = down.T @ down + right.T @ right
    enough = COLOUR_OVER_LIGHTNESS**2 * (_LUMINANCE @ scatter @ _LUMINANCE) / (_LUMINANCE @ _LUMINANCE)
    if np.trace(scatter) <= enough:
        return None  # all axes together have less
    variances, axes = np.linalg.eigh(scatter)
    if variances[-1] <= enough:
        return None
    axis: NDArray[np.float32] = axes[:, -1]
    return axis if axis @ _LUMINANCE >= 0 else -axis


def _step(pixels: Grey) -> int:
    """Every which pixel to take, so that `_SAMPLES` a side remain."""
    longest = int(max(pixels.shape))
    return math.ceil(longest / _SAMPLES)


def from_transparency(pixels: NDArray[np.uint8]) -> Grey:
    """Grey of a partly transparent image, on the background that shows the drawing.

    - All visible pixels have one colour: the opacity is the drawing, whatever that colour is.
    - The visible part has an edge of one colour (a photograph with its corners cut off, a sticker): it goes on that.
    - Else the ink itself has several colours: it goes on white if it is dark, on black if it is light.

    Args:
        pixels: uint8 (height, width, 4), RGBA.

    Raises:
        ImageError: BLANK, if nothing is visible.
    """
    opacity = pixels[..., 3]
    least, most = int(opacity.min()), int(opacity.max())
    if most == 0:
        raise ImageError(FailureCode.BLANK, "The image is fully transparent: nothing is drawn on it.")
    step = _step(pixels)
    samples = pixels[::step, ::step]
    if most - least >= _VISIBLE and _range(samples[samples[..., 3] >= min(most, _OPAQUE), :3], 0.01) < ONE_COLOUR:
        return opacity.copy()
    grey = from_colour(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB))
    if most - least < _VISIBLE:
        return grey
    opaque = np.where(opacity >= _OPAQUE, np.uint8(255), np.uint8(0))
    edge = cv2.bitwise_and(opaque, cv2.dilate(255 - opaque, SQUARE))
    if edge.any() and _range(grey[edge > 0, np.newaxis], 0.1) < ONE_COLOUR:
        background = float(np.median(grey[edge > 0]))
    else:
        background = 255.0 if np.average(grey, weights=opacity) < _OPAQUE else 0.0
    share = opacity / np.float32(255)
    return np.rint(grey * share + background * (1 - share)).astype(np.uint8)


def _range(colours: Grey, trimmed: float) -> int:
    """From the darkest to the lightest of (n, channels), of the channel where it is greatest; 0 of none.

    Args:
        colours: uint8.
        trimmed: the share of outliers at either end that do not count.
    """
    if not len(colours):
        return 0
    ordered, outliers = np.sort(colours, axis=0), int(len(colours) * trimmed)
    return int(np.subtract(ordered[-1 - outliers], ordered[outliers], dtype=np.int64).max())
