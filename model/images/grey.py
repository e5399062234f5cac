"""Reducing pixels of any kind to one channel of grey in which ink and paper differ.

Lightness nearly always does it. It fails for yellow ink on white, red on green, and for drawings that only their
transparency carries; those are looked for here.
"""

import math

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.raster import SQUARE, Grey, above

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


def to_grey(pixels: Grey) -> Grey:
    """Grey of 8-bit pixels that are grey already, of colour, or of colour with opacity.

    Args:
        pixels: uint8 (height, width), or (height, width, 3 or 4), RGB or RGBA.

    Raises:
        ImageError: BLANK, if nothing is visible.
    """
    if pixels.ndim == 2:
        return pixels
    return from_colour(pixels) if pixels.shape[2] == 3 else from_transparency(pixels)


def from_colour(pixels: Grey) -> Grey:
    """Lightness, or the axis of colour along which neighbouring pixels differ most, if lightness differs far less.

    Args:
        pixels: uint8 (height, width, 3), RGB.
    """
    lightness = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    axis = _better_axis(_samples(pixels), _samples(lightness))
    return lightness if axis is None else _along(axis, pixels)


def _along(axis: NDArray[np.float32], pixels: Grey) -> Grey:
    darkest, lightest = 255 * axis[axis < 0].sum(), 255 * axis[axis > 0].sum()
    grey: Grey = np.rint((pixels.astype(np.float32) @ axis - darkest) * (255 / (lightest - darkest))).astype(np.uint8)
    return grey


def _better_axis(samples: Grey, lightness: Grey) -> NDArray[np.float32] | None:
    """The first principal axis of the differences between near pixels; None where lightness serves as well.

    Args:
        samples: uint8 (height, width, 3), RGB.
        lightness: uint8 (height, width), of the same pixels.
    """
    enough = COLOUR_OVER_LIGHTNESS**2 * _differences(lightness) / float(_LUMINANCE @ _LUMINANCE)
    if _differences(samples) <= enough:
        return None  # all axes together have less
    values = samples.astype(np.float32)
    down, right = ((late - early).reshape(-1, 3) for late, early in _neighbours(values))
    variances, axes = np.linalg.eigh(down.T @ down + right.T @ right)
    if variances[-1] <= enough:
        return None
    axis: NDArray[np.float32] = axes[:, -1]
    return axis if axis @ _LUMINANCE >= 0 else -axis


def _differences(samples: Grey) -> float:
    """The squares of the differences between near pixels, added up."""
    return sum(cv2.norm(late, early, cv2.NORM_L2SQR) for late, early in _neighbours(samples) if late.size)


def _neighbours(samples: MatLike) -> tuple[tuple[MatLike, MatLike], tuple[MatLike, MatLike]]:
    """Pairs of near pixels, down and right: light that falls off across the page makes no difference there."""
    return (samples[_LAG:], samples[:-_LAG]), (samples[:, _LAG:], samples[:, :-_LAG])


def _samples(pixels: Grey) -> Grey:
    """At most `_SAMPLES` pixels a side, evenly spaced."""
    height, width = pixels.shape[:2]
    step = math.ceil(max(height, width) / _SAMPLES)
    if step == 1:
        return pixels
    return cv2.resize(pixels, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_NEAREST)


def from_transparency(pixels: Grey) -> Grey:
    """Grey of a partly transparent image, on the background that shows the drawing.

    - All visible pixels have one colour: the opacity is the drawing, whatever that colour is.
    - The visible part has an edge of one colour (a photograph with its corners cut off, a sticker): it goes on that.
    - Else the ink itself has several colours: it goes on white if it is dark, on black if it is light.

    Args:
        pixels: uint8 (height, width, 4), RGBA.

    Raises:
        ImageError: BLANK, if nothing is visible.
    """
    opacity = cv2.extractChannel(pixels, 3)
    least, most, _, _ = cv2.minMaxLoc(opacity)
    if most == 0:
        raise ImageError(FailureCode.BLANK, "The image is fully transparent: nothing is drawn on it.")
    colour = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
    if most - least < _VISIBLE:
        return from_colour(colour)
    if _range(_samples(colour)[_samples(opacity) >= min(most, _OPAQUE)], 0.002) < ONE_COLOUR:
        return opacity
    grey = from_colour(colour)
    opaque = above(opacity, _OPAQUE - 1)
    edge = cv2.bitwise_and(opaque, cv2.dilate(255 - opaque, SQUARE))
    if edge.any() and _range(grey[edge > 0, np.newaxis], 0.1) < ONE_COLOUR:
        background = float(np.median(grey[edge > 0]))
    else:
        background = 255.0 if np.average(grey, weights=opacity) < _OPAQUE else 0.0
    share = opacity / np.float32(255)
    shown: Grey = np.rint(grey * share + background * (1 - share)).astype(np.uint8)
    return shown


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
