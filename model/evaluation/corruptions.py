"""Fifteen corruptions of images, which measure a model's robustness.

They follow the spirit of N. Mu, J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision",
https://arxiv.org/abs/1906.02337 (MNIST-C), and of D. Hendrycks, T. Dietterich, "Benchmarking Neural Network Robustness
to Common Corruptions and Perturbations", https://arxiv.org/abs/1903.12261. Each has one severity, at which people can
still read nearly every image.

On MNIST-C's scale of 1 to 5, the severities of the kinds that it also has are: gaussian_blur 1.2, gaussian_noise 3.2,
impulse_noise 2.7, speckle_noise 5, brightness 3.5, contrast 1.7, pixelation 2.7, jpeg 4. MNIST-C fixes the amounts of
the geometric kinds. This module draws them uniformly, up to: rotation 2.2, shear 2, translation 4, scale 3.3.
`model.evaluation.mnist_c` has MNIST-C's own fifteen, whose figures are not comparable with these.

Training degrades images in similar ways (`model.augmentation.degradation`), with other code and random strengths. So
these figures show robustness to unseen corruptions only if the network was trained without degradation. The kinds of
`model.evaluation.unseen` are never trained on.
"""

from typing import Final

import cv2
import numpy as np
from cv2.typing import MatLike

from model.evaluation.corrupting import Family, Images, clipped, each, family, mapped
from model.images.fitting import SIDE


def gaussian_blur(images: Images, _: np.random.Generator) -> Images:
    """Blur as a lens out of focus does, by a Gaussian of 1.2 pixels."""
    return each(images, lambda image: cv2.GaussianBlur(image, (0, 0), 1.2))


def motion_blur(images: Images, random: np.random.Generator) -> Images:
    """Blur as a moving camera does, by five pixels in a random direction."""

    def moved(image: MatLike) -> MatLike:
        kernel = np.zeros((7, 7), np.float32)
        kernel[3, 1:6] = 1
        turn = cv2.getRotationMatrix2D((3, 3), random.uniform(0, 180), 1)
        turned = cv2.warpAffine(kernel, turn, (7, 7))
        return cv2.filter2D(image, -1, turned / turned.sum())

    return each(images, moved)


def gaussian_noise(images: Images, random: np.random.Generator) -> Images:
    """Add noise as a sensor in the dark does, with a standard deviation of 50 levels."""
    return clipped(images + 50 * random.standard_normal(images.shape, np.float32))


def impulse_noise(images: Images, random: np.random.Generator) -> Images:
    """Set 8 % of the pixels to black or white (salt and pepper)."""
    grains = random.random(images.shape)
    return np.where(grains < 0.04, 0, np.where(grains > 0.96, 255, images)).astype(np.uint8)


def speckle_noise(images: Images, random: np.random.Generator) -> Images:
    """Make the ink grainy: multiply each pixel by a normal random factor of mean 1 and standard deviation 0.6."""
    return clipped(images * (1 + 0.6 * random.standard_normal(images.shape, np.float32)))


def occlusion(images: Images, random: np.random.Generator) -> Images:
    """Blacken a square of 6×6 pixels, at a random place in the 20×20 box of the digit."""
    places = random.integers(4, SIDE - 4 - 6 + 1, (len(images), 2))
    covered = images.copy()
    for image, (top, left) in zip(covered, places, strict=True):
        image[top : top + 6, left : left + 6] = 0
    return covered


def stray_line(images: Images, random: np.random.Generator) -> Images:
    """Draw a straight line across the image, one pixel wide, as ruled paper or a slipping pen does."""

    def crossed(image: MatLike) -> MatLike:
        start, end = random.integers(0, SIDE, 2).tolist()
        is_level = random.random() < 0.5
        from_, to = ((0, start), (SIDE - 1, end)) if is_level else ((start, 0), (end, SIDE - 1))
        return cv2.line(image.copy(), from_, to, 200, lineType=cv2.LINE_AA)

    return each(images, crossed)


def brightness(images: Images, _: np.random.Generator) -> Images:
    """Lighten all pixels by 90 levels."""
    return clipped(images.astype(np.int16) + 90)


def contrast(images: Images, _: np.random.Generator) -> Images:
    """Reduce the contrast to a third, about the image's mean, as a faint pencil does."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    return clipped((images - mean) / 3 + mean)


def rotation(images: Images, random: np.random.Generator) -> Images:
    """Rotate by up to 25 degrees, either way."""
    angle = np.deg2rad(random.uniform(-25, 25, len(images)))
    return mapped(images, np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))


def scale(images: Images, random: np.random.Generator) -> Images:
    """Scale to between two thirds and five fourths of the size."""
    inverse = 1 / random.uniform(2 / 3, 5 / 4, len(images))
    return mapped(images, inverse, 0 * inverse, 0 * inverse, inverse)


def translation(images: Images, random: np.random.Generator) -> Images:
    """Move by up to 4 pixels along each axis: the margin of MNIST's digits."""
    one = np.ones(len(images))
    return mapped(images, one, 0 * one, 0 * one, one, random.uniform(-4, 4, (len(images), 2)))


def shear(images: Images, random: np.random.Generator) -> Images:
    """Slant by up to 0.4 of the height, either way."""
    one = np.ones(len(images))
    return mapped(images, one, random.uniform(-0.4, 0.4, len(images)), 0 * one, one)


def pixelation(images: Images, _: np.random.Generator) -> Images:
    """Reduce to 12×12 pixels, and enlarge again without smoothing."""

    def coarsened(image: MatLike) -> MatLike:
        small = cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)

    return each(images, coarsened)


def jpeg(images: Images, _: np.random.Generator) -> Images:
    """Save as JPEG of quality 10."""

    def saved(image: MatLike) -> MatLike | None:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)

    return each(images, saved)


CORRUPTIONS: Final[Family] = family(
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
"""All corruptions, by name."""
