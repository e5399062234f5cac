"""Reduce pixels of any kind to one grey channel in which ink and paper differ.

Lightness nearly always tells ink from paper. It fails for yellow ink on white, for red on green, and for drawings that
consist of transparency alone. This module recognises those cases.
"""

import math

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.raster import SQUARE, Grey, Pixels, mask_above

MIN_COLOUR_ADVANTAGE = 2.0
"""Factor by which the contrast along the best colour axis must exceed that of lightness, to replace lightness."""

MAX_ONE_COLOUR_RANGE = 48
"""Range of levels, of 255, up to which the visible part of a partly transparent image counts as one colour.

This is a range and not a deviation, because a thin stroke on a patch of paper hardly changes the deviation."""

MAX_SAMPLES = 48
"""Maximum number of pixels a side in which colours are looked for: enough to find a colour axis."""

_OPAQUE = 128  # opacity, of 255, from which a pixel counts as opaque
_MIN_OPACITY_RANGE = 8  # smaller differences of opacity, of 255, cannot be seen
_LAG = 2  # distance of a pair, in samples: it spans the edge of a stroke, but hardly a change of light
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as cv2 and Pillow convert
_LUMINANCE_SQUARED = float(_LUMINANCE @ _LUMINANCE)
_MAX_CHROMA_GAIN = 1.83  # greatest length, in RGB, of a unit step of JPEG's two differences of colour: T.871, section 7

# Contrast of all of JPEG's channels over that of lightness, squared, up to which no colour axis can have enough.
_MAX_PALE = 1 + ((MIN_COLOUR_ADVANTAGE / math.sqrt(_LUMINANCE_SQUARED) - math.sqrt(3)) / _MAX_CHROMA_GAIN) ** 2


def to_eight_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale pixels of more than eight bits to 0 … 255, without clipping.

    Cameras and scanners store 10, 12 or 14 significant bits in 16. Therefore the greatest value of the bits that the
    image uses is white, and values of 8 bits stay as they are. The range of fractions and of signed values is stretched
    to 0 … 255.

    Args:
        values: Pixels, float32 (height, width). Those that are not finite count as 0.

    Returns:
        Grey levels, uint8 (height, width).
    """
    exact = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    if low < 0 or high <= 1:
        exact -= low
        white = (high - low) or 1.0
    else:
        white = 2.0 ** max(8, int(high).bit_length()) - 1
    return np.rint(exact * (255 / white)).astype(np.uint8)


def to_grey(pixels: Pixels) -> Grey:
    """Reduce 8-bit pixels to grey, whether they are grey already, in colour, or in colour with opacity.

    Args:
        pixels: Pixels, uint8 (height, width), grey; or (height, width, 3 or 4), RGB or RGBA.

    Returns:
        Grey levels, uint8 (height, width).

    Raises:
        ImageError: Nothing is visible (BLANK).
    """
    if pixels.ndim == 2:
        return pixels
    return colour_to_grey(pixels) if pixels.shape[2] == 3 else transparent_to_grey(pixels)


def colour_to_grey(pixels: Pixels) -> Grey:
    """Return the lightness of a colour image, or its projection on a colour axis that shows far more contrast.

    Contrast is measured between nearby pixels.

    Args:
        pixels: Pixels, uint8 (height, width, 3), RGB.

    Returns:
        Grey levels, uint8 (height, width).
    """
    lightness = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    axis = _better_axis(_sampled(pixels), _sampled(lightness))
    return lightness if axis is None else _projected(pixels, axis)


def is_pale(samples: Pixels) -> bool:
    """Return whether lightness serves for a picture as JPEG stores it, because its colours hardly differ.

    That is certain but for rounding: of pairs of colours that differ by 12 levels of 255 or fewer, one in 800 is taken
    for pale wrongly, and of 3.9 million pairs that differ by 16 to 60, none.

    Hardly any photograph of ink on paper has as much contrast in its colour as makes a conversion to RGB worthwhile.

    Args:
        samples: Pixels, uint8 (height, width, 3), evenly spaced, `MAX_SAMPLES` a side or fewer: lightness, and the two
            differences of colour (JFIF, ITU-T T.871).
    """
    return _squared_differences(samples) <= _MAX_PALE * _squared_differences(cv2.extractChannel(samples, 0))


def _projected(pixels: Pixels, axis: NDArray[np.float32]) -> Grey:
    """Return the pixels' positions along a colour axis, scaled so that every RGB colour fits into 0 … 255."""
    darkest, lightest = 255 * axis[axis < 0].sum(), 255 * axis[axis > 0].sum()
    grey: Grey = np.rint((pixels.astype(np.float32) @ axis - darkest) * (255 / (lightest - darkest))).astype(np.uint8)
    return grey


def _better_axis(samples: Pixels, lightness: Grey) -> NDArray[np.float32] | None:
    """Return the first principal axis of the differences between nearby pixels, or None where lightness serves as well.

    Args:
        samples: Pixels, uint8 (height, width, 3), RGB.
        lightness: Lightness of the same pixels, uint8 (height, width).

    Returns:
        A unit vector, float32 (3,), that points from dark to light.
    """
    enough = MIN_COLOUR_ADVANTAGE**2 * _squared_differences(lightness) / _LUMINANCE_SQUARED
    if _squared_differences(samples) <= enough:
        return None  # all axes together have less
    values = samples.astype(np.float32)
    down, right = ((late - early).reshape(-1, 3) for late, early in _nearby_pairs(values))
    variances, axes = np.linalg.eigh(down.T @ down + right.T @ right)
    if variances[-1] <= enough:
        return None
    axis: NDArray[np.float32] = axes[:, -1]
    return axis if axis @ _LUMINANCE >= 0 else -axis


def _squared_differences(samples: Pixels) -> float:
    """Return the sum of the squared differences between nearby pixels."""
    return sum(cv2.norm(late, early, cv2.NORM_L2SQR) for late, early in _nearby_pairs(samples) if late.size)


def _nearby_pairs(samples: MatLike) -> tuple[tuple[MatLike, MatLike], tuple[MatLike, MatLike]]:
    """Return the pairs of nearby pixels, down and to the right. Light that falls off slowly cancels out in a pair."""
    return (samples[_LAG:], samples[:-_LAG]), (samples[:, _LAG:], samples[:, :-_LAG])


def _sampled(pixels: Pixels) -> Pixels:
    """Return at most `MAX_SAMPLES` evenly spaced pixels a side."""
    height, width = pixels.shape[:2]
    step = math.ceil(max(height, width) / MAX_SAMPLES)
    if step == 1:
        return pixels
    return cv2.resize(pixels, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_NEAREST)


def transparent_to_grey(pixels: Pixels) -> Grey:
    """Reduce a partly transparent image to grey, on a background that lets the drawing show.

    - If all visible pixels have one colour, the opacity is the drawing, whatever the colour.
    - If the visible part has an edge of one colour, like a sticker or a photograph with its corners cut off, the
      background takes that colour.
    - Otherwise the ink itself has several colours. The background is white if the ink is dark, and otherwise black.

    Args:
        pixels: Pixels, uint8 (height, width, 4), RGBA.

    Returns:
        Grey levels, uint8 (height, width).

    Raises:
        ImageError: Nothing is visible (BLANK).
    """
    opacity = cv2.extractChannel(pixels, 3)
    least, most, _, _ = cv2.minMaxLoc(opacity)
    if most == 0:
        raise ImageError(
            FailureCode.BLANK, "The image is fully transparent. Leave it out, or save it with the digit visible."
        )
    if is_drawn_in_opacity(opacity, _sampled(pixels)):
        return opacity
    if most - least < _MIN_OPACITY_RANGE:
        return colour_to_grey(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB))
    grey = colour_to_grey(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB))
    opaque = mask_above(opacity, _OPAQUE - 1)
    edge = cv2.bitwise_and(opaque, cv2.dilate(255 - opaque, SQUARE))
    if edge.any() and _colour_range(grey[edge > 0, np.newaxis], 0.1) < MAX_ONE_COLOUR_RANGE:
        background = float(np.median(grey[edge > 0]))
    else:
        background = 255.0 if np.average(grey, weights=opacity) < _OPAQUE else 0.0
    share = opacity / np.float32(255)
    shown: Grey = np.rint(grey * share + background * (1 - share)).astype(np.uint8)
    return shown


def is_drawn_in_opacity(opacity: Grey, samples: Pixels) -> bool:
    """Return whether all that is visible of a partly transparent image has one colour, so that opacity is the drawing.

    Args:
        opacity: Opacity, uint8 (height, width).
        samples: Pixels, uint8 (height, width, 4), RGBA, evenly spaced, `MAX_SAMPLES` a side or fewer.
    """
    least, most, _, _ = cv2.minMaxLoc(opacity)
    return most - least >= _MIN_OPACITY_RANGE and _has_one_colour(samples, min(most, _OPAQUE))


def _has_one_colour(samples: Pixels, visible: float) -> bool:
    """Return whether all visible pixels have one colour, except a few.

    Args:
        samples: Pixels, uint8 (height, width, 4), RGBA.
        visible: Opacity, of 255, from which a pixel counts as visible.
    """
    *colours, opacity = cv2.split(samples)
    mask = mask_above(opacity, visible - 1)
    extremes = [cv2.minMaxLoc(levels, mask)[:2] for levels in colours]
    if max(highest - lowest for lowest, highest in extremes) < MAX_ONE_COLOUR_RANGE:
        return True  # most drawings are done here, without sorting
    return _colour_range(samples[mask > 0, :3], 0.002) < MAX_ONE_COLOUR_RANGE


def _colour_range(colours: Pixels, trimmed: float) -> int:
    """Return the range of levels from darkest to lightest, in the channel where it is greatest.

    Args:
        colours: Levels, uint8 (n, channels).
        trimmed: Share of the pixels, 0 to 0.5, that is ignored as outliers at each end.

    Returns:
        A difference of levels, 0 to 255; 0 where there are no pixels.
    """
    if not len(colours):
        return 0
    ordered = np.sort(colours, axis=0, kind="stable")  # as in `raster.quantile_above`
    outliers = int(len(colours) * trimmed)
    return int(np.subtract(ordered[-1 - outliers], ordered[outliers], dtype=np.int64).max())
