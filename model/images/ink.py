"""Finding ink: how far each pixel of a grey image differs from the paper around it.

Paper is not one grey: scanners shade it, lamps light one side of it, hands throw shadows on it. Three models of it are
tried, the simplest first, and the first that leaves the paper even is taken: one grey level, a smooth surface, and what
remains when everything narrow is removed.
"""

import math
from enum import IntEnum
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.raster import SQUARE, TELLING, Grey, Mask, otsu, quantiles, rim, shrink

COARSE = 64
"""Pixels of the longer side at which paper is modelled: it has no finer detail, and noise averages out."""

UNEVENNESS = 0.35
"""Of the contrast of the ink: how far the greys of paper may spread before a finer model of it is tried."""

THIRD_LEVEL, THIRD_LEVEL_BESIDE_SOLID = 0.7, 0.25
"""Of the contrast: this far beyond ink or paper lies something else: the real ink, where a shadow was taken for it.
The second where what was taken for ink is solid, as shadows are and few strokes."""

SOLID = 0.1
"""Of the shorter side: half the thickness from which ink at the edge is no stroke, but a shadow or the table."""

NARROW = 0.25
"""Of the shorter side: what is narrower counts as ink where nothing else tells it from paper."""

EXPLAINED = 0.5
"""Of the standard deviation of the image: a surface that leaves more is not the light, but runs through a step of it.
"""

EDGE = 2
"""Pixels of an image to each side of a shadow's edge, where light is between the one and the other."""

FLAT, FLAT_PAPER = 0.5, 0.85
"""Of the image and its edge, and of what is no ink: paper that has exactly one grey there needs no model."""

_BRIGHT = 32  # paper at least this light reflects a share of the light; below, the share is mostly noise
_RIDGE = np.float32(1e-3) * np.eye(6, dtype=np.float32)  # keeps one row of pixels solvable
_FITTED = 24  # pixels a side, at most, that the surface is fitted to: they fix six coefficients as well as all
_STEPS = 4  # of the robust fit; a fifth changes no reading of 7,000 images


class Edge(IntEnum):
    """On which side of paper ink lies."""

    DARKER = -1
    LIGHTER = 1


def find_ink_on_flat_paper(image: Grey) -> tuple[Grey, int] | None:
    """Tell ink from paper of exactly one grey, as programs draw and scanners clip it: nothing else is there, no noise.

    Returns:
        As `find_ink`; None if paper is not of one grey, or not all of one kind that differs from it.
    """
    counts = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel()
    paper = int(counts.argmax())
    darkest, lightest, _, _ = cv2.minMaxLoc(image)
    if darkest == lightest or counts[paper] < FLAT * image.size or paper not in (darkest, lightest):
        return None
    edge = rim(image)
    if np.count_nonzero(edge == paper) < FLAT * edge.size:
        return None
    contrast = int(lightest - darkest)
    ink = cv2.convertScaleAbs(image - np.uint8(paper) if paper == darkest else paper - image, alpha=255 / contrast)
    _, strong = otsu(ink)
    if counts[paper] < FLAT_PAPER * (image.size - cv2.countNonZero(strong)):
        return None
    typical, strongest = quantiles(ink, strong, 0.5, 0.995)
    return None if _is_third_level(strongest - typical, typical, strong) else (ink, contrast)


def find_ink(image: Grey) -> tuple[Grey, int]:
    """Tell ink from paper.

    Returns:
        Ink, uint8 (height, width): 0 on paper, 255 where it is strongest.
        Its contrast: how many of the image's levels the strongest differs from paper; 0 if nothing does.
    """
    coarse, _ = shrink(image, COARSE)
    smooth, side, is_even = _model(coarse)
    paper = cv2.resize(smooth, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if not is_even:
        paper = _surroundings(image, paper, side)
    if side is Edge.LIGHTER:
        ink = cv2.subtract(image, paper)
    elif paper.min() >= _BRIGHT:
        ink = 255 - cv2.divide(image, paper, scale=255)  # ink takes away a share of the light, in shadow as well
    else:
        ink = cv2.subtract(paper, image)
    strongest = int(ink.max())
    return (cv2.convertScaleAbs(ink, alpha=255 / strongest) if strongest else ink), strongest


def _model(coarse: Grey) -> tuple[Grey, Edge, bool]:
    """What is smooth of the grey of paper, the side of it on which ink lies, and whether paper is nothing but smooth.

    The grey has the shape of `coarse`. Paper that is not smooth has edges or stains.
    """
    light = otsu(coarse)[1]
    side = Edge.DARKER if _background_share(light) >= 0.5 else Edge.LIGHTER
    ink = light if side is Edge.LIGHTER else 255 - light
    if not 0 < cv2.countNonZero(ink) < ink.size:
        return coarse, side, True  # from afar all is alike; what there is, is small
    levels = coarse if side is Edge.LIGHTER else 255 - coarse
    if max(coarse.shape) < TELLING or _is_even(levels, ink):
        (level,) = quantiles(coarse, 255 - ink, 0.5)
        return np.full_like(coarse, level), side, True

    # The paper found so far starts the fit; if it was a lit part only, everything does, as ink covers less than paper.
    for start in (255 - ink, np.full_like(ink, 255)):
        surface = _surface(coarse, start)
        paper = cv2.convertScaleAbs(np.maximum(surface, 0))
        rest = coarse - surface
        if start.all():
            side = Edge.LIGHTER if _skewed_up(rest) else Edge.DARKER
        levels = _levels(rest * side)
        ink = otsu(np.maximum(levels, 128))[1]
        if _is_even(levels, ink) and not _is_solid(ink):
            return paper, side, True

    if rest.std() > EXPLAINED * coarse.std():
        paper = np.full_like(coarse, 128)
        rest = coarse - np.float32(128)
    levels = _levels(rest)
    # Over half of the image the middle grey is paper, whatever shadows fall on it.
    middle = cv2.medianBlur(levels, min(coarse.shape) // 4 * 2 + 1).astype(np.float32)
    return paper, Edge.LIGHTER if _skewed_up(levels - middle) else Edge.DARKER, False


def _surroundings(image: Grey, smooth: Grey, side: Edge) -> Grey:
    """The paper that remains when everything narrow is removed, whatever edges it has.

    Reaching `EDGE` further back than out, it is nowhere nearer to ink than the paper beside: the edge of a shadow, half
    light and half dark, is no ink.

    Args:
        image: uint8 (height, width).
        smooth: of the same shape, what light there is besides: at the rim, where reaching ends, a slope would show.
        side: of paper on which ink lies.
    """
    reach = max(1, round(min(image.shape) * NARROW / 2))
    out, back = (np.ones((2 * size + 1, 2 * size + 1), np.uint8) for size in (reach, reach + EDGE))
    calm = cv2.blur(cv2.addWeighted(image, 1, smooth, -1, 128), (3, 3))
    first, second = (cv2.dilate, cv2.erode) if side is Edge.DARKER else (cv2.erode, cv2.dilate)
    closed = second(first(calm, out), back)
    return cv2.addWeighted(closed, 1, smooth, 1, -128)


def _background_share(mask: Mask) -> float:
    """How much this class looks like background, 0 to 1: of the corners, of the rim and of the area it has.

    A digit that fills its image covers half of the rim now and then, and half of the area, but not the corners too.
    """
    size = max(1, min(mask.shape) // 8)
    corners = [mask[rows, columns] for rows in _ends(size) for columns in _ends(size)]
    edges = [mask[0], mask[-1], mask[:, 0], mask[:, -1]]
    return (
        sum(sum(map(cv2.countNonZero, parts)) / sum(part.size for part in parts) for parts in (corners, edges, [mask]))
        / 3
    )


def _ends(size: int) -> tuple[slice, slice]:
    return slice(None, size), slice(-size, None)


def _is_even(levels: Grey, ink: Mask) -> bool:
    """Whether there are two levels, ink above paper, and nothing else."""
    paper = 255 - ink
    if not cv2.hasNonZero(ink) or not cv2.hasNonZero(paper):
        return False
    ink_level, beyond_ink = quantiles(levels, ink, 0.5, 0.995)
    beyond_paper, paper_level = quantiles(levels, paper, 0.005, 0.5)
    contrast = ink_level - paper_level
    if _is_third_level(max(beyond_ink - ink_level, paper_level - beyond_paper), contrast, ink):
        return False
    bare = 255 - cv2.dilate(ink, SQUARE)  # without the soft edges of strokes
    if cv2.countNonZero(bare) < 0.05 * bare.size:
        return True
    low, high = quantiles(levels, bare, 0.03, 0.97)
    return high - low < UNEVENNESS * contrast


def _is_third_level(beyond: int, contrast: int, ink: Mask) -> bool:
    """Whether something lies too far beyond ink or paper, given their contrast."""
    return beyond > THIRD_LEVEL * contrast or (beyond > THIRD_LEVEL_BESIDE_SOLID * contrast and _is_solid(ink))


def _is_solid(ink: Mask) -> bool:
    """Whether ink at the edge is too thick for a stroke."""
    if not rim(ink).any():
        return False
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    return bool(rim(depth).max() > SOLID * min(ink.shape))


@lru_cache(maxsize=32)
def _quadratics(height: int, width: int) -> NDArray[np.float32]:
    """The six polynomials of degree ≤ 2 over a grid, float32 (height, width, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)


@lru_cache(maxsize=32)
def _sampled_quadratics(height: int, width: int, thin: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The polynomials at every which pixel, float32 (n, 6), and the products of each with each, (n, 36)."""
    terms = _quadratics(height, width)[::thin, ::thin].reshape(-1, 6)
    return terms, (terms[:, :, np.newaxis] * terms[:, np.newaxis, :]).reshape(-1, 36)


def _surface(coarse: Grey, start: Mask) -> NDArray[np.float32]:
    """The quadratic surface through paper: iteratively reweighted least squares, with Cauchy's weights squared.

    What lies far from the surface, ink that is, loses its weight.
    """
    thin = math.ceil(min(coarse.shape) / _FITTED)
    terms, products = _sampled_quadratics(*coarse.shape, thin)
    values = coarse[::thin, ::thin].astype(np.float32).ravel()
    weights = (start[::thin, ::thin] > 0).astype(np.float32).ravel()
    for _ in range(_STEPS):
        normal = (weights @ products).reshape(6, 6) + _RIDGE
        _, coefficients = cv2.solve(normal, ((weights * values) @ terms).reshape(6, 1))
        distances = np.abs(values - terms @ coefficients.ravel())
        scale = 1.25 * float(weights @ distances) / float(weights.sum()) + 0.5
        weights = 1 / np.square(1 + np.square(distances * np.float32(1 / (1.5 * scale))))
    surface: NDArray[np.float32] = _quadratics(*coarse.shape) @ coefficients.ravel()
    return surface


def _levels(rest: NDArray[np.float32]) -> Grey:
    """Differences as grey, 128 for none."""
    return cv2.addWeighted(rest, 1, rest, 0, 128, dtype=cv2.CV_8U)


def _skewed_up(rest: NDArray[np.float32]) -> bool:
    """Whether the long tail is the lighter one: ink is the smaller part."""
    return bool(np.vdot(rest * rest, rest) > 0)
