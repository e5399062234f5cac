"""Model the paper of an image: the grey that each pixel would have without ink.

Paper does not have one grey. Scanners shade it, lamps light one side of it, and hands throw shadows on it. This module
tries three models of paper, the simplest first, and takes the first that leaves the paper even: one grey level, a
smooth surface, and the image with everything narrow removed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.raster import (
    COARSE_SIDE,
    DETAILED_SIDE,
    SQUARE,
    Grey,
    Mask,
    Region,
    border_pixels,
    cumulative,
    otsu,
    quantile,
    shrink,
)


@dataclass(frozen=True, slots=True)
class PaperLimits:
    """What paper and its light look like."""

    max_unevenness: float = 0.35
    """Range of the greys of paper, as a share of the contrast of ink, beyond which a finer model of paper is tried."""

    third_level: float = 0.7
    """Distance beyond the level of ink or of paper, as a share of their contrast, from which a pixel is neither.

    Such a third level is the real ink, where a shadow was taken for ink."""

    third_level_beside_solid: float = 0.25
    """The same distance where the supposed ink is solid, as shadows are and few strokes are."""

    solid_depth: float = 0.1
    """Half the thickness, as a share of the shorter side, from which ink at the border is a shadow or the table."""

    narrow: float = 0.25
    """Width, as a share of the shorter side, below which anything counts as ink where nothing else tells it from
    paper."""

    max_residual: float = 0.5
    """Deviation from the fitted surface, as a share of the image's deviation, beyond which the surface is not the
    light.

    Such a surface runs across a sharp step in the light."""

    shadow_edge: int = 2
    """Number of pixels on each side of a shadow's edge over which light passes from bright to dark."""

    min_background: float = 0.5
    """Minimum score, 0 to 1, of the lighter class of pixels, for it to be the paper."""

    min_bare: float = 0.05
    """Minimum share of pixels away from ink. On less, the evenness of paper cannot be measured."""

    fitted_side: int = 12
    """Maximum number of pixels a side that the surface is fitted to: they fix six coefficients as well as all pixels
    do: of 4,247 images, 4,122 are read correctly with 6, 4,119 with 12 and 18, and 4,120 with 24."""

    fit_iterations: int = 2
    """Number of iterations of the robust fit.

    Of 4,247 images (`benchmarks/thresholds.py --count 60 --wild FOLDER`), 4,119 are read correctly after 3 iterations,
    4,120 after 1, 2 and 4; 54 wrongly with confidence after 3, 55 after 1 and 2, and 53 after 4.

    With 2 iterations and 12 pixels a side, 4,623 of 4,787 images are read correctly, and 65 wrongly with confidence.
    With 3 iterations and 24 pixels, for which the fit takes 1.5 times as long, there are 4,622 and 64."""


LIMITS = PaperLimits()

_RIDGE = 1e-3 * np.eye(6, dtype=np.float32)  # keeps an image of one row of pixels solvable


class Polarity(IntEnum):
    """Whether ink is darker or lighter than its paper."""

    DARKER = -1
    LIGHTER = 1


class Paper(NamedTuple):
    """The paper of an image.

    Attributes:
        grey: Grey of the paper at each pixel, uint8 (height, width).
        polarity: Whether ink on it is darker or lighter.
    """

    grey: Grey
    polarity: Polarity


def find_paper(image: Grey) -> Paper:
    """Model the paper of an image of any kind.

    Args:
        image: Grey levels, uint8 (height, width).
    """
    coarse, _ = shrink(image, COARSE_SIDE)
    smooth, polarity, is_smooth = _model_paper(coarse)
    paper = cv2.resize(smooth, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return Paper(paper if is_smooth else _without_narrow(image, paper, polarity), polarity)


def _model_paper(coarse: Grey) -> tuple[Grey, Polarity, bool]:
    """Model the grey of paper.

    Args:
        coarse: The image, reduced to `COARSE_SIDE`, uint8 (height, width).

    Returns:
        The smooth part of the grey of paper, in the shape of `coarse`; the polarity of ink; and whether paper is smooth
        throughout. Paper that is not smooth has edges or stains.
    """
    dark, light = otsu(coarse)
    polarity = Polarity.DARKER if _background_score(light) >= LIMITS.min_background else Polarity.LIGHTER
    if polarity is Polarity.LIGHTER:
        levels, weak, ink = coarse, dark, light
    else:
        levels, weak, ink = 255 - coarse, 254 - dark, 255 - light
    if not _is_plainly_uneven(coarse, ink):
        counts = cumulative(levels)
        if not 0 < counts[weak] < coarse.size:
            return coarse, polarity, True  # the coarse image has one level, so that ink can only be small
        if max(coarse.shape) < DETAILED_SIDE or _is_even(levels, counts, weak, ink):
            level = quantile(counts, 0.5, highest=weak)
            return np.full_like(coarse, level if polarity is Polarity.LIGHTER else 255 - level), polarity, True

    # The fit starts from the paper found so far. If that was only the lit part, the fit starts from all pixels instead,
    # because ink covers less than paper does.
    for start in (255 - ink, None):
        surface = _fit_surface(coarse, start)
        residual = cv2.subtract(coarse, surface, dtype=cv2.CV_32F)
        if start is None:
            polarity = Polarity.LIGHTER if _is_skewed_up(residual) else Polarity.DARKER
        levels = _to_levels(residual, polarity)
        weak, ink = otsu(np.maximum(levels, 128))
        if _is_even(levels, cumulative(levels), weak, ink) and not _is_solid(ink):
            return _to_levels(surface, 1, 0), polarity, True
    paper = _to_levels(surface, 1, 0)
    if residual.std() > LIMITS.max_residual * coarse.std():
        paper = np.full_like(coarse, 128)
        residual = coarse - np.float32(128)
    levels = _to_levels(residual, 1)
    # Over half of the image the middle grey is paper, whatever shadows fall on it.
    middle = cv2.medianBlur(levels, min(coarse.shape) // 4 * 2 + 1).astype(np.float32)
    return paper, Polarity.LIGHTER if _is_skewed_up(levels - middle) else Polarity.DARKER, False


def _without_narrow(image: Grey, smooth: Grey, polarity: Polarity) -> Grey:
    """Return the paper that remains when everything narrow is removed, whatever edges it has.

    The second step reaches `shadow_edge` further than the first. So the grey of this paper is nowhere nearer to that of
    ink than the paper around it, and the edge of a shadow, half light and half dark, does not count as ink.

    Args:
        image: Grey levels, uint8 (height, width).
        smooth: Smooth light in the same shape. It is subtracted first, because its slope would show at the border,
            where the steps reach no further.
        polarity: Polarity of ink.

    Returns:
        The grey of paper, uint8 (height, width).
    """
    reach = max(1, round(min(image.shape) * LIMITS.narrow / 2))
    out, back = (np.ones((2 * size + 1, 2 * size + 1), np.uint8) for size in (reach, reach + LIMITS.shadow_edge))
    calm = cv2.blur(cv2.addWeighted(image, 1, smooth, -1, 128), (3, 3))
    first, second = (cv2.dilate, cv2.erode) if polarity is Polarity.DARKER else (cv2.erode, cv2.dilate)
    closed = second(first(calm, out), back)
    return cv2.addWeighted(closed, 1, smooth, 1, -128)


def _background_score(mask: Mask) -> float:
    """Return how much a class of pixels looks like background: the mean of its shares of corners, border and area.

    The score is 0 to 1.

    A digit that fills its image sometimes covers half of the border and half of the area, but not the corners as well.
    """
    corners = _corners(mask)
    at_corners: float = sum(map(cv2.countNonZero, corners)) / (4 * corners[0].size)
    border = border_pixels(mask)
    return (at_corners + cv2.countNonZero(border) / border.size + cv2.countNonZero(mask) / mask.size) / 3


def _corners(image: Grey) -> tuple[Grey, Grey, Grey, Grey]:
    """Return the corners of an image, squares of an eighth of its shorter side."""
    size = max(1, min(image.shape) // 8)
    return image[:size, :size], image[:size, -size:], image[-size:, :size], image[-size:, -size:]


def _is_plainly_uneven(coarse: Grey, ink: Mask) -> bool:
    """Return whether bare corners of an image alone show that its paper has not one grey, as under a lamp.

    It is only a shortcut: `_is_even` is False for such an image, but needs twenty times as long to see it.

    Args:
        coarse: Grey levels, uint8 (height, width).
        ink: Mask of what may be ink.
    """
    if max(coarse.shape) < DETAILED_SIDE or any(map(cv2.hasNonZero, _corners(ink))):
        return False
    darkest, lightest, _, _ = cv2.minMaxLoc(coarse)
    greys = [cv2.mean(corner)[0] for corner in _corners(coarse)]
    return max(greys) - min(greys) >= LIMITS.max_unevenness * (lightest - darkest)


def _is_even(levels: Grey, counts: Sequence[float], weak: int, ink: Mask) -> bool:
    """Return whether `levels` has two levels, ink above paper, and nothing else.

    Args:
        levels: Levels, uint8 (height, width).
        counts: Number of pixels up to each level, (256,).
        weak: Highest level of paper.
        ink: Mask of the pixels above it.
    """
    if not 0 < counts[weak] < counts[255]:
        return False
    ink_level, paper_level = quantile(counts, 0.5, weak), quantile(counts, 0.5, highest=weak)
    contrast = ink_level - paper_level
    beyond_ink, beyond_paper = quantile(counts, 0.995, weak), quantile(counts, 0.005, highest=weak)
    if is_third_level(max(beyond_ink - ink_level, paper_level - beyond_paper), contrast, ink):
        return False
    bare = cumulative(levels, 255 - cv2.dilate(ink, SQUARE))  # without the soft edges of strokes
    if bare[255] < LIMITS.min_bare * levels.size:
        return True
    return quantile(bare, 0.97) - quantile(bare, 0.03) < LIMITS.max_unevenness * contrast


def may_be_third_level(beyond: int, contrast: int) -> bool:
    """Return whether `is_third_level` may hold for any ink."""
    return beyond > LIMITS.third_level_beside_solid * contrast


def is_third_level(beyond: int, contrast: int, ink: Mask) -> bool:
    """Return whether something lies too far beyond ink or paper, given their contrast."""
    return beyond > LIMITS.third_level * contrast or (
        beyond > LIMITS.third_level_beside_solid * contrast and _is_solid(ink)
    )


def _is_solid(ink: Mask) -> bool:
    """Return whether ink at the border is too thick for a stroke."""
    if not Region.of(ink).touches_border:
        return False
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    return bool(border_pixels(depth).max() > LIMITS.solid_depth * min(ink.shape))


@lru_cache(maxsize=32)
def _quadratics(height: int, width: int) -> NDArray[np.float32]:
    """Return the six polynomials of degree ≤ 2 over a grid, float32 (6, height * width)."""
    y, x = (axis.ravel() for axis in np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).astype(np.float32)


@lru_cache(maxsize=32)
def _sampled_quadratics(height: int, width: int, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the polynomials at every `step`-th pixel, float32 (n, 6), and the products of all pairs, (n, 36)."""
    sampled = _quadratics(height, width).reshape(6, height, width)[:, ::step, ::step]
    terms = np.ascontiguousarray(sampled.reshape(6, -1).T)
    return terms, (terms[:, :, np.newaxis] * terms[:, np.newaxis, :]).reshape(-1, 36)


def _fit_surface(coarse: Grey, start: Mask | None) -> NDArray[np.float32]:
    """Fit a quadratic surface to paper, by iteratively reweighted least squares with Cauchy's weights squared.

    Pixels far from the surface, that is ink, lose their weight.

    Args:
        coarse: Grey levels, uint8 (height, width).
        start: Mask of the pixels that have a weight at first; None for all.

    Returns:
        The surface, float32 (height, width), in grey levels; it may leave 0 … 255.
    """
    step = math.ceil(min(coarse.shape) / LIMITS.fitted_side)
    terms, products = _sampled_quadratics(*coarse.shape, step)
    values = coarse[::step, ::step].astype(np.float32).ravel()
    weights = np.ones_like(values) if start is None else (start[::step, ::step] > 0).astype(np.float32).ravel()
    sums = weights @ products
    if not sums[0]:  # the sampled rows and columns miss all of it, for instance in a picture of stripes
        weights.fill(1)
        sums = weights @ products
    coefficients = _solved(sums, (weights * values) @ terms)
    for _ in range(LIMITS.fit_iterations - 1):
        total = float(sums[0])  # of the weights, because the first term is 1
        distances = np.abs(values - terms @ coefficients)
        scale = 1.25 * float(weights @ distances) / total + 0.5
        np.multiply(distances, np.float32(1 / (1.5 * scale)), out=weights)
        np.square(weights, out=weights)
        np.add(weights, 1, out=weights)
        np.square(weights, out=weights)
        np.reciprocal(weights, out=weights)
        sums = weights @ products
        coefficients = _solved(sums, (weights * values) @ terms)
    surface: NDArray[np.float32] = (coefficients @ _quadratics(*coarse.shape)).reshape(coarse.shape)
    return surface


def _solved(products: MatLike, values: MatLike) -> MatLike:
    """Return the six coefficients that solve the normal equations.

    Args:
        products: Weighted sums of the products of all pairs of terms, (36,).
        values: Weighted sums of the terms times values, (6,).
    """
    _, solution = cv2.solve(products.reshape(6, 6) + _RIDGE, values.reshape(6, 1))
    return solution.ravel()


def _to_levels(values: MatLike, scale: int, offset: int = 128) -> Grey:
    """Return values, scaled and moved, as grey levels, clipped to 0 … 255."""
    return cv2.addWeighted(values, scale, values, 0, offset, dtype=cv2.CV_8U)


def _is_skewed_up(differences: MatLike) -> bool:
    """Return whether the long tail is on the lighter side. Ink is the smaller part, so it forms the tail."""
    return bool(np.vdot(differences * differences, differences) > 0)
