"""Find strokes in ink: tell what the pen drew from ruled lines, shadows and the soft edges of strokes."""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.raster import DETAILED_SIDE, Grey, Mask, mask_above, otsu, touches_border


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

    photograph_side: int = 64
    """Minimum length of the longer side, in pixels, of an image that may have a shadow on it.

    Programs make smaller images, in which fainter ink at the border is the blurred end of a stroke."""


LIMITS = StrokeLimits()

_NEARBY = np.ones((5, 5), np.uint8)


def find_strokes(ink: Grey) -> Mask:
    """Find the pixels that strokes cover.

    Args:
        ink: Ink, uint8 (height, width), 0 on paper.

    Returns:
        Mask of the strokes, (height, width), without faint lines and shadows that run out of the image.
    """
    nearby = cv2.dilate(ink, _NEARBY)
    inside_edge = cv2.compare(ink, cv2.convertScaleAbs(nearby, alpha=LIMITS.min_ink), cv2.CMP_GT)
    strokes = cv2.bitwise_and(inside_edge, mask_above(nearby, LIMITS.min_nearby_ink))
    if max(ink.shape) < DETAILED_SIDE or not touches_border(strokes):
        return strokes  # lines and shadows run out of the image
    # The amount of ink nearby counts, not its strength: a hairline has little ink, but a ruled line is faint as well.
    amount = cv2.dilate(cv2.blur(ink, (3, 3)), _NEARBY)
    full = _without_faint(strokes, amount, LIMITS.faint)
    lines = cv2.subtract(strokes, full)
    if _crosses(lines) or _is_cut_off(lines, full):
        strokes = full
    if max(ink.shape) < LIMITS.photograph_side:
        return strokes
    full = _without_faint(strokes, nearby, LIMITS.shaded)
    return full if _is_cut_off(cv2.subtract(strokes, full), full) else strokes


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
    return touches_border(lines) and not touches_border(full)
