"""Turn strokes of a pen into images: distort them as handwriting varies, draw them, and centre them by mass."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.fitting import BOX, SIDE

SUPERSAMPLING = 3
"""Number of fine pixels, in which strokes are drawn, along each side of a pixel of the image."""

WIDTHS = (5, 12)
"""Widths of MNIST's strokes in fine pixels: lower limit, inclusive, and upper limit, exclusive."""

_MARGIN = (SIDE - BOX) // 2

Strokes = NDArray[np.floating]
"""Points, floats (n, strokes, points, 2): right and down, in any unit; NaN where a drawing has fewer strokes."""


def distort_strokes(strokes: Strokes, random: np.random.Generator, turn: float = 12.0) -> Strokes:
    """Distort strokes as handwriting varies: turn, slant, stretch, and bend them by two waves across the image.

    Args:
        strokes: Points, (n, strokes, points, 2).
        random: Source of random numbers.
        turn: Maximum angle in degrees, either way.

    Returns:
        New points of the same shape, in the same unit.
    """
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


def fit_into_box(strokes: Strokes, widths: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Scale and place strokes so that the longer side of the drawing fills MNIST's box.

    Args:
        strokes: Points, (n, strokes, points, 2).
        widths: Width of each drawing's pen in fine pixels, integers (n,).

    Returns:
        The points in pixels of the fine image, int32 (n, strokes, points, 2); and whether each stroke exists, bool
        (n, strokes).
    """
    low, high = np.nanmin(strokes, axis=(1, 2), keepdims=True), np.nanmax(strokes, axis=(1, 2), keepdims=True)
    longest = (high - low).max(axis=-1, keepdims=True)
    scale = (BOX * SUPERSAMPLING - 2 - widths)[:, np.newaxis, np.newaxis, np.newaxis] / longest
    pixels = (strokes - (low + high) / 2) * scale + SIDE * SUPERSAMPLING / 2
    exists = ~np.isnan(pixels[:, :, 0, 0])
    return np.nan_to_num(pixels).round().astype(np.int32), exists


def draw_strokes(strokes: Strokes, random: np.random.Generator, width_limit: int = WIDTHS[1]) -> NDArray[np.uint8]:
    """Draw strokes with pens of random width.

    Args:
        strokes: Points, (n, strokes, points, 2).
        random: Source of random numbers.
        width_limit: Upper limit of the pens' widths in fine pixels, exclusive.

    Returns:
        Drawings, uint8 (n, 28, 28), light ink on black, in MNIST's box.
    """
    widths = random.integers(WIDTHS[0], width_limit, len(strokes))
    pixels, exists = fit_into_box(strokes, widths)
    fine_side = SIDE * SUPERSAMPLING
    canvas, images = np.empty((fine_side, fine_side), np.uint8), np.empty((len(strokes), SIDE, SIDE), np.uint8)
    for points, is_drawn, width, image in zip(pixels, exists, widths.tolist(), images, strict=True):
        canvas[:] = 0
        cv2.polylines(canvas, list(points[is_drawn]), isClosed=False, color=255, thickness=width)
        cv2.resize(canvas, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_AREA)
    return images


def centre_by_mass(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images with their centres of mass in the middle, as far as the margin of MNIST's box allows.

    Args:
        images: Drawings, uint8 (n, 28, 28), light ink on black. Each must have some ink.

    Returns:
        New images, uint8 (n, 28, 28), in the same order.
    """
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
