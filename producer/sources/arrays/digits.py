"""Arrays of labels: which array has the true digits or numbers, and in which of the usual ways it says them."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from producer.sources.labelling.label_text import read_digit, read_number

Numbers: TypeAlias = NDArray[np.uint64] | NDArray[np.str_]
"""True numbers of n images, (n,). Integers do not say whether a number begins with zeros."""

_USUAL = ("label", "labels", "y", "target", "targets", "digit", "digits", "class", "classes", "y_true", "truth")


class ChosenLabels(NamedTuple):
    """The labels of an array of images.

    Attributes:
        digits: Integers (n,), 0 to 9, or None if there are none.
        numbers: Labels that are numbers and not digits, or None if there are none.
        note: Reason why no array gives the labels although one looks like them, or "".
    """

    digits: NDArray[np.integer[Any]] | None = None
    numbers: Numbers | None = None
    note: str = ""


def choose_labels(arrays: Mapping[str, NDArray[Any]], count: int) -> ChosenLabels:
    """Return the labels that some arrays beside the images hold.

    Of several arrays that may be labels, one with a usual name counts, or all of them if they say the same.

    Args:
        arrays: Arrays by name, without the images.
        count: Number of images.
    """
    digits, note = _choose_digits(arrays, count)
    return ChosenLabels(digits, _choose_numbers(arrays, count) if digits is None else None, note)


def _choose_digits(arrays: Mapping[str, NDArray[Any]], count: int) -> tuple[NDArray[np.int64] | None, str]:
    """Return digits and note; see `ChosenLabels`."""
    found = {name: digits for name, array in arrays.items() if (digits := as_digits(array, count)) is not None}
    usual = {name: digits for name, digits in found.items() if name.casefold() in _USUAL} or found
    if usual:
        first, *others = usual.values()
        if all(np.array_equal(first, other) for other in others):
            return first, ""
        return None, f"No labels: {_listed(usual)} may all be labels. Keep one of these arrays."
    unclear = {name: array for name, array in arrays.items() if name.casefold() in _USUAL}
    if not unclear:
        return None, ""
    name, array = next(iter(unclear.items()))
    holds = f" with {array.min():g} to {array.max():g}" if array.dtype.kind in "iuf" and array.size else ""
    return None, (
        f"No labels: {name!r} is {array.dtype} {array.shape}{holds}, and not a digit 0 to 9 for each of the {count:,} "
        "images."
    )


def as_digits(array: NDArray[Any], count: int) -> NDArray[np.int64] | None:
    """Return digits that an array holds as integers, floats, texts or one-hot rows, as int64 (n,).

    Args:
        array: Any array, (n,), (n, 1), (1, n) or one-hot (n, 10).
        count: Number n of images.

    Returns:
        The digits, or None if the array does not hold a digit for each image.
    """
    if array.dtype.kind not in "biufUS" or array.size not in (count, 10 * count) or count == 0:
        return None
    if array.size == count:
        column = _column(array, count)
        return None if column is None else _from_column(column)
    if array.dtype.kind in "US" or array.shape != (count, 10):
        return None
    # One number is 1, and all others are 0.
    one_hot = np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
    return array.argmax(axis=1).astype(np.int64) if one_hot else None


def _from_column(column: NDArray[Any]) -> NDArray[np.int64] | None:
    if column.dtype.kind == "b":
        return None
    if column.dtype.kind in "US":
        try:
            digits = [read_digit(text) for text in _texts(column)]
        except ValueError:
            return None
        column = np.array([-1 if digit is None else digit for digit in digits], np.int64)
    with np.errstate(invalid="ignore"):
        whole = column.astype(np.int64)
    return whole if bool(((whole == column) & (whole >= 0) & (whole <= 9)).all()) else None


def _choose_numbers(arrays: Mapping[str, NDArray[Any]], count: int) -> Numbers | None:
    """Return the labels that are numbers and not digits, or None if no array certainly has some.

    An array of whole numbers may be anything, such as pages, so it needs a usual name. Texts need none.
    """
    likely = {name: array for name, array in arrays.items() if name.casefold() in _USUAL} or {
        name: array for name, array in arrays.items() if array.dtype.kind in "US"
    }
    found = [numbers for array in likely.values() if (numbers := _as_numbers(array, count)) is not None]
    return found[0] if found and all(np.array_equal(found[0], other) for other in found) else None


def _as_numbers(array: NDArray[Any], count: int) -> Numbers | None:
    """Return numbers that an array holds as integers, whole floats or texts, as uint64 or texts (n,).

    Args:
        array: Any array, (n,), (n, 1) or (1, n).
        count: Number n of images.

    Returns:
        The numbers, or None if the array does not hold one for each image.
    """
    column = _column(array, count)
    if column is None or column.dtype.kind not in "iufUS":
        return None
    if column.dtype.kind in "iuf":
        with np.errstate(invalid="ignore"):
            whole = column.astype(np.uint64)
        return whole if bool(((whole == column) & (column >= 0)).all()) else None
    try:
        numbers = [read_number(text) for text in _texts(column)]
    except ValueError:
        return None
    return np.array(numbers, np.str_) if None not in numbers else None


def _column(array: NDArray[Any], count: int) -> NDArray[Any] | None:
    """Return an array (n,), (n, 1) or (1, n) as (n,), or None if it has another shape."""
    return array.reshape(-1) if array.size == count and max(array.shape, default=1) == count else None


def _texts(column: NDArray[Any]) -> list[str]:
    return [text.decode("latin-1") if isinstance(text, bytes) else text for text in column.tolist()]


def _listed(names: Mapping[str, object]) -> str:
    return " and ".join(map(repr, names))
