"""Strokes of a pen as images: distorted as hands differ, drawn with some pen's width, centred as MNIST's digits are."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.normalise import BOX, SIDE

FINE = 3
"""Pixels per pixel of the image, at which strokes are drawn."""

WIDTHS = (5, 12)
"""Of strokes, in these pixels: from the first to below the second; MNIST's."""

_MARGIN = (SIDE - BOX) // 2

Strokes = NDArray[np.floating]
"""(n, strokes, points, 2): right and down, in any unit; NaN where there are fewer strokes."""


def distorted(strokes: Strokes, random: np.random.Generator, turn: float = 12.0) -> Strokes:
    """As hands differ: turned by up to `turn` degrees, slanted, stretched, and bent by two waves across the image."""
    count = len(strokes)
    size = np.nanmax(strokes, axis=(1, 2), keepdims=True) - np.nanmin(strokes, axis=(1, 2), keepdims=True)
    size = size.max(axis=-1, keepdims=True)
    for _ in range(2):
        frequency = random.normal(0, 1.0, (count, 1, 1, 2)) / size
        phase = (strokes * frequency).sum(axis=-1, keepdims=True) + random.uniform(0, 1, (count, 1, 1, 1))
        strokes = strokes + size * random.normal(0, 0.035, (count, 1, 1, 2)) * np.sin(2 * np.pi * phase)
    angle = np.deg2rad(random.uniform(-turn, turn, count))
    slant, stretch = random.uniform(-0.25, 0.25, count), np.exp(random.uniform(-0.3, 0.3, count))
    matrices = np.empty((count, 1, 2, 2))
    matrices[:, 0, 0] = np.stack([stretch * np.cos(angle), slant * np.cos(angle) - np.sin(angle)], axis=1)
    matrices[:, 0, 1] = np.stack([stretch * np.sin(angle), slant * np.sin(angle) + np.cos(angle)], axis=1)
    return strokes @ np.swapaxes(matrices, -1, -2)


def fitted(strokes: Strokes, widths: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Points in pixels of the fine image, the longer side of what `widths` draws around them filling the box.

    Also which strokes there are: bool (n, strokes).
    """
    low, high = np.nanmin(strokes, axis=(1, 2), keepdims=True), np.nanmax(strokes, axis=(1, 2), keepdims=True)
    longest = (high - low).max(axis=-1, keepdims=True)
    scale = (BOX * FINE - 2 - widths)[:, np.newaxis, np.newaxis, np.newaxis] / longest
    pixels = (strokes - (low + high) / 2) * scale + SIDE * FINE / 2
    there = ~np.isnan(pixels[:, :, 0, 0])
    return np.nan_to_num(pixels).round().astype(np.int32), there


def inked(strokes: Strokes, random: np.random.Generator, thickest: int = WIDTHS[1]) -> NDArray[np.uint8]:
    """Strokes drawn with pens of random width."""
    widths = random.integers(WIDTHS[0], thickest, len(strokes))
    pixels, there = fitted(strokes, widths)
    canvas, images = np.empty((SIDE * FINE, SIDE * FINE), np.uint8), np.empty((len(strokes), SIDE, SIDE), np.uint8)
    for points, has, width, image in zip(pixels, there, widths.tolist(), images, strict=True):
        canvas[:] = 0
        cv2.polylines(canvas, list(points[has]), isClosed=False, color=255, thickness=width)
        cv2.resize(canvas, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_AREA)
    return images


def centred(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same images with their centres of mass in the middle, as far as the margin allows."""
    mass = images.sum(axis=(1, 2), dtype=np.float64)
    at = np.arange(SIDE) + 0.5
    shifts = [
        np.clip(np.round(SIDE / 2 - images.sum(axis=axis, dtype=np.float64) @ at / mass), -_MARGIN, _MARGIN).astype(int)
        for axis in (2, 1)
    ]
    index = np.arange(SIDE)
    rows, columns = ((index - shift[:, np.newaxis]) % SIDE for shift in shifts)
    moved: NDArray[np.uint8] = images[
        np.arange(len(images))[:, np.newaxis, np.newaxis], rows[:, :, np.newaxis], columns[:, np.newaxis]
    ]
    return moved
