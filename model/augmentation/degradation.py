"""Degrade training images as cameras, scanners, faxes, dry pens and stray marks do.

Some kinds also occur in `model.evaluation.corruptions`, by which robustness is measured. Here they have random
strengths and code of their own, so that the network trains for degraded images and not for that measurement.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Degradation: TypeAlias = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
"""A function that takes images, uint8 (n, 28, 28) with n > 0, and returns images of the same shape and dtype.

It may overwrite its argument."""


def degrade(images: NDArray[np.uint8], share: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Degrade a random share of the images by each kind. Several kinds may degrade the same image.

    Args:
        images: Digits, uint8 (n, 28, 28), light ink on black.
        share: Share of the images, 0 to 1, that each kind degrades.
        random: Source of random numbers. The same state gives the same result.

    Returns:
        New images, uint8 (n, 28, 28), in the same order.
    """
    degraded = images.copy()
    for kind in KINDS:
        chosen = np.flatnonzero(random.random(len(images)) < share)
        if len(chosen):
            degraded[chosen] = kind(degraded[chosen], random)
    return degraded


def blurred(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Put images out of focus, by a Gaussian with a standard deviation of 0.4 to 1.3 pixels."""
    for image, width in zip(images, random.uniform(0.4, 1.3, len(images)), strict=True):
        cv2.GaussianBlur(image, (0, 0), width, dst=image)
    return images


def coarse(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Reduce images to 9 to 17 pixels a side, and enlarge them again, smoothly or in squares."""
    for image, side in zip(images, random.integers(9, 18, len(images)).tolist(), strict=True):
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        interpolation = cv2.INTER_LINEAR if random.random() < 0.5 else cv2.INTER_NEAREST
        cv2.resize(small, image.shape, dst=image, interpolation=interpolation)
    return images


def contrasted(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Raise the contrast of ink, up to pure black and white, as a fax or a threshold does."""
    level, gain = random.uniform([[70], [2]], [[180], [6]], (2, len(images)))[..., np.newaxis, np.newaxis]
    return np.where(images, np.clip((images - level) * gain + 128, 0, 255), 0).astype(np.uint8)


def faded(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Weaken ink, down to a third, as a dry pen or a pencil does."""
    return (images * random.uniform(0.35, 1, (len(images), 1, 1))).astype(np.uint8)


def lit(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Lighten the black paper by 20 to 110 levels. Ink loses as much contrast, or keeps it up to white."""
    levels = random.uniform(20, 110, (len(images), 1, 1))
    inks = np.where(random.random((len(images), 1, 1)) < 0.5, 1, 1 - levels / 255)
    return np.minimum(images * inks + levels, 255).astype(np.uint8)


def noisy(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Add a sensor's noise, with a standard deviation of 8 to 60 levels."""
    noise = random.standard_normal(images.shape, np.float32) * random.uniform(8, 60, (len(images), 1, 1))
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def speckled(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Set 1 to 12 % of the pixels to black or white."""
    specks = random.random(images.shape, np.float32) < random.uniform(0.01, 0.12, (len(images), 1, 1))
    return np.where(specks, random.integers(2, size=images.shape, dtype=np.uint8) * np.uint8(255), images)


def covered(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Cover a rectangle of 3 to 8 pixels a side, mostly in black, sometimes in white."""
    places = random.integers([3, 3, 3, 3], [9, 9, 23, 23], (len(images), 4))
    for image, (height, width, top, left) in zip(images, places, strict=True):
        image[top : top + height, left : left + width] = 0 if random.random() < 0.7 else 255
    return images


def lined(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a ruled line across or down the image, one or two pixels wide."""
    for image, place in zip(images, random.integers(28, size=len(images)), strict=True):
        grid = image if random.random() < 0.5 else image.T
        grid[place : place + random.integers(1, 3)] = random.integers(100, 256)
    return images


KINDS: tuple[Degradation, ...] = (blurred, coarse, contrasted, faded, lit, noisy, speckled, covered, lined)
"""The kinds of degradation, in the order in which `degrade` applies them."""
