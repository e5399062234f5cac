"""Label files: CSV files with the true digit of each image, written by people or by the report."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, TextIO, TypeAlias

from model.errors import UsageError
from producer.sources.labelling.label_text import read_label
from producer.sources.listing import MAX_IMAGES, too_many
from worker.contract.validation.bounds import MAX_DIGITS
from worker.contract.wire import Label

NAME_COLUMNS = ("name", "file", "filename", "path", "image", "imagename", "imagepath", "filepath", "img")
"""Titles of name columns, in order of precedence. Case, spaces and marks such as `_` do not count."""

LABEL_COLUMNS = ("label", "true", "digit", "class", "target")
"""Titles of label columns. The first that a file has counts, because `digit` has the predictions in a report."""

NUMBERS = f"a number of 1 to {MAX_DIGITS} digits"
"""What a label is if numbers were asked for, in words."""

_DIGIT = "a digit 0 to 9 (to read numbers, submit with --several read)"

MAX_LABEL_BYTES = 128 * 1024**2
"""Maximum size of a label file. A larger one is not read."""

_MAX_ROW = 256 * 1024  # characters; csv itself allows half of this for one cell
_DELIMITERS = ",;\t| "  # Excel writes semicolons where the comma is the decimal separator
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # a line with which Excel tells itself the delimiter
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # Excel's "Unicode text" begins with one of them


PICTURE, VERDICT = "picture", "verdict"
"""Titles of the columns that a table of corrections has beside names and labels."""

_Row: TypeAlias = tuple[int, str, str, str, str]


class Truth(NamedTuple):
    """What a label file says about one image."""

    label: Label | None  # None where the cell is empty
    line: int
    picture: str = ""  # text of the cell `picture`, if the file has corrections
    verdict: str = ""  # text of the cell `verdict`


class _Columns(NamedTuple):
    """Positions of the columns of a file."""

    names: Sequence[int]
    label: int
    picture: int | None = None
    verdict: int | None = None


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
        byte order mark, or UTF-16 with one. Commas, semicolons, tabs, bars or spaces separate its columns; a first line
        such as `sep=;` may say which. Other columns and empty lines are ignored. A name may occur again with the same
        label. `label_text.read_label` says what a label may be.

        Args:
            path: File to read.
            names: Titles of name columns. If the file has several of them, the first cell that is not empty counts.
            numbers: Whether the labels are numbers, in which zeros at the beginning count, and not digits.

        Raises:
            UsageError: The file cannot be read, is too large or names no images, a label is not 0 to 9 or not a number,
                or a name has two different labels. A message about a row names its line.
        """
        truths: dict[str, Truth] = {}
        for line, name, cell, picture, verdict in _rows(path, names, numbers=numbers):
            try:
                truth = Truth(read_label(cell, numbers=numbers), line, picture, verdict)
            except ValueError:
                wanted = NUMBERS if numbers else _DIGIT
                raise _wrong(path, line, f"the label {cell!r} of {name!r} is not {wanted}") from None
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


def _rows(path: Path, titles: Sequence[str], *, numbers: bool) -> Iterator[_Row]:
    """Yield line number, name, and texts of label, picture and verdict for each row."""
    with _open(path) as file:
        yield from _rows_of(path, file, titles, numbers=numbers)


def _rows_of(path: Path, file: TextIO, titles: Sequence[str], *, numbers: bool) -> Iterator[_Row]:
    lines = _Lines(path, file)
    first = lines.first()
    separator = _SEPARATOR.fullmatch(first)
    if separator:
        next(lines)
        delimiter = separator[1]
    else:
        delimiter = _delimiter(first, titles, numbers=numbers)
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
                columns = _headless(cells, numbers=numbers)
                if columns is None:
                    raise _wrong(path, lines.number, f"{_NO_COLUMNS} {NUMBERS if numbers else _DIGIT}")
            if len(cells) <= max(*columns.names, columns.label):
                raise _wrong(path, lines.number, f"there are only {len(cells)} columns")
            # Spaces around a name may belong to it.
            name = next((row[column] for column in columns.names if cells[column]), "")
            picture, verdict = (
                cells[column] if column is not None and column < len(cells) else ""
                for column in (columns.picture, columns.verdict)
            )
            yield lines.number, name, cells[columns.label], picture, verdict
    except csv.Error as fault:
        raise _wrong(path, lines.number, f"this is not CSV ({fault})") from None
    except UnicodeDecodeError:
        raise not_utf8(path, lines.number + 1) from None


def _delimiter(first: str, titles: Sequence[str], *, numbers: bool) -> str:
    """Return the delimiter with which the first line has columns of names and labels."""
    present = [mark for mark in _DELIMITERS if mark in first]
    for mark in present:
        try:
            [row] = csv.reader([first], delimiter=mark, strict=True)
        except (csv.Error, ValueError):
            continue  # the row goes on in the next line
        cells = [cell.strip() for cell in row]
        if _header(cells, titles) or _headless(cells, numbers=numbers):
            return mark
    return next(iter(present), ",")


class _Lines:
    """The lines of a label file, checked before the CSV reader sees them.

    Attributes:
        number: Number of the line that was read last.
        row_characters: Number of characters since the beginning of the row, which may have several lines. The caller
            sets it to 0 when a row has ended.
    """

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file = path, file
        self.number = 0
        self._ahead: list[str] = []
        self.row_characters = 0

    def first(self) -> str:
        """Return the first line, which the iteration yields all the same."""
        self._ahead = [next(self, "")]
        self.number = self.row_characters = 0
        return self._ahead[0]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else self._file.readline(_MAX_ROW + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.row_characters += len(line)
        if self.row_characters > _MAX_ROW:
            raise _wrong(self._path, self.number, f"the row has more than {_MAX_ROW:,} characters")
        if "\0" in line:  # UTF-16 has such bytes, UTF-8 never
            raise not_utf8(self._path, self.number)
        return line


def _open(path: Path) -> TextIO:
    """Open a label file.

    Raises:
        UsageError: There is no such file, or it is too large or cannot be read.
    """
    if not path.is_file():
        raise UsageError(
            f"The label file {str(path)!r} does not exist. Labels are `auto`, `folder`, `none`, or the path of a CSV "
            "file."
        )
    try:
        if path.stat().st_size > MAX_LABEL_BYTES:
            raise UsageError(
                f"The label file {str(path)!r} has more than {MAX_LABEL_BYTES // 1024**2} MiB. Write only the names "
                "and labels into it, or submit the images in several parts."
            )
        with path.open("rb") as file:
            is_utf16 = file.read(2) in _UTF16
        if is_utf16:
            return path.open(encoding="utf-16", newline="")
        return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as fault:
        raise UsageError(f"The label file {str(path)!r} cannot be read: {fault.strerror}.") from None


def _header(cells: Sequence[str], names: Sequence[str]) -> _Columns | None:
    """Return the columns of names and labels, or None if this is not a header with both."""
    titles = ["".join(filter(str.isalnum, cell.casefold())) for cell in cells]
    found = [titles.index(title) for title in names if title in titles]
    label = next((titles.index(title) for title in LABEL_COLUMNS if title in titles), None)
    if not found or label is None:
        return None
    picture, verdict = (titles.index(title) if title in titles else None for title in (PICTURE, VERDICT))
    return _Columns(found, label, picture, verdict)


def _headless(cells: Sequence[str], *, numbers: bool) -> _Columns | None:
    """Return the columns of a file without a header, or None if this is not a row of a name and a label."""
    if len(cells) != 2:
        return None
    try:
        read_label(cells[1], numbers=numbers)
    except ValueError:
        return None
    return _Columns([0], 1)


_NO_COLUMNS = (
    f"this is neither a header (one of {', '.join(NAME_COLUMNS)}, and one of {', '.join(LABEL_COLUMNS)}) nor a name and"
)


def not_utf8(path: Path, line: int) -> UsageError:
    """Return the error for a line that is not UTF-8."""
    return UsageError(f"{str(path)!r}, line {line}: this is not UTF-8. Save the file as CSV in UTF-8.")


def _wrong(path: Path, line: int, fault: str) -> UsageError:
    return UsageError(f"{str(path)!r}, line {line}: {fault}. Correct the label file.")
