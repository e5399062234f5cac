"""Label files: CSV files with the true digit of each image, written by people or by the report."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TextIO

from model.errors import UsageError
from producer.sources.listing import MAX_IMAGES, too_many
from worker.contract.validation.bounds import MAX_DIGITS
from worker.contract.wire import Label, is_number

NAME_COLUMNS = ("name", "file", "filename", "path", "image")
"""Titles of name columns, in order of precedence."""

LABEL_COLUMNS = ("label", "true", "digit")
"""Titles of label columns. The first that a file has counts, because `digit` has the predictions in a report."""

DIGITS = {str(digit): digit for digit in range(10)}
"""Digit for each valid text of a label: `3` is valid, `3.0` and `03` are not."""

NUMBERS = f"a number of 1 to {MAX_DIGITS} digits"
"""What a label is if numbers were asked for, in words."""

MAX_LABEL_BYTES = 128 * 1024**2
"""Maximum size of a label file. A larger one is not read."""

_MAX_ROW = 256 * 1024  # characters; csv itself allows half of this for one cell
_DELIMITERS = ",;\t"  # Excel writes semicolons where the comma is the decimal separator


class Truth(NamedTuple):
    """What a label file says about one image."""

    label: Label | None  # None where the cell is empty
    line: int


class _Columns(NamedTuple):
    """Positions of the columns of a file."""

    names: Sequence[int]
    label: int


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label file's content.

    Attributes:
        path: Path of the file.
        truths: Label and line of each name, in the order of the file. Bytes that are not UTF-8 are kept as in file
            names (surrogateescape).
    """

    path: Path
    truths: dict[str, Truth]

    @classmethod
    def read(cls, path: Path, names: Sequence[str] = NAME_COLUMNS, *, numbers: bool = False) -> "LabelFile":
        """Read and return a CSV file with a header, or with two columns and no header: name and label.

        A header needs the title of a name column and the title of a label column. The file is UTF-8, with or without a
        byte order mark. Commas, semicolons or tabs separate its columns. Other columns and empty lines are ignored. A
        name may occur again with the same label.

        Args:
            path: File to read.
            names: Titles of name columns. If the file has several of them, the first cell that is not empty counts.
            numbers: Whether the labels are numbers, in which zeros at the beginning count, and not digits.

        Raises:
            UsageError: The file cannot be read, is too large or names no images, a label is not 0 to 9 or not a number,
                or a name has two different labels. A message about a row names its line.
        """
        truths: dict[str, Truth] = {}
        for line, name, cell in _rows(path, names, numbers=numbers):
            label = read_label(cell, numbers=numbers)
            if cell and label is None:
                raise _wrong(path, line, f"the label {cell!r} of {name!r} is not {_expected(numbers=numbers)}")
            truth = Truth(label, line)
            earlier = truths.setdefault(name, truth)
            if len(truths) > MAX_IMAGES:
                raise too_many(f"The label file {str(path)!r}")
            if earlier.label != truth.label:
                raise _wrong(path, line, f"{name!r} has another label here than on line {earlier.line}")
        if not truths:
            raise UsageError(
                f"The label file {str(path)!r} names no images. Write a line with name and digit for each."
            )
        return cls(path, truths)


def read_label(text: str, *, numbers: bool) -> Label | None:
    """Return the label that a text means, or None if it means none: a digit, or a number if numbers were asked for."""
    if numbers:
        return text if is_number(text) else None
    return DIGITS.get(text)


def _expected(*, numbers: bool) -> str:
    return NUMBERS if numbers else "a digit 0 to 9 (to read numbers, submit with --several read)"


def _rows(path: Path, titles: Sequence[str], *, numbers: bool) -> Iterator[tuple[int, str, str]]:
    """Yield line number, name and text of the label for each row."""
    with _open(path) as file:
        yield from _rows_of(path, file, titles, numbers=numbers)


def _rows_of(path: Path, file: TextIO, titles: Sequence[str], *, numbers: bool) -> Iterator[tuple[int, str, str]]:
    lines = _Lines(path, file)
    first = lines.first()
    delimiter = next((mark for mark in _DELIMITERS if mark in first), ",")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: _Columns | None = None
    try:
        for row in reader:
            lines.row_characters = 0
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns = _header(cells, titles)
                if columns:
                    continue
                columns = _headless(path, reader.line_num, cells, numbers=numbers)
            if len(cells) <= max(*columns.names, columns.label):
                raise _wrong(path, reader.line_num, f"there are only {len(cells)} columns")
            # Spaces around a name may belong to it.
            name = next((row[column] for column in columns.names if cells[column]), "")
            yield reader.line_num, name, cells[columns.label]
    except csv.Error as fault:
        raise _wrong(path, reader.line_num, f"this is not CSV ({fault})") from None


class _Lines:
    """The lines of a label file, checked before the CSV reader sees them.

    Attributes:
        row_characters: Number of characters since the beginning of the row, which may have several lines. The caller
            sets it to 0 when a row has ended.
    """

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file = path, file
        self._number = 0
        self._ahead: list[str] = []
        self.row_characters = 0

    def first(self) -> str:
        """Return the first line, which the iteration yields all the same."""
        self._ahead = [next(self, "")]
        self._number = self.row_characters = 0
        return self._ahead[0]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else self._file.readline(_MAX_ROW + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self.row_characters += len(line)
        if self.row_characters > _MAX_ROW:
            raise _wrong(self._path, self._number, f"the row has more than {_MAX_ROW:,} characters")
        if "\0" in line:  # UTF-16 has such bytes, UTF-8 never
            raise not_utf8(self._path, self._number)
        return line


def _open(path: Path) -> TextIO:
    """Open a label file.

    Raises:
        UsageError: There is no such file, or it is too large or cannot be read.
    """
    if not path.is_file():
        raise UsageError(
            f"There is no label file {str(path)!r}. Labels are `auto`, `folder`, `none`, or the path of a CSV file."
        )
    try:
        if path.stat().st_size > MAX_LABEL_BYTES:
            raise UsageError(
                f"The label file {str(path)!r} has more than {MAX_LABEL_BYTES // 1024**2} MiB. Write only the names "
                "and labels into it, or submit the images in several parts."
            )
        return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as fault:
        raise UsageError(f"The label file {str(path)!r} cannot be read: {fault.strerror}.") from None


def _header(cells: Sequence[str], names: Sequence[str]) -> _Columns | None:
    """Return the columns of names and labels, or None if this is not a header with both."""
    titles = [cell.casefold() for cell in cells]
    found = [titles.index(title) for title in names if title in titles]
    label = next((titles.index(title) for title in LABEL_COLUMNS if title in titles), None)
    return None if not found or label is None else _Columns(found, label)


def _headless(path: Path, line: int, cells: Sequence[str], *, numbers: bool) -> _Columns:
    if len(cells) == 2 and (not cells[1] or read_label(cells[1], numbers=numbers) is not None):
        return _Columns([0], 1)
    raise _wrong(
        path,
        line,
        f"this is neither a header (one of {', '.join(NAME_COLUMNS)}, and one of {', '.join(LABEL_COLUMNS)}) nor a "
        f"name and {_expected(numbers=numbers)}",
    )


def not_utf8(path: Path, line: int) -> UsageError:
    """Return the error for a line that is not UTF-8."""
    return UsageError(f"{str(path)!r}, line {line}: this is not UTF-8. Save the file as CSV in UTF-8.")


def _wrong(path: Path, line: int, fault: str) -> UsageError:
    return UsageError(f"{str(path)!r}, line {line}: {fault}. Correct the label file.")
