"""Small tools for grey images and masks that the steps of normalisation share."""

import math
from typing import TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike

Grey: TypeAlias = MatLike
"""Pixels, uint8 (height, width). OpenCV's own type, as its functions return no narrower one."""

Mask: TypeAlias = MatLike
"""uint8 (height, width), 255 where it holds and 0 elsewhere, as OpenCV makes and takes it."""

LEVELS = np.arange(256, dtype=np.float32)
"""The greys there are, in a histogram's order."""

SQUARE = np.ones((3, 3), np.uint8)
"""A pixel and its eight neighbours, as a structuring element."""


def shrink(image: Grey, longest: int) -> tuple[Grey, int]:
    """Reduce an image by area averaging until its longer side has at most this many pixels.

    Returns:
        The image, and by which factor each side is shorter: a whole number, which OpenCV averages thirty times faster
        than others. Up to one pixel less than that is cut off at the right and at the bottom.
    """
    factor = math.ceil(max(image.shape) / longest)
    if factor == 1:
        return image, 1
    height, width = (max(1, side // factor) for side in image.shape)
    whole = image[: height * factor, : width * factor]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), factor


def above(image: Grey, level: float) -> Mask:
    """Where an image is lighter than this level."""
    return cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1]


def rim(image: MatLike) -> MatLike:
    """The outermost pixels, (n,); the corners twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def histogram(image: Grey, mask: Mask | None = None) -> MatLike:
    """How many pixels, of those in the mask, have each level: float32 (256,)."""
    return cv2.calcHist([image], [0], mask, [256], [0, 256]).ravel()


def quantiles(counts: MatLike, *shares: float) -> list[int]:
    """The levels below which these shares of a histogram lie; as many as there are shares."""
    below = np.cumsum(counts)
    levels: list[int] = np.searchsorted(below, np.multiply(shares, below[-1])).tolist()
    return levels


def otsu(counts: MatLike) -> int:
    """The level that parts a histogram best: the lower class is at or below it.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC 9 (1979): the between-class
    variance is greatest there.
    """
    lower = np.cumsum(counts, dtype=np.float64)
    moments = np.cumsum(counts * LEVELS, dtype=np.float64)
    total, moment = lower[-1], moments[-1]
    between = np.square(moment * lower - total * moments) / np.maximum(lower * (total - lower), 1)
    return int(between.argmax())
