"""Find strokes in ink: tell what the pen drew from ruled lines, shadows and the soft edges of strokes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.raster import DETAILED_SIDE, SQUARE, Grey, Mask, Region, mask_above, otsu, touches_border


@dataclass(frozen=True, slots=True)
class StrokeLimits:
    """What counts as a stroke."""

    min_ink: float = 0.4
    """Ink, as a share of the strongest ink nearby, below which a pixel is not a stroke but the edge of one."""

    min_nearby_ink: int = 64
    """Level of the strongest ink nearby, of 255, below which fainter strokes are lost beside the strongest of the
    image."""

    faint: float = 0.5
    """Amount of ink, as a share of that of other strokes, below which what the border cuts off is a ruled line or the
    edge of a shadow."""

    shaded: float = 0.7
    """Strength of ink, as a share of that of other strokes, below which what the border cuts off is a shadow."""

    max_solid: float = 0.15
    """Share of strokes wide enough to hold 2 x 2 pixels, up to which they are thin lines.

    Reducing an image makes such lines stronger and weaker along their length, so that they fall apart."""

    max_pieces: int = 2
    """Number of pieces by which the strokes may become more when fainter ones are left out. A line or a shadow that is
    left out leaves a digit whole; parts of the digit's own strokes do not."""

    min_left: float = 0.15
    """Minimum area of what is left, as a share of all strokes. Of squared paper a digit is a third or more."""

    min_pale: float = 0.2
    """Minimum length of a pale stroke, as a share of the shorter side, for it to be the digit where all that is darker
    is cut off by the border, as the edge of a page."""

    photograph_side: int = 64
    """Minimum length of the longer side, in pixels, of an image that may have a shadow on it.

    Programs make smaller images, in which fainter ink at the border is the blurred end of a stroke."""


LIMITS = StrokeLimits()

_NEARBY = np.ones((5, 5), np.uint8)
_TWO_BY_TWO = np.ones((2, 2), np.uint8)


def _edge_levels() -> NDArray[np.uint8]:
    """Return, by level of the strongest ink nearby, the level up to which ink is the edge of a stroke, uint8 (256,)."""
    nearby = np.arange(256)
    levels = np.where(nearby > LIMITS.min_nearby_ink, np.rint(LIMITS.min_ink * nearby), 255)
    return levels.astype(np.uint8)


_EDGE = _edge_levels()


def find_strokes(ink: Grey) -> Region:
    """Find the pixels that strokes cover.

    Args:
        ink: Ink, uint8 (height, width), 0 on paper.

    Returns:
        The strokes, without faint lines and shadows that run out of the image.
    """
    nearby = cv2.dilate(ink, _NEARBY)
    strokes = cv2.compare(ink, cv2.LUT(nearby, _EDGE), cv2.CMP_GT)
    found = Region.of(strokes)
    if max(ink.shape) < DETAILED_SIDE or not found.touches_border:
        return found  # lines and shadows run out of the image
    return Region.of(_within_the_image(ink, nearby, strokes))


def _within_the_image(ink: Grey, nearby: Grey, strokes: Mask) -> Mask:
    """Return strokes without faint lines and shadows that run out of the image.

    Args:
        ink: Ink, uint8 (height, width).
        nearby: Strongest ink near each pixel, uint8 (height, width).
        strokes: Mask of the strokes, some of which touch the border.
    """
    if thin := is_thin(strokes):
        closed = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, SQUARE)
        strokes = cv2.bitwise_and(closed, mask_above(ink, 0))
    # The amount of ink nearby counts, not its strength: a hairline has little ink, but a ruled line is faint as well.
    amount = cv2.dilate(cv2.blur(ink, (3, 3)), _NEARBY)
    full = _without_faint(strokes, amount, LIMITS.faint)
    lines = cv2.subtract(strokes, full)
    if (_crosses(lines) or _is_cut_off(lines, full)) and not (thin and _falls_apart(full, strokes)):
        if _is_edge_beside(full, lines):
            return strokes
        strokes = full
    if max(ink.shape) < LIMITS.photograph_side:
        return strokes
    full = _without_faint(strokes, nearby, LIMITS.shaded)
    is_shadow = _is_cut_off(cv2.subtract(strokes, full), full) and not (thin and _falls_apart(full, strokes))
    return full if is_shadow else strokes


def _is_edge_beside(full: Mask, pale: Mask) -> bool:
    """Return whether the border cuts off all full strokes, while a pale one is a digit within the image."""
    if not Region.of(full).touches_border or _is_within(full, 1):
        return False
    return _is_within(pale, LIMITS.min_pale * min(pale.shape))


def _is_within(strokes: Mask, least: float) -> bool:
    """Return whether the border does not cut off some stroke that is as long as `least` pixels."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes)
    return any(
        max(bounds[2:]) >= least and not touches_border(bounds, strokes.shape) for bounds in stats[1:, :4].tolist()
    )


def is_thin(strokes: Mask) -> bool:
    """Return whether hardly any of the strokes is wider than one pixel."""
    solid = cv2.erode(strokes, _TWO_BY_TWO, borderValue=0)
    return cv2.countNonZero(solid) <= LIMITS.max_solid * cv2.countNonZero(strokes)


def _falls_apart(full: Mask, strokes: Mask) -> bool:
    """Return whether the full strokes are only pieces of a digit, or too little of what is drawn."""
    if cv2.countNonZero(full) < LIMITS.min_left * cv2.countNonZero(strokes):
        return True
    return cv2.connectedComponents(full)[0] - cv2.connectedComponents(strokes)[0] > LIMITS.max_pieces


def _without_faint(strokes: Mask, measure: Grey, faint: float) -> Mask:
    """Return the strokes without the lower class of a measure, if the classes differ enough.

    Args:
        strokes: Mask of the strokes.
        measure: Strength or amount of ink, uint8 (height, width).
        faint: Mean of the lower class, as a share of that of the upper class, below which the lower class is removed.
    """
    threshold, _ = otsu(measure[strokes > 0])
    full = cv2.bitwise_and(strokes, mask_above(measure, threshold))
    if cv2.mean(measure, cv2.subtract(strokes, full))[0] >= faint * cv2.mean(measure, full)[0]:
        return strokes
    return full


def _crosses(lines: Mask) -> bool:
    """Return whether lines leave the image on opposite sides."""
    return bool((lines[0].any() and lines[-1].any()) or (lines[:, 0].any() and lines[:, -1].any()))


def _is_cut_off(lines: Mask, full: Mask) -> bool:
    """Return whether the border cuts off lines but none of the full strokes. Then the image shows the digit whole."""
    return Region.of(lines).touches_border and not Region.of(full).touches_border
