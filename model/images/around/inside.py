"""Look inside what is around a digit: the surface or card that carries it, or the outline drawn around it."""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.around.bent_outlines import find_bent_outline
from model.images.around.dashes import find_dashed
from model.images.around.margins import find_card
from model.images.around.open_circles import find_open_circle
from model.images.around.outlines import find_outline
from model.images.around.rim import has_corners
from model.images.around.surfaces import find_surface
from model.images.ink import Ink
from model.images.layout.hollow import is_bold_print
from model.images.layout.view import Around, View, view_of
from model.images.raster import SQUARE, Bounds, Components, Grey, Mask, shrink


@dataclass(frozen=True, slots=True)
class InsideLimits:
    """How the inside of a shape is looked at."""

    max_shapes: int = 3
    """Maximum number of shapes, one in the other, that are looked into: a ball with a disc, a tile with a border."""

    min_size: float = 0.2
    """Minimum of the shorter side of a shape, as a share of the shorter side of the image."""

    min_pixels: int = 12
    """The same in pixels. On a smaller surface no digit can be read."""

    min_inner_size: float = 0.3
    """Minimum of the shorter side of a shape inside another, as a share of the shorter side of the image inside it.

    With 0.5, three of ten rings within rings pass as a zero."""

    min_digit: float = 0.15
    """Minimum size of a digit inside a shape, as a share of the shorter side of the inside.

    With 0.25, one in twenty of `benchmarks/surroundings.py --training --kinds small_in_a_circle` is refused."""

    max_beside: float = 0.4
    """Maximum area of strokes beside a shape, as a share of those within its bounds. More are other digits, beside a
    zero."""

    rim: float = 0.2
    """Maximum width of the rim of a shape with its shadow, as a share of the longer side of what is inside, besides the
    width of a line."""

    side: int = 320
    """Maximum length of the longer side of the inside, in pixels: twice that at which ink is looked for."""

    margin: float = 0.08
    """Width of the ground that is added around the inside, as a share of its longer side."""

    min_contrast: int = 24
    """Minimum contrast of ink inside, in levels of 255. What is fainter is light on the surface itself."""

    min_contrast_share: float = 0.25
    """The same as a share of the contrast of the shape around it."""


LIMITS = InsideLimits()


def look_inside(view: View, ink: Ink, components: Components) -> View | None:
    """Return the view of what is inside a shape or beside the margin of a card, or None where there is neither.

    Args:
        view: The view.
        ink: Ink of the view.
        components: Components of the strokes of the view, at least one.

    Raises:
        ImageError: The view shows a shape with nothing in it (BLANK).
    """
    if view.near is not None:
        return None
    card = find_card(components) if view.around.shapes < LIMITS.max_shapes else None
    return _inside_shape(view, ink, components) if card is None else _view_of_card(view, ink, components.mask, card)


def _inside_shape(view: View, ink: Ink, components: Components) -> View | None:
    """Return the view of what is inside an outline or on a surface, as `look_inside` does."""
    strokes = components.mask
    min_size = LIMITS.min_inner_size if view.around.shapes else LIMITS.min_size
    least = max(LIMITS.min_pixels, min_size * min(strokes.shape))
    if min(components.whole.bounds[2:]) < least or is_bold_print(components):
        return None
    if view.around.shapes == LIMITS.max_shapes:
        find_outline(components, ink.levels, least, view.around)  # which refuses one more ring
        return None
    face = find_surface(view.reduced, components, least)
    if face is not None:
        if _has_much_beside(strokes, face):
            return None
        nothing = np.zeros_like(face)
        inner = _alone(view, face, nothing, nothing)
        around = Around(view.around.shapes + 1, is_round=not has_corners(cv2.convexHull(cv2.findNonZero(face))))
    else:
        outline = find_dashed(components, least) or find_outline(components, ink.levels, least, view.around)
        outline = outline or find_open_circle(components, least) or find_bent_outline(components, least)
        if outline is None or _has_much_beside(strokes, outline.hole, outline.width):
            return None
        line = cv2.dilate(cv2.subtract(strokes, outline.inside), SQUARE)
        line = cv2.subtract(line, outline.inside)
        inner = _alone(view, outline.hole, line, cv2.dilate(strokes, SQUARE))
        around = outline.around(view.around, strokes.shape)
    return _view_inside(inner, around, ink)


def _view_inside(inner: Grey, around: Around, ink: Ink) -> View:
    """Return the view of what is inside a shape.

    Args:
        inner: The part of the image inside.
        around: What is around it.
        ink: Ink of the view of the shape.
    """
    contrast = max(LIMITS.min_contrast, round(LIMITS.min_contrast_share * ink.contrast))
    return view_of(inner)._replace(around=around, min_contrast=contrast)


def _view_of_card(view: View, ink: Ink, strokes: Mask, card: Bounds) -> View:
    """Return the view of a card without its margin.

    Args:
        view: The view.
        ink: Ink of the view.
        strokes: Mask of all strokes of the view.
        card: Bounds of the card in `view.reduced`.
    """
    left, top, width, height = card
    hole = np.zeros_like(strokes)
    hole[max(0, top) : top + height, max(0, left) : left + width] = 255
    nothing = np.zeros_like(hole)
    inner = _alone(view, hole, nothing, cv2.dilate(strokes, SQUARE))
    return _view_inside(inner, Around(view.around.shapes + 1), ink)


def _has_much_beside(strokes: Mask, hole: Mask, line_width: float = 0) -> bool:
    """Return whether much is drawn outside of the bounds of a shape, to which its rim belongs.

    Args:
        strokes: Mask of all strokes.
        hole: Mask of what is inside the shape.
        line_width: Width of the line around it in pixels, which is as wide as a ball around its white disc.
    """
    left, top, width, height = cv2.boundingRect(hole)
    margin = round(LIMITS.rim * max(width, height) + line_width)
    rows, columns = (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )
    within = cv2.countNonZero(strokes[rows, columns])
    return cv2.countNonZero(strokes) - within > LIMITS.max_beside * within


def _alone(view: View, hole: Mask, line: Mask, ink: Mask) -> Grey:
    """Return the part of a view in a hole, on a ground that continues the paper in the hole.

    Args:
        view: The view.
        hole: Mask of the hole in `view.reduced`.
        line: Mask of what is left out inside the hole as well.
        ink: Mask of what is not paper.

    Returns:
        Grey levels, uint8, with a longer side of about `InsideLimits.side` pixels at most.
    """
    left, top, width, height = cv2.boundingRect(hole)
    across, down = slice(left, left + width), slice(top, top + height)
    factor = view.factor
    cut = view.full[top * factor : (top + height) * factor, left * factor : (left + width) * factor]
    inner, _ = shrink(cut, LIMITS.side)
    outside = cv2.bitwise_or(255 - hole[down, across], line[down, across])
    paper = cv2.subtract(255 - outside, ink[down, across])
    outside, paper = (cv2.resize(mask, inner.shape[::-1], interpolation=cv2.INTER_NEAREST) for mask in (outside, paper))
    frame = (round(LIMITS.margin * max(inner.shape)),) * 4
    return _continued(
        cv2.copyMakeBorder(inner, *frame, cv2.BORDER_REPLICATE),
        cv2.copyMakeBorder(outside, *frame, cv2.BORDER_CONSTANT, value=(255,)),
        cv2.copyMakeBorder(paper, *frame, cv2.BORDER_CONSTANT),
    )


def _continued(image: Grey, outside: Mask, paper: Mask) -> Grey:
    """Return an image in which each pixel outside has the grey of the nearest paper, a little smoothed."""
    if not cv2.hasNonZero(paper):
        return image
    _, nearest = cv2.distanceTransformWithLabels(255 - paper, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    levels = np.zeros(int(nearest.max()) + 1, np.uint8)
    known = paper > 0
    levels[nearest[known]] = cv2.medianBlur(image, 5)[known]
    whole: Grey = np.where(outside, cv2.blur(levels[nearest], (5, 5)), image)
    return whole
