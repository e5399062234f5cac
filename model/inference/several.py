"""Decide with the network whether an image shows several digits, where the arrangement of its strokes leaves doubt.

The network learned to doubt two digits side by side, and it reads the halves of a zero less surely than the zero. So it
classifies the image as one digit, and each part as a digit: together, and only for the few doubtful images.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, ImageError
from model.images.doubts import Doubt
from model.images.fitting import SIDE
from model.images.normalise import Normalised
from model.images.preprocess import preprocess_all
from model.inference.predictions import Predictions
from model.inference.variants import Classify, Inputs, Readings, read_inputs

_ONE, _ZERO = 1, 0


@dataclass(frozen=True, slots=True)
class SeveralLimits:
    """How sure the network must be. The figures are of `benchmarks/several.py --training`."""

    max_whole: float = 0.98
    """Confidence in one digit from which it is one digit, although the parts are read more surely.

    0.95, 0.98 and 0.99 find 99.0, 99.3 and 99.3 % of the images of several digits, and take 0.75, 0.75 and 0.77 % of
    single digits for several, most of which are in pieces."""

    min_part: float = 0.5
    """Minimum confidence in each part. Below it neither reading is right, and the image is reviewed as one digit."""

    sure_part: float = 0.9
    """Confidence in each part from which the parts are digits, although the whole is read as surely.

    Digits above each other need this, because the network never learned to doubt them. A broken digit often has a one
    among its parts, and an eight in two loops has two zeros. So this limit holds only for other parts.

    In a row, one part that is read so surely as the same digit as the whole is enough, unless that is a one: the other
    parts change nothing, so they are not pieces of it. Without this, 6 % of the rows of a digit and a one are surely
    one digit at a gap of 0.1 to 0.2 widths, and with it 0.4 %."""

    sure_zero: float = 0.8
    """Confidence in a zero from which it is one digit if no part is a zero. Its halves are often read as 6 and 7, or 1
    and 7. Rows of other digits are hardly ever read as a zero so surely."""


LIMITS = SeveralLimits()


def shows_several(
    digit: int,
    whole: float,
    digits: NDArray[np.integer],
    confidences: NDArray[np.floating],
    *,
    in_row: bool,
    is_one_large: bool = False,
) -> bool:
    """Return whether a doubtful image shows several digits, and not one in several pieces.

    Args:
        digit: Digit that the image is read as, if it shows one.
        whole: Confidence in it, 0 to 1.
        digits: Digits that the parts are read as, int (n,).
        confidences: Confidences in them, 0 to 1, (n,).
        in_row: Whether the parts stand beside each other with gaps between them, each about as tall as the others.
        is_one_large: Whether all parts but one are small.
    """
    weakest = float(confidences.min())
    is_large = digits == digit
    if is_one_large and np.count_nonzero(is_large) <= 1 and np.isin(digits[~is_large], (_ZERO, _ONE)).all():
        return False  # small rings and bars are seldom digits, but holes for a binder, degree signs and ticks
    if digit == _ZERO and whole >= LIMITS.sure_zero and not (digits == _ZERO).any():
        return False
    is_there = bool(((digits == digit) & (confidences >= LIMITS.sure_part)).any())
    if in_row and is_there and digit != _ONE and weakest >= LIMITS.min_part:
        return True
    if whole < LIMITS.max_whole and weakest >= max(whole, LIMITS.min_part):
        return True
    are_strokes = bool((digits == _ONE).any() or (digits == _ZERO).all())
    return weakest >= LIMITS.sure_part and not are_strokes


def with_parts(inputs: Inputs, doubtful: Mapping[int, Normalised]) -> Inputs:
    """Return the images, and after them the parts of the doubtful ones.

    Args:
        inputs: Images.
        doubtful: Images that may show several digits, by index.
    """
    if not doubtful:
        return inputs
    images = np.concatenate([inputs.images, *(each.parts for each in doubtful.values())])
    parts = np.ones(len(images) - len(inputs.images), bool)
    return Inputs(images, np.concatenate([inputs.redrawn, parts]))


def find_several(readings: Readings, doubtful: Mapping[int, Normalised], count: int) -> dict[int, range]:
    """Decide which doubtful images show several digits.

    Args:
        readings: What was read in what `with_parts` returned.
        doubtful: Images that may show several digits, or do so for certain, by index.
        count: Number of images without the parts.

    Returns:
        For each image that shows several digits, by its index: the indices of the predictions for them.
    """
    found = {}
    start = count
    for index, each in doubtful.items():
        parts = range(start, start := start + len(each.parts))
        read, digit = readings.predictions.at(parts), int(readings.predictions.digits[index])
        whole = float(readings.surest[index])  # most variants of a broken digit are read less surely
        if each.certain or shows_several(
            digit, whole, read.digits, read.confidences, in_row=each.in_row, is_one_large=each.is_one_large
        ):
            found[index] = parts
    return found


@dataclass(frozen=True, slots=True)
class FilesRead:
    """What was read of n image files.

    Attributes:
        shown: Images as the network saw them, uint8 (n, 28, 28); black where the file failed before.
        predictions: Predictions for them.
        failures: Failures by index. Their predictions mean nothing.
        doubts: Doubts of the image path, by index.
    """

    shown: NDArray[np.uint8]
    predictions: Predictions
    failures: dict[int, Failure]
    doubts: dict[int, Doubt]


def read_files(classify: Classify, files: Iterable[bytes]) -> FilesRead:
    """Decode, normalise and classify files, as a worker does.

    Args:
        classify: Function that classifies images, uint8 (n, 28, 28).
        files: Bytes of the image files.
    """
    shown: list[NDArray[np.uint8]] = []
    redrawn: list[bool] = []
    failures: dict[int, Failure] = {}
    doubtful: dict[int, Normalised] = {}
    doubts: dict[int, Doubt] = {}
    for index, file in enumerate(files):
        image, is_redrawn = np.zeros((SIDE, SIDE), np.uint8), False
        try:
            normalised = preprocess_all(file)
        except ImageError as fault:
            failures[index] = fault.failure
        else:
            if normalised.doubt is not None:
                doubts[index] = normalised.doubt
            sort_out(index, normalised, failures, doubtful)
            image, is_redrawn = normalised.shown, not normalised.in_form and index not in failures
        shown.append(image)
        redrawn.append(is_redrawn)
    images = np.stack(shown) if shown else np.zeros((0, SIDE, SIDE), np.uint8)
    readings = read_inputs(classify, with_parts(Inputs(images, np.array(redrawn, bool)), doubtful))
    for index in find_several(readings, doubtful, len(images)):
        failures[index] = doubtful[index].as_several.failure
    return FilesRead(images, readings.predictions.at(slice(len(images))), failures, doubts)


def sort_out(index: int, normalised: Normalised, failures: dict[int, Failure], doubtful: dict[int, Normalised]) -> None:
    """Add an image to the failures if it shows several digits for certain, and to the doubtful ones if it may.

    Args:
        index: Index of the image.
        normalised: The image.
        failures: Failures by index.
        doubtful: Images that may show several digits, by index.
    """
    if normalised.certain:
        failures[index] = normalised.as_several.failure
    elif len(normalised.parts):
        doubtful[index] = normalised
