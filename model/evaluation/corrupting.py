"""What families of corruptions share: their type, their random numbers, and the tools that corrupt images one by one.

A family is a set of corruptions that one table reports: `model.evaluation.corruptions`, `model.evaluation.mnist_c` and
`model.evaluation.unseen` each hold one.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.fitting import SIDE

Images: TypeAlias = NDArray[np.uint8]
"""uint8 (n, 28, 28), light ink on black."""

Corruption: TypeAlias = Callable[[Images, np.random.Generator], Images]
"""A function that takes `Images`, leaves them unchanged, and returns their corrupted copies."""

Family: TypeAlias = Mapping[str, Corruption]
"""Corruptions by name, in the order in which a table shows them."""


def family(*kinds: Corruption) -> Family:
    """Return a family of corruptions. Each has the name of its function."""
    return MappingProxyType({kind.__name__: kind for kind in kinds})


def corrupted(kinds: Family, name: str, images: Images, seed: int = 0) -> Images:
    """Corrupt images. The same arguments always give the same images.

    Args:
        kinds: Family that has the corruption.
        name: Name of the corruption.
        images: Images, uint8 (n, 28, 28), light ink on black. They stay unchanged.
        seed: Seed of the random numbers. Each corruption derives its own seed from it and from its place.

    Returns:
        New images, uint8 (n, 28, 28), in the same order.

    Raises:
        KeyError: The family does not have this name.
    """
    return kinds[name](images, np.random.default_rng((seed, list(kinds).index(name))))


def each(images: Images, change: Callable[[MatLike], MatLike | None]) -> Images:
    """Return images that are each changed by a function. The function gets and returns uint8 (28, 28)."""
    changed = np.empty_like(images)
    for image, target in zip(images, changed, strict=True):
        target[...] = change(image)
    return changed


def clipped(values: NDArray[np.integer | np.floating]) -> Images:
    """Round levels, (n, 28, 28), to whole ones from 0 to 255."""
    whole: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return whole


def mapped(
    images: Images,
    across_from_x: NDArray[np.float64],
    across_from_y: NDArray[np.float64],
    down_from_x: NDArray[np.float64],
    down_from_y: NDArray[np.float64],
    shift: NDArray[np.float64] | float = 0.0,
) -> Images:
    """Map each image by its own affine transform about its centre, with linear interpolation.

    The coefficients, floats (n,), give the place in the image from which each pixel of the result comes, relative to
    the centre. The shift, floats (n, 2), in pixels, is added to this place.
    """
    linear = np.stack([across_from_x, across_from_y, down_from_x, down_from_y], axis=1).reshape(-1, 2, 2)
    centre = np.full(2, (SIDE - 1) / 2)
    offset = centre - linear @ centre + shift
    changed = np.empty_like(images)
    for image, matrix, target in zip(
        images, np.concatenate([linear, offset[..., np.newaxis]], axis=2), changed, strict=True
    ):
        cv2.warpAffine(image, matrix, (SIDE, SIDE), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return changed
