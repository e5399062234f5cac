"""Wearing training images out, as cameras, scanners, faxes, dry pens and stray marks do.

Kinds that also occur among `model.evaluation.corruptions`, by which robustness is judged, are drawn here at random strengths and
with other code: the network trains for wear, not for that test.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Worn: TypeAlias = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
"""Takes uint8 (n, 28, 28), n > 0, which it may overwrite, and returns the same."""

_HALF = 0.5


def degrade(images: NDArray[np.uint8], share: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Images of which each kind of wear befalls its own random share; one image may have several.

    Args:
        images: uint8 (n, 28, 28), light ink on black.
        share: 0 to 1, of the images that each kind befalls.
        random: where the numbers come from; the same state gives the same wear.

    Returns:
        uint8 (n, 28, 28), in the same order.
    """
    worn = images.copy()
    for kind in KINDS:
        chosen = np.flatnonzero(random.random(len(images)) < share)
        if len(chosen):
            worn[chosen] = kind(worn[chosen], random)
    return worn


def blurred(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus: a Gaussian of 0.4 to 1.3 pixels."""
    for image, width in zip(images, random.uniform(0.4, 1.3, len(images)), strict=True):
        cv2.GaussianBlur(image, (0, 0), width, dst=image)
    return images


def coarse(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Enlarged from 9 to 17 pixels a side, smoothly or in squares."""
    for image, side in zip(images, random.integers(9, 18, len(images)).tolist(), strict=True):
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        way = cv2.INTER_LINEAR if random.random() < _HALF else cv2.INTER_NEAREST
        cv2.resize(small, image.shape, dst=image, interpolation=way)
    return images


def contrasted(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Up to black and white alone, as a fax or a threshold makes it."""
    level, gain = random.uniform([[70], [2]], [[180], [6]], (2, len(images)))[..., np.newaxis, np.newaxis]
    return np.where(images, np.clip((images - level) * gain + 128, 0, 255), 0).astype(np.uint8)


def faded(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A dry pen or a pencil: down to a third of the ink."""
    return (images * random.uniform(0.35, 1, (len(images), 1, 1))).astype(np.uint8)


def lit(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Paper that is not black: up to 110 levels, with so much less contrast, or all of the ink and clipped."""
    levels = random.uniform(20, 110, (len(images), 1, 1))
    inks = np.where(random.random((len(images), 1, 1)) < _HALF, 1, 1 - levels / 255)
    return np.minimum(images * inks + levels, 255).astype(np.uint8)


def noisy(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A sensor's noise: a standard deviation of 8 to 60 levels."""
    noise = random.standard_normal(images.shape, np.float32) * random.uniform(8, 60, (len(images), 1, 1))
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def speckled(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Black and white specks on 1 to 12 % of the pixels."""
    specks = random.random(images.shape, np.float32) < random.uniform(0.01, 0.12, (len(images), 1, 1))
    return np.where(specks, random.integers(2, size=images.shape, dtype=np.uint8) * np.uint8(255), images)


def covered(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A rectangle of 3 to 8 pixels a side missing, or now and then blotted."""
    places = random.integers([3, 3, 3, 3], [9, 9, 23, 23], (len(images), 4))
    for image, (height, width, top, left) in zip(images, places, strict=True):
        image[top : top + height, left : left + width] = 0 if random.random() < 0.7 else 255
    return images


def lined(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A ruled line across or down the image, one or two pixels wide."""
    for image, place in zip(images, random.integers(28, size=len(images)), strict=True):
        grid = image if random.random() < _HALF else image.T
        grid[place : place + random.integers(1, 3)] = random.integers(100, 256)
    return images


KINDS: tuple[Worn, ...] = (blurred, coarse, contrasted, faded, lit, noisy, speckled, covered, lined)
"""In the order in which they befall an image."""
