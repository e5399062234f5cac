"""Distorting training images, so that the network sees more handwritings than were collected."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.recipe import Augmentation

_CENTRE = 13.5  # of pixel coordinates 0 to 27


def augment(images: NDArray[np.uint8], most: Augmentation, random: np.random.Generator) -> NDArray[np.uint8]:
    """Each image under its own random rotation, scaling, slant and shift, drawn uniformly up to `most`.

    Args:
        images: uint8 (n, 28, 28).
        most: the limits.
        random: where the numbers come from; the same state gives the same distortions.

    Returns:
        uint8 (n, 28, 28), in the same order; what moves in from outside is black.
    """
    warped = np.empty_like(images)
    for image, matrix, target in zip(images, _matrices(len(images), most, random), warped, strict=True):
        cv2.warpAffine(image, matrix, (28, 28), dst=target, flags=cv2.INTER_LINEAR)
    return warped


def _matrices(count: int, most: Augmentation, random: np.random.Generator) -> NDArray[np.float64]:
    """Affine maps (count, 2, 3) about the centre of the image."""
    angle = np.deg2rad(random.uniform(-most.rotation, most.rotation, count))
    across, down = random.uniform(1 - most.scale, 1 + most.scale, (2, count))
    slant = random.uniform(-most.shear, most.shear, count)
    matrices = np.empty((count, 2, 3))
    matrices[:, 0, 0] = across * np.cos(angle)
    matrices[:, 0, 1] = down * (slant * np.cos(angle) - np.sin(angle))
    matrices[:, 1, 0] = across * np.sin(angle)
    matrices[:, 1, 1] = down * (slant * np.sin(angle) + np.cos(angle))
    centre = np.array([_CENTRE, _CENTRE])
    matrices[:, :, 2] = centre - matrices[:, :, :2] @ centre + random.uniform(-most.shift, most.shift, (count, 2))
    return matrices
