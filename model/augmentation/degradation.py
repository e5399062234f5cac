"""Degrade training images as cameras, scanners, faxes, dry pens and stray marks do.

Some kinds also occur in `model.evaluation.corruptions` and `model.evaluation.mnist_c`, by which robustness is measured.
Here they have random strengths and code of their own, so that the network trains for degraded images and not for that
measurement. Nothing here may resemble `model.evaluation.unseen`, which measures robustness to what no training shows.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.fitting import SIDE

_SUBPIXELS = 4  # bits of fractions of a pixel, in which OpenCV draws lines
_FINE = 3  # fine pixels along each side of a pixel, in which outlines are drawn

Degradation: TypeAlias = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
"""A function that takes images, uint8 (n, 28, 28) with n > 0, and returns images of the same shape and dtype.

It may overwrite its argument."""


def degrade(images: NDArray[np.uint8], share: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Degrade a random share of the images by each kind. Several kinds may degrade the same image.

    Args:
        images: Digits, uint8 (n, 28, 28), light ink on black.
        share: Share of the images, 0 to 1, that each kind of weight 1 in `KINDS` degrades.
        random: Source of random numbers. The same state gives the same result.

    Returns:
        New images, uint8 (n, 28, 28), in the same order.
    """
    degraded = images.copy()
    for kind, weight in KINDS.items():
        chosen = np.flatnonzero(random.random(len(images)) < weight * share)
        if len(chosen):
            degraded[chosen] = kind(degraded[chosen], random)
    return degraded


def blurred(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Put images out of focus, by a Gaussian with a standard deviation of 0.4 to 1.3 pixels."""
    for image, width in zip(images, random.uniform(0.4, 1.3, len(images)), strict=True):
        cv2.GaussianBlur(image, (0, 0), width, dst=image)
    return images


def coarse(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Reduce images to 9 to 17 pixels a side, and enlarge them again, smoothly in two ways or in squares."""
    ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
    chosen = random.integers([[9], [0]], [[18], [len(ways)]], (2, len(images)))
    for image, side, way in zip(images, *chosen.tolist(), strict=True):
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        cv2.resize(small, image.shape, dst=image, interpolation=ways[way])
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
    """Set 1 to 25 % of the pixels to black or white."""
    specks = random.random(images.shape, np.float32) < random.uniform(0.01, 0.25, (len(images), 1, 1))
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


def tilted(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Turn images by up to 28 degrees, slant them by up to 0.45, and shrink them to no less than 0.6 of the size."""
    count = len(images)
    angles, slants = np.deg2rad(random.uniform(-28, 28, count)), random.uniform(-0.45, 0.45, count)
    sizes = random.uniform(0.6, 1.05, count)
    for image, angle, slant, size in zip(images, angles, slants, sizes, strict=True):
        turned = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = turned @ np.array([[1, slant], [0, 1]])
        middle = np.full(2, (SIDE - 1) / 2)
        matrix = np.column_stack([linear, middle - linear @ middle])
        image[...] = cv2.warpAffine(image, matrix, (SIDE, SIDE))
    return images


def smeared(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Move the camera by 3 to 9 pixels in any direction, at constant or at falling speed."""
    lengths, angles = random.uniform(3, 9, len(images)), random.uniform(0, 2 * np.pi, len(images))
    for image, length, angle, is_falling in zip(images, lengths, angles, random.random(len(images)) < 0.5, strict=True):
        kernel = np.zeros((21, 21), np.float32)
        for step in np.linspace(0, length, 24):
            column, row = 10 + step * np.cos(angle), 10 + step * np.sin(angle)
            kernel[round(row), round(column)] += 1 - step / (length + 1) if is_falling else 1
        image[...] = cv2.filter2D(image, -1, kernel / kernel.sum())
    return images


def jumbled(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Look up each pixel up to 1 to 2 pixels away, independently of its neighbours, and blur a little."""
    rows, columns = np.indices((SIDE, SIDE)).astype(np.float32)
    for image, reach, blur in zip(
        images, *random.uniform([[1.0], [0.4]], [[2.0], [1.0]], (2, len(images))), strict=True
    ):
        across, down = reach * (2 * random.random((2, SIDE, SIDE), np.float32) - 1)
        moved = cv2.remap(image, columns + np.float32(across), rows + np.float32(down), cv2.INTER_LINEAR)
        cv2.GaussianBlur(moved, (0, 0), blur, dst=image)
    return images


def grainy(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Multiply each pixel by a random factor of mean 1, as dry ink on rough paper and weak light have it."""
    evenness = random.uniform(0.7, 5, (len(images), 1, 1))
    return np.minimum(images * random.standard_gamma(evenness, images.shape) / evenness, 255).astype(np.uint8)


def clouded(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Hide ink and paper behind a smooth cloud that has up to three quarters of the light."""
    for image, share in zip(images, random.uniform(0.3, 0.75, len(images)), strict=True):
        cells = int(random.integers(2, 6))
        cloud = cv2.resize(random.random((cells, cells), np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        image[...] = np.clip((1 - share) * image + share * 255 * random.uniform(0.4, 1) * cloud, 0, 255)
    return images


def spattered(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Cover images with 3 to 14 dark grey drops, each 1 to 4 pixels wide."""
    for image in images:
        for column, row, width, height in random.uniform(
            [0, 0, 0.5, 0.5], [SIDE, SIDE, 2, 2], (random.integers(3, 15), 4)
        ):
            box = ((column, row), (2 * width, 2 * height), random.uniform(0, 180))
            cv2.ellipse(image, box, random.uniform(0, 110), cv2.FILLED, cv2.LINE_AA)
    return images


def scrawled(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a zigzag or a wave across the image: thin, at most a third as high as the digit, at any place and angle."""
    for image in images:
        length, period, height = random.uniform([16, 3, 1], [30, 10, 3.5])
        along = np.arange(0, length, period / 2 if (is_sharp := random.random() < 0.7) else 0.5)
        aside = np.resize([height, -height], len(along)) if is_sharp else height * np.sin(2 * np.pi * along / period)
        _draw_line(image, along[np.newaxis] - length / 2, aside[np.newaxis], random)
    return images


def dotted(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a dotted or dashed line across the image, at any place and angle."""
    for image in images:
        dash, gap = random.uniform([0.3, 1.3], [3, 4])
        starts = np.arange(-20, 20, dash + gap)
        _draw_line(image, np.stack([starts, starts + dash], axis=1), np.zeros((len(starts), 2)), random)
    return images


def outlined(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Replace ink by its outline, a third of a pixel to one pixel wide, as hollow letters have it."""
    for image in images:
        fine = cv2.resize(image, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_LINEAR)
        mask = cv2.threshold(fine, random.uniform(0.25, 0.6) * float(fine.max()), 255, cv2.THRESH_BINARY)[1]
        outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        drawn = cv2.drawContours(np.zeros_like(fine), outlines, -1, 255, int(random.integers(1, 4)))
        small = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        cv2.convertScaleAbs(small, dst=image, alpha=random.uniform(150, 600) / max(1, int(small.max())))
    return images


KINDS: Final[Mapping[Degradation, float]] = MappingProxyType(
    {
        tilted: 2,
        outlined: 3,
        blurred: 1,
        smeared: 1,
        jumbled: 1,
        coarse: 2,
        contrasted: 1,
        faded: 1,
        grainy: 1,
        scrawled: 4,
        dotted: 1,
        clouded: 1,
        lit: 1,
        spattered: 1,
        noisy: 1,
        speckled: 1,
        covered: 1,
        lined: 1,
    }
)
"""The kinds of degradation, in the order in which `degrade` applies them, and how often each does, relative to others.

Kinds that the network finds hard are more frequent."""


def _draw_line(
    image: NDArray[np.uint8],
    along: NDArray[np.float64],
    aside: NDArray[np.float64],
    random: np.random.Generator,
) -> None:
    """Draw a line into an image with a random pen, at a random place and angle, mostly level.

    Args:
        image: Image, uint8 (28, 28). It is changed.
        along: Distances of the corners of each part from the line's middle, in its direction, in pixels, (parts, n).
        aside: Distances of the corners across its direction, in pixels, (parts, n).
        random: Source of random numbers.
    """
    angle = random.uniform(0, np.pi) if random.random() < 0.3 else random.normal(0, 0.25)
    middle = np.array([SIDE / 2, random.uniform(0, SIDE)])
    if abs(np.sin(angle)) > 0.7:
        middle = middle[::-1]
    direction, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    corners = middle + along[..., np.newaxis] * direction + aside[..., np.newaxis] * across
    points = np.rint(corners * 2**_SUBPIXELS).astype(np.int32)
    light, width = min(255, random.uniform(120, 390)), int(random.random() < 0.4) + 1
    pen = np.zeros_like(image)
    cv2.polylines(
        pen, list(points), isClosed=False, color=light, thickness=width, lineType=cv2.LINE_AA, shift=_SUBPIXELS
    )
    np.maximum(image, pen, out=image)
