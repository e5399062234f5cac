"""Bring the ink of a digit to MNIST's conventions: 28 × 28, light ink on black, centred by mass.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86
(1998), and the page of MNIST: digits were "size normalized to fit in a 20x20 pixel box while preserving their aspect
ratio" with the grey levels of anti-aliasing, and "centered in a 28x28 image by computing the center of mass".
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.raster import (
    SQUARE,
    Grey,
    Mask,
    Region,
    level_at,
    lightest_of,
    mask_above,
    ordered,
    quantile_above,
    scaled,
)

SIDE = 28
"""Length of each side of an MNIST image, in pixels."""

BOX = 20
"""Length of the longer side of the ink of an MNIST digit, in pixels."""


@dataclass(frozen=True, slots=True)
class FittingLimits:
    """What MNIST's images look like, and how far others are brought towards them."""

    min_box: int = 18
    """Minimum length of the longer side of the ink of an image that follows MNIST's conventions, in pixels."""

    min_white: int = 200
    """Minimum level of the strongest ink of such an image."""

    max_off_centre: float = 1.0
    """Maximum distance of the centre of mass of such an image from its middle, in pixels, along each axis."""

    min_solid: float = 0.08
    """Minimum share of the ink of such an image that is wide enough to hold 2 x 2 pixels.

    In MNIST's digits the share is a tenth or more. Lines one pixel wide, which none of MNIST's pens drew, have less."""

    supersampling: int = 3
    """Minimum number of ink's pixels, along each side of a pixel of MNIST, before ink is scaled to MNIST's size."""

    min_stroke_width: float = 1.5
    """Width, in pixels of MNIST, to which normalisation brings thinner strokes.

    Nine of ten of MNIST's digits have strokes 1.8 to 3.9 pixels wide. The change gains a point or two of accuracy on
    hairlines, markers and coarse bilevel images, and costs nothing elsewhere."""

    max_stroke_width: float = 3.0
    """Width, in pixels of MNIST, towards which normalisation brings thicker strokes."""

    surplus_taken: float = 0.7
    """Share of the surplus width that is taken away. More would wear through a stroke where it is thinner than
    average."""

    narrow: float = 0.4
    """Width of a digit, as a share of its height, below which it is widened if it has a hole, as in condensed fonts.

    At MNIST's size, such a hole would close. Ones have none."""

    narrowest: float = 0.22
    """Width below which it is not widened, because the outline of a one has a hole as well.

    Without it, 0.2 points fewer of 990 edges are read (`benchmarks/mnist_c.py --path --training`), with it 0.04."""

    widened: float = 0.5
    """Width to which it is widened. With 0.45 and 0.6 about as many are read."""

    min_hole: float = 0.02
    """Minimum area of such a hole, as a share of the bounds of the digit."""

    rectangle: float = 0.95
    """Minimum area of such a hole, as a share of the smallest rectangle around it, from which it is not that of a
    digit. The holes of condensed zeros have round ends."""

    sampled_side: int = 40
    """Number of pixels a side of which the usual level of ink is the median.

    Of 4,247 images (`benchmarks/thresholds.py --count 60 --wild FOLDER`), 4,120 are read correctly with 20, 40 and all
    pixels, and 4,110 with 10."""

    min_edge: float = 0.3
    """Ink, as a share of the strongest, from which a pixel counts for the size of the digit."""


LIMITS = FittingLimits()

_TWO_BY_TWO = np.ones((2, 2), np.uint8)


def conventional(image: Grey) -> NDArray[np.uint8] | None:
    """Return the image or its negative if it follows MNIST's conventions, as all 70,000 digits do; otherwise None."""
    if image.shape != (SIDE, SIDE):
        return None
    # The corners of MNIST's images are blank, so one pixel tells an image from its negative, and most others from both.
    corner = int(image[0, 0])
    if corner not in (0, 255):
        return None
    light = image if corner == 0 else cv2.bitwise_not(image)
    _, _, width, height = cv2.boundingRect(light)
    if not LIMITS.min_box <= max(width, height) <= BOX or lightest_of(light) < LIMITS.min_white:
        return None
    x, y = _centre_of_mass(light)
    if max(abs(x - SIDE / 2), abs(y - SIDE / 2)) > LIMITS.max_off_centre:
        return None
    if cv2.mean(cv2.erode(light, _TWO_BY_TWO))[0] <= LIMITS.min_solid * cv2.mean(light)[0]:
        return None
    return light.astype(np.uint8)  # a copy, because the image belongs to the caller


def cut_out(ink: Grey, digit: Region) -> Grey:
    """Cut the digit's ink out, with the soft edges of its strokes and without other ink.

    Args:
        ink: Ink, uint8 (height, width), 0 on paper.
        digit: The digit's strokes, not empty.

    Returns:
        Ink, uint8, of the smallest rectangle that holds the digit and one pixel around it.
    """
    left, top, width, height = digit.bounds
    around = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
    return cv2.bitwise_and(ink[around], cv2.dilate(digit.mask[around], SQUARE))


def with_usual_shape(ink: Grey, digit: Region) -> Grey:
    """Return the ink of a digit, widened if it is so narrow that its holes would close.

    Args:
        ink: Ink, uint8 (height, width), as `cut_out` returns it.
        digit: The digit's strokes, not empty.
    """
    _, _, width, height = digit.bounds
    if not LIMITS.narrowest * height <= width < LIMITS.narrow * height:
        return ink
    outlines, tree = digit.outlines
    holes = [outline for outline, place in zip(outlines, tree, strict=True) if place[3] >= 0]
    largest = max(holes, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < LIMITS.min_hole * width * height or _is_rectangle(largest):
        return ink
    return cv2.resize(ink, (round(LIMITS.widened * len(ink)), len(ink)), interpolation=cv2.INTER_LINEAR)


def _is_rectangle(outline: MatLike) -> bool:
    """Return whether an outline has straight sides and corners, as the hole in the outline of a one."""
    _, (width, height), _ = cv2.minAreaRect(outline)
    return cv2.contourArea(outline) >= LIMITS.rectangle * width * height


def with_usual_width(ink: Grey) -> Grey:
    """Return the ink with unusually thin or thick strokes brought towards MNIST's width.

    The longer side of the result has at least `supersampling` pixels per pixel of MNIST.
    """
    step = max(1, max(ink.shape) // LIMITS.sampled_side)
    half = lightest_of(ink) // 2 - 1
    # Thin strokes may lie between all pixels of the sample.
    full = quantile_above(ink[::step, ::step], half, 0.5) or quantile_above(ink, half, 0.5)
    ink = cv2.copyMakeBorder(scaled(ink, full), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    longest = max(ink.shape)
    width = stroke_width(ink) * BOX / longest
    missing = round(LIMITS.supersampling * (LIMITS.min_stroke_width - width))
    surplus = round(LIMITS.supersampling * LIMITS.surplus_taken * (width - LIMITS.max_stroke_width))
    usual = LIMITS.supersampling * BOX
    if missing <= 0 and surplus <= 0:
        return _resize(ink, usual) if longest < usual else ink
    margin = max(1, missing)
    fine = cv2.copyMakeBorder(_resize(ink, usual), margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    if missing > 0:
        return cv2.dilate(fine, _disc(missing + 1))
    thinner = cv2.erode(fine, _disc(surplus + 1))
    return thinner if cv2.hasNonZero(thinner) else fine


def stroke_width(ink: Grey) -> float:
    """Return the mean width of strokes in pixels: twice their area over the length of their edges.

    The length of the edges is the sum of all differences of ink along rows and columns. On average over all directions,
    that sum is 4 / pi times too long.

    Args:
        ink: Ink, uint8 (height, width), 255 inside strokes and 0 at the border, with some ink in it.
    """
    rises = cv2.norm(ink[1:], ink[:-1], cv2.NORM_L1) + cv2.norm(ink[:, 1:], ink[:, :-1], cv2.NORM_L1)
    return 8 / math.pi * cv2.norm(ink, cv2.NORM_L1) / rises


def _disc(width: int) -> Mask:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))


def _resize(ink: Grey, longest: int) -> Grey:
    rows, columns = ink.shape
    scale = longest / max(rows, columns)
    size = (longest, max(1, round(rows * scale))) if columns >= rows else (max(1, round(columns * scale)), longest)
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def fit_into_box(fine: Grey) -> Grey:
    """Crop the ink, and scale its longer side to `BOX` pixels by area averaging."""
    left, top, width, height = cv2.boundingRect(mask_above(fine, LIMITS.min_edge * lightest_of(fine)))
    small = _resize(fine[top : top + height, left : left + width], BOX)
    levels = ordered(small)
    return scaled(small, level_at(levels, 0.8, bisect_right(levels, int(0.2 * levels[-1]))))


def centre(small: Grey) -> NDArray[np.uint8]:
    """Place the ink on black, uint8 (28, 28), with its centre of mass in the middle, as far as there is room."""
    height, width = small.shape
    x, y = _centre_of_mass(small)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    result = np.zeros((SIDE, SIDE), np.uint8)
    result[top : top + height, left : left + width] = small
    return result


def _centre_of_mass(image: Grey) -> tuple[float, float]:
    """Return column and row of the centre of mass. MNIST's digits have theirs within half a pixel of 14, 14.

    Args:
        image: Grey levels, uint8 (height, width), of at most `SIDE` pixels a side, so that float32 holds every sum.
    """
    mass, right, down = (_places(*image.shape) @ image.ravel()).tolist()
    return right / mass, down / mass


@lru_cache(maxsize=2 * SIDE)
def _places(rows: int, columns: int) -> NDArray[np.float32]:
    """Return 1, the column and the row of each pixel, float32 (3, rows * columns)."""
    down, right = np.indices((rows, columns), np.float32)
    return np.stack([np.ones_like(down), right, down]).reshape(3, -1)
