"""Bring a grey image of any size and kind to MNIST's conventions, stage after stage.

Each stage is a function of another module. This module calls them in order, and refuses an image in which a stage finds
nothing. The stages from ink to digit are a loop: what is inside a shape is looked at again, without the shape. So is a
small digit on a large page, and each of several small digits; each look is closer than the one before.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.around import inside
from model.images.around.dividers import without_dividers
from model.images.around.inside import look_inside
from model.images.around.outlines import empty_shape
from model.images.around.side_by_side import find_side_by_side
from model.images.doubts import Doubt, DoubtCode
from model.images.drawn_lines import crossed_out
from model.images.drawn_lines.crossed_out import is_crossed_out
from model.images.drawn_lines.open_frames import without_open_frames
from model.images.drawn_lines.underlines import without_underlines
from model.images.fitting import (
    SIDE,
    centre,
    conventional,
    cut_out,
    fit_into_box,
    with_usual_shape,
    with_usual_width,
)
from model.images.ink import Ink, find_ink
from model.images.layout import left_out
from model.images.layout import view as views
from model.images.layout.bands import without_band
from model.images.layout.division import Division, divide, divide_by_shapes, with_neighbours
from model.images.layout.drawn import Drawn
from model.images.layout.grouping import choose_digit, digit_components, where_seen
from model.images.layout.hollow import filled
from model.images.layout.joining import joined
from model.images.layout.left_out import share_read
from model.images.layout.lines import without_lines
from model.images.layout.sheet import may_show_sheet, sheet_alone
from model.images.layout.view import View, closer, fine_view_of, view_of
from model.images.raster import COARSE_SIDE, DETAILED_SIDE, Bounds, Coarse, Components, Grey, Region
from model.images.stages import Stage, StageObserver, ignore_stage
from model.images.strokes import find_strokes


@dataclass(frozen=True, slots=True)
class DrawingLimits:
    """What is too small or too faint for a digit, and how many digits are too many."""

    min_pixels: int = 4
    """Minimum size of a digit, in pixels. What is smaller is a speck."""

    min_size: float = 0.012
    """Minimum size of a digit, as a share of the longer side. What is smaller is a speck.

    On a letter page of 200 dots per inch these are 26 dots, or 3 mm. With 0.02, digits of 43 dots were specks, as
    `benchmarks/scruffy.py --kinds small_on_a_scan` shows."""

    min_contrast: int = 6
    """Minimum contrast of ink, in levels of 255. A difference below it is rounding.

    An image of exactly two levels has none, so it may be as faint as it likes."""

    min_contrast_across: int = 24
    """Minimum contrast of ink that crosses the image. Blank paper, with its texture and light, may vary by as much."""

    across: float = 0.95
    """Length of ink, as a share of a side, from which it crosses the image."""

    around_shape: float = 0.06
    """Width of the ground around one of several shapes, as a share of its longer side, with which it is looked at."""

    max_parts: int = 64
    """Maximum number of digits in one image that are normalised one by one. It bounds the time that an image takes."""


LIMITS = DrawingLimits()

_NO_PARTS = np.zeros((0, SIDE, SIDE), np.uint8)


class Normalised(NamedTuple):
    """One image in MNIST's conventions: as one digit, and as several if it may show several.

    Attributes:
        shown: All that is drawn, as one digit, uint8 (28, 28), light ink on black. It shares no memory with the image.
        parts: The digits that the image may show, in reading order, uint8 (n, 28, 28): the first `max_parts` of them.
            n is 0 if it shows one.
        total: Number of digits that the image may show.
        certain: Whether the image shows several digits for certain. Otherwise the parts may be the pieces of one digit.
        in_row: Whether the parts stand beside each other with gaps between them, each about as tall as the others.
        is_one_large: Whether all parts but one are small.
        doubt: Reason to doubt any reading of the image, or None.
        in_form: Whether the image, its negative, or the image with its inverted bands put right already followed the
            conventions.
    """

    shown: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    total: int = 1
    certain: bool = False
    in_row: bool = False
    is_one_large: bool = False
    doubt: Doubt | None = None
    in_form: bool = False

    @property
    def as_several(self) -> ImageError:
        """The error (SEVERAL_DIGITS) that the image gets if it shows several digits."""
        return ImageError(
            FailureCode.SEVERAL_DIGITS,
            f"The image shows {self.total} digits. Cut it up, so that each image shows one digit, or let `submit` and "
            "`classify` read all of them with --several read.",
        )


def normalise(image: Grey, observe: StageObserver = ignore_stage) -> NDArray[np.uint8]:
    """Bring an image of one digit to MNIST's conventions.

    An image that follows the conventions comes back unchanged, or as its negative if its ink is dark on white. In other
    images, normalisation tells ink from paper, whichever is lighter and however uneven the light. It leaves out table,
    frame, ruled lines and specks. It brings strokes to a usual width, and the digit to MNIST's size and position.

    Args:
        image: Grey levels, uint8 (height, width), of any size. Several hundred pixels a side are enough.
        observe: Callback that receives the image after each stage.

    Returns:
        The digit, uint8 (28, 28), light ink on black. It shares no memory with `image`.

    Raises:
        ImageError: The image shows no drawing (BLANK), or several digits for certain (SEVERAL_DIGITS).
    """
    normalised = normalise_all(image, observe)
    if normalised.certain:
        raise normalised.as_several
    observe(Stage.SHOWN, normalised.shown)
    return normalised.shown


def normalise_all(image: Grey, observe: StageObserver = ignore_stage) -> Normalised:
    """Bring an image of one digit or several to MNIST's conventions, as `normalise` does.

    Args:
        image: Grey levels, uint8 (height, width), of any size.
        observe: Callback that receives the image after each stage but the last.

    Raises:
        ImageError: The image shows no drawing (BLANK).
    """
    observe(Stage.IMAGE, image)
    even, shown = image, conventional(image)  # no band crosses an image that follows the conventions
    if shown is None:
        even = without_band(image)
        if even is not image:
            shown = conventional(even)
    if shown is not None:
        return Normalised(shown, _NO_PARTS, in_form=True)
    seen = _see(_first_view(even, observe), observe)
    shown = _shown(seen, observe)
    doubt = _doubt(seen)
    if seen.division is None:
        return Normalised(shown, _NO_PARTS, doubt=doubt)
    digits = seen.division.digits
    part = _part_in_shape if seen.division.in_shapes else _part
    parts = np.stack([part(seen, chosen) for chosen in digits[: LIMITS.max_parts]])
    division = seen.division
    return Normalised(shown, parts, len(digits), division.certain, division.in_row, division.is_one_large, doubt)


def _shown(seen: "_Seen", observe: StageObserver = ignore_stage) -> NDArray[np.uint8]:
    """Return the digit, or all digits together, in MNIST's conventions, uint8 (28, 28)."""
    strokes = _strokes(seen.ink, seen.digit)
    observe(Stage.STROKES, strokes)
    return centre(fit_into_box(strokes))


def _strokes(ink: Ink, digit: Region) -> Grey:
    """Return the ink of a digit alone, in the usual shape and with strokes of the usual width, uint8."""
    return with_usual_width(with_usual_shape(cut_out(ink.levels, digit), digit))


class _Seen(NamedTuple):
    """What the closest look at an image showed."""

    view: View
    ink: Ink
    drawn: Drawn
    digit: Region  # all digits together, if there are several; the large one alone, if the others are small
    division: Division | None
    read: float  # share of the ink that the digits have, in the look in which they have the least


def _doubt(seen: _Seen) -> Doubt | None:
    """Return the reason to doubt any reading of what was seen, or None."""
    if seen.read < left_out.LIMITS.min_read:
        return Doubt(DoubtCode.INK_LEFT_OUT, f"read from {100 * seen.read:.0f} % of the ink")
    if max(seen.view.full.shape) >= crossed_out.LIMITS.min_side and (
        seen.drawn.is_struck or (_is_one(seen.division) and is_crossed_out(seen.digit))
    ):
        return Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")
    return None


def _is_one(division: Division | None) -> bool:
    """Return whether a drawing looks like one digit, perhaps with small ones beside it."""
    return division is None or division.is_one_large


def _first_view(image: Grey, observe: StageObserver) -> View:
    """Return the view of an image, or of the sheet alone that carries the digit."""
    view = view_of(image)
    if max(image.shape) < COARSE_SIDE:
        return view  # too small for a sheet on a table
    coarse = Coarse.of(view.reduced)
    if may_show_sheet(coarse):
        sheet = sheet_alone(image)
        if sheet is not image:
            observe(Stage.SHEET, sheet)
            return view_of(sheet)
    return view._replace(coarse=coarse)


def _see(view: View, observe: StageObserver) -> _Seen:
    """Find ink and digits in a view of a sheet, or in the part of it that shows the digits.

    Raises:
        ImageError: The sheet shows no drawing (BLANK).
    """
    sheet = view.full
    try:
        return _look(sheet, view, observe)
    except _OnlySpecks:
        fine = fine_view_of(view)
    if fine is not None:
        with suppress(_OnlySpecks):
            return _look(sheet, fine, observe)
    raise _blank("it shows only specks")


class _OnlySpecks(Exception):
    """A view shows nothing but specks."""


def _look(sheet: Grey, view: View, observe: StageObserver) -> _Seen:
    """Find ink and digits in a view, or in closer views of the place where it shows them.

    Raises:
        ImageError: The view shows no drawing (BLANK).
        _OnlySpecks: It shows only specks.
    """
    read = 1.0
    for _ in range(views.LIMITS.max_looks):
        view, ink, strokes, drawn, shapes = _innermost(view, observe)
        if view.near is not None:
            drawn = where_seen(drawn, view.near)
        whole, digit, division, share = _arranged(drawn, shapes)
        if division is None:
            outline, digit = digit, filled(digit)
            together, is_added = digit, whole is not drawn or digit is not outline
        else:
            together, is_added = whole.components.region_of(division.together), whole is not drawn
        if is_added:
            ink = _with_added(ink, together, strokes)
        read = min(read, share)
        observe(Stage.DIGIT, digit.mask)
        _refuse_blank(sheet, view, ink, digit)
        nearer = closer(view, with_neighbours(whole, digit) if division is None and view.factor > 1 else together)
        if nearer is None:
            break
        view = nearer
    return _Seen(view, ink, whole, digit, division, read)


def _with_added(ink: Ink, drawn: Region, strokes: Components) -> Ink:
    """Return ink with what was added to its strokes: lines between dots, and what fills an outlined digit."""
    return Ink(cv2.max(ink.levels, cv2.subtract(drawn.mask, strokes.mask)), ink.contrast)


class _Arranged(NamedTuple):
    """Which of what is drawn is the digit, or the digits.

    Attributes:
        drawn: What is drawn, with dots and dashes joined; the same value if nothing is joined.
        digit: The digit, or all digits together unless only one is large.
        division: The digits, or None if there is only one.
        read: Share of the ink that the digit or the digits have, 0 to 1.
    """

    drawn: Drawn
    digit: Region
    division: Division | None
    read: float


def _arranged(drawn: Drawn, shapes: list[Bounds]) -> _Arranged:
    """Tell which of what is drawn is the digit, or the digits.

    Args:
        drawn: What is drawn.
        shapes: Shapes side by side with a digit in each.
    """
    if len(drawn.components.stats) == 1:  # most images: nothing can be divided, joined or left out
        return _Arranged(drawn, drawn.components.whole, None, 1.0)
    whole = drawn if shapes else joined(drawn, are_solid=True)
    division = divide_by_shapes(drawn, shapes) if shapes else divide(whole)
    if whole is drawn and (division is None or not division.certain):
        whole = joined(drawn)
        if whole is not drawn:
            division = divide(whole)
    chosen = digit_components(whole) if division is None or division.is_one_large else division.together
    return _Arranged(whole, whole.components.region_of(chosen), division, share_read(whole, chosen))


def _part(seen: _Seen, chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return one of several digits in MNIST's conventions, uint8 (28, 28), from a closer view if it is small.

    Args:
        seen: What the look showed in which the digits were found.
        chosen: Which components form the digit, bool (n,).
    """
    ink, digit = seen.ink, seen.drawn.components.region_of(chosen)
    nearer = closer(seen.view, digit, cv2.subtract(seen.digit.mask, digit.mask))
    if nearer is not None and nearer.near is not None:
        nearer_ink = find_ink(nearer.reduced)
        if nearer_ink.contrast:
            strokes = Components.of(find_strokes(nearer_ink.levels))
            whole = joined(where_seen(without_lines(strokes), nearer.near))
            digit = choose_digit(whole)
            ink = _with_added(nearer_ink, digit, strokes)
    return centre(fit_into_box(_strokes(ink, digit)))


def _part_in_shape(seen: _Seen, chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the digit in one of the shapes side by side in MNIST's conventions, uint8 (28, 28).

    Args:
        seen: What the look showed in which the shapes were found.
        chosen: Which components form the shape and the digit, bool (n,).
    """
    left, top, width, height = seen.drawn.components.region_of(chosen).bounds
    margin, factor = max(2, round(LIMITS.around_shape * max(width, height))), seen.view.factor
    rows, columns = (
        slice(max(0, start - margin) * factor, (start + length + margin) * factor)
        for start, length in ((top, height), (left, width))
    )
    try:
        return _shown(_see(view_of(seen.view.full[rows, columns]), ignore_stage))
    except ImageError:  # the shape is blank by itself; its reading will be doubtful
        return _part(seen, chosen)


class _Innermost(NamedTuple):
    """What a view shows, or the inside of the innermost shape in it.

    Attributes:
        view: The view of the inside; the view itself if there is no shape around the digit.
        ink: Ink of that view.
        strokes: Components of all its strokes.
        drawn: Strokes without the lines that do not belong to a digit.
        shapes: Bounds of the shapes side by side with a digit in each; none in most images.
    """

    view: View
    ink: Ink
    strokes: Components
    drawn: Drawn
    shapes: list[Bounds]


def _innermost(view: View, observe: StageObserver) -> _Innermost:
    """Find ink and what is drawn in a view, or inside the innermost shape around the digit.

    Raises:
        ImageError: The view shows no drawing (BLANK).
    """
    while True:
        ink = find_ink(view.reduced, view.coarse)
        if ink.contrast < view.min_contrast:
            raise empty_shape()
        if not ink.contrast:
            darkest, lightest, _, _ = cv2.minMaxLoc(view.full)
            raise _blank("every pixel has the same colour" if darkest == lightest else "nothing is drawn on it")
        observe(Stage.INK, ink.levels)
        strokes = Components.of(find_strokes(ink.levels))
        if view.around.shapes:
            strokes = without_dividers(strokes)
        shapes = find_side_by_side(strokes)
        if shapes:
            return _Innermost(view, ink, strokes, Drawn(strokes, np.ones(len(strokes.stats), np.bool_)), shapes)
        inner = look_inside(view, ink, strokes)
        if inner is None:
            drawn = without_lines(without_underlines(without_open_frames(strokes)))
            return _Innermost(view, ink, strokes, drawn, [])
        view = inner


def _refuse_blank(sheet: Grey, view: View, ink: Ink, digit: Region) -> None:
    """Raise an error if the supposed digit is only a speck or a difference of light.

    Raises:
        ImageError: It is a difference of light (BLANK).
        _OnlySpecks: It is a speck.
    """
    rows, columns = digit.mask.shape
    _, _, width, height = digit.bounds
    size = max(width, height)
    if size * view.factor < max(LIMITS.min_pixels, LIMITS.min_size * max(view.full.shape)):
        raise _OnlySpecks
    if view.around.shapes and size < inside.LIMITS.min_digit * min(rows, columns):
        raise empty_shape()
    crosses = width >= LIMITS.across * columns or height >= LIMITS.across * rows
    is_picture = max(sheet.shape) >= DETAILED_SIDE  # a smaller one is a program's, in which digits fill their image
    min_contrast = LIMITS.min_contrast_across if crosses and is_picture else LIMITS.min_contrast
    if ink.contrast < min_contrast and len(np.unique(sheet)) > 2:
        raise _blank("it shows only differences of light")


def _blank(why: str) -> ImageError:
    return ImageError(FailureCode.BLANK, f"The image is blank: {why}. Leave it out, or draw the digit darker.")
