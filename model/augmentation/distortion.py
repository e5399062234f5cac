"""Distorting training images, so that the network sees more handwritings than were collected.

Geometry as in P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
Document Analysis", ICDAR 2003: affine maps and elastic displacements; before them, strokes thicker or thinner.
"""

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError

_SIDE = 28
_CENTRE = 13.5  # of pixel coordinates 0 to 27
_PAD = 2  # black pixels around each image, so that what is looked up outside is black and no neighbour
_KNOTS, _REACH = 10, 4.0  # elastic displacements: random numbers a side, each felt so many pixels far (a Gaussian)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_MAX = 512  # images at once: OpenCV takes pictures of less than 32,768 rows


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far training images are distorted at most: handwriting varies in just these ways.

    Attributes:
        rotation: degrees, either way.
        scale: share by which width and height each grow or shrink.
        shear: slant: horizontal shift per unit of height.
        shift: pixels, along each axis.
        elastic: pixels, the standard deviation of smooth local displacements.
        thickness: share of a pixel by which strokes grow or shrink on each side.

    Raises:
        UsageError: one of them is negative.
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
                raise UsageError(f"An augmentation by {name} cannot be {value}. Give 0 or more.")


def distort(images: NDArray[np.uint8], most: Augmentation, random: np.random.Generator) -> NDArray[np.uint8]:
    """Each image under its own random stroke width, rotation, scaling, slant, shift and elastic displacement.

    Args:
        images: uint8 (n, 28, 28), light ink on black.
        most: the limits, up to which all but the elastic displacements are drawn uniformly.
        random: where the numbers come from; the same state gives the same distortions.

    Returns:
        uint8 (n, 28, 28), in the same order; what moves in from outside is black.
    """
    warped = np.empty_like(images)
    for start in range(0, len(images), _MAX):
        part = slice(start, start + _MAX)
        padded = np.pad(images[part], ((0, 0), (_PAD, _PAD), (_PAD, _PAD)))
        warped[part] = _warped(_rewidened(padded, most.thickness, random), most, random)
    return warped


def _rewidened(padded: NDArray[np.uint8], most: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Strokes up to `most` of a pixel thicker or thinner on each side: a mixture with the dilated or eroded image."""
    if not most:
        return padded
    rows = padded.reshape(-1, padded.shape[-1])
    thicker, thinner = (change(rows, _CROSS).reshape(padded.shape) for change in (cv2.dilate, cv2.erode))
    share = random.uniform(-most, most, (len(padded), 1, 1)).astype(np.float32)
    mixed = padded + np.abs(share) * (np.where(share > 0, thicker, thinner).astype(np.float32) - padded)
    widened: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return widened


def _warped(padded: NDArray[np.uint8], most: Augmentation, random: np.random.Generator) -> NDArray[np.uint8]:
    """The images, without their padding, each looked up at its own places; all in one call, one above the other."""
    count, side = len(padded), _SIDE + 2 * _PAD
    places = _affine(count, most, random) + _elastic(count, most.elastic, random)
    np.clip(places, -_PAD + 0.5, _SIDE + _PAD - 1.5, out=places)
    places += _PAD
    places[:, 1] += np.arange(0, count * side, side, dtype=np.float32)[:, np.newaxis, np.newaxis]
    across, down = (places[:, axis].reshape(-1, _SIDE) for axis in (0, 1))
    looked_up = cv2.remap(padded.reshape(-1, side), across, down, cv2.INTER_LINEAR)
    return looked_up.reshape(count, _SIDE, _SIDE).astype(np.uint8, copy=False)


def _affine(count: int, most: Augmentation, random: np.random.Generator) -> NDArray[np.float32]:
    """Where each pixel comes from, (count, 2, 28, 28): column and row, mapped about the centre of the image."""
    angle = np.deg2rad(random.uniform(-most.rotation, most.rotation, count))
    across, down = random.uniform(1 - most.scale, 1 + most.scale, (2, count))
    slant = random.uniform(-most.shear, most.shear, count)
    matrices = np.empty((count, 2, 2))
    matrices[:, 0, 0] = across * np.cos(angle)
    matrices[:, 0, 1] = down * (slant * np.cos(angle) - np.sin(angle))
    matrices[:, 1, 0] = across * np.sin(angle)
    matrices[:, 1, 1] = down * (slant * np.sin(angle) + np.cos(angle))
    rows, columns = np.indices((_SIDE, _SIDE)).reshape(2, -1) - _CENTRE
    shift = random.uniform(-most.shift, most.shift, (count, 2, 1))
    places = matrices @ np.stack([columns, rows]) + shift + _CENTRE
    return np.asarray(places, np.float32).reshape(count, 2, _SIDE, _SIDE)


def _elastic(count: int, most: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Smooth random displacements (count, 2, 28, 28), whose standard deviation is up to `most` pixels."""
    knots = np.linspace(-_PAD, _SIDE + _PAD - 1, _KNOTS)
    felt = np.exp(-0.5 * np.square((np.arange(_SIDE)[:, np.newaxis] - knots) / _REACH))
    felt = (felt / np.linalg.norm(felt, axis=1, keepdims=True)).astype(np.float32)  # every pixel's variance is 1
    size = most * random.random((count, 1, 1, 1), np.float32)
    at_knots = size * random.standard_normal((count, 2, _KNOTS, _KNOTS), np.float32)
    displacements: NDArray[np.float32] = felt @ at_knots @ felt.T
    return displacements
