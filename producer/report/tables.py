r"""The CSV files: one row for each image, for programs and for spreadsheets.

They are UTF-8, comma-separated, every text in quotes, with `\n` at the end of a row; `csv.reader` and `pandas.read_csv`
read them as they are. Two kinds of names need care:

- A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, whoever named the file. Such a text gets
  `./` in front. That still names the same file to whatever opens it, unlike the apostrophe that is often
  recommended, and is as easily taken off.
- A name that is no UTF-8 (any bytes name a file on Linux) has its foreign bytes written as `\udc80` to `\udcff`, as
  Python prints them: one odd name leaves the rest of the table readable.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.metrics import CLASSES
from producer.jobs.results import NONE, Results
from producer.report.files import replacing
from producer.report.selection import doubted, for_review

_DECIMALS = 6  # of probabilities: finer than any calibration
# Blanks and control characters in front do not stop every spreadsheet; the wide forms are signs too in East Asian ones.
_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@＝＋－＠]|[\t\r\n]")  # noqa: RUF001 - see above


def write_predictions(path: Path, results: Results, min_confidence: float | None = None) -> None:
    """Write every image, in the order of submission.

    Columns: name, label, digit, confidence, review (`yes` below `min_confidence`), p0 to p9 if the probabilities were
    asked for, model, error, message. A cell is empty where there is nothing to say.
    """
    _write(path, _prediction_header(results), _predictions(results, np.arange(len(results)), min_confidence))


def write_review(path: Path, results: Results, min_confidence: float, root: str = "") -> None:
    """Write the images whose confidence is below `min_confidence`, least certain first.

    Columns as in predictions, and `path`, where the image is: `root` and its name, or empty without a `root`. So the
    file with its labels filled in is all that `digitmill teach --csv` needs.
    """
    chosen = for_review(results, min_confidence)
    rows = _predictions(results, chosen, min_confidence)
    paths = (root and _guarded(root + results.names[index]) for index in chosen.tolist())
    _write(
        path,
        [*_prediction_header(results), "path"],
        ((*row, place or None) for row, place in zip(rows, paths, strict=True)),
    )


def write_errors(path: Path, results: Results) -> None:
    """Write the images that failed. Columns: name, label, error, message."""
    rows = (
        (_guarded(results.names[index]), _digit(int(results.labels[index])), str(code), _guarded(sentence))
        for index, (code, sentence) in sorted(results.failures.items())
    )
    _write(path, ("name", "label", "error", "message"), rows)


def _prediction_header(results: Results) -> list[str]:
    probabilities = [] if results.probabilities is None else [f"p{digit}" for digit in range(CLASSES)]
    return ["name", "label", "digit", "confidence", "review", *probabilities, "model", "error", "message"]


def _predictions(
    results: Results, indices: NDArray[np.intp], min_confidence: float | None
) -> Iterator[tuple[object, ...]]:
    # Whole columns become Python values at once: element by element, NumPy would take longer than all the rest.
    labels, digits = results.labels[indices].tolist(), results.digits[indices].tolist()
    confidences = _rounded(results.confidences[indices])
    review = doubted(results, min_confidence)[indices].tolist()
    probabilities: list[list[float]] | None = None
    if results.probabilities is not None:
        probabilities = _rounded(results.probabilities[indices])
    for row, index in enumerate(indices.tolist()):
        failure = results.failures.get(index)
        yield (
            _guarded(results.names[index]),
            _digit(labels[row]),
            _digit(digits[row]),
            None if failure else confidences[row],
            "yes" if review[row] else None,
            *(() if probabilities is None else (None,) * CLASSES if failure else probabilities[row]),
            results.models[index],
            str(failure.code) if failure else None,
            _guarded(failure.sentence) if failure else None,
        )


def _rounded(values: NDArray[np.float32]) -> Any:
    return values.astype(np.float64).round(_DECIMALS).tolist()


def _digit(value: int) -> int | None:
    return None if value == NONE else value


def _guarded(text: str) -> str:
    return f"./{text}" if _FORMULA.match(text) else text


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with (
        replacing(path) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        # Quotes around every text keep a spreadsheet that splits at semicolons from finding a cell inside a name.
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
