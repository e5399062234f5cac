r"""The cells of a row of a table, and how they are written.

The files are UTF-8, comma-separated, with every text in quotes and `\n` at the end of a row. `csv.reader` and
`pandas.read_csv` read them without options. Two kinds of texts need care:

- A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and anyone may have named the file. Such
  a text gets `./` in front. It still names the same file to any program that opens it, and `./` is easily removed. The
  apostrophe that is often recommended would change the name.
- On Linux a name can be any bytes. Bytes that are not UTF-8 are written as `\udc80` to `\udcff`, as Python prints
  them, so that the table stays readable whatever its names are.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure
from model.images.doubts import Doubt
from model.metrics import CLASSES
from producer.jobs.results import NONE, Results
from worker.contract.wire import Label

DECIMALS = 6
"""Decimals of probabilities: finer than any calibration."""

_NUMBER_DECIMALS = 3  # of the confidences of a number's digits, which people read side by side
# Some spreadsheets skip leading blanks and control characters. East Asian ones also accept the wide forms of the signs.
_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@＝＋－＠]|[\t\r\n]")  # noqa: RUF001 - see above


class FileVersion(NamedTuple):
    """Which version of which file a row is about, as cells.

    Attributes:
        path: Path of the image.
        size: Size of its file in bytes, or None if there is none.
        modified: Time of the file's last modification, as `time_cell` writes it, or None.
    """

    path: str
    size: int | None
    modified: str | None


FILE_COLUMNS = list(FileVersion._fields)
"""Titles of the columns that tell the version of a row's file."""


def prediction_header(*, probabilities: bool, numbers: bool) -> list[str]:
    """Return the titles of the columns of `prediction_row`.

    Args:
        probabilities: Whether there are the ten probabilities.
        numbers: Whether numbers are read.
    """
    return [
        "name",
        "label",
        "digit",
        "confidence",
        "review",
        "doubt",
        *(("number", "digits", "confidences") if numbers else ()),
        *((f"p{digit}" for digit in range(CLASSES)) if probabilities else ()),
        "model",
        "error",
        "message",
    ]


def prediction_row(
    name: str,
    *,
    label: Label | None,
    digit: Label | None,
    confidence: float | None,
    review: bool,
    doubt: Doubt | None,
    number: Iterable[str | None],
    probabilities: Iterable[float | None],
    model: str,
    failure: Failure | None,
) -> tuple[object, ...]:
    """Return the cells of an image.

    Args:
        name: Name of the image.
        label: Its label, or None.
        digit: Digit that was read, or None.
        confidence: Its probability, or None if the image failed.
        review: Whether the image is for review.
        doubt: Doubt about the prediction, or None.
        number: What `number_cells` returns, or () if digits are read.
        probabilities: Ten probabilities, or ten times None if the image failed, or () if there are none.
        model: Version that classified it, or "".
        failure: Why it failed, or None.
    """
    return (
        guarded(name),
        label,
        digit,
        confidence,
        "yes" if review else None,
        str(doubt.code) if doubt else None,
        *number,
        *probabilities,
        guarded(model),
        str(failure.code) if failure else None,
        guarded(failure.sentence) if failure else guarded(doubt.reason) if doubt else None,
    )


def number_cells(number: str, shares: Iterable[float]) -> tuple[str | None, ...]:
    """Return the number that was read, its digits and their confidences, or three times None for ""."""
    if not number:
        return None, None, None
    return number, " ".join(number), " ".join(f"{share:.{_NUMBER_DECIMALS}f}" for share in shares)


def time_cell(nanoseconds: int) -> str:
    """Return a unix time in nanoseconds as ISO 8601, or in seconds if no calendar has it. Nothing is rounded."""
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (OverflowError, OSError, ValueError):
        return f"{seconds}.{rest:09d}"
    return f"{moment.isoformat()}.{rest:09d}Z"


def rows_of(results: Results, indices: NDArray[np.intp], doubted: NDArray[np.bool_]) -> Iterator[tuple[object, ...]]:
    """Yield the cells of images of any kind."""
    numbers = results.numbers
    labels = _cells(results.labels[indices] if numbers is None else numbers.labels[indices])
    digits, confidences = _cells(results.digits[indices]), _rounded(results.confidences[indices])
    probabilities = None if results.probabilities is None else _rounded(results.probabilities[indices])
    for row, index in enumerate(indices.tolist()):
        failure = results.failures.get(index)
        yield prediction_row(
            results.names[index],
            label=labels[row],
            digit=digits[row],
            confidence=None if failure else confidences[row],
            review=bool(doubted[index]),
            doubt=results.doubts.get(index),
            number=() if numbers is None else number_cells(numbers.read[index], numbers.confidences[index]),
            probabilities=() if probabilities is None else (None,) * CLASSES if failure else probabilities[row],
            model=results.models[index],
            failure=failure,
        )


def _rounded(values: NDArray[np.float32]) -> Any:
    return values.astype(np.float64).round(DECIMALS).tolist()


def _cells(values: NDArray[Any]) -> list[Label | None]:
    return [None if value in {NONE, ""} else value for value in values.tolist()]


def guarded(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"./{text}" if _FORMULA.match(text) else text


def csv_writer(file: TextIO) -> Any:
    """Return a writer of such a file."""
    # Without quotes, a spreadsheet that splits at semicolons could find a cell inside a name.
    return csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
