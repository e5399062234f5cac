"""Bring a grey image of any size and kind to MNIST's conventions, stage after stage.

Each stage is a function of another module, which takes one value and gives one. This module calls each of them once, in
order, and refuses an image in which a stage finds nothing. Only a small digit on a large page is looked at again: the
stages from ink to digit are a loop, and each look is closer than the one before.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.around import inside
from model.images.around.inside import look_inside
from model.images.around.outlines import empty_shape
from model.images.around.underlines import without_underlines
from model.images.fitting import centre, conventional, cut_out, fit_into_box, with_usual_width
from model.images.ink import Ink, find_ink
from model.images.layout import view as views
from model.images.layout.drawn import Drawn
from model.images.layout.grouping import choose_digit, where_seen
from model.images.layout.lines import without_lines
from model.images.layout.sheet import sheet_alone
from model.images.layout.view import View, closer, view_of
from model.images.raster import Grey, Mask, connected_components
from model.images.stages import Stage, StageObserver, ignore_stage
from model.images.strokes import find_strokes


@dataclass(frozen=True, slots=True)
class DrawingLimits:
    """What is too small or too faint for a digit."""

    min_pixels: int = 4
    """Minimum size of a digit, in pixels. What is smaller is a speck."""

    min_size: float = 0.02
    """Minimum size of a digit, as a share of the longer side. What is smaller is a speck."""

    min_contrast: int = 6
    """Minimum contrast of ink, in levels of 255. A difference below it is rounding.

    An image of exactly two levels has none, so it may be as faint as it likes."""

    min_contrast_across: int = 24
    """Minimum contrast of ink that crosses the image. Blank paper, with its texture and light, may vary by as much."""

    across: float = 0.95
    """Length of ink, as a share of a side, from which it crosses the image."""


LIMITS = DrawingLimits()


def normalise(image: Grey, observe: StageObserver = ignore_stage) -> NDArray[np.uint8]:
    """Bring one image to MNIST's conventions.

    An image that follows the conventions comes back unchanged, or as its negative if its ink is dark on white. In other
    images, normalisation tells ink from paper, whichever is lighter and however uneven the light. It leaves out table,
    frame, ruled lines and specks. It brings strokes to a usual width, and the digit to MNIST's size and position.

    Args:
        image: Grey levels, uint8 (height, width), of any size. Several hundred pixels a side are enough.
        observe: Callback that receives the image after each stage.

    Returns:
        The digit, uint8 (28, 28), light ink on black. It shares no memory with `image`.

    Raises:
        ImageError: The image shows no drawing (BLANK).
    """
    observe(Stage.IMAGE, image)
    shown = conventional(image)
    if shown is None:
        shown = _shown(image, observe)
    observe(Stage.SHOWN, shown)
    return shown


def _shown(image: Grey, observe: StageObserver) -> NDArray[np.uint8]:
    """Return what the network is shown of an image that does not follow MNIST's conventions, uint8 (28, 28).

    Raises:
        ImageError: The image shows no drawing (BLANK).
    """
    darkest, lightest, _, _ = cv2.minMaxLoc(image)
    if darkest == lightest:
        raise _blank("every pixel has the same colour")
    sheet = sheet_alone(image)
    if sheet is not image:
        observe(Stage.SHEET, sheet)
    ink, digit = _ink_and_digit(sheet, observe)
    strokes = with_usual_width(cut_out(ink.levels, digit))
    observe(Stage.STROKES, strokes)
    return centre(fit_into_box(strokes))


def _ink_and_digit(sheet: Grey, observe: StageObserver) -> tuple[Ink, Mask]:
    """Find ink and digit on a sheet, or on the part of the sheet that shows the digit.

    Returns:
        The ink, and the mask of the digit. Both have the same shape, with a longer side of at most `ViewLimits.side`.

    Raises:
        ImageError: The sheet shows no drawing (BLANK).
    """
    view = view_of(sheet)
    for _ in range(views.LIMITS.max_looks):
        view, ink, drawn = _look(view, observe)
        digit = choose_digit(drawn if view.near is None else where_seen(drawn, view.near))
        observe(Stage.DIGIT, digit)
        _refuse_blank(sheet, view, ink, digit)
        nearer = closer(view, digit)
        if nearer is None:
            break
        view = nearer
    return ink, digit


def _look(view: View, observe: StageObserver) -> tuple[View, Ink, Drawn]:
    """Find ink and what is drawn in a view, or inside the innermost shape around the digit.

    Returns:
        The view of the inside, its ink, and what is drawn there.

    Raises:
        ImageError: The view shows no drawing (BLANK).
    """
    while True:
        ink = find_ink(view.reduced)
        if not ink.contrast:
            raise empty_shape() if view.shapes else _blank("nothing is drawn on it")
        observe(Stage.INK, ink.levels)
        strokes = find_strokes(ink.levels)
        components = connected_components(strokes)
        inner = look_inside(view, ink, strokes, components)
        if inner is None:
            return view, ink, without_lines(*without_underlines(strokes, components))
        view = inner


def _refuse_blank(sheet: Grey, view: View, ink: Ink, digit: Mask) -> None:
    """Raise ImageError (BLANK) if the supposed digit is only a speck or a difference of light."""
    rows, columns = digit.shape
    _, _, width, height = cv2.boundingRect(digit)
    if max(width, height) * view.factor < max(LIMITS.min_pixels, LIMITS.min_size * max(view.full.shape)):
        raise _blank("it shows only specks")
    if view.shapes and view.near is None and max(width, height) < inside.LIMITS.min_digit * min(rows, columns):
        raise empty_shape()
    crosses = width >= LIMITS.across * columns or height >= LIMITS.across * rows
    min_contrast = LIMITS.min_contrast_across if crosses else LIMITS.min_contrast
    if ink.contrast < min_contrast and len(np.unique(sheet)) > 2:
        raise _blank("it shows only differences of light")


def _blank(why: str) -> ImageError:
    return ImageError(FailureCode.BLANK, f"The image is blank: {why}. Leave it out, or draw the digit darker.")
