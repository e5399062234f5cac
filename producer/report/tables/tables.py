"""The CSV files: one row for each image, for programs and for spreadsheets. `rows` says how they are written."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from producer.jobs.results import Results
from producer.report.files import replacing
from producer.report.place import open_growing_table
from producer.report.selection import Selection, select
from producer.report.tables.plain_rows import LastCells, plain_texts
from producer.report.tables.rows import FILE_COLUMNS, FileVersion, csv_writer, guarded, prediction_header, rows_of

_ROWS_AT_ONCE = 8192


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
    chosen = selection or select(results)
    with _replaced(path) as file:
        csv_writer(file).writerow(_header_of(results, versions))
        _write_all(file, results, chosen, versions)


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
        if not file.tell():
            csv_writer(file).writerow(_header_of(results, versions))
        _write_all(file, results, select(results, min_confidence), versions)
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
    with _replaced(path) as file:
        csv_writer(file).writerow([*_header_of(results), "path"])
        _write_rows(file, results, selection.for_review, selection.doubted, LastCells(root=root))


def write_errors(path: Path, results: Results) -> None:
    """Write the images that failed. Columns: name, label, error, message."""
    rows = (
        (guarded(results.names[index]), results.label(index), str(code), guarded(sentence))
        for index, (code, sentence) in sorted(results.failures.items())
    )
    with _replaced(path) as file:
        writer = csv_writer(file)
        writer.writerow(("name", "label", "error", "message"))
        writer.writerows(rows)


def _header_of(results: Results, versions: Mapping[str, FileVersion] | None = None) -> list[str]:
    header = prediction_header(probabilities=results.probabilities is not None, numbers=results.numbers is not None)
    return header if versions is None else [*header, *FILE_COLUMNS]


def _write_all(
    file: TextIO, results: Results, selection: Selection, versions: Mapping[str, FileVersion] | None
) -> None:
    _write_rows(file, results, np.arange(len(results)), selection.doubted, LastCells(versions=versions))


def _write_rows(
    file: TextIO, results: Results, indices: NDArray[np.intp], doubted: NDArray[np.bool_], last: LastCells
) -> None:
    if results.numbers is None and results.probabilities is None:
        file.writelines(plain_texts(results, indices, doubted, last))
        return
    writer = csv_writer(file)
    for start in range(0, len(indices), _ROWS_AT_ONCE):  # so that few values at a time are objects of Python
        some = indices[start : start + _ROWS_AT_ONCE]
        names = (results.names[index] for index in some.tolist())
        rows = zip(names, rows_of(results, some, doubted), strict=True)
        writer.writerows((*row, *last.of(name)) for name, row in rows)


@contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    """Yield the file of a table, which replaces an earlier one in one piece."""
    with (
        replacing(path) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file
