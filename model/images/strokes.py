"""Find strokes in ink: tell what the pen drew from noise, ruled lines, shadows and the soft edges of strokes."""

import math

import cv2
import numpy as np

from model.images.raster import DETAILED_SIDE, SQUARE, Grey, Mask, border_pixels, mask_above, otsu

MIN_NOISE = 0.06
"""Noise, as its standard deviation over the contrast of ink, above which it is smoothed away."""

MIN_STROKE_INK = 0.4
"""Ink, as a share of the strongest ink nearby, below which a pixel is not a stroke but the edge of one."""

MIN_NEARBY_INK = 64
"""Level of the strongest ink nearby, of 255, below which fainter strokes are lost beside the strongest of the image."""

FAINT = 0.5
"""Amount of ink, as a share of that of other strokes, below which what the border cuts off is a ruled line or the edge
of a shadow."""

SHADED = 0.7
"""Strength of ink, as a share of that of other strokes, below which what the border cuts off is a shadow."""

PHOTOGRAPH_SIDE = 64
"""Minimum length of the longer side, in pixels, of an image that may have a shadow on it.

Programs make smaller images, in which fainter ink at the border is the blurred end of a stroke."""

MAX_SMOOTHING = 0.025
"""Maximum standard deviation of the Gaussian that smooths noise, as a share of the longer side.

A wider one closes the loops of a small digit. Of MNIST's digits with noise of 50 levels, 99 % are read correctly with
0.02, 97 % with 0.05, and 77 % without a limit."""

MAX_NOISE_RANGE = 2.5
"""Range of the means of 5 x 5 pixels, over the standard deviation of noise, below which an image is nothing but noise.

White noise of any strength and size has 0.9 to 2.1. Drawings have 3.3 and more, measured on 20,000 images of at least
`DETAILED_SIDE` pixels."""

_NEARBY = np.ones((5, 5), np.uint8)
_LONG_ROW = 80  # pixels; AVX-512 processes 64 at once
_ROUGHNESS = 0.725  # mean of |pixel - median of its 3 x 3| over the standard deviation of Gaussian noise; measured


def roughness(image: Grey) -> Grey:
    """Return how far each pixel is from the median of its 3 x 3 neighbourhood.

    Args:
        image: Grey levels, uint8 (height, width).

    Returns:
        Differences of levels, uint8 (height, width).
    """
    width = image.shape[1]
    # OpenCV takes medians ten times faster where rows are longer than the processor's vectors.
    wide = cv2.copyMakeBorder(image, 0, 0, 0, max(0, _LONG_ROW - width), cv2.BORDER_REPLICATE)
    return cv2.absdiff(image, cv2.medianBlur(wide, 3)[:, :width])


def is_noise(image: Grey, rough: Grey) -> bool:
    """Return whether neighbouring pixels have so little in common that the image cannot show a drawing.

    Args:
        image: Grey levels, uint8 (height, width).
        rough: The image's `roughness`.

    Returns:
        False for an image below `DETAILED_SIDE`, in which noise cannot be told from strokes.
    """
    if max(image.shape) < DETAILED_SIDE:
        return False
    deviation = cv2.mean(rough)[0] / _ROUGHNESS
    low, high, _, _ = cv2.minMaxLoc(cv2.blur(image.astype(np.float32), (5, 5)))
    return high - low < MAX_NOISE_RANGE * deviation


def smooth(ink: Grey, rough: Grey, contrast: int) -> Grey:
    """Smooth noise away, as far as the paper shows it.

    Args:
        ink: Ink, uint8 (height, width), as `find_ink` returns it.
        rough: `roughness` of the image in which the ink was found.
        contrast: Contrast of the ink in levels, 1 to 255, as `find_ink` returns it.

    Returns:
        Ink, uint8 (height, width); the same array where there is little noise.
    """
    paper = 255 - cv2.dilate(mask_above(ink, 0.3 * 255), SQUARE)
    noise = cv2.mean(rough, paper)[0] / _ROUGHNESS / contrast
    if noise <= MIN_NOISE:
        return ink
    blurred = cv2.GaussianBlur(ink, (0, 0), min(1 + 15 * noise, 3, MAX_SMOOTHING * max(ink.shape)))
    return cv2.convertScaleAbs(blurred, alpha=255 / max(1, int(blurred.max())))


def find_strokes(ink: Grey) -> Mask:
    """Find the pixels that strokes cover.

    Args:
        ink: Ink, uint8 (height, width), 0 on paper.

    Returns:
        Mask of the strokes, (height, width), without faint lines and shadows that run out of the image.
    """
    nearby = cv2.dilate(ink, _NEARBY)
    inside_edge = cv2.compare(ink, cv2.convertScaleAbs(nearby, alpha=MIN_STROKE_INK), cv2.CMP_GT)
    strokes = cv2.bitwise_and(inside_edge, mask_above(nearby, MIN_NEARBY_INK))
    if max(ink.shape) < DETAILED_SIDE or not border_pixels(strokes).any():
        return strokes  # lines and shadows run out of the image
    # The amount of ink nearby counts, not its strength: a hairline has little ink, but a ruled line is faint as well.
    amount = cv2.dilate(cv2.blur(ink, (3, 3)), _NEARBY)
    full = _without_faint(strokes, amount, FAINT)
    lines = cv2.subtract(strokes, full)
    if _crosses(lines) or _is_cut_off(lines, full):
        strokes = full
    if max(ink.shape) < PHOTOGRAPH_SIDE:
        return strokes
    full = _without_faint(strokes, nearby, SHADED)
    return full if _is_cut_off(cv2.subtract(strokes, full), full) else strokes


def _without_faint(strokes: Mask, measure: Grey, faint: float) -> Mask:
    """Return the strokes without the lower class of a measure, if the classes differ enough.

    Args:
        strokes: Mask of the strokes.
        measure: Strength or amount of ink, uint8 (height, width).
        faint: Mean of the lower class, as a share of that of the upper class, below which the lower class is removed.
    """
    threshold, _ = otsu(measure[strokes > 0])
    full = cv2.bitwise_and(strokes, mask_above(measure, threshold))
    if cv2.mean(measure, cv2.subtract(strokes, full))[0] >= faint * cv2.mean(measure, full)[0]:
        return strokes
    return full


def _crosses(lines: Mask) -> bool:
    """Return whether lines leave the image on opposite sides."""
    return bool((lines[0].any() and lines[-1].any()) or (lines[:, 0].any() and lines[:, -1].any()))


def _is_cut_off(lines: Mask, full: Mask) -> bool:
    """Return whether the border cuts off lines but none of the full strokes. Then the image shows the digit whole."""
    return bool(border_pixels(lines).any()) and not border_pixels(full).any()


def stroke_width(ink: Grey) -> float:
    """Return the mean width of strokes in pixels: twice their area over the length of their edges.

    The length of the edges is the sum of all differences of ink along rows and columns. On average over all directions,
    that sum is 4 / pi times too long.

    Args:
        ink: Ink, uint8 (height, width), 255 inside strokes and 0 at the border, with some ink in it.
    """
    rises = cv2.norm(ink[1:], ink[:-1], cv2.NORM_L1) + cv2.norm(ink[:, 1:], ink[:, :-1], cv2.NORM_L1)
    return 8 / math.pi * cv2.norm(ink, cv2.NORM_L1) / rises
