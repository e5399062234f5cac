"""Find the sheet that carries the digit, where it lies on a table."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike

from model.images.raster import COARSE_SIDE, SQUARE, Coarse, Grey, Mask, border_pixels, otsu, quantiles, shrink


@dataclass(frozen=True, slots=True)
class SheetLimits:
    """What counts as a sheet of paper on a table."""

    min_area: float = 0.12
    """Minimum area of a sheet, as a share of the image."""

    max_area: float = 0.97
    """Maximum area of a sheet, as a share of the image. What covers more is the whole image, not a sheet on a table."""

    min_straightness: float = 0.88
    """Minimum area of the polygon of a sheet's corners, as a share of the area of its outline.

    The polygon of a small sheet covers about 0.91, because its outline is coarse. That of an ellipse, with five
    corners, covers 0.76."""

    corners: tuple[int, ...] = (4, 5)
    """Numbers of corners of a sheet, seen at any angle: five where a corner lies outside the image."""

    min_written: float = 0.005
    """Minimum area of the ink inside a sheet, away from its edge, as a share of the sheet.

    It excludes paper between strokes, which has no ink in it."""

    max_written: float = 0.4
    """Maximum area of the ink inside a sheet, away from its edge, as a share of the sheet."""

    corner_tolerance: float = 0.03
    """Distance, as a share of the outline's length, up to which pixels may bend a side of a sheet without a new
    corner."""

    min_unbroken_edge: float = 0.95
    """Minimum share of a sheet's edge that is paper, and not ink or table."""

    max_like: float = 0.5
    """Maximum area of anything else of the sheet's grey with something on it, as a share of the sheet. Of two tiles
    with digits, none is the sheet. A blank sheet beside it does not count."""

    min_outside: float = 0.01
    """Minimum area of the table, as a share of the image. On less, nothing can be seen to be bare."""

    max_beyond: float = 0.4
    """Maximum distance of anything on the table from the table's grey, as a share of the table's distance from paper.

    What is further away is drawn on the table. Then the supposed sheet is only the lit part of a sheet."""

    slack: float = 0.02
    """Amount by which these shares may differ where the same image is reduced to another size."""


LIMITS = SheetLimits()


def may_show_sheet(coarse: Coarse) -> bool:
    """Return whether an image may show a sheet on a table. Most images that do not are told by two shares.

    Args:
        coarse: The image, reduced.
    """
    least, most = LIMITS.min_area - LIMITS.slack, LIMITS.max_area + LIMITS.slack
    area, border = coarse.light_area, coarse.light_border
    return (least < area < most and border < most) or (least < 1 - area < most and 1 - border < most)


def sheet_alone(image: Grey) -> Grey:
    """Return the sheet that carries the digit, without the table around it.

    Args:
        image: Grey levels, uint8 (height, width).

    Returns:
        Grey levels, uint8, of the smallest rectangle that holds the sheet, with the grey of its paper where the sheet
        does not reach. The same array if the image shows no sheet on a table.
    """
    sheet = find_sheet(image)
    if sheet is None:
        return image
    (paper,) = quantiles(image, sheet, 0.5)
    left, top, width, height = cv2.boundingRect(sheet)
    alone: Grey = np.where(sheet, image, np.uint8(paper))[top : top + height, left : left + width]
    return alone


def find_sheet(image: Grey) -> Mask | None:
    """Find a sheet of paper on a table, or another polygon of one grey with a drawing inside and nothing outside.

    Args:
        image: Grey levels, uint8 (height, width).

    Returns:
        Mask of the sheet without its edge, (height, width). None if the image shows no sheet, or is too small to tell.
    """
    if max(image.shape) < COARSE_SIDE:
        return None
    coarse, _ = shrink(image, COARSE_SIDE)
    light = otsu(coarse)[1]
    for side in (light, 255 - light):
        if not LIMITS.min_area < cv2.countNonZero(side) / side.size < LIMITS.max_area:
            continue
        border = border_pixels(side)
        if cv2.countNonZero(border) > LIMITS.max_area * border.size:
            continue
        sheet = _straight_sided(side)
        if sheet is not None and _is_bare_outside(coarse, sheet, side):
            sheet = cv2.erode(sheet, SQUARE, borderValue=255)
            return cv2.resize(sheet, image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return None


def _straight_sided(mask: Mask) -> Mask | None:
    """Return the convex hull of a mask's largest component if it has straight sides and holes in it; otherwise None.

    None as well where another large component has holes, too.
    """
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    *others, largest = sorted(outlines, key=cv2.contourArea)
    outline = cv2.convexHull(largest)
    if cv2.contourArea(outline) < LIMITS.min_area * mask.size:
        return None
    if (
        others
        and cv2.contourArea(others[-1]) > LIMITS.max_like * cv2.contourArea(largest)
        and _has_holes(mask, others[-1])
    ):
        return None
    corners = cv2.approxPolyDP(outline, LIMITS.corner_tolerance * cv2.arcLength(outline, closed=True), closed=True)
    if len(corners) not in LIMITS.corners:
        return None
    _, (width, height), _ = cv2.minAreaRect(outline)
    is_straight = cv2.contourArea(corners) > LIMITS.min_straightness * cv2.contourArea(outline)
    if not is_straight or min(width, height) <= COARSE_SIDE / 4:
        return None
    hull = cv2.fillConvexPoly(np.zeros_like(mask), outline, 255)
    area = cv2.countNonZero(hull)
    edge = hull - cv2.erode(hull, SQUARE, borderValue=0)
    inside = cv2.erode(hull, np.ones((5, 5), np.uint8), borderValue=0)
    written = cv2.countNonZero(cv2.subtract(inside, mask))
    has_holes = LIMITS.min_written * area < written < LIMITS.max_written * area
    has_edge = cv2.mean(cv2.dilate(mask, SQUARE), edge)[0] > LIMITS.min_unbroken_edge * 255
    return hull if has_holes and has_edge and area < LIMITS.max_area * mask.size else None


def _has_holes(mask: Mask, outline: MatLike) -> bool:
    """Return whether the component of a mask within an outline has holes as large as ink on a sheet."""
    whole = cv2.fillPoly(np.zeros_like(mask), [outline], 255)
    return cv2.countNonZero(cv2.subtract(whole, mask)) > LIMITS.min_written * cv2.countNonZero(whole)


def _is_bare_outside(image: Grey, sheet: Mask, side: Mask) -> bool:
    """Return whether nothing is drawn outside the sheet.

    Otherwise the supposed sheet is only the lit part of a sheet, and its edge would cut through a digit.

    Args:
        image: Grey levels, uint8 (height, width).
        sheet: Mask of the sheet, with its ink.
        side: Mask of the pixels that are as light, or as dark, as the sheet's paper.
    """
    outside = 255 - cv2.dilate(sheet, np.ones((5, 5), np.uint8))
    if cv2.countNonZero(outside) < LIMITS.min_outside * outside.size:
        return False
    (inner,) = quantiles(image, cv2.bitwise_and(sheet, side), 0.5)
    darkest, outer, lightest = quantiles(image, outside, 0.01, 0.5, 0.99)
    beyond = outer - darkest if inner > outer else lightest - outer
    return beyond < LIMITS.max_beyond * abs(inner - outer)
