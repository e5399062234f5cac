"""Twelve corruptions that no training uses, and that MNIST-C does not have: robustness to the unknown.

`model.augmentation` must never draw anything like these. Each has one severity, at which people can still read nearly
every image. So a model's figures here tell what its training has taught it beyond the kinds that it trained on.
"""

from typing import Final

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.evaluation.corrupting import Family, Images, clipped, each, family
from model.images.fitting import SIDE

_ROWS, _COLUMNS = np.indices((SIDE, SIDE)).astype(np.float32)
_CENTRE = (SIDE - 1) / 2

_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
"""Order in which the pixels of each 4×4 block turn white (B. Bayer, 1973)."""


def double_exposure(images: Images, random: np.random.Generator) -> Images:
    """Add a ghost of the digit, half as bright, 3 pixels away in a random direction."""

    def ghosted(image: MatLike) -> MatLike:
        angle = random.uniform(0, 2 * np.pi)
        move = np.array([[1, 0, 3 * np.cos(angle)], [0, 1, 3 * np.sin(angle)]])
        return cv2.max(image, cv2.convertScaleAbs(cv2.warpAffine(image, move, (SIDE, SIDE)), alpha=0.5))

    return each(images, ghosted)


def zoom_blur(images: Images, _: np.random.Generator) -> Images:
    """Zoom while the shutter is open: average sizes from 1 to 1.4."""

    def zoomed(image: MatLike) -> MatLike:
        sizes = [cv2.getRotationMatrix2D((_CENTRE, _CENTRE), 0, size) for size in np.linspace(1, 1.4, 9)]
        zooms = np.stack([cv2.warpAffine(image, size, (SIDE, SIDE)) for size in sizes])
        return clipped(zooms.mean(axis=0))

    return each(images, zoomed)


def halftone(images: Images, _: np.random.Generator) -> Images:
    """Print in pure black and white, as ordered dithering does, after bringing white down to three quarters."""
    limits = np.tile((_BAYER + 0.5) / 16 * 255, (SIDE // 4, SIDE // 4))
    return np.where(images * 0.75 > limits, np.uint8(255), np.uint8(0)).astype(np.uint8)


def lost_rows(images: Images, random: np.random.Generator) -> Images:
    """Lose every fourth row, as a printer with a blocked nozzle does."""
    first = random.integers(0, 4, len(images))[:, np.newaxis]
    lost = (np.arange(SIDE) - first) % 4 == 0
    return np.where(lost[:, :, np.newaxis], np.uint8(0), images)


def interlaced(images: Images, random: np.random.Generator) -> Images:
    """Shift every second row by two pixels, to the left or to the right, as old video does with what moves."""
    changed = images.copy()
    for image, way in zip(changed, random.choice([-2, 2], len(images)).tolist(), strict=True):
        image[1::2] = np.roll(image[1::2], way, axis=1)
    return changed


def ripples(images: Images, random: np.random.Generator) -> Images:
    """Shift rows to and fro by up to 1.5 pixels, as a sheet that slips in a scanner does; the period is 9 rows."""

    def rippled(image: MatLike) -> MatLike:
        shift = 1.5 * np.sin(2 * np.pi * (_ROWS / 9 + random.random()))
        return cv2.remap(image, _COLUMNS + shift.astype(np.float32), _ROWS, cv2.INTER_LINEAR)

    return each(images, rippled)


def lens(images: Images, random: np.random.Generator) -> Images:
    """Distort as a cheap lens does: a barrel or a cushion, by up to a fifth of the distance at the middle of a side."""

    def bent(image: MatLike) -> MatLike:
        down, across = _ROWS - _CENTRE, _COLUMNS - _CENTRE
        factor = 1 + random.choice([-0.2, 0.2]) * (np.square(down) + np.square(across)) / _CENTRE**2
        columns, rows = across * factor + _CENTRE, down * factor + _CENTRE
        return cv2.remap(image, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)

    return each(images, bent)


def perspective(images: Images, random: np.random.Generator) -> Images:
    """Look at the paper at an angle: move each corner by up to 5 pixels along each axis."""
    corners = np.array([[0, 0], [SIDE - 1, 0], [SIDE - 1, SIDE - 1], [0, SIDE - 1]], np.float32)

    def tilted(image: MatLike) -> MatLike:
        moved = corners + random.uniform(-5, 5, (4, 2)).astype(np.float32)
        return cv2.warpPerspective(image, cv2.getPerspectiveTransform(corners, moved), (SIDE, SIDE))

    return each(images, tilted)


def snow(images: Images, random: np.random.Generator) -> Images:
    """Let flakes fall: specks that are drawn out into slanting streaks of four pixels."""
    streak = np.eye(4, dtype=np.float32) / 2

    def covered(image: MatLike) -> MatLike:
        flakes = np.where(random.random((SIDE, SIDE)) < 0.03, random.uniform(150, 255), 0)
        return cv2.add(image, cv2.filter2D(flakes, -1, streak), dtype=cv2.CV_8U)

    return each(images, covered)


def ring(images: Images, random: np.random.Generator) -> Images:
    """Put a cup on the paper: a faint ring, larger than the digit, part of which the image shows."""

    def stained(image: MatLike) -> MatLike:
        angle, radius = random.uniform(0, 2 * np.pi), random.uniform(11, 16)
        centre = (_CENTRE + 10 * np.cos(angle), _CENTRE + 10 * np.sin(angle))
        distance = np.abs(np.hypot(_COLUMNS - centre[0], _ROWS - centre[1]) - radius)
        return cv2.add(image, 90.0 * np.clip(2 - distance, 0, 1), dtype=cv2.CV_8U)

    return each(images, stained)


def vignette(images: Images, random: np.random.Generator) -> Images:
    """Light the paper from one corner: up to 110 levels are added there, none in the opposite corner."""
    angle = random.uniform(0, 2 * np.pi, (len(images), 1, 1))
    slope: NDArray[np.float64] = (_COLUMNS - _CENTRE) * np.cos(angle) + (_ROWS - _CENTRE) * np.sin(angle)
    return clipped(images + 110 * (0.5 + slope / (2 * np.sqrt(2) * _CENTRE)))


def folded(images: Images, random: np.random.Generator) -> Images:
    """Fold the paper: what lies beyond a random line through the middle moves by 2 pixels along it."""

    def creased(image: MatLike) -> MatLike:
        angle = random.uniform(0, np.pi)
        beyond = (_COLUMNS - _CENTRE) * np.sin(angle) > (_ROWS - _CENTRE) * np.cos(angle)
        move = np.array([[1, 0, 2 * np.cos(angle)], [0, 1, 2 * np.sin(angle)]])
        return np.where(beyond, cv2.warpAffine(image, move, (SIDE, SIDE)), image)

    return each(images, creased)


UNSEEN: Final[Family] = family(
    double_exposure,
    zoom_blur,
    halftone,
    lost_rows,
    interlaced,
    ripples,
    lens,
    perspective,
    snow,
    ring,
    vignette,
    folded,
)
"""All corruptions, by name."""
