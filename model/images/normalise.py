"""Bring a grey image of any size and kind to MNIST's conventions: 28 × 28, light ink on black, centred by mass.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86
(1998), and the page of MNIST: digits were "size normalized to fit in a 20x20 pixel box while preserving their aspect
ratio" with the grey levels of anti-aliasing, and "centered in a 28x28 image by computing the center of mass".
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.ink import find_ink, find_ink_on_flat_paper
from model.images.layout import find_digit, find_sheet
from model.images.raster import SQUARE, Grey, Mask, mask_above, quantiles, shrink
from model.images.stages import Stage, StageObserver, ignore_stage
from model.images.strokes import find_strokes, is_noise, roughness, smooth, stroke_width

SIDE = 28
"""Length of each side of an MNIST image, in pixels."""

BOX = 20
"""Length of the longer side of the ink of an MNIST digit, in pixels."""

WORKING_SIDE = 160
"""Maximum length of the longer side, in pixels, at which ink is looked for: eight times MNIST's box."""

SMALL_DIGIT = 0.4
"""Size of a digit, as a share of the longer side, below which normalisation looks at it again, more closely."""

MAX_LOOKS = 3
"""Maximum number of looks at an image, each closer than the one before."""

MIN_DIGIT_PIXELS, MIN_DIGIT_SHARE = 4, 0.02
"""Minimum size of a digit, in pixels, and as a share of the longer side. What is smaller by either is a speck."""

MIN_CONTRAST_ACROSS, MIN_CONTRAST = 24, 6
"""Minimum contrast, in levels of 255, of ink that crosses the image, and of other ink.

Blank paper, with its texture and light, may vary by up to the first from side to side. A difference below the second is
rounding. An image of exactly two levels has neither, so it may be as faint as it likes."""

MIN_SOLID_SHARE = 0.08
"""Minimum share of the ink that is wide enough to hold 2 x 2 pixels.

In MNIST's digits the share is a tenth or more. Lines one pixel wide, which none of MNIST's pens drew, have less."""

SUPERSAMPLING = 3
"""Minimum number of ink's pixels, along each side of a pixel of MNIST, before ink is scaled to MNIST's size."""

MIN_STROKE_WIDTH, MAX_STROKE_WIDTH = 1.5, 3.0
"""Widths, in pixels of MNIST, to which normalisation brings thinner and thicker strokes.

Nine of ten of MNIST's digits have strokes 1.8 to 3.9 pixels wide. The change gains a point or two of accuracy on
hairlines, markers and coarse bilevel images, and costs nothing elsewhere."""

_TWO_BY_TWO = np.ones((2, 2), np.uint8)
_SURPLUS_TAKEN = 0.7  # share of the surplus width; more would wear through a stroke where it is thinner than average


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
    ready = _already_normal(image)
    if ready is not None:
        observe(Stage.SHOWN, ready)
        return ready
    darkest, lightest, _, _ = cv2.minMaxLoc(image)
    if darkest == lightest:
        raise _blank("every pixel has the same colour")
    ink, digit = _find_ink_and_digit(_without_table(image, observe), observe)
    left, top, width, height = cv2.boundingRect(digit)
    around = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
    cut = cv2.bitwise_and(ink[around], cv2.dilate(digit[around], SQUARE))
    strokes = _with_usual_width(cut)
    observe(Stage.STROKES, strokes)
    shown = _centre(_fit_into_box(strokes))
    observe(Stage.SHOWN, shown)
    return shown


def _find_ink_and_digit(image: Grey, observe: StageObserver) -> tuple[Grey, Mask]:
    """Find ink and digit in the image, or in the part of the image that shows the digit.

    Returns:
        Ink, and the mask of the digit. Both have the same shape, with a longer side of at most `WORKING_SIDE` pixels.

    Raises:
        ImageError: The image shows no drawing (BLANK).
    """
    whole = image
    near = None
    for _ in range(MAX_LOOKS):
        working, factor = shrink(image, WORKING_SIDE)
        if near is not None:
            near = cv2.resize(near, working.shape[::-1], interpolation=cv2.INTER_NEAREST)
        ink, contrast = find_ink_on_flat_paper(working) or _find_ink_without_noise(working)
        observe(Stage.INK, ink)
        digit = find_digit(find_strokes(ink), near)
        observe(Stage.DIGIT, digit)
        _, _, width, height = cv2.boundingRect(digit)
        size = max(width, height)
        if size * factor < max(MIN_DIGIT_PIXELS, MIN_DIGIT_SHARE * max(image.shape)):
            raise _blank("it shows only specks")
        crosses = width >= 0.95 * working.shape[1] or height >= 0.95 * working.shape[0]
        if contrast < (MIN_CONTRAST_ACROSS if crosses else MIN_CONTRAST) and len(np.unique(whole)) > 2:
            raise _blank("it shows only differences of light")
        if factor == 1 or size >= SMALL_DIGIT * max(working.shape):
            break
        image, near = _closer(image, factor, digit)
    return ink, digit


def _find_ink_without_noise(image: Grey) -> tuple[Grey, int]:
    """Find ink as `find_ink` does, and smooth its noise away.

    Raises:
        ImageError: The image shows only noise, or has one level (BLANK).
    """
    ink, contrast = find_ink(image)
    rough = roughness(image)
    if not contrast or is_noise(image, rough):
        raise _blank("nothing is drawn on it")
    return smooth(ink, rough, contrast), contrast


def _closer(image: Grey, factor: int, digit: Mask) -> tuple[Grey, Mask]:
    """Return the part of an image around a digit that was found in a reduced version of the image.

    Args:
        image: Grey levels, uint8 (height, width).
        factor: Factor by which the sides of the reduced version are shorter.
        digit: Mask of the digit in the reduced image.

    Returns:
        The part of the image, and the mask of the places in it where the digit can be, still at the reduced size.
    """
    rows, columns = digit.shape
    left, top, width, height = cv2.boundingRect(digit)
    size = max(width, height)
    y0, y1 = max(0, top - size // 2), min(rows, top + height + size // 2)
    x0, x1 = max(0, left - size // 2), min(columns, left + width + size // 2)
    reach = 2 * (size // 6 + 2) + 1
    near = cv2.dilate(digit, np.ones((reach, reach), np.uint8))[y0:y1, x0:x1]
    return image[y0 * factor : y1 * factor, x0 * factor : x1 * factor], near


def _blank(why: str) -> ImageError:
    return ImageError(FailureCode.BLANK, f"The image is blank: {why}. Leave it out, or draw the digit darker.")


def _already_normal(image: Grey) -> NDArray[np.uint8] | None:
    """Return the image or its negative if it follows MNIST's conventions, as all 70,000 digits do; otherwise None."""
    if image.shape != (SIDE, SIDE):
        return None
    for light in (image, 255 - image):
        _, _, width, height = cv2.boundingRect(light)
        if BOX - 2 <= max(width, height) <= BOX and light.max() >= 200:
            x, y = _centre_of_mass(light)
            is_centred = abs(x - SIDE / 2) <= 1 and abs(y - SIDE / 2) <= 1
            if is_centred and cv2.mean(cv2.erode(light, _TWO_BY_TWO))[0] > MIN_SOLID_SHARE * cv2.mean(light)[0]:
                return light.astype(np.uint8)  # a copy, because the image belongs to the caller
    return None


def _without_table(image: Grey, observe: StageObserver) -> Grey:
    """Return the sheet alone if the image shows one on a table; otherwise the image."""
    sheet = find_sheet(image)
    if sheet is None:
        return image
    (paper,) = quantiles(image, sheet, 0.5)
    left, top, width, height = cv2.boundingRect(sheet)
    alone = np.where(sheet, image, np.uint8(paper))[top : top + height, left : left + width]
    observe(Stage.SHEET, alone)
    return alone


def _with_usual_width(ink: Grey) -> Grey:
    """Return the ink with unusually thin or thick strokes brought towards MNIST's width.

    The longer side of the result has at least `SUPERSAMPLING` pixels per pixel of MNIST.
    """
    (full,) = quantiles(ink, mask_above(ink, int(ink.max()) // 2 - 1), 0.5)
    ink = cv2.copyMakeBorder(cv2.convertScaleAbs(ink, alpha=255 / full), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    width = stroke_width(ink) * BOX / max(ink.shape)
    missing = round(SUPERSAMPLING * (MIN_STROKE_WIDTH - width))
    surplus = round(SUPERSAMPLING * _SURPLUS_TAKEN * (width - MAX_STROKE_WIDTH))
    if max(missing, surplus) <= 0:
        return _resize(ink, SUPERSAMPLING * BOX) if max(ink.shape) < SUPERSAMPLING * BOX else ink
    margin = max(1, missing)
    fine = cv2.copyMakeBorder(_resize(ink, SUPERSAMPLING * BOX), margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    if missing > 0:
        return cv2.dilate(fine, _disc(missing + 1))
    thinner = cv2.erode(fine, _disc(surplus + 1))
    return thinner if cv2.hasNonZero(thinner) else fine


def _disc(width: int) -> Mask:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))


def _resize(ink: Grey, longest: int) -> Grey:
    scale = longest / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    return cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _fit_into_box(fine: Grey) -> Grey:
    """Crop the ink, and scale its longer side to `BOX` pixels by area averaging."""
    left, top, width, height = cv2.boundingRect(mask_above(fine, 0.3 * int(fine.max())))
    small = _resize(fine[top : top + height, left : left + width], BOX)
    (full,) = quantiles(small, mask_above(small, 0.2 * int(small.max())), 0.8)
    return cv2.convertScaleAbs(small, alpha=255 / full)


def _centre(small: Grey) -> NDArray[np.uint8]:
    """Place the ink on black, uint8 (28, 28), with its centre of mass in the middle, as far as there is room."""
    height, width = small.shape
    x, y = _centre_of_mass(small)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    result = np.zeros((SIDE, SIDE), np.uint8)
    result[top : top + height, left : left + width] = small
    return result


def _centre_of_mass(image: Grey) -> tuple[float, float]:
    """Return column and row of the centre of mass. MNIST's digits have theirs within half a pixel of 14, 14."""
    moments = cv2.moments(image)
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
