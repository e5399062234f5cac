"""Small tools for grey images and masks, shared by the stages of normalisation."""

import math
from dataclasses import dataclass
from typing import TypeAlias, cast

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Pixels: TypeAlias = MatLike
"""uint8 (height, width), grey, or (height, width, channels), where channels is 3 for RGB and 4 for RGBA.

OpenCV's own type, because its functions return no narrower one."""

Grey: TypeAlias = MatLike
"""Grey levels, uint8 (height, width)."""

Mask: TypeAlias = MatLike
"""uint8 (height, width): 255 where the mask holds, 0 elsewhere. OpenCV makes and takes masks in this form."""

SQUARE = np.ones((3, 3), np.uint8)
"""Structuring element of a pixel and its eight neighbours."""

COARSE_SIDE = 64
"""Length of the longer side, in pixels, at which paper and sheets are looked for.

Light and sheets have no finer detail, and noise averages out."""

DETAILED_SIDE = 24
"""Minimum length of the longer side, in pixels, at which noise, ruled lines and shadows differ from strokes.

In smaller images strokes are as narrow as noise and lines, and as wide as shadows."""


def shrink(image: Grey, longest: int) -> tuple[Grey, int]:
    """Reduce an image by area averaging.

    The factor is a whole number, because OpenCV averages by whole factors thirty times faster than by others.
    Therefore up to `factor - 1` pixels are cut off at the right and at the bottom.

    Args:
        image: Grey levels, uint8 (height, width).
        longest: Maximum length of the longer side of the result, in pixels.

    Returns:
        The reduced image, and the factor by which each side became shorter. With a factor of 1 it is the image itself.
    """
    factor = math.ceil(max(image.shape) / longest)
    if factor == 1:
        return image, 1
    height, width = (max(1, side // factor) for side in image.shape)
    whole = image[: height * factor, : width * factor]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), factor


def mask_above(image: Grey, level: float) -> Mask:
    """Return the mask, uint8 (height, width), of the pixels that are lighter than a level of 0 to 255."""
    return cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1]


def border_pixels(image: MatLike) -> MatLike:
    """Return the outermost pixels of an image, shape (n,). Each corner is there twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


@dataclass(frozen=True, slots=True)
class Components:
    """The connected components of a mask."""

    numbers: NDArray[np.uint16]
    """Number of the component of each pixel, (height, width), from 1; 0 for the background."""

    stats: MatLike
    """Left, top, width, height and area of each component, in pixels, int32 (n, 5)."""

    def mask_of(self, chosen: NDArray[np.bool_]) -> Mask:
        """Return the mask of the chosen components.

        Args:
            chosen: Whether each component is chosen, bool (n,).
        """
        values = np.concatenate([[np.uint8(0)], np.where(chosen, np.uint8(255), np.uint8(0))])
        mask: Mask = values[self.numbers]
        return mask

    def mask_of_one(self, index: int) -> Mask:
        """Return the mask of one component, which is at `index` in `stats`."""
        mask: Mask = cv2.inRange(self.numbers, index + 1, index + 1)
        return mask


def connected_components(mask: Mask) -> Components:
    """Find the connected components of a mask. Pixels that touch at a corner are connected.

    Args:
        mask: Mask of at most 250,000 pixels, because the numbers have 16 bits. With 32 bits OpenCV takes twice as long.
    """
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    return Components(cast("NDArray[np.uint16]", numbers), stats[1:])  # as `ltype` asks; OpenCV's types do not say so


def quantiles(image: Grey, mask: Mask, *shares: float) -> list[int]:
    """Return the grey levels at which these shares of the masked pixels are reached.

    Args:
        image: Grey levels, uint8 (height, width).
        mask: Mask of the pixels that count.
        *shares: Shares, 0 to 1; 0.5 gives the median.

    Returns:
        One level per share, 0 to 255; all 0 where the mask is empty.
    """
    levels = image[mask > 0]
    if not len(levels):
        return [0] * len(shares)
    levels.sort(kind="stable")  # NumPy sorts bytes by radix then, ten times faster than by comparison
    return [int(levels[max(0, math.ceil(share * len(levels)) - 1)]) for share in shares]


def otsu(image: Grey) -> tuple[int, Mask]:
    """Split an image into a darker and a lighter class, where the variance between the two is greatest.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC 9 (1979).

    Returns:
        The highest level of the darker class, 0 to 255, and the mask of the lighter class.
    """
    level, lighter = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return int(level), lighter
