"""Choose the strokes of the digit: the largest component, and those near it."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.layout.drawn import Drawn
from model.images.raster import Mask, Region, connected_components


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """What belongs to one digit."""

    reach: float = 0.4
    """Distance, as a share of the size of the digit found so far, up to which other components belong to it.

    The bar of a five may be a third of the body's size above it. Print and strokes of neighbours are seldom so near."""


LIMITS = GroupLimits()


def where_seen(drawn: Drawn, near: Mask) -> Drawn:
    """Keep what is drawn where the digit was seen before, unless nothing is drawn there.

    Args:
        drawn: What is drawn.
        near: Mask of the place where the digit was seen before, (height, width).
    """
    seen = cv2.bitwise_and(drawn.components.mask_of(drawn.is_candidate), near)
    if not cv2.hasNonZero(seen):
        return drawn
    components = connected_components(seen)
    return Drawn(components, np.ones(len(components.stats), np.bool_))


def choose_digit(drawn: Drawn) -> Region:
    """Return the digit."""
    return drawn.components.region_of(digit_components(drawn))


def digit_components(drawn: Drawn) -> NDArray[np.bool_]:
    """Return which components form the digit, bool (n,): the largest one and those near it, without specks."""
    if len(drawn.is_candidate) == 1:
        return np.array([True])
    return _group(drawn.components.stats, drawn.is_piece)


def _group(stats: MatLike, is_piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which components form a group: the largest piece, and step by step the pieces near the group.

    Args:
        stats: Left, top, width, height and area of each component, int (n, 5).
        is_piece: Whether each component may be chosen, bool (n,); see `Drawn.is_piece`.
    """
    left, top, width, height, area = stats.T
    right, bottom = left + width, top + height
    group: NDArray[np.bool_] = np.arange(len(area)) == np.where(is_piece, area, 0).argmax()
    while np.count_nonzero(is_piece) > 1:
        x0, y0, x1, y1 = left[group].min(), top[group].min(), right[group].max(), bottom[group].max()
        reach = LIMITS.reach * max(x1 - x0, y1 - y0)
        near = (left < x1 + reach) & (right > x0 - reach) & (top < y1 + reach) & (bottom > y0 - reach) & is_piece
        if (near == group).all():
            break
        group = near
    return group
