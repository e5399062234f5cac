"""From ink to strokes: what the pen meant, against noise, ruled lines and the soft edges of strokes."""

import math

import cv2
import numpy as np

from model.images.raster import SQUARE, TELLING, Grey, Mask, above, otsu, rim

NOISY = 0.06
"""Noise, as a standard deviation over the contrast of ink, from which it is smoothed away."""

EDGE = 0.4
"""Of the strongest ink nearby: what is weaker is no stroke, but the edge of one."""

FAINTEST = 64
"""Of 255, the strongest ink of the image: strokes fainter than this are lost beside it."""

FAINT = 0.5
"""Of the ink of other strokes: fainter ones that run out of the image are ruled lines or the edge of a shadow."""

SHADED = 0.7
"""Of the strength of other strokes: what takes away less light is a shadow, if the edge cuts it off."""

PHOTOGRAPH = 64
"""Pixels of the longer side from which an image may have a shadow on it. In smaller ones, made by programs, what is
fainter at the edge is the blurred end of a stroke."""

SMOOTHEST = 0.025
"""Of the longer side, the standard deviation of the Gaussian that smooths noise, at most: it must not close the loops
of a small digit. On MNIST's digits with noise of 50 levels 0.02 reads 99 %, 0.05 97 %, no limit 77 %."""

NOTHING_BUT_NOISE = 2.5
"""Range of the means of 5 x 5 pixels over the standard deviation of noise. White noise of any strength and size has 0.9
to 2.1; drawings have 3.3 and more, measured on 20,000 images of at least `TELLING` pixels."""

_NEARBY = np.ones((5, 5), np.uint8)
_LONG_ROW = 80  # pixels; AVX-512 takes 64 at once
_ROUGHNESS = 0.725  # mean of |pixel - median of its 3 x 3| over the standard deviation of Gaussian noise; measured


def roughness(image: Grey) -> Grey:
    """How far each pixel is from its neighbourhood: uint8 (height, width)."""
    width = image.shape[1]
    # OpenCV takes medians ten times faster where rows are longer than the processor's vectors.
    wide = cv2.copyMakeBorder(image, 0, 0, 0, max(0, _LONG_ROW - width), cv2.BORDER_REPLICATE)
    return cv2.absdiff(image, cv2.medianBlur(wide, 3)[:, :width])


def is_noise(image: Grey, rough: Grey) -> bool:
    """Whether neighbouring pixels have so little in common that nothing can be drawn.

    Args:
        image: uint8 (height, width).
        rough: its `roughness`.
    """
    if max(image.shape) < TELLING:
        return False
    deviation = cv2.mean(rough)[0] / _ROUGHNESS
    low, high, _, _ = cv2.minMaxLoc(cv2.blur(image.astype(np.float32), (5, 5)))
    return high - low < NOTHING_BUT_NOISE * deviation


def smooth(ink: Grey, rough: Grey, contrast: int) -> Grey:
    """Ink without the noise that its image has on paper.

    Args:
        ink: uint8 (height, width), as `find_ink` returns it.
        rough: `roughness` of the image where it was found.
        contrast: of the ink, as `find_ink` returns it.
    """
    paper = 255 - cv2.dilate(above(ink, 0.3 * 255), SQUARE)
    noise = cv2.mean(rough, paper)[0] / _ROUGHNESS / contrast
    if noise <= NOISY:
        return ink
    blurred = cv2.GaussianBlur(ink, (0, 0), min(1 + 15 * noise, 3, SMOOTHEST * max(ink.shape)))
    return cv2.convertScaleAbs(blurred, alpha=255 / max(1, int(blurred.max())))


def find_strokes(ink: Grey) -> Mask:
    """The pixels that strokes cover."""
    nearby = cv2.dilate(ink, _NEARBY)
    inside_edge = cv2.compare(ink, cv2.convertScaleAbs(nearby, alpha=EDGE), cv2.CMP_GT)
    strokes = cv2.bitwise_and(inside_edge, above(nearby, FAINTEST))
    if max(ink.shape) < TELLING or not rim(strokes).any():
        return strokes  # lines and shadows run out of the image
    # How much ink there is nearby, not how strong: a hairline has little of it, and ruled lines are thin besides faint.
    amount = cv2.dilate(cv2.blur(ink, (3, 3)), _NEARBY)
    full = _without_faint(strokes, amount, FAINT)
    lines = cv2.subtract(strokes, full)
    if _crosses(lines) or _is_cut_off(lines, full):
        strokes = full
    if max(ink.shape) < PHOTOGRAPH:
        return strokes
    full = _without_faint(strokes, nearby, SHADED)
    return full if _is_cut_off(cv2.subtract(strokes, full), full) else strokes


def _without_faint(strokes: Mask, measure: Grey, faint: float) -> Mask:
    """The strokes less the lower class of a measure, if that has less than this share of the mean of the upper."""
    parting, _ = otsu(measure[strokes > 0])
    full = cv2.bitwise_and(strokes, above(measure, parting))
    if cv2.mean(measure, cv2.subtract(strokes, full))[0] >= faint * cv2.mean(measure, full)[0]:
        return strokes
    return full


def _crosses(lines: Mask) -> bool:
    """Whether they leave the image on opposite sides."""
    return bool((lines[0].any() and lines[-1].any()) or (lines[:, 0].any() and lines[:, -1].any()))


def _is_cut_off(lines: Mask, full: Mask) -> bool:
    """Whether the edge cuts off lines but none of the full strokes: the image shows all of the digit, and more."""
    return bool(rim(lines).any()) and not rim(full).any()


def stroke_width(ink: Grey) -> float:
    """The mean width of strokes in pixels, to fractions of one: twice their area over the length of their edges.

    The length of an edge is how much brighter it gets across it, added up along it; of rows and columns each, which is
    4 / pi times too long on average of all directions.

    Args:
        ink: uint8 (height, width), 255 inside strokes and 0 at the rim.
    """
    rises = cv2.norm(ink[1:], ink[:-1], cv2.NORM_L1) + cv2.norm(ink[:, 1:], ink[:, :-1], cv2.NORM_L1)
    return 8 / math.pi * cv2.norm(ink, cv2.NORM_L1) / rises
