"""Find ink: how far each pixel of a grey image differs from the paper around it."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

import cv2

from model.images.noise import is_noise, roughness, smooth
from model.images.paper import Polarity, find_paper, is_third_level, may_be_third_level
from model.images.raster import FULL, Coarse, Grey, Region, border_pixels, level_at, lightest_of, ordered, otsu, scaled


@dataclass(frozen=True, slots=True)
class InkLimits:
    """What paper of exactly one grey looks like, and how dark paper may be."""

    min_flat: float = 0.5
    """Minimum share of pixels of exactly one grey from which paper needs no model: of the image and of its border.

    Not less than a half, so that only one grey can be that of paper."""

    min_flat_paper: float = 0.85
    """Minimum share of pixels of that grey among all that are not ink."""

    min_bright_paper: int = 32
    """Level, of 255, from which ink is measured as a share of the light. On darker paper noise is more than a share."""


LIMITS = InkLimits()


class Ink(NamedTuple):
    """The ink of an image.

    Attributes:
        levels: Ink, uint8 (height, width), from 0 on paper to 255 where it is strongest.
        contrast: Number of levels by which the strongest ink differs from paper, 0 to 255; 0 where nothing is drawn.
    """

    levels: Grey
    contrast: int


def find_ink(image: Grey, coarse: Coarse | None = None) -> Ink:
    """Find ink on paper of any kind, without noise.

    Args:
        image: Grey levels, uint8 (height, width).
        coarse: The same image, reduced, if another stage has reduced it.

    Returns:
        Ink, with a contrast of 0 where the image shows only noise or has one level.
    """
    ink = find_ink_on_flat_paper(image)
    if ink is not None:
        return ink
    ink = find_ink_on_any_paper(image, coarse or Coarse.of(image))
    rough = roughness(image)
    if not ink.contrast or is_noise(image, rough, ink.contrast):
        return Ink(ink.levels, 0)
    return Ink(smooth(ink.levels, rough, ink.contrast), ink.contrast)


def find_ink_on_flat_paper(image: Grey) -> Ink | None:
    """Find ink on paper of exactly one grey, without noise, as programs draw it and scanners clip it.

    Args:
        image: Grey levels, uint8 (height, width).

    Returns:
        The ink. None if paper has several greys, or if the other pixels are both darker and lighter than paper, or have
        several levels.
    """
    darkest, lightest, _, _ = cv2.minMaxLoc(image)
    if darkest == lightest:
        return None
    distance = int(lightest) - image  # most paper is light
    bare = image.size - cv2.countNonZero(distance)
    if bare < LIMITS.min_flat * image.size:
        distance = image - int(darkest)
        bare = image.size - cv2.countNonZero(distance)
        if bare < LIMITS.min_flat * image.size:
            return None
    contrast = int(lightest - darkest)
    ink = Region.of(scaled(distance, contrast))
    if ink.touches_border:
        border = border_pixels(ink.mask)
        if border.size - cv2.countNonZero(border) < LIMITS.min_flat * border.size:
            return None
    level, strong = otsu(ink.mask)
    levels = ordered(ink.within_bounds)
    first = bisect_right(levels, level)
    if bare < LIMITS.min_flat_paper * (image.size - len(levels) + first):
        return None
    typical = level_at(levels, 0.5, first)
    if may_be_third_level(FULL - typical, typical):
        strongest = level_at(levels, 0.995, first)
        if is_third_level(strongest - typical, typical, strong):
            return None
    return Ink(ink.mask, contrast)


def find_ink_on_any_paper(image: Grey, coarse: Coarse) -> Ink:
    """Find ink on paper of any kind, with the noise of the image.

    Args:
        image: Grey levels, uint8 (height, width).
        coarse: The same image, reduced.
    """
    paper = find_paper(image, coarse)
    if paper.polarity is Polarity.LIGHTER:
        ink = cv2.subtract(image, paper.grey)
    elif cv2.minMaxLoc(paper.grey)[0] >= LIMITS.min_bright_paper:
        ink = 255 - cv2.divide(image, paper.grey, scale=255)  # ink takes away a share of the light, in shadow as well
    else:
        ink = cv2.subtract(paper.grey, image)
    strongest = lightest_of(ink)
    return Ink(scaled(ink, strongest) if strongest else ink, strongest)
