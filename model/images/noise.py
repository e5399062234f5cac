"""Tell noise from drawing, and smooth it away."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from model.images.raster import DETAILED_SIDE, SQUARE, Grey, mask_above


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """What counts as noise."""

    min_noise: float = 0.06
    """Noise, as its standard deviation over the contrast of ink, above which it is smoothed away."""

    max_smoothing: float = 0.025
    """Maximum standard deviation of the Gaussian that smooths noise, as a share of the longer side.

    A wider one closes the loops of a small digit. Of MNIST's digits with noise of 50 levels, 99 % are read correctly
    with 0.02, 97 % with 0.05, and 77 % without a limit."""

    max_range: float = 2.5
    """Range of the means of 5 x 5 pixels, over the standard deviation of noise, below which an image is nothing but
    noise.

    White noise of any strength and size has 0.9 to 2.1. Drawings have 3.3 and more, measured on 20,000 images of at
    least `DETAILED_SIDE` pixels."""

    max_calm: float = 0.04
    """Range of the means of 5 x 5 pixels, as a share of the contrast of ink, that any ink causes: that of one pixel.

    Where noise needs no more, the image is not noise, whatever is on it."""

    max_paper_ink: float = 0.3
    """Ink, as a share of the strongest, up to which a pixel is paper, whose noise is measured."""


LIMITS = NoiseLimits()

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
    if width >= _LONG_ROW:
        return cv2.absdiff(image, cv2.medianBlur(image, 3))
    wide = cv2.copyMakeBorder(image, 0, 0, 0, _LONG_ROW - width, cv2.BORDER_REPLICATE)
    return cv2.absdiff(image, cv2.medianBlur(wide, 3)[:, :width])


def is_noise(image: Grey, rough: Grey, contrast: int) -> bool:
    """Return whether neighbouring pixels have so little in common that the image cannot show a drawing.

    Args:
        image: Grey levels, uint8 (height, width).
        rough: The image's `roughness`.
        contrast: Contrast of its ink in levels, 0 to 255.

    Returns:
        False for an image below `DETAILED_SIDE`, in which noise cannot be told from strokes.
    """
    if max(image.shape) < DETAILED_SIDE:
        return False
    enough = LIMITS.max_range * cv2.norm(rough, cv2.NORM_L1) / rough.size / _ROUGHNESS
    if enough <= LIMITS.max_calm * contrast:
        return False  # most scans are done here
    _, _, darkest, lightest = cv2.minMaxLoc(image)
    if _mean_around(image, lightest) - _mean_around(image, darkest) >= enough:
        return False  # most drawings are done here
    low, high, _, _ = cv2.minMaxLoc(cv2.boxFilter(image, cv2.CV_32F, (5, 5)))
    return high - low < enough


def _mean_around(image: Grey, place: Sequence[int]) -> float:
    """Return the mean of the 5 x 5 pixels around a column and a row, or of the nearest 5 x 5 that the image holds."""
    rows, columns = image.shape
    left, top = max(0, min(place[0] - 2, columns - 5)), max(0, min(place[1] - 2, rows - 5))
    return cv2.mean(image[top : top + 5, left : left + 5])[0]


def smooth(ink: Grey, rough: Grey, contrast: int) -> Grey:
    """Smooth noise away, as far as the paper shows it.

    Args:
        ink: Ink, uint8 (height, width), 255 where it is strongest.
        rough: `roughness` of the image in which the ink was found.
        contrast: Contrast of the ink in levels, 1 to 255.

    Returns:
        Ink, uint8 (height, width); the same array where there is little noise.
    """
    inked = mask_above(ink, LIMITS.max_paper_ink * 255)
    total, least_paper = cv2.norm(rough, cv2.NORM_L1), inked.size - SQUARE.size * cv2.countNonZero(inked)
    if total <= LIMITS.min_noise * _ROUGHNESS * contrast * least_paper:
        return ink  # most photographs: so little even if all of it is on the paper that is certainly there
    inked = cv2.dilate(inked, SQUARE)
    on_paper = total - cv2.norm(cv2.bitwise_and(rough, inked), cv2.NORM_L1)
    noise = on_paper / max(1, inked.size - cv2.countNonZero(inked)) / _ROUGHNESS / contrast
    if noise <= LIMITS.min_noise:
        return ink
    blurred = cv2.GaussianBlur(ink, (0, 0), min(1 + 15 * noise, 3, LIMITS.max_smoothing * max(ink.shape)))
    return cv2.convertScaleAbs(blurred, alpha=255 / max(1, int(blurred.max())))
