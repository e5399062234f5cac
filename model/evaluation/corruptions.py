"""Fifteen corruptions of images, which measure a model's robustness.

They follow the spirit of N. Mu, J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision",
https://arxiv.org/abs/1906.02337 (MNIST-C), and of D. Hendrycks, T. Dietterich, "Benchmarking Neural Network Robustness
to Common Corruptions and Perturbations", https://arxiv.org/abs/1903.12261. Each has one severity, at which people can
still read nearly every image.

On MNIST-C's scale of 1 to 5, the severities of the kinds that it also has are: gaussian_blur 1.2, gaussian_noise 3.2,
impulse_noise 2.7, speckle_noise 5, brightness 3.5, contrast 1.7, pixelation 2.7, jpeg 4. MNIST-C fixes the amounts of
the geometric kinds. This module draws them uniformly, up to: rotation 2.2, shear 2, translation 4, scale 3.3. MNIST-C's
fifteen include other kinds, so its figures are not comparable with these.

Training degrades images in similar ways (`model.augmentation.degradation`), with other code and random strengths. So
these figures show robustness to unseen corruptions only if the network was trained without degradation.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.uint8]
"""uint8 (n, 28, 28), light ink on black."""

Corruption: TypeAlias = Callable[[Images, np.random.Generator], Images]
"""A function that takes `Images`, leaves them unchanged, and returns their corrupted copies."""

_SIDE = 28


def gaussian_blur(images: Images, _: np.random.Generator) -> Images:
    """Blur as a lens out of focus does, by a Gaussian of 1.2 pixels."""
    return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), 1.2))


def motion_blur(images: Images, random: np.random.Generator) -> Images:
    """Blur as a moving camera does, by five pixels in a random direction."""

    def moved(image: MatLike) -> MatLike:
        kernel = np.zeros((7, 7), np.float32)
        kernel[3, 1:6] = 1
        turn = cv2.getRotationMatrix2D((3, 3), random.uniform(0, 180), 1)
        turned = cv2.warpAffine(kernel, turn, (7, 7))
        return cv2.filter2D(image, -1, turned / turned.sum())

    return _each(images, moved)


def gaussian_noise(images: Images, random: np.random.Generator) -> Images:
    """Add noise as a sensor in the dark does, with a standard deviation of 50 levels."""
    return _clipped(images + 50 * random.standard_normal(images.shape, np.float32))


def impulse_noise(images: Images, random: np.random.Generator) -> Images:
    """Set 8 % of the pixels to black or white (salt and pepper)."""
    grains = random.random(images.shape)
    return np.where(grains < 0.04, 0, np.where(grains > 0.96, 255, images)).astype(np.uint8)


def speckle_noise(images: Images, random: np.random.Generator) -> Images:
    """Make the ink grainy: multiply each pixel by a normal random factor of mean 1 and standard deviation 0.6."""
    return _clipped(images * (1 + 0.6 * random.standard_normal(images.shape, np.float32)))


def occlusion(images: Images, random: np.random.Generator) -> Images:
    """Blacken a square of 6×6 pixels, at a random place in the 20×20 box of the digit."""
    places = random.integers(4, _SIDE - 4 - 6 + 1, (len(images), 2))
    covered = images.copy()
    for image, (top, left) in zip(covered, places, strict=True):
        image[top : top + 6, left : left + 6] = 0
    return covered


def stray_line(images: Images, random: np.random.Generator) -> Images:
    """Draw a straight line across the image, one pixel wide, as ruled paper or a slipping pen does."""

    def crossed(image: MatLike) -> MatLike:
        start, end = random.integers(0, _SIDE, 2).tolist()
        is_level = random.random() < 0.5
        from_, to = ((0, start), (_SIDE - 1, end)) if is_level else ((start, 0), (end, _SIDE - 1))
        return cv2.line(image.copy(), from_, to, 200, lineType=cv2.LINE_AA)

    return _each(images, crossed)


def brightness(images: Images, _: np.random.Generator) -> Images:
    """Lighten all pixels by 90 levels."""
    return _clipped(images.astype(np.int16) + 90)


def contrast(images: Images, _: np.random.Generator) -> Images:
    """Reduce the contrast to a third, about the image's mean, as a faint pencil does."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    return _clipped((images - mean) / 3 + mean)


def rotation(images: Images, random: np.random.Generator) -> Images:
    """Rotate by up to 25 degrees, either way."""
    angle = np.deg2rad(random.uniform(-25, 25, len(images)))
    return _mapped(images, np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))


def scale(images: Images, random: np.random.Generator) -> Images:
    """Scale to between two thirds and five fourths of the size."""
    inverse = 1 / random.uniform(2 / 3, 5 / 4, len(images))
    return _mapped(images, inverse, 0 * inverse, 0 * inverse, inverse)


def translation(images: Images, random: np.random.Generator) -> Images:
    """Move by up to 4 pixels along each axis: the margin of MNIST's digits."""
    one = np.ones(len(images))
    return _mapped(images, one, 0 * one, 0 * one, one, random.uniform(-4, 4, (len(images), 2)))


def shear(images: Images, random: np.random.Generator) -> Images:
    """Slant by up to 0.4 of the height, either way."""
    one = np.ones(len(images))
    return _mapped(images, one, random.uniform(-0.4, 0.4, len(images)), 0 * one, one)


def pixelation(images: Images, _: np.random.Generator) -> Images:
    """Reduce to 12×12 pixels, and enlarge again without smoothing."""

    def coarsened(image: MatLike) -> MatLike:
        small = cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)

    return _each(images, coarsened)


def jpeg(images: Images, _: np.random.Generator) -> Images:
    """Save as JPEG of quality 10."""

    def saved(image: MatLike) -> MatLike | None:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)

    return _each(images, saved)


CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            gaussian_blur,
            motion_blur,
            gaussian_noise,
            impulse_noise,
            speckle_noise,
            occlusion,
            stray_line,
            brightness,
            contrast,
            rotation,
            scale,
            translation,
            shear,
            pixelation,
            jpeg,
        )
    }
)
"""All corruptions, by name."""


def corrupted(name: str, images: Images, seed: int = 0) -> Images:
    """Corrupt images. The same arguments always give the same images.

    Args:
        name: Name of one of the `CORRUPTIONS`.
        images: Images, uint8 (n, 28, 28), light ink on black. They stay unchanged.
        seed: Seed of the random numbers. Each corruption derives its own seed from it.

    Returns:
        New images, uint8 (n, 28, 28), in the same order.

    Raises:
        KeyError: `CORRUPTIONS` does not have this name.
    """
    return CORRUPTIONS[name](images, np.random.default_rng((seed, list(CORRUPTIONS).index(name))))


def _each(images: Images, change: Callable[[MatLike], MatLike | None]) -> Images:
    changed = np.empty_like(images)
    for image, target in zip(images, changed, strict=True):
        target[...] = change(image)
    return changed


def _clipped(values: NDArray[np.floating] | NDArray[np.signedinteger]) -> Images:
    clipped: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped


def _mapped(
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
    centre = np.full(2, (_SIDE - 1) / 2)
    offset = centre - linear @ centre + shift
    changed = np.empty_like(images)
    for image, matrix, target in zip(
        images, np.concatenate([linear, offset[..., np.newaxis]], axis=2), changed, strict=True
    ):
        cv2.warpAffine(image, matrix, (_SIDE, _SIDE), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return changed
