"""Bringing a grey image of any size and kind to MNIST's conventions: 28 × 28, light ink on black, centred by mass.

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
from model.images.raster import SQUARE, Grey, Mask, above, quantiles, shrink
from model.images.stages import Stage, StageObserver, ignore_stage
from model.images.strokes import find_strokes, is_noise, roughness, smooth, stroke_width

SIDE = 28
"""Pixels of each side of an MNIST image."""

BOX = 20
"""Pixels of the longer side of the ink of an MNIST digit."""

WORKING = 160
"""Pixels of the longer side, at most, at which ink is looked for: eight times MNIST's, for a digit that fills it."""

SMALL = 0.4
"""Of the longer side: a digit smaller than this is looked at again, closer."""

LOOKS = 3
"""At an image, each closer than the one before, at most."""

SPECK_PIXELS, SPECK_SHARE = 4, 0.02
"""In pixels, and of the longer side: what is smaller than either is no digit."""

FAINT, FAINTEST = 24, 6
"""Levels of 255. Blank paper has up to the first from one side to the other, by its texture and the light on it; a
difference below the second is rounding. An image of just two levels has neither, and may be as faint as it likes."""

SOLID = 0.08
"""Of the ink: what 2 x 2 pixels fit into, as in MNIST they do into a tenth of it at least. In lines one pixel wide,
which no pen of MNIST's drew, they do not."""

FINE = 3
"""Pixels per pixel of MNIST, at least, of ink before it is scaled to MNIST's size."""

THIN, THICK = 1.5, 3.0
"""Pixels of MNIST, to which strokes are brought from either side; nine of ten of its digits have them 1.8 to 3.9 wide.
This gains a point or two on hairlines, markers and coarse bilevel images, and costs nothing elsewhere."""

_TWO_BY_TWO = np.ones((2, 2), np.uint8)
_SHARE_TAKEN = 0.7  # of what is too thick; where a stroke is thinner than on average, more would wear it through


def normalise(image: Grey, observe: StageObserver = ignore_stage) -> NDArray[np.uint8]:
    """Bring one image to MNIST's conventions.

    An image that follows them already, or does but for dark ink on white, comes back as it is, pixel by pixel. In
    others ink is told from paper, whichever is the lighter and however unevenly lit; table, frame, ruled lines and
    specks are left out; strokes are brought to a usual width, and the digit to MNIST's size and position.

    Args:
        image: uint8 (height, width), of any size; several hundred pixels a side are enough.
        observe: told the image after each step.

    Returns:
        uint8 (28, 28), light ink on black.

    Raises:
        ImageError: BLANK, if nothing is drawn.
    """
    observe(Stage.IMAGE, image)
    ready = _already_normal(image)
    if ready is not None:
        observe(Stage.SHOWN, ready)
        return ready
    darkest, lightest, _, _ = cv2.minMaxLoc(image)
    if darkest == lightest:
        raise _blank("all of it has one colour")
    ink, digit = _found(_without_table(image, observe), observe)
    left, top, width, height = cv2.boundingRect(digit)
    around = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
    cut = cv2.bitwise_and(ink[around], cv2.dilate(digit[around], SQUARE))
    strokes = _of_usual_width(cut)
    observe(Stage.STROKES, strokes)
    shown = _centred(_fitted(strokes))
    observe(Stage.SHOWN, shown)
    return shown


def _found(image: Grey, observe: StageObserver) -> tuple[Grey, Mask]:
    """The ink in the image, or in the part of it where the digit is, and the mask of the digit.

    Both are at most `WORKING` pixels long.
    """
    whole = image
    near = None
    for _ in range(LOOKS):
        working, factor = shrink(image, WORKING)
        if near is not None:
            near = cv2.resize(near, working.shape[::-1], interpolation=cv2.INTER_NEAREST)
        ink, contrast = find_ink_on_flat_paper(working) or _ink_without_noise(working)
        observe(Stage.INK, ink)
        digit = find_digit(find_strokes(ink), near)
        observe(Stage.DIGIT, digit)
        _, _, width, height = cv2.boundingRect(digit)
        size = max(width, height)
        if size * factor < max(SPECK_PIXELS, SPECK_SHARE * max(image.shape)):
            raise _blank("there are only specks on it")
        crosses = width >= 0.95 * working.shape[1] or height >= 0.95 * working.shape[0]
        if contrast < (FAINT if crosses else FAINTEST) and len(np.unique(whole)) > 2:
            raise _blank("there are only differences of light on it")
        if factor == 1 or size >= SMALL * max(working.shape):
            break
        image, near = _closer(image, factor, digit)
    return ink, digit


def _ink_without_noise(image: Grey) -> tuple[Grey, int]:
    ink, contrast = find_ink(image)
    rough = roughness(image)
    if not contrast or is_noise(image, rough):
        raise _blank("nothing is drawn on it")
    return smooth(ink, rough, contrast), contrast


def _closer(image: Grey, factor: int, digit: Mask) -> tuple[Grey, Mask]:
    """The part of an image around a digit that was seen at a fraction of its size, and where in it the digit can be."""
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
    """The image, or its negative, if it follows MNIST's conventions: every one of the 70,000 does."""
    if image.shape != (SIDE, SIDE):
        return None
    for light in (image, 255 - image):
        _, _, width, height = cv2.boundingRect(light)
        if BOX - 2 <= max(width, height) <= BOX and light.max() >= 200:
            x, y = _centre_of_mass(light)
            is_centred = abs(x - SIDE / 2) <= 1 and abs(y - SIDE / 2) <= 1
            if is_centred and cv2.mean(cv2.erode(light, _TWO_BY_TWO))[0] > SOLID * cv2.mean(light)[0]:
                return light.astype(np.uint8)  # a copy: the caller's image stays the caller's
    return None


def _without_table(image: Grey, observe: StageObserver) -> Grey:
    """The sheet alone, if the image shows one on a table."""
    sheet = find_sheet(image)
    if sheet is None:
        return image
    (paper,) = quantiles(image, sheet, 0.5)
    left, top, width, height = cv2.boundingRect(sheet)
    alone = np.where(sheet, image, np.uint8(paper))[top : top + height, left : left + width]
    observe(Stage.SHEET, alone)
    return alone


def _of_usual_width(ink: Grey) -> Grey:
    """The ink with strokes thinner or thicker than usual brought towards MNIST's width, at `FINE` or finer."""
    (full,) = quantiles(ink, above(ink, int(ink.max()) // 2 - 1), 0.5)
    ink = cv2.copyMakeBorder(cv2.convertScaleAbs(ink, alpha=255 / full), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    width = stroke_width(ink) * BOX / max(ink.shape)
    missing, surplus = round(FINE * (THIN - width)), round(FINE * _SHARE_TAKEN * (width - THICK))
    if max(missing, surplus) <= 0:
        return _resized(ink, FINE * BOX) if max(ink.shape) < FINE * BOX else ink
    margin = max(1, missing)
    fine = cv2.copyMakeBorder(_resized(ink, FINE * BOX), margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    if missing > 0:
        return cv2.dilate(fine, _disc(missing + 1))
    worn = cv2.erode(fine, _disc(surplus + 1))
    return worn if cv2.hasNonZero(worn) else fine


def _disc(width: int) -> Mask:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))


def _resized(ink: Grey, longest: int) -> Grey:
    scale = longest / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    return cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _fitted(fine: Grey) -> Grey:
    """The ink cropped, and scaled into the box by area averaging."""
    left, top, width, height = cv2.boundingRect(above(fine, 0.3 * int(fine.max())))
    small = _resized(fine[top : top + height, left : left + width], BOX)
    (full,) = quantiles(small, above(small, 0.2 * int(small.max())), 0.8)
    return cv2.convertScaleAbs(small, alpha=255 / full)


def _centred(small: Grey) -> NDArray[np.uint8]:
    height, width = small.shape
    x, y = _centre_of_mass(small)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    result = np.zeros((SIDE, SIDE), np.uint8)
    result[top : top + height, left : left + width] = small
    return result


def _centre_of_mass(image: Grey) -> tuple[float, float]:
    """Column and row; MNIST's digits have theirs within half a pixel of 14, 14."""
    moments = cv2.moments(image)
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
