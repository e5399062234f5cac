"""The fifteen corruptions of MNIST-C, each at the severity of the published data set.

N. Mu, J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", https://arxiv.org/abs/1906.02337. The module
follows the paper's description and the constants of its authors' program (https://github.com/google-research/mnist-c,
corruptions.py, at the default severities, with which the data set was made). It is written anew for NumPy and OpenCV,
so its images have the same distributions as MNIST-C's, and not the same pixels. Two things differ on purpose:

- Canny's edges come from OpenCV, which compares a pixel with its two nearest neighbours along the gradient, where
  scikit-image interpolates between four. The edges are equally thin and lie at the same places, within a pixel.
- OpenCV looks up places at a precision of 1/32 pixel.

Training degrades some of its images in ways that resemble these (`model.augmentation.degradation`), with code, shapes
and strengths of its own. So these figures do not show robustness to the unknown; `model.evaluation.unseen` is for that.
"""

from typing import Final, TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.evaluation.corrupting import Family, Images, clipped, each, family, mapped
from model.images.fitting import SIDE

Floats: TypeAlias = NDArray[np.float64]

PHOTONS: Final = 3
"""Mean count of photons of a white pixel, for shot noise: severity 5 of 5."""

IMPULSES: Final = 0.17
"""Share of pixels that impulse noise sets to black or white, half each: severity 4 of 5."""

GLASS_BLUR, GLASS_REACH, GLASS_ROUNDS = 0.7, 1, 2
"""Standard deviation of the Gaussians before and after the exchange of pixels, distance of an exchange, and number of
rounds of exchanges: severity 1 of 5."""

MOTION_REACH, MOTION_BLUR, MOTION_ANGLE = 10, 3.0, 45.0
"""Radius and standard deviation of the half Gaussian along which a picture moves, in pixels, and maximum angle of the
movement in degrees, either way: severity 1 of 5."""

SHEAR: Final = 0.4
"""Angle of the slant in radians, either way: severity 2 of 5."""

ROTATION: Final = 0.4
"""Angle in radians, either way: severity 2 of 5, which is 23 degrees."""

SCALE: Final = 0.7
"""Size after the change, as a share of the size before: severity 3 of 5."""

BRIGHTNESS: Final = 0.5
"""Share of white that is added to each pixel: severity 5 of 5."""

TRANSLATION: Final = 3
"""Distance in pixels, along both axes: severity 3 of 5."""

STRIPE: Final = 7
"""Width in pixels of each of the two outer bands that are inverted. There is one severity."""

FOG, FOG_DECAY, FOG_SIDE = 3.0, 1.4**2, 256
"""Strength of the fog, relative to white; factor by which its variation falls from one scale to the next finer one (the
authors divide by 1.4 twice); and side of the cloud of which the image shows a corner: severity 5 of 5."""

SPATTER_LEVEL, SPATTER_SPREAD, SPATTER_SMOOTHING = 0.65, 0.3, 1.0
"""Mean and standard deviation of the noise that becomes drops, and standard deviation of the Gaussian that smooths it:
severity 4 of 5, which is mud."""

DROP_LEVEL, DROP_SMOOTHING, DROP_MINIMUM, MUD = 0.65, 1.5, 0.8, 63 / 255
"""Level of smoothed noise above which there is a drop; standard deviation of the Gaussian that smooths its mask;
minimum of the smoothed mask that counts; and brightness of mud: severity 4 of 5."""

LINE_REACH: Final = 2.3
"""Distance in pixels, measured down a column, within which a line lightens pixels by 1 + log(1 - distance / reach)."""

ZIGZAG_LEFT, ZIGZAG_RIGHT, ZIGZAG_STEP, ZIGZAG_HEIGHT, ZIGZAG_SLOPE = 2, 25, 2.0, 2.0, 5
"""Columns at which a zigzag starts and ends, quarter of its period, its amplitude, and maximum difference between the
rows of its ends, all in pixels."""

EDGE_BLUR, EDGE_LOW, EDGE_HIGH = 1.0, 0.1, 0.2
"""Standard deviation of the Gaussian, and thresholds of Canny's edges, relative to a step from black to white under
Sobel's kernels, which sum to 4: the defaults of scikit-image."""

_TRUNCATED = 4.0  # standard deviations at which scikit-image cuts Gaussians off
_GRADIENT_SCALE = 16  # of gradients as whole numbers: 4 × 255 × 16 fits into 16 bits
_FOG_AT_ONCE = 32  # images, whose clouds take 8 MiB


def shot_noise(images: Images, random: np.random.Generator) -> Images:
    """Count photons instead of measuring light: Poisson noise, with `PHOTONS` in a white pixel."""
    return clipped(random.poisson(images * (PHOTONS / 255)) * (255 / PHOTONS))


def impulse_noise(images: Images, random: np.random.Generator) -> Images:
    """Set a share of `IMPULSES` of the pixels to black or white."""
    grains, whites = random.random(images.shape), random.random(images.shape) > 0.5
    return np.where(grains < IMPULSES, whites * np.uint8(255), images).astype(np.uint8)


def glass_blur(images: Images, random: np.random.Generator) -> Images:
    """Look through frosted glass: blur, exchange neighbouring pixels at random, and blur again."""
    shuffled = each(images, _frosted)
    numbers = np.arange(len(images))
    for _ in range(GLASS_ROUNDS):
        for row in range(SIDE - GLASS_REACH, GLASS_REACH, -1):
            for column in range(SIDE - GLASS_REACH, GLASS_REACH, -1):
                chosen = numbers[random.random(len(images)) < 0.5]
                across, down = random.integers(-GLASS_REACH, GLASS_REACH, (2, len(chosen)))
                here, there = shuffled[chosen, row, column], shuffled[chosen, row + down, column + across]
                shuffled[chosen, row, column], shuffled[chosen, row + down, column + across] = there, here
    return each(shuffled, _frosted)


def _frosted(image: MatLike) -> MatLike:
    return _gaussian(image.astype(np.float32), GLASS_BLUR)


def motion_blur(images: Images, random: np.random.Generator) -> Images:
    """Move the camera: average along half a Gaussian, in a direction within `MOTION_ANGLE` of level.

    The average takes pixels on one side only, so the digit also moves.
    """
    steps = np.arange(2 * MOTION_REACH + 1)
    weights = np.exp(-0.5 * np.square(steps / MOTION_BLUR))
    angles = np.deg2rad(random.uniform(-MOTION_ANGLE, MOTION_ANGLE, len(images)))
    changed = np.empty_like(images)
    for image, angle, target in zip(images, angles, changed, strict=True):
        kernel = np.zeros((2 * len(steps) - 1, 2 * len(steps) - 1), np.float32)
        rows, columns = (np.ceil(steps * part - 0.5).astype(int) for part in (np.sin(angle), np.cos(angle)))
        np.add.at(kernel, (rows + 2 * MOTION_REACH, columns + 2 * MOTION_REACH), weights / weights.sum())
        cv2.filter2D(image, -1, kernel, dst=target, borderType=cv2.BORDER_REPLICATE)
    return changed


def shear(images: Images, random: np.random.Generator) -> Images:
    """Slant about the centre, to the left or to the right, as turning the upright axis by `SHEAR` does."""
    one, angle = np.ones(len(images)), SHEAR * _signs(random, len(images))
    return mapped(images, one, -np.sin(angle), 0 * one, np.cos(angle))


def scale(images: Images, _: np.random.Generator) -> Images:
    """Shrink about the centre."""
    inverse = np.full(len(images), 1 / SCALE)
    return mapped(images, inverse, 0 * inverse, 0 * inverse, inverse)


def rotate(images: Images, random: np.random.Generator) -> Images:
    """Turn about the centre, to the left or to the right."""
    angle = ROTATION * _signs(random, len(images))
    return mapped(images, np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))


def brightness(images: Images, _: np.random.Generator) -> Images:
    """Lighten all pixels by half of white."""
    return clipped(images + 255 * BRIGHTNESS)


def translate(images: Images, random: np.random.Generator) -> Images:
    """Move along both axes, each in a random direction."""
    one = np.ones(len(images))
    return mapped(images, one, 0 * one, 0 * one, one, TRANSLATION * _signs(random, len(images), 2))


def stripe(images: Images, _: np.random.Generator) -> Images:
    """Invert the left and the right quarter."""
    changed = images.copy()
    for band in (slice(0, STRIPE), slice(SIDE - STRIPE, SIDE)):
        changed[:, :, band] = 255 - images[:, :, band]
    return changed


def fog(images: Images, random: np.random.Generator) -> Images:
    """Cover with clouds by the diamond-square algorithm, and scale the result back to the range of the image."""
    changed = np.empty_like(images)
    for start in range(0, len(images), _FOG_AT_ONCE):
        part = images[start : start + _FOG_AT_ONCE]
        clouds = FOG * 255 * _clouds(len(part), random)[:, :SIDE, :SIDE]
        lightest = part.max(axis=(1, 2), keepdims=True).astype(np.float32)
        changed[start : start + _FOG_AT_ONCE] = clipped((part + clouds) * (lightest / (lightest + FOG * 255)))
    return changed


def _clouds(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return random clouds from 0 to 1, float32 (count, FOG_SIDE, FOG_SIDE), which continue across the borders.

    At each scale the algorithm sets first the middles of the squares, and then the middles of their sides, to the mean
    of the four neighbours and a random difference.
    """
    cloud = np.zeros((count, FOG_SIDE, FOG_SIDE), np.float32)
    step, limit = FOG_SIDE, np.float32(1)

    def varied(total: NDArray[np.float32]) -> NDArray[np.float32]:
        return total / np.float32(4) + limit * (2 * random.random(total.shape, np.float32) - 1)

    while step >= 2:
        half = step // 2
        corners = cloud[:, ::step, ::step]
        to_the_right = corners + np.roll(corners, -1, axis=2)
        middles = varied(to_the_right + np.roll(to_the_right, -1, axis=1))
        cloud[:, half::step, half::step] = middles
        downwards = corners + np.roll(corners, -1, axis=1)
        cloud[:, ::step, half::step] = varied(middles + np.roll(middles, 1, axis=1) + to_the_right)
        cloud[:, half::step, ::step] = varied(middles + np.roll(middles, 1, axis=2) + downwards)
        step, limit = half, limit / np.float32(FOG_DECAY)
    lowest = cloud.min(axis=(1, 2), keepdims=True)
    stretched: NDArray[np.float32] = (cloud - lowest) / (cloud.max(axis=(1, 2), keepdims=True) - lowest)
    return stretched


def spatter(images: Images, random: np.random.Generator) -> Images:
    """Cover with drops of mud, which are dark grey."""

    def spattered(image: MatLike) -> MatLike:
        noise = SPATTER_LEVEL + SPATTER_SPREAD * random.standard_normal((SIDE, SIDE), np.float32)
        drops = np.where(_gaussian(noise, SPATTER_SMOOTHING) > DROP_LEVEL, np.float32(1), np.float32(0))
        cover = _gaussian(drops, DROP_SMOOTHING)
        cover = np.where(cover < DROP_MINIMUM, 0, cover)
        return np.rint(image * (1 - cover) + 255 * MUD * cover)

    return each(images, spattered)


def dotted_line(images: Images, random: np.random.Generator) -> Images:
    """Draw a dotted line from the left border to the right one: two columns of it and two without in turn."""
    ends = random.integers(0, SIDE - 1, (2, len(images)))
    dots = _lines(np.zeros(len(images)), ends[0], np.full(len(images), SIDE - 1.0), ends[1])
    dots[:, :, np.arange(SIDE) // 2 % 2 == 0] = 0
    return clipped(images + 255 * dots)


def zigzag(images: Images, random: np.random.Generator) -> Images:
    """Draw a zigzag from the left to the right, at random height and slope."""
    starts = random.integers(0, SIDE - 1, len(images))
    slopes = random.integers(-ZIGZAG_SLOPE, ZIGZAG_SLOPE, len(images))
    light = []
    for start, slope in zip(starts.tolist(), slopes.tolist(), strict=True):
        columns, rows = _corners(start, slope)
        light.append(_lines(columns[:-1], rows[:-1], columns[1:], rows[1:]).sum(axis=0))
    return clipped(images + 255 * np.stack(light))


def _corners(start: int, slope: int) -> tuple[Floats, Floats]:
    """Return columns and rows of a zigzag's corners.

    Args:
        start: Row of its left end.
        slope: Difference between the rows of its ends.
    """
    angle = np.arctan(slope / (ZIGZAG_RIGHT - ZIGZAG_LEFT))
    length = (ZIGZAG_RIGHT - ZIGZAG_LEFT) / np.cos(angle)
    period = 2 * ZIGZAG_STEP
    turns = np.arange(int((length - ZIGZAG_STEP) // period) + 1)
    along = np.array([0.0, *((2 * turns + 1) * ZIGZAG_STEP), length])
    last = ZIGZAG_HEIGHT * (-1.0) ** turns[-1] / (2 * (length - period * (length // period)))
    aside = np.array([0.0, *(ZIGZAG_HEIGHT * (-1.0) ** turns), last])
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * along - sine * aside + ZIGZAG_LEFT, sine * along + cosine * aside + start


def canny_edges(images: Images, _: np.random.Generator) -> Images:
    """Replace the digit by its edges, in white, one pixel wide (J. Canny, 1986)."""

    def edges(image: MatLike) -> MatLike:
        smooth = _gaussian(image.astype(np.float32), EDGE_BLUR, cv2.BORDER_CONSTANT)
        across, down = (
            np.rint(_GRADIENT_SCALE * cv2.Sobel(smooth, cv2.CV_32F, *axes)).astype(np.int16)
            for axes in ((1, 0), (0, 1))
        )
        low, high = (_GRADIENT_SCALE * 255 * level for level in (EDGE_LOW, EDGE_HIGH))
        return cv2.Canny(across, down, low, high, L2gradient=True)

    return each(images, edges)


MNIST_C: Final[Family] = family(
    shot_noise,
    impulse_noise,
    glass_blur,
    motion_blur,
    shear,
    scale,
    rotate,
    brightness,
    translate,
    stripe,
    fog,
    spatter,
    dotted_line,
    zigzag,
    canny_edges,
)
"""All corruptions, by the name and in the order of MNIST-C. MNIST-C's own list begins with the unchanged images."""


def _signs(random: np.random.Generator, *shape: int) -> Floats:
    return random.choice(np.array([-1.0, 1.0]), shape)


def _gaussian(image: MatLike, deviation: float, border: int = cv2.BORDER_REPLICATE) -> MatLike:
    side = 2 * int(_TRUNCATED * deviation + 0.5) + 1
    return cv2.GaussianBlur(image, (side, side), deviation, borderType=border)


def _lines(
    first_columns: NDArray[np.floating],
    first_rows: NDArray[np.number],
    last_columns: NDArray[np.floating],
    last_rows: NDArray[np.number],
) -> Floats:
    """Draw soft lines from the left to the right, one for each element of the arguments, which are in pixels, (n,).

    Returns:
        Light, 0 to 1, (n, 28, 28). It falls off above and below the line, and is 0 left and right of its ends.
    """
    left, right = first_columns[:, np.newaxis, np.newaxis], last_columns[:, np.newaxis, np.newaxis]
    rows, columns = np.indices((SIDE, SIDE))
    slopes = ((last_rows - first_rows) / (last_columns - first_columns))[:, np.newaxis, np.newaxis]
    distance = np.abs(rows - first_rows[:, np.newaxis, np.newaxis] - slopes * (columns - left))
    light = 1 + np.log(1 - np.minimum(distance, LINE_REACH - 1e-9) / LINE_REACH)
    inside = (columns >= np.floor(left)) & (columns < np.ceil(right))
    return np.where(inside, np.clip(light, 0, 1), 0)
