"""Model the paper of an image: the grey that each pixel would have without ink.

Paper does not have one grey. Scanners shade it, lamps light one side of it, and hands throw shadows on it. This module
tries three models of paper, the simplest first, and takes the first that leaves the paper even: one grey level, a
smooth surface, and the image with everything narrow removed.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.raster import (
    DETAILED_SIDE,
    FULL,
    SQUARE,
    Coarse,
    Grey,
    Mask,
    border_pixels,
    level_at,
    ordered,
    otsu,
    touches_border,
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

    min_known: float = 0.5
    """Minimum share of pixels away from ink from which the fit to them needs no new split into ink and paper.

    Of 10,734 images of all kinds, the answer to one depends on it, in which the paper covers only a part."""

    fitted_side: int = 12
    """Maximum number of pixels a side that the surface is fitted to: they fix six coefficients as well as all pixels
    do: of 4,247 images, 4,122 are read correctly with 6, 4,119 with 12 and 18, and 4,120 with 24."""

    fit_iterations: int = 2
    """Number of iterations of the robust fit to all pixels.

    Of 4,247 images (`benchmarks/thresholds.py --count 60 --wild FOLDER`), 4,119 are read correctly after 3 iterations,
    4,120 after 1, 2 and 4; 54 wrongly with confidence after 3, 55 after 1 and 2, and 53 after 4.

    With 2 iterations and 12 pixels a side, 4,623 of 4,787 images are read correctly, and 65 wrongly with confidence.
    With 3 iterations and 24 pixels, for which the fit takes 1.5 times as long, there are 4,622 and 64.

    Where bare paper is known, one fit to it replaces the robust one. Of 10,734 images of all kinds the answer to 10
    changes, to 5 of them for the better and to 1 for the worse."""


LIMITS = PaperLimits()

_RIDGE = 0.255 * np.eye(6, dtype=np.float32)  # keeps an image of one row of pixels solvable


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


def find_paper(image: Grey, coarse: Coarse) -> Paper:
    """Model the paper of an image of any kind.

    Args:
        image: Grey levels, uint8 (height, width).
        coarse: The same image, reduced.
    """
    smooth, polarity, is_smooth = _model_paper(coarse)
    paper = cv2.resize(smooth, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return Paper(paper if is_smooth else _without_narrow(image, paper, polarity), polarity)


def _model_paper(split: Coarse) -> tuple[Grey, Polarity, bool]:
    """Model the grey of paper.

    Args:
        split: The image, reduced.

    Returns:
        The smooth part of the grey of paper, in the shape of the reduced image; the polarity of ink; and whether paper
        is smooth throughout. Paper that is not smooth has edges or stains.
    """
    coarse = split.image
    polarity = Polarity.DARKER if _is_light(split) else Polarity.LIGHTER
    ink = split.light if polarity is Polarity.LIGHTER else 255 - split.light
    if not _is_plainly_uneven(coarse, ink):
        bare = coarse.size - cv2.countNonZero(ink)
        if not 0 < bare < coarse.size:
            return coarse, polarity, True  # the coarse image has one level, so that ink can only be small
        levels = coarse if polarity is Polarity.LIGHTER else 255 - coarse
        order = ordered(levels)
        if max(coarse.shape) < DETAILED_SIDE or _is_even(levels, order, ink, _away_from(ink)):
            level = level_at(order, 0.5, last=bare)
            return np.full_like(coarse, level if polarity is Polarity.LIGHTER else 255 - level), polarity, True

    known = _away_from(ink)
    surface = _fit_surface(coarse, known)
    paper = _to_levels(surface)
    levels = cv2.addWeighted(coarse, polarity, paper, -polarity, 128)
    is_all = cv2.countNonZero(known) >= LIMITS.min_known * known.size
    if is_all and _is_even(levels, ordered(levels), ink, known) and not _is_solid(ink):
        return paper, polarity, True  # in most images the first split has found all ink
    if _is_even_split(levels):
        return paper, polarity, True
    # The bare paper was only the lit part. So the fit starts from all pixels instead, because ink covers less.
    surface = _fit_surface(coarse, None)
    paper = _to_levels(surface)
    residual = cv2.subtract(coarse, surface, dtype=cv2.CV_32F)
    polarity = Polarity.LIGHTER if _is_skewed_up(residual) else Polarity.DARKER
    if _is_even_split(cv2.addWeighted(coarse, polarity, paper, -polarity, 128)):
        return paper, polarity, True
    if residual.std() > LIMITS.max_residual * coarse.std():
        paper = np.full_like(coarse, 128)
        residual = coarse - np.float32(128)
    levels = _to_levels(residual, 128)
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


def _is_light(coarse: Coarse) -> bool:
    """Return whether the lighter class of pixels looks like the paper.

    Its score is the mean of its shares of corners, border and area, 0 to 1. A digit that fills its image sometimes
    covers half of the border and half of the area, but not the corners as well.
    """
    known, enough = coarse.light_border + coarse.light_area, 3 * LIMITS.min_background
    if known >= enough or known < enough - 1:
        return known >= enough  # whatever the corners are; most images are done here
    corners = _corners(coarse.light)
    return known + sum(map(cv2.countNonZero, corners)) / (4 * corners[0].size) >= enough


def _corners(image: Grey) -> tuple[Grey, Grey, Grey, Grey]:
    """Return the corners of an image, squares of an eighth of its shorter side."""
    size = max(1, min(image.shape) // 8)
    return image[:size, :size], image[:size, -size:], image[-size:, :size], image[-size:, -size:]


def _is_plainly_uneven(coarse: Grey, ink: Mask) -> bool:
    """Return whether bare corners of an image alone show that its paper has not one grey, as under a lamp.

    It is only a shortcut: `_is_even` is False for such an image, but needs longer to see it.

    Args:
        coarse: Grey levels, uint8 (height, width).
        ink: Mask of what may be ink.
    """
    if max(coarse.shape) < DETAILED_SIDE:
        return False
    darkest, lightest, _, _ = cv2.minMaxLoc(coarse)
    enough = LIMITS.max_unevenness * (lightest - darkest)
    outermost = int(coarse[0, 0]), int(coarse[0, -1]), int(coarse[-1, 0]), int(coarse[-1, -1])
    if max(outermost) - min(outermost) < enough / 2 or any(map(cv2.hasNonZero, _corners(ink))):
        return False
    greys = [cv2.mean(corner)[0] for corner in _corners(coarse)]
    return max(greys) - min(greys) >= enough


def _is_even_split(levels: Grey) -> bool:
    """Return whether levels, 128 on paper and more on ink, split into both, with nothing else and no shadow."""
    ink = otsu(np.maximum(levels, 128))[1]
    return _is_even(levels, ordered(levels), ink, _away_from(ink)) and not _is_solid(ink)


def _away_from(ink: Mask) -> Mask:
    """Return the mask of the pixels away from ink, without the soft edges of strokes."""
    return 255 - cv2.dilate(ink, SQUARE)


def _is_even(levels: Grey, order: bytes, ink: Mask, away: Mask) -> bool:
    """Return whether `levels` has two levels, ink above paper, and nothing else.

    Args:
        levels: Levels, uint8 (height, width).
        order: The same as `ordered` returns them.
        ink: Mask of the highest ones.
        away: Mask of the pixels away from ink.
    """
    bare = len(order) - cv2.countNonZero(ink)
    if not 0 < bare < len(order):
        return False
    ink_level, paper_level = level_at(order, 0.5, bare), level_at(order, 0.5, last=bare)
    contrast = ink_level - paper_level
    beyond_ink, beyond_paper = level_at(order, 0.995, bare), level_at(order, 0.005, last=bare)
    if is_third_level(max(beyond_ink - ink_level, paper_level - beyond_paper), contrast, ink):
        return False
    darkest, lightest, _, _ = cv2.minMaxLoc(levels, away)
    if lightest - darkest < LIMITS.max_unevenness * contrast:
        return True  # most even paper is so even as a whole
    paper = ordered(levels[away > 0])
    if len(paper) < LIMITS.min_bare * len(order):
        return True
    return level_at(paper, 0.97) - level_at(paper, 0.03) < LIMITS.max_unevenness * contrast


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
    if not touches_border(cv2.boundingRect(ink), ink.shape):
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


def _fit_surface(coarse: Grey, bare: Mask | None) -> NDArray[np.float32]:
    """Fit a quadratic surface to paper by least squares.

    Where the paper is not known, the fit is to all pixels, and reweighted with Cauchy's weights squared: pixels far
    from the surface, that is ink, lose their weight.

    Args:
        coarse: Grey levels, uint8 (height, width).
        bare: Mask of the pixels that are paper and nothing else; None if they are not known.

    Returns:
        The surface, float32 (height, width), in grey levels; it may leave 0 … 255.
    """
    step = math.ceil(min(coarse.shape) / LIMITS.fitted_side)
    terms, products = _sampled_quadratics(*coarse.shape, step)
    sampled = coarse[::step, ::step]
    weighted = np.empty((2, *sampled.shape), np.float32)  # weights, and pixels times weights
    weights = weighted[0]
    weights[:] = FULL if bare is None else bare[::step, ::step]
    is_known = bare is not None and cv2.countNonZero(weights) >= LIMITS.min_bare * weights.size
    if not is_known:
        weights[:] = FULL
    np.multiply(weights, sampled, out=weighted[1])
    sums = weighted.reshape(2, -1) @ products
    coefficients = _solved(sums)
    for _ in range(0 if is_known else LIMITS.fit_iterations - 1):
        distances = np.abs(sampled - (terms @ coefficients).reshape(sampled.shape))
        total = float(sums[0, 0])  # of the weights, because the first product is 1
        scale = 1.5 * (1.25 * float(np.vdot(weights, distances)) / total + 0.5)
        np.divide(FULL, np.square(1 + np.square(distances / np.float32(scale))), out=weights)
        np.multiply(weights, sampled, out=weighted[1])
        sums = weighted.reshape(2, -1) @ products
        coefficients = _solved(sums)
    surface: NDArray[np.float32] = (coefficients @ _quadratics(*coarse.shape)).reshape(coarse.shape)
    return surface


def _solved(sums: NDArray[np.float32]) -> MatLike:
    """Return the six coefficients that solve the normal equations.

    Args:
        sums: Sums of the products of all pairs of terms, times weights, and times weights and values, (2, 36). The
            first six products are the terms themselves, because the first term is 1.
    """
    _, solution = cv2.solve(sums[0].reshape(6, 6) + _RIDGE, sums[1, :6].reshape(6, 1))
    return solution.ravel()


def _to_levels(values: MatLike, offset: int = 0) -> Grey:
    """Return values, moved by an offset, as grey levels, clipped to 0 … 255."""
    return cv2.addWeighted(values, 1, values, 0, offset, dtype=cv2.CV_8U)


def _is_skewed_up(differences: MatLike) -> bool:
    """Return whether the long tail is on the lighter side. Ink is the smaller part, so it forms the tail."""
    return bool(np.vdot(differences * differences, differences) > 0)
