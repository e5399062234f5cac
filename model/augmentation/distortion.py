"""Distort training images, so that the network sees more handwritings than MNIST's.

The geometry is that of P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to
Visual Document Analysis", ICDAR 2003: affine maps and elastic displacements. Before these, the module makes strokes
thicker or thinner.
"""

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError

_SIDE = 28
_CENTRE = 13.5  # of pixel coordinates 0 to 27
_PAD = 2  # black pixels around each image, so that a look-up outside it finds black and not a neighbouring image
_KNOTS, _REACH = 10, 4.0  # of elastic displacements: knots per side, and the deviation of their Gaussian
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_MAX_IMAGES = 512  # per call, one above the other, because OpenCV takes pictures of fewer than 32,768 rows


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Limits of the distortion of training images. Handwriting varies in these ways.

    Attributes:
        rotation: Angle in degrees, either way.
        scale: Share by which width and height each grow or shrink.
        shear: Slant, as the horizontal shift per unit of height.
        shift: Distance in pixels, along each axis.
        elastic: Maximum standard deviation of smooth local displacements, in pixels.
        thickness: Share of a pixel by which strokes grow or shrink on each side.

    Raises:
        UsageError: A limit is negative, infinite or not a number.
    """

    rotation: float = 12.0
    scale: float = 0.12
    shear: float = 0.25
    shift: float = 2.0
    elastic: float = 0.6
    thickness: float = 0.5

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < math.inf:
                raise UsageError(f"An augmentation by {name} cannot be {value}. Give a finite number, 0 or more.")


def distort(images: NDArray[np.uint8], limits: Augmentation, random: np.random.Generator) -> NDArray[np.uint8]:
    """Distort each image by its own random stroke width, rotation, scaling, slant, shift and elastic displacement.

    Args:
        images: Digits, uint8 (n, 28, 28), light ink on black.
        limits: Limits of the distortions. All but the elastic displacements are uniform within them.
        random: Source of random numbers. The same state gives the same distortions.

    Returns:
        New images, uint8 (n, 28, 28), in the same order. Pixels that come from outside an image are black.
    """
    warped = np.empty_like(images)
    for start in range(0, len(images), _MAX_IMAGES):
        part = slice(start, start + _MAX_IMAGES)
        padded = np.pad(images[part], ((0, 0), (_PAD, _PAD), (_PAD, _PAD)))
        warped[part] = _warp(_change_width(padded, limits.thickness, random), limits, random)
    return warped


def _change_width(padded: NDArray[np.uint8], limit: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return images with strokes up to `limit` pixels thicker or thinner on each side.

    Each image is mixed with its dilation or its erosion.
    """
    if not limit:
        return padded
    rows = padded.reshape(-1, padded.shape[-1])
    thicker, thinner = (change(rows, _CROSS).reshape(padded.shape) for change in (cv2.dilate, cv2.erode))
    share = random.uniform(-limit, limit, (len(padded), 1, 1)).astype(np.float32)
    mixed = padded + np.abs(share) * (np.where(share > 0, thicker, thinner).astype(np.float32) - padded)
    widened: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return widened


def _warp(padded: NDArray[np.uint8], limits: Augmentation, random: np.random.Generator) -> NDArray[np.uint8]:
    """Look up every pixel at its own random place, and drop the padding.

    The images lie one above the other, so that one call is enough.
    """
    count, side = len(padded), _SIDE + 2 * _PAD
    places = _affine(count, limits, random) + _elastic(count, limits.elastic, random)
    np.clip(places, -_PAD + 0.5, _SIDE + _PAD - 1.5, out=places)
    places += _PAD
    places[:, 1] += np.arange(0, count * side, side, dtype=np.float32)[:, np.newaxis, np.newaxis]
    across, down = (places[:, axis].reshape(-1, _SIDE) for axis in (0, 1))
    looked_up = cv2.remap(padded.reshape(-1, side), across, down, cv2.INTER_LINEAR)
    return looked_up.reshape(count, _SIDE, _SIDE).astype(np.uint8, copy=False)


def _affine(count: int, limits: Augmentation, random: np.random.Generator) -> NDArray[np.float32]:
    """Return where each pixel comes from under a random affine map about the centre of the image.

    Returns:
        Column and row in pixels, float32 (count, 2, 28, 28).
    """
    angle = np.deg2rad(random.uniform(-limits.rotation, limits.rotation, count))
    across, down = random.uniform(1 - limits.scale, 1 + limits.scale, (2, count))
    slant = random.uniform(-limits.shear, limits.shear, count)
    matrices = np.empty((count, 2, 2))
    matrices[:, 0, 0] = across * np.cos(angle)
    matrices[:, 0, 1] = down * (slant * np.cos(angle) - np.sin(angle))
    matrices[:, 1, 0] = across * np.sin(angle)
    matrices[:, 1, 1] = down * (slant * np.sin(angle) + np.cos(angle))
    rows, columns = np.indices((_SIDE, _SIDE)).reshape(2, -1) - _CENTRE
    shift = random.uniform(-limits.shift, limits.shift, (count, 2, 1))
    places = matrices @ np.stack([columns, rows]) + shift + _CENTRE
    return np.asarray(places, np.float32).reshape(count, 2, _SIDE, _SIDE)


def _elastic(count: int, limit: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth random displacements in pixels, float32 (count, 2, 28, 28), with a deviation of up to `limit`."""
    knots = np.linspace(-_PAD, _SIDE + _PAD - 1, _KNOTS)
    weights = np.exp(-0.5 * np.square((np.arange(_SIDE)[:, np.newaxis] - knots) / _REACH))
    weights = (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)  # each pixel's variance: 1
    size = limit * random.random((count, 1, 1, 1), np.float32)
    at_knots = size * random.standard_normal((count, 2, _KNOTS, _KNOTS), np.float32)
    displacements: NDArray[np.float32] = weights @ at_knots @ weights.T
    return displacements
