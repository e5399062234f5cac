"""The numbers of an array: which one is black and which one is white."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError


@dataclass(frozen=True, slots=True)
class ValueLimits:
    """Limits by which numbers are taken for one range or another. `benchmarks/array_forms.py` measures them.

    Attributes:
        bytes_from: Greatest number from which whole numbers up to 255 are bytes, and are not stretched. Every MNIST
            image reaches 254. 0 to 16, 0 to 100 and 0 to 127 lie below.
        unit_from: Greatest number from which fractions up to 1 are a share of 255. 255/256 is above.
        background_share: Least share of the pixels that must have the lowest or the highest number where numbers are
            negative. In MNIST, four fifths have the lowest. Pixels that were standardised one by one have none.
        outliers: Percentage of the numbers at each end that do not count for the width of the range.
        far: Number of times by which the highest number must exceed all but the outliers, not to count itself.
        beyond: Greatest distance from 0 to 1, or 0 to 255, as a share of that range, that cubic curves may overshoot.
            They overshoot by 7 to 20 %.
        ink: Least share of the pixels in each half of that range. In MNIST, 13 % are in the upper one.
        tolerance: Distance from an end of the range, as a share of the range, within which a number is at that end.
    """

    bytes_from: float = 128
    unit_from: float = 0.9
    background_share: float = 0.4
    outliers: float = 0.1
    far: float = 10
    beyond: float = 0.3
    ink: float = 0.01
    tolerance: float = 0.01


LIMITS = ValueLimits()


@dataclass(frozen=True, slots=True)
class Values:
    """The numbers of an array.

    Attributes:
        black: Number that means black, if the array has light ink on black.
        white: Number that means white.
        wrapped: See `Form.wrapped`.
        words: What is unusual about the numbers, and what becomes of them; "" if they are bytes.
    """

    black: float
    white: float
    wrapped: bool = False
    words: str = ""


BYTES = Values(0, 255)


def find_values(sample: NDArray[Any], frame: NDArray[np.bool_] | None) -> Values:
    """Return the range of the numbers of an array.

    Args:
        sample: Numbers of some images, (n, height, width) or with colours; bool, integers or floats.
        frame: bool (height, width), pixels on the edge of an image.

    Raises:
        UsageError: The numbers are of a kind that cannot be turned into images. The message completes a sentence that
            begins with the name of the file.
    """
    if sample.dtype == np.bool_:
        return Values(0, 1, words="its values are True and False")
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample.reshape(-1)
    if finite.size == 0:
        raise UsageError("has no finite number. Save it again.")
    low, high = float(finite.min()), float(finite.max())
    if low >= 0 and high > 1 and sample.dtype != np.uint8:
        usual = float(np.percentile(finite, 100 - LIMITS.outliers))
        high = usual if 0 < usual < high / LIMITS.far else high  # a damaged pixel must not darken all others
    if low >= 0:
        return _positive(low, high, whole=_is_whole(finite))
    if frame is not None and sample.dtype == np.int8 and sample.ndim == 3 and _is_wrapped(sample, frame):
        return Values(0, 255, wrapped=True, words="its values are bytes that were stored with a sign")
    return _signed(finite, low, high)


def as_they_are(sample: NDArray[Any]) -> Values:
    """Return the range of numbers that the user wants sent as they are.

    Raises:
        UsageError: They are neither 0 to 255 nor fractions 0 to 1. The message completes a sentence, as above.
    """
    if sample.dtype.kind != "f" and (sample.dtype.kind == "b" or (sample.min() >= 0 and sample.max() <= 255)):
        return BYTES
    finite = sample[np.isfinite(sample)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, np.inf)
    if low >= 0 and high <= 255:
        return BYTES if high > 1 else Values(0, 1)
    raise UsageError(f"has values from {low:g} to {high:g}, and only 0 to 255 can be sent as they are. Omit --as-is.")


def _positive(low: float, high: float, *, whole: bool) -> Values:
    """Return the range of numbers that are not negative."""
    if high == 0 or (LIMITS.bytes_from <= high <= 255.5):
        return BYTES
    if not whole and LIMITS.unit_from <= high <= 1.001:
        return Values(0, 1, words="its values are 0 to 1")
    return Values(0, high, words=f"its values are {low:g} to {high:g}")


def _signed(finite: NDArray[Any], low: float, high: float) -> Values:
    """Return the range of numbers of which some are negative.

    Raises:
        UsageError: No end of the range can be the background.
    """
    for edge in (1.0, 0.5):
        if -1.001 * edge <= low <= -0.9 * edge and 0.9 * edge <= high <= 1.001 * edge:
            return Values(-edge, edge, words=f"its values are {-edge:g} to {edge:g}")
    if low == -128 and high <= 127 and _is_whole(finite):
        return Values(-128, 127, words="its values are -128 to 127")
    for white in (1, 255):
        if _is_beyond(finite, low, high, white):
            return Values(0, white, words=f"its values are {low:.3g} to {high:.3g}, a little beyond 0 to {white}")
    # Where each pixel was standardised by itself, a few that are nearly always empty have huge numbers.
    usual = np.percentile(finite, (LIMITS.outliers, 100 - LIMITS.outliers))
    near = LIMITS.tolerance * float(usual[1] - usual[0])
    at_an_end = max(float((finite <= low + near).mean()), float((finite >= high - near).mean()))
    if high == low or at_an_end < LIMITS.background_share:
        raise UsageError(
            f"has values from {low:.4g} to {high:.4g}, and neither is a background that most pixels share. Perhaps "
            "each pixel or each image was standardised by itself, which cannot be undone. Save the images as they "
            "were before: uint8, 0 to 255."
        )
    return Values(low, high, words=f"its values are {low:.4g} to {high:.4g}")


def _is_beyond(finite: NDArray[Any], low: float, high: float, white: float) -> bool:
    """Whether numbers are 0 to `white`, but some lie beyond, as after resizing with cubic curves.

    Then the background is 0 or `white`, and not the lowest or the highest number.
    """
    if low < -LIMITS.beyond * white or not (1 - LIMITS.beyond) * white <= high <= (1 + LIMITS.beyond) * white:
        return False
    ink = float((finite > white / 2).mean())
    if not LIMITS.ink <= ink <= 1 - LIMITS.ink:
        return False
    near = LIMITS.tolerance * white
    shares = [float((abs(finite - level) <= near).mean()) for level in (0, white)]
    return max(shares) >= LIMITS.background_share


def _is_whole(numbers: NDArray[Any]) -> bool:
    return numbers.dtype.kind != "f" or bool((numbers == np.rint(numbers)).all())


def _is_wrapped(sample: NDArray[np.int8], frame: NDArray[np.bool_]) -> bool:
    """Whether the edges of most images are 0 or -1, which is what 0 and 255 become."""
    return bool(np.isin(np.median(sample[:, frame], axis=1), (0, -1)).mean() > 0.5)
