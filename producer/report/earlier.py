"""The rows that an output has already, when a job adds to them (`submit --new`, `resubmit`).

Then `predictions.csv` also says which version of which file each row is about, as the output of `watch` does. So the
table alone tells what is done, and a killed client loses no row that it has written.
"""

import csv
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode, UsageError
from model.images.doubts import Doubt, DoubtCode
from model.metrics import CLASSES
from producer.jobs.results import NONE, Numbers, Results
from producer.report.place import FIGURES, PREDICTIONS, check_place, grows, is_joined
from producer.report.tables.rows import FILE_COLUMNS, FileVersion, guarded, prediction_header, time_cell
from producer.sources import Source
from producer.sources.naming import document_of
from worker.contract.wire import known_code

_SECONDS = len("2026-01-01T00:00:00")


def versions_of(source: Source) -> dict[str, FileVersion]:
    """Return which file each image of a source lies in, and that file's version now.

    An image in an archive or an array file has the version of that file. Without a file, size and time are None.
    """
    found: dict[str, tuple[int, str] | None] = {}
    versions = {}
    for name in source.names:
        path = source.root + name
        size, modified = _stamp(path, found) or (None, None)
        versions[name] = FileVersion(guarded(path), size, modified)
    return versions


def _stamp(path: str, found: dict[str, tuple[int, str] | None]) -> tuple[int, str] | None:
    """Return size and time of the file at a path, or of the first file above it, or None without one."""
    for place in (path, document_of(path)):
        try:
            status = os.stat(place)  # noqa: PTH116  Path refuses some names
        except (OSError, ValueError):
            continue
        return status.st_size, time_cell(status.st_mtime_ns)
    above = os.path.dirname(path)  # noqa: PTH120
    if above in ("", path) or os.path.isdir(above):  # noqa: PTH112
        return None
    if above not in found:
        found[above] = _stamp(above, found)
    return found[above]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an output has.

    Attributes:
        rows: Its rows, by the name of the image as the table has it. Each is a dictionary of cells by column.
        started: Time at which their job began, ISO 8601, if the rows do not tell versions. Then files that have not
            changed since count as done. "" if they do.
        is_torn: Whether a client ended while it wrote them. Then images that it sent may have no row.
    """

    rows: dict[str, dict[str, str]]
    started: str = ""
    is_torn: bool = False

    def lacks(self, versions: Mapping[str, FileVersion]) -> list[str]:
        """Return the names of the images that have no row, or a row about another version of their file.

        An image that could not be read is tried again, because a file tells nothing about its permissions.

        Args:
            versions: Versions of the files of all images of a source.
        """
        return [name for name, version in versions.items() if not self._has(name, version)]

    def _has(self, name: str, version: FileVersion) -> bool:
        row = self.rows.get(_as_written(name))
        if row is None or row["error"] == FailureCode.UNREADABLE:
            return False
        if self.started:
            return version.modified is None or version.modified[:_SECONDS] < self.started[:_SECONDS]
        size = "" if version.size is None else str(version.size)
        return (row["size"], row["modified"]) == (size, version.modified or "")

    def quarantined(self, names: Iterable[str]) -> list[str]:
        """Return those of the images that are quarantined, and those of which a torn table has lost the row."""
        rows = {name: self.rows.get(_as_written(name)) for name in names}
        return [
            name for name, row in rows.items() if (row["error"] == FailureCode.QUARANTINED if row else self.is_torn)
        ]

    def without(self, names: Iterable[str]) -> "Earlier":
        """Return the same output without the rows of some images."""
        left_out = set(map(_as_written, names))
        return replace(self, rows={name: row for name, row in self.rows.items() if name not in left_out})

    def versions(self, now: Mapping[str, FileVersion]) -> dict[str, FileVersion]:
        """Return which version of which file each row is about.

        Args:
            now: Versions of the files now, which are those of rows that do not tell their own.
        """
        if self.started:
            known = {_as_written(name): version for name, version in now.items()}
            return {name: known.get(name, FileVersion("", None, None)) for name in self.rows}
        return {
            name: FileVersion(row["path"], int(row["size"]) if row["size"] else None, row["modified"] or None)
            for name, row in self.rows.items()
        }

    def results(self, *, probabilities: bool, numbers: bool) -> Results:
        """Return the rows as columns. The names are as the table has them."""
        rows = list(self.rows.values())
        read = None
        if numbers:
            shares = [[float(share) for share in row["confidences"].split()] for row in rows]
            read = Numbers.of([row["label"] or None for row in rows], [row["number"] for row in rows], shares)
        labels = [int(row["label"]) if row["label"] and len(row["label"]) == 1 else NONE for row in rows]
        return Results(
            names=list(self.rows),
            labels=np.array(labels, np.int8),
            digits=np.array([int(row["digit"] or NONE) for row in rows], np.int8),
            confidences=_shares(rows, ["confidence"])[:, 0],
            probabilities=_shares(rows, [f"p{digit}" for digit in range(CLASSES)]) if probabilities else None,
            models=[row["model"] for row in rows],
            failures={
                index: Failure(known_code(row["error"], FailureCode.INTERNAL), row["message"])
                for index, row in enumerate(rows)
                if row["error"]
            },
            numbers=read,
            doubts={
                index: Doubt(known_code(row["doubt"], DoubtCode.OTHER), row["message"])
                for index, row in enumerate(rows)
                if row["doubt"]
            },
        )


def read_earlier(folder: Path, source: Source, *, probabilities: bool, numbers: bool) -> Earlier:
    """Return the rows of the report in a folder, which may be missing.

    Args:
        folder: Folder of the report.
        source: Images that are submitted now.
        probabilities: Whether the rows must have the ten probabilities.
        numbers: Whether they must have numbers.

    Raises:
        UsageError: A new report cannot be written there, or it has rows of another form, of other images, or of a job
            that has not ended and does not tell the versions of its files.
    """
    check_place(folder)
    try:
        with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            header = next(table, [])
            rows = [dict(zip(header, cells, strict=False)) for cells in table]
    except FileNotFoundError:
        return Earlier({})
    except (OSError, ValueError, csv.Error) as fault:
        raise UsageError(f"Cannot read {folder / PREDICTIONS} ({fault}). Choose another folder with --out.") from None
    if growing := grows(folder):
        rows = rows[:-1]  # a client that was killed while it wrote the last row may have torn it
    if not rows:
        return Earlier({}, is_torn=growing)
    columns = prediction_header(probabilities=probabilities, numbers=numbers)
    described = header == [*columns, *FILE_COLUMNS]
    if not described and header != columns:
        raise UsageError(
            f"The rows in {folder} have other columns than this job would write. Give the same --several and "
            "--probabilities as before, or choose another folder with --out."
        )
    if growing and not described:
        raise UsageError(
            f"{folder} has rows of a job that has not ended, and they do not tell which files they are about. "
            "`digitmill resume` continues that job. Otherwise choose another folder with --out."
        )
    by_name = {row["name"]: row for row in rows}
    if described:
        first = rows[0]
        begins = _as_written(source.root)
        if first["path"] not in {begins + first["name"], begins + first["name"].removeprefix("./")}:
            raise _of_others(folder, first["path"])
        return Earlier(by_name, is_torn=growing)
    figures = json.loads((folder / FIGURES).read_bytes())
    if figures["source"] != source.description:
        raise _of_others(folder, figures["source"])
    return Earlier(by_name, figures["started"])


def check_not_joined(folder: Path) -> None:
    """Check that the report in a folder does not have the rows of several jobs, even if the last one has not ended.

    Raises:
        UsageError: It does, and the report of one job would replace them.
    """
    tells_files = _header(folder)[-len(FILE_COLUMNS) :] == FILE_COLUMNS
    if is_joined(folder) or (tells_files and grows(folder)):
        raise UsageError(
            f"{folder} has a report that `submit --new` has added to, and the report of one job would replace all of "
            "its rows. Name another folder with --out."
        )


def _header(folder: Path) -> list[str]:
    try:
        with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error):
        return []


def _of_others(folder: Path, what: str) -> UsageError:
    return UsageError(
        f"{folder} has rows about other images than these: {what}. Choose another folder with --out for these."
    )


def joined(first: Results, second: Results) -> Results:
    """Return the rows of two results of the same form, one after the other."""
    start = len(first)
    numbers = probabilities = None
    if first.numbers is not None and second.numbers is not None:
        numbers = Numbers(
            np.concatenate([first.numbers.labels, second.numbers.labels]),
            np.concatenate([first.numbers.read, second.numbers.read]),
            [*first.numbers.confidences, *second.numbers.confidences],
        )
    if first.probabilities is not None and second.probabilities is not None:
        probabilities = np.concatenate([first.probabilities, second.probabilities])
    return Results(
        names=[*first.names, *second.names],
        labels=np.concatenate([first.labels, second.labels]),
        digits=np.concatenate([first.digits, second.digits]),
        confidences=np.concatenate([first.confidences, second.confidences]),
        probabilities=probabilities,
        models=[*first.models, *second.models],
        failures={**first.failures, **{start + row: failure for row, failure in second.failures.items()}},
        numbers=numbers,
        doubts={**first.doubts, **{start + row: doubt for row, doubt in second.doubts.items()}},
    )


def _shares(rows: Collection[Mapping[str, str]], columns: list[str]) -> NDArray[np.float32]:
    """Return cells as float32 (rows, columns), with NaN for empty ones."""
    cells = [[float(row[column] or "nan") for column in columns] for row in rows]
    return np.array(cells, np.float32).reshape(len(rows), len(columns))


def _as_written(name: str) -> str:
    """Return a name as the table has it."""
    return guarded(name).encode("utf-8", "backslashreplace").decode()
