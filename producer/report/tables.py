r"""The CSV files: one row for each image, for programs and for spreadsheets.

The files are UTF-8, comma-separated, with every text in quotes and `\n` at the end of a row. `csv.reader` and
`pandas.read_csv` read them without options. Two kinds of texts need care:

- A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and anyone may have named the file. Such
  a text gets `./` in front. It still names the same file to any program that opens it, and `./` is easily removed. The
  apostrophe that is often recommended would change the name.
- On Linux a name can be any bytes. Bytes that are not UTF-8 are written as `\udc80` to `\udcff`, as Python prints
  them, so that the table stays readable whatever its names are.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure
from model.images.doubts import Doubt
from model.metrics import CLASSES
from producer.jobs.results import NONE, Results
from producer.report.files import replacing
from producer.report.place import open_growing_table
from producer.report.selection import Selection, select
from worker.contract.wire import Label

_DECIMALS = 6  # of probabilities: finer than any calibration
_ROWS_AT_ONCE = 8192
_NUMBER_DECIMALS = 3  # of the confidences of a number's digits, which people read side by side
# Some spreadsheets skip leading blanks and control characters. East Asian ones also accept the wide forms of the signs.
_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@＝＋－＠]|[\t\r\n]")  # noqa: RUF001 - see above


_NEEDS_CARE = re.compile(r"[=+\-@＝＋－＠\"\x00-\x1f]")  # noqa: RUF001 - see above
_DIGITS = {NONE: '""', **{digit: str(digit) for digit in range(CLASSES)}}
_PAIRS = [f'",{label},{digit},' for label in _DIGITS.values() for digit in _DIGITS.values()]
"""What follows the name in a row: the end of its quotes, label and digit, first those without a label."""
_PLAIN = 100  # millionths; Python prints smaller shares with an exponent
_FIRST = [*(f"0.{share:03}" for share in range(1000)), *(repr(share / 1000) for share in range(1001))]
_LAST = [f"{share:03}".rstrip("0") for share in range(1000)]
"""The texts of shares: thousandths before other decimals, the same at the end, and these decimals."""


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


def write_predictions(
    path: Path,
    results: Results,
    selection: Selection | None = None,
    versions: Mapping[str, FileVersion] | None = None,
) -> None:
    """Write all images, in the order of submission.

    Columns: name, label, digit, confidence, review (`yes` if the image is listed for review), doubt, p0 to p9 (only if
    the job asked for the probabilities), model, error, message. A cell without a value is empty. `doubt` is the code of
    the image path's doubt about the prediction, and `message` then gives its reason.

    If the job reads numbers, the label is a text of digits, `digit` is empty unless the number has one digit, and
    `confidence` is that of the least certain digit. After `doubt` come the columns number, digits and confidences,
    such as "042", "0 4 2" and "0.998 0.973 0.999". A spreadsheet may take the number for 42, but keeps its digits.

    Args:
        path: File to write.
        results: All images of the job.
        selection: Images for review, or None for no review.
        versions: Version of each image's file, by name, for the columns `FILE_COLUMNS`; or None to leave these out.
    """
    header = _header_of(results, versions)
    if versions is None and results.numbers is None and results.probabilities is None:
        with _replaced(path) as file:
            csv_writer(file).writerow(header)
            file.writelines(_plain_texts(results, selection))
        return
    _write(path, header, _all_rows(results, selection, versions))


@contextmanager
def growing_table(
    folder: Path,
    min_confidence: float | None,
    first: Results | None = None,
    versions: Mapping[str, FileVersion] | None = None,
) -> Iterator[Callable[[Results], None]]:
    """Let `predictions.csv` grow while its job runs, until the report of the job replaces it.

    Args:
        folder: Folder of the report.
        min_confidence: As for `select`.
        first: Rows that the table has from the beginning, or None for none.
        versions: As for `write_predictions`, of the first and all later rows.

    Yields:
        Function that writes the next images of the job, in the order of submission, so that readers see them at once.

    Raises:
        UsageError: The folder has something else than a report, or cannot be written.
    """

    def write(file: TextIO, results: Results | None) -> None:
        if results is None:
            return
        writer = csv_writer(file)
        if not file.tell():
            writer.writerow(_header_of(results, versions))
        writer.writerows(_all_rows(results, select(results, min_confidence), versions))
        file.flush()

    with open_growing_table(folder, lambda file: write(file, first)) as file:
        yield lambda results: write(file, results)


def write_review(path: Path, results: Results, selection: Selection, root: str = "") -> None:
    """Write the images for review, in the order of `Selection.for_review`.

    Columns: those of the predictions, and `path`, the path of the image. When a person has filled in the labels,
    `digitmill teach --csv` needs only this file.

    Args:
        path: File to write.
        results: All images of the job.
        selection: Images for review.
        root: Text before an image's name that makes it a path. With "", the column `path` stays empty.
    """
    rows = _predictions(results, selection.for_review, selection)
    paths = (root and guarded(root + results.names[index]) for index in selection.for_review.tolist())
    _write(
        path,
        [*_header_of(results), "path"],
        ((*row, place or None) for row, place in zip(rows, paths, strict=True)),
    )


def write_errors(path: Path, results: Results) -> None:
    """Write the images that failed. Columns: name, label, error, message."""
    rows = (
        (guarded(results.names[index]), results.label(index), str(code), guarded(sentence))
        for index, (code, sentence) in sorted(results.failures.items())
    )
    _write(path, ("name", "label", "error", "message"), rows)


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


def _header_of(results: Results, versions: Mapping[str, FileVersion] | None = None) -> list[str]:
    header = prediction_header(probabilities=results.probabilities is not None, numbers=results.numbers is not None)
    return header if versions is None else [*header, *FILE_COLUMNS]


def _all_rows(
    results: Results, selection: Selection | None, versions: Mapping[str, FileVersion] | None
) -> Iterable[tuple[object, ...]]:
    rows = _predictions(results, np.arange(len(results)), selection)
    if versions is None:
        return rows
    return ((*row, *versions[name]) for row, name in zip(rows, results.names, strict=True))


def _plain_texts(results: Results, selection: Selection | None) -> Iterator[str]:
    """Yield what `csv_writer` writes of many rows of a job that reads digits, in a third of the time.

    Rows of images that failed, or that a picture gives a reason to doubt, are written by it.
    """
    doubted = (selection or select(results)).doubted
    special = np.array([*results.failures, *results.doubts], np.intp)
    models = {model: _doubled(guarded(model)) for model in set(results.models)}
    ends = [{model: f',{review},"","{text}","",""\n' for model, text in models.items()} for review in ('""', '"yes"')]
    for start in range(0, len(results), _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, len(results))
        some = np.arange(start, stop)
        pairs = (results.labels[some].astype(np.intp) - NONE) * len(_DIGITS) + (results.digits[some] - NONE)
        lines = [
            f'"{name}{_PAIRS[pair]}{share}{ends[review][model]}'
            for name, pair, share, review, model in zip(
                _between_quotes(results.names[start:stop]),
                pairs.tolist(),
                _share_texts(results.confidences[start:stop]),
                doubted[start:stop].tolist(),
                results.models[start:stop],
                strict=True,
            )
        ]
        others = np.flatnonzero(np.isin(some, special))
        for place, row in zip(others.tolist(), _rows(results, some[others], doubted), strict=True):
            text = io.StringIO()
            csv_writer(text).writerow(row)
            lines[place] = text.getvalue()
        yield "".join(lines)


def _share_texts(shares: NDArray[np.float32]) -> list[str]:
    """Return `_rounded` shares as Python prints them, in a quarter of the time. A NaN may give any text."""
    millionths = np.rint(np.nan_to_num(shares.astype(np.float64), nan=1.0) * 10**_DECIMALS).astype(np.intp)
    if (millionths < _PLAIN).any():
        return list(map(repr, _rounded(shares)))
    thousandths, rest = np.divmod(millionths, 1000)
    thousandths[rest == 0] += 1000  # the second half of the table
    return [_FIRST[one] + _LAST[other] for one, other in zip(thousandths.tolist(), rest.tolist(), strict=True)]


def _between_quotes(names: Sequence[str]) -> Sequence[str]:
    """Return names as cells have them. Most do not need care, so one search looks at all of them at once."""
    if _NEEDS_CARE.search("".join(names)):
        return [_doubled(guarded(name)) for name in names]
    return names


def _doubled(text: str) -> str:
    return text.replace('"', '""')


def _predictions(
    results: Results, indices: NDArray[np.intp], selection: Selection | None
) -> Iterator[tuple[object, ...]]:
    doubted = (selection or select(results)).doubted
    special = np.array([*results.failures, *results.doubts], np.intp)
    is_plain = results.numbers is None and results.probabilities is None
    guarded_models = {model: guarded(model) for model in set(results.models)}
    for start in range(0, len(indices), _ROWS_AT_ONCE):  # so that few values at a time are objects of Python
        some = indices[start : start + _ROWS_AT_ONCE]
        if not is_plain:
            yield from _rows(results, some, doubted)
            continue
        order = some.tolist()
        # The cells of `prediction_row`. To call that for each row would take most of the time of a report.
        rows: list[tuple[object, ...]] = list(
            zip(
                [guarded(results.names[index]) for index in order],
                _cells(results.labels[some]),
                _cells(results.digits[some]),
                _rounded(results.confidences[some]),
                ["yes" if review else None for review in doubted[some].tolist()],
                repeat(None),
                [guarded_models[results.models[index]] for index in order],
                repeat(None),
                repeat(None),
                strict=False,  # the columns without an end
            )
        )
        others = np.flatnonzero(np.isin(some, special))
        for place, row in zip(others.tolist(), _rows(results, some[others], doubted), strict=True):
            rows[place] = row
        yield from rows


def _rows(results: Results, indices: NDArray[np.intp], doubted: NDArray[np.bool_]) -> Iterator[tuple[object, ...]]:
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
    return values.astype(np.float64).round(_DECIMALS).tolist()


def _cells(values: NDArray[Any]) -> list[Label | None]:
    return [None if value in {NONE, ""} else value for value in values.tolist()]


def guarded(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"./{text}" if _FORMULA.match(text) else text


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with _replaced(path) as file:
        writer = csv_writer(file)
        writer.writerow(header)
        writer.writerows(rows)


@contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    """Yield the file of a table, which replaces an earlier one in one piece."""
    with (
        replacing(path) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def csv_writer(file: TextIO) -> Any:
    """Return a writer of such a file."""
    # Without quotes, a spreadsheet that splits at semicolons could find a cell inside a name.
    return csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
