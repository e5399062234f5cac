r"""The rows of an output: one for each image, as a line of JSON or of CSV, and back.

The words are those of `classify --json` and of `predictions.csv`. What follows them says which version of which file
the row is about, so that the output alone tells what is done. A document has a row for each page, and these rows are
beside each other.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from model.metrics import CLASSES
from producer.calls.prediction import DECIMALS, Prediction
from producer.public import answers
from producer.public.body import to_text
from producer.report.tables.rows import csv_writer, number_cells, prediction_header, prediction_row, time_cell
from producer.sources.naming import page_name
from producer.watching.tree import Version

_TIME = re.compile(r"(?:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)|(-?\d{1,20}))\.(\d{9})Z?", re.ASCII)
_JSON_STARTS = (b'{"format": 1, "name": ', b'{"name": ')  # of each row, and of those before version 0.3
_EPOCH, _SECOND = datetime(1970, 1, 1), timedelta(seconds=1)  # noqa: DTZ001  both times are UTC
_PAGE = page_name("", 1)[:-1]  # what is between the name of a document and the number of a page
_LIMIT = 2**63  # of SQLite's numbers


class Row(NamedTuple):
    """One image of a file that was classified.

    Attributes:
        name: Name of the image: that of the file, or of a page.
        prediction: Its answer.
    """

    name: str
    prediction: Prediction


class RowFormat(Protocol):
    """Writes and reads rows.

    Attributes:
        header: What a new output begins with.
    """

    header: bytes

    def encode(self, version: Version, rows: Sequence[Row], written: float) -> bytes:
        """Return the rows of a file as they are appended.

        Args:
            version: The file.
            rows: Its images, in order.
            written: Unix time, in seconds.
        """

    def decode(self, line: bytes) -> tuple[Version, int, bool] | None:
        """Return what a whole row says: the file, how many rows the file has, and whether this image failed.

        It returns None for what is not a row of this format.
        """

    def begins(self, line: bytes) -> bool:
        """Return whether an output of this format begins with this line, which may be torn."""


class JsonRows:
    """An object of JSON in each line.

    Args:
        probabilities: Whether a row has the ten probabilities.
        numbers: Whether all digits of an image are read.
    """

    header = b""

    def __init__(self, *, probabilities: bool, numbers: bool) -> None:
        self._probabilities = probabilities
        self._numbers = numbers

    def encode(self, version: Version, rows: Sequence[Row], written: float) -> bytes:
        """Return the rows of a file; see `RowFormat`."""
        about = _about(version, len(rows), rows[0].name, written)
        found = (row.prediction.values(numbers=self._numbers, probabilities=self._probabilities) for row in rows)
        return b"".join(
            to_text(answers.Row(name=row.name, **answer, **about)).encode() + b"\n"
            for row, answer in zip(rows, found, strict=True)
        )

    def decode(self, line: bytes) -> tuple[Version, int, bool] | None:
        """Return what a row says; see `RowFormat`."""
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return _decoded(row, row.get("error")) if isinstance(row, dict) else None

    def begins(self, line: bytes) -> bool:
        """Return whether an output begins with this line; see `RowFormat`."""
        torn = not line.endswith(b"\n") and any(line[: len(start)] == start[: len(line)] for start in _JSON_STARTS)
        return torn or self.decode(line) is not None


class CsvRows:
    """A table with the columns of `predictions.csv`, and those that say which version of the file the row is about.

    Args:
        probabilities: Whether a row has the ten probabilities.
        numbers: Whether all digits of an image are read.
    """

    def __init__(self, *, probabilities: bool, numbers: bool) -> None:
        self._probabilities = probabilities
        self._numbers = numbers
        columns = prediction_header(probabilities=probabilities, numbers=numbers)
        self._columns = [*columns, "size", "modified", "written", "pages"]
        self.header = _csv([self._columns])

    def encode(self, version: Version, rows: Sequence[Row], written: float) -> bytes:
        """Return the rows of a file; see `RowFormat`."""
        about = _about(version, len(rows), rows[0].name, written)
        end = [about["size"], about["modified"], about["written"], about.get("pages")]
        return _csv([[*self._cells(row), *end] for row in rows])

    def decode(self, line: bytes) -> tuple[Version, int, bool] | None:
        """Return what a row says; see `RowFormat`."""
        try:
            cells = next(csv.reader([line.decode()], strict=True))
            row: dict[str, Any] = dict(zip(self._columns, cells, strict=True))
            row["size"] = int(row["size"])
            pages = {"pages": int(text)} if (text := row.pop("pages")) else {}
        except (ValueError, StopIteration, csv.Error):
            return None
        # A name never begins like this by itself, so it is what guards spreadsheets.
        return _decoded({**row, **pages, "name": row["name"].removeprefix("./")}, row["error"])

    def begins(self, line: bytes) -> bool:
        """Return whether an output begins with this line; see `RowFormat`."""
        return line == self.header or (not line.endswith(b"\n") and self.header.startswith(line))

    def _cells(self, row: Row) -> list[object]:
        found = row.prediction
        ten = found.probabilities or (None,) * CLASSES
        cells = prediction_row(
            row.name,
            label=None,
            digit=found.digit,
            confidence=_rounded(found.confidence),
            review=found.review,
            doubt=found.doubt,
            number=number_cells(found.number or "", found.confidences) if self._numbers else (),
            probabilities=map(_rounded, ten) if self._probabilities else (),
            model=found.model,
            failure=found.error,
        )
        return [one_line(cell) if isinstance(cell, str) else cell for cell in cells]


def one_line(text: str) -> str:
    r"""Return a text in one line, with `\n` for a line break, so that a line of a table is a row of it."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, DECIMALS)


def _about(version: Version, pages: int, first: str, written: float) -> dict[str, Any]:
    about: dict[str, Any] = {
        "size": version.size,
        "modified": time_cell(version.modified),
        "written": time_cell(round(written * 1000) * 10**6)[:-7] + "Z",
    }
    if first != version.name:
        about["pages"] = pages
    return about


def _decoded(row: dict[str, Any], error: object) -> tuple[Version, int, bool] | None:
    match row:
        case {"name": str(name), "size": int(size), "modified": str(modified), "pages": int(pages)}:
            name = name.rpartition(_PAGE)[0]
        case {"name": str(name), "size": int(size), "modified": str(modified)}:
            pages = 1
        case _:
            return None
    try:
        version = Version(name, size, _as_nanoseconds(modified))
    except ValueError:
        return None
    fits = 0 <= size < _LIMIT and abs(version.modified) < _LIMIT and pages > 0
    return (version, pages, bool(error)) if fits else None


def _as_nanoseconds(text: str) -> int:
    """Do the reverse of `time_cell`.

    Raises:
        ValueError: The text is not a time.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is not a time")
    moment, seconds, rest = found.groups()
    if moment:
        return (datetime.fromisoformat(moment) - _EPOCH) // _SECOND * 10**9 + int(rest)
    return int(seconds) * 10**9 + int(rest)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv_writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
