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

SQUARE = np.ones((3, 3), np.uint8)
"""A pixel and its eight neighbours, as a structuring element."""


TELLING = 24
"""Pixels of the longer side from which noise, lines and light can be told from drawings: in smaller ones strokes are as
narrow as the first two, and as wide as the third."""


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


def connected_pieces(mask: Mask) -> tuple[MatLike, MatLike]:
    """The connected pieces of a mask of at most a quarter of a million pixels, corners connecting.

    Returns:
        Which piece each pixel belongs to: uint16 (height, width), 0 for none. OpenCV takes twice as long with 32 bits.
        Left, top, width, height and area of each piece: int32 (pieces, 5).
    """
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    return parts, stats[1:]


def quantiles(image: Grey, mask: Mask, *shares: float) -> list[int]:
    """The levels below which these shares of the pixels in a mask lie; 0 if it is empty."""
    levels = image[mask > 0]
    if not len(levels):
        return [0] * len(shares)
    levels.sort(kind="stable")  # of bytes a radix sort, ten times faster than others
    return [int(levels[max(0, math.ceil(share * len(levels)) - 1)]) for share in shares]


def otsu(image: Grey) -> tuple[int, Mask]:
    """The level that parts an image best, and where the image is lighter than it.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC 9 (1979): the variance between
    the two classes is greatest there.
    """
    level, lighter = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return int(level), lighter
