"""Model the paper of an image: the grey that each pixel would have without ink.

Paper does not have one grey. Scanners shade it, lamps light one side of it, and hands throw shadows on it. This module
tries three models of paper, the simplest first, and takes the first that leaves the paper even: one grey level, a
smooth surface, and the image with everything narrow removed.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.raster import (
    COARSE_SIDE,
    DETAILED_SIDE,
    SQUARE,
    Grey,
    Mask,
    border_pixels,
    otsu,
    quantiles,
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

    fitted_side: int = 24
    """Maximum number of pixels a side that the surface is fitted to: they fix six coefficients as well as all pixels
    do."""

    fit_iterations: int = 4
    """Number of iterations of the robust fit. A fifth changes no reading of 7,000 images."""


LIMITS = PaperLimits()

_RIDGE = np.float32(1e-3) * np.eye(6, dtype=np.float32)  # keeps an image of one row of pixels solvable


class Polarity(IntEnum):
    """Whether ink is darker or lighter than its paper."""

    DARKER = -1
    LIGHTER = 1


@dataclass(frozen=True, slots=True)
class Paper:
    """The paper of an image."""

    grey: Grey
    """Grey of the paper at each pixel, uint8 (height, width)."""

    polarity: Polarity
    """Whether ink on it is darker or lighter."""


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
    light = otsu(coarse)[1]
    polarity = Polarity.DARKER if _background_score(light) >= LIMITS.min_background else Polarity.LIGHTER
    ink = light if polarity is Polarity.LIGHTER else 255 - light
    if not 0 < cv2.countNonZero(ink) < ink.size:
        return coarse, polarity, True  # the coarse image has one level, so that ink can only be small
    levels = coarse if polarity is Polarity.LIGHTER else 255 - coarse
    if max(coarse.shape) < DETAILED_SIDE or _is_even(levels, ink):
        (level,) = quantiles(coarse, 255 - ink, 0.5)
        return np.full_like(coarse, level), polarity, True

    # The fit starts from the paper found so far. If that was only the lit part, the fit starts from all pixels instead,
    # because ink covers less than paper does.
    for start in (255 - ink, np.full_like(ink, 255)):
        surface = _fit_surface(coarse, start)
        paper = cv2.convertScaleAbs(np.maximum(surface, 0))
        residual = coarse - surface
        if start.all():
            polarity = Polarity.LIGHTER if _is_skewed_up(residual) else Polarity.DARKER
        levels = _to_levels(residual * polarity)
        ink = otsu(np.maximum(levels, 128))[1]
        if _is_even(levels, ink) and not _is_solid(ink):
            return paper, polarity, True

    if residual.std() > LIMITS.max_residual * coarse.std():
        paper = np.full_like(coarse, 128)
        residual = coarse - np.float32(128)
    levels = _to_levels(residual)
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
    size = max(1, min(mask.shape) // 8)
    corners = [mask[rows, columns] for rows in _both_ends(size) for columns in _both_ends(size)]
    edges = [mask[0], mask[-1], mask[:, 0], mask[:, -1]]
    return (
        sum(sum(map(cv2.countNonZero, parts)) / sum(part.size for part in parts) for parts in (corners, edges, [mask]))
        / 3
    )


def _both_ends(size: int) -> tuple[slice, slice]:
    return slice(None, size), slice(-size, None)


def _is_even(levels: Grey, ink: Mask) -> bool:
    """Return whether `levels` has two levels, ink above paper, and nothing else."""
    paper = 255 - ink
    if not cv2.hasNonZero(ink) or not cv2.hasNonZero(paper):
        return False
    ink_level, beyond_ink = quantiles(levels, ink, 0.5, 0.995)
    beyond_paper, paper_level = quantiles(levels, paper, 0.005, 0.5)
    contrast = ink_level - paper_level
    if is_third_level(max(beyond_ink - ink_level, paper_level - beyond_paper), contrast, ink):
        return False
    bare = 255 - cv2.dilate(ink, SQUARE)  # without the soft edges of strokes
    if cv2.countNonZero(bare) < LIMITS.min_bare * bare.size:
        return True
    low, high = quantiles(levels, bare, 0.03, 0.97)
    return high - low < LIMITS.max_unevenness * contrast


def is_third_level(beyond: int, contrast: int, ink: Mask) -> bool:
    """Return whether something lies too far beyond ink or paper, given their contrast."""
    return beyond > LIMITS.third_level * contrast or (
        beyond > LIMITS.third_level_beside_solid * contrast and _is_solid(ink)
    )


def _is_solid(ink: Mask) -> bool:
    """Return whether ink at the border is too thick for a stroke."""
    if not border_pixels(ink).any():
        return False
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    return bool(border_pixels(depth).max() > LIMITS.solid_depth * min(ink.shape))


@lru_cache(maxsize=32)
def _quadratics(height: int, width: int) -> NDArray[np.float32]:
    """Return the six polynomials of degree ≤ 2 over a grid, float32 (height, width, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)


@lru_cache(maxsize=32)
def _sampled_quadratics(height: int, width: int, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the polynomials at every `step`-th pixel, float32 (n, 6), and the products of all pairs, (n, 36)."""
    terms = _quadratics(height, width)[::step, ::step].reshape(-1, 6)
    return terms, (terms[:, :, np.newaxis] * terms[:, np.newaxis, :]).reshape(-1, 36)


def _fit_surface(coarse: Grey, start: Mask) -> NDArray[np.float32]:
    """Fit a quadratic surface to paper, by iteratively reweighted least squares with Cauchy's weights squared.

    Pixels far from the surface, that is ink, lose their weight.

    Args:
        coarse: Grey levels, uint8 (height, width).
        start: Mask of the pixels that have a weight at first.

    Returns:
        The surface, float32 (height, width), in grey levels; it may leave 0 … 255.
    """
    step = math.ceil(min(coarse.shape) / LIMITS.fitted_side)
    terms, products = _sampled_quadratics(*coarse.shape, step)
    values = coarse[::step, ::step].astype(np.float32).ravel()
    weights: NDArray[np.floating[Any]] = (start[::step, ::step] > 0).astype(np.float32).ravel()
    for _ in range(LIMITS.fit_iterations):
        normal = (weights @ products).reshape(6, 6) + _RIDGE
        _, coefficients = cv2.solve(normal, ((weights * values) @ terms).reshape(6, 1))
        distances = np.abs(values - terms @ coefficients.ravel())
        scale = 1.25 * float(weights @ distances) / float(weights.sum()) + 0.5
        weights = 1 / np.square(1 + np.square(distances * np.float32(1 / (1.5 * scale))))
    surface: NDArray[np.float32] = _quadratics(*coarse.shape) @ coefficients.ravel()
    return surface


def _to_levels(differences: NDArray[np.float32]) -> Grey:
    """Return differences as grey levels, 128 for none, clipped to 0 … 255."""
    return cv2.addWeighted(differences, 1, differences, 0, 128, dtype=cv2.CV_8U)


def _is_skewed_up(differences: NDArray[np.float32]) -> bool:
    """Return whether the long tail is on the lighter side. Ink is the smaller part, so it forms the tail."""
    return bool(np.vdot(differences * differences, differences) > 0)
