"""Variants of an image as the network takes it: the digit moves or slants a little."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.fitting import SIDE


@dataclass(frozen=True, slots=True)
class VariantLimits:
    """How much variants differ from their image. See EXPERIMENTS.md, "images read in variants"."""

    moves: tuple[float, ...] = (0.5, 1.0)
    """Distances by which the digit moves, right or left and up or down, in pixels. Half a pixel also smooths it."""

    slant: float = 0.25
    """Slant of the digit, either way, as the horizontal shift per unit of height. As much as in training."""


LIMITS = VariantLimits()


def _maps(limits: VariantLimits) -> NDArray[np.float32]:
    centre = (SIDE - 1) / 2
    moved = [[[1, 0, right * by], [0, 1, down * by]] for by in limits.moves for right in (-1, 1) for down in (-1, 1)]
    slanted = [[[1, slant, -slant * centre], [0, 1, 0]] for slant in (-limits.slant, limits.slant)]
    return np.array(moved + slanted, np.float32)


MAPS = _maps(LIMITS)
"""Affine maps of the variants, in pixels, float32 (n, 2, 3). With each map, they contain its inverse."""


def variants_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return all variants of each image, uint8 (n, variants, 28, 28).

    Args:
        images: Images, uint8 (n, 28, 28), light ink on black.
    """
    variants = np.empty((len(images), len(MAPS), SIDE, SIDE), np.uint8)
    for image, drawn in zip(images, variants, strict=True):
        for change, variant in zip(MAPS, drawn, strict=True):
            cv2.warpAffine(image, change, (SIDE, SIDE), dst=variant, flags=cv2.INTER_LINEAR)
    return variants
