"""Label files: CSV files with the true digit of each image, written by people or by the report."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from model.errors import UsageError

NAME_COLUMNS = ("name", "file", "filename", "path", "image")
"""Titles of name columns, in order of precedence."""

LABEL_COLUMNS = ("label", "true", "digit")
"""Titles of label columns. The first that a file has counts, because `digit` has the predictions in a report."""

DIGITS = {str(digit): digit for digit in range(10)}
"""Digit for each valid text of a label: `3` is valid, `3.0` and `03` are not."""

_DELIMITERS = ",;\t"  # Excel writes semicolons where the comma is the decimal separator


class Truth(NamedTuple):
    """What a label file says about one image."""

    label: int | None  # None where the cell is empty
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
    def read(cls, path: Path, names: Sequence[str] = NAME_COLUMNS) -> "LabelFile":
        """Read and return a CSV file with a header, or with two columns and no header: name and label.

        A header needs the title of a name column and the title of a label column. The file is UTF-8, with or without a
        byte order mark. Commas, semicolons or tabs separate its columns. Other columns and empty lines are ignored. A
        name may occur again with the same label.

        Args:
            path: File to read.
            names: Titles of name columns. If the file has several of them, the first cell that is not empty counts.

        Raises:
            UsageError: The file cannot be read or names no images, a label is not 0 to 9, or a name has two different
                labels. A message about a row names its line.
        """
        truths: dict[str, Truth] = {}
        for line, name, cell in _rows(path, names):
            if cell and cell not in DIGITS:
                raise _wrong(path, line, f"the label {cell!r} of {name!r} is not a digit 0 to 9")
            truth = Truth(DIGITS.get(cell), line)
            earlier = truths.setdefault(name, truth)
            if earlier.label != truth.label:
                raise _wrong(path, line, f"{name!r} has another label here than on line {earlier.line}")
        if not truths:
            raise UsageError(
                f"The label file {str(path)!r} names no images. Write a line with name and digit for each."
            )
        return cls(path, truths)


def _rows(path: Path, titles: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line number, name and text of the label for each row."""
    text = _read_text(path)
    first = text[: text.find("\n")]
    delimiter = next((mark for mark in _DELIMITERS if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: _Columns | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns = _header(cells, titles)
                if columns:
                    continue
                columns = _headless(path, reader.line_num, cells)
            if len(cells) <= max(*columns.names, columns.label):
                raise _wrong(path, reader.line_num, f"there are only {len(cells)} columns")
            # Spaces around a name may belong to it.
            name = next((row[column] for column in columns.names if cells[column]), "")
            yield reader.line_num, name, cells[columns.label]
    except csv.Error as fault:
        raise _wrong(path, reader.line_num, f"this is not CSV ({fault})") from None


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise UsageError(
            f"There is no label file {str(path)!r}. Labels are `auto`, `folder`, `none`, or the path of a CSV file."
        )
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise UsageError(f"The label file {str(path)!r} cannot be read: {fault.strerror}.") from None
    if b"\0" in content:  # UTF-16 has such bytes, UTF-8 never
        raise not_utf8(path, 1)
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _header(cells: Sequence[str], names: Sequence[str]) -> _Columns | None:
    """Return the columns of names and labels, or None if this is not a header with both."""
    titles = [cell.casefold() for cell in cells]
    found = [titles.index(title) for title in names if title in titles]
    label = next((titles.index(title) for title in LABEL_COLUMNS if title in titles), None)
    return None if not found or label is None else _Columns(found, label)


def _headless(path: Path, line: int, cells: Sequence[str]) -> _Columns:
    if len(cells) == 2 and (not cells[1] or cells[1] in DIGITS):
        return _Columns([0], 1)
    raise _wrong(
        path,
        line,
        f"this is neither a header (one of {', '.join(NAME_COLUMNS)}, and one of {', '.join(LABEL_COLUMNS)}) nor a "
        "name and a digit 0 to 9",
    )


def not_utf8(path: Path, line: int) -> UsageError:
    """Return the error for a line that is not UTF-8."""
    return UsageError(f"{str(path)!r}, line {line}: this is not UTF-8. Save the file as CSV in UTF-8.")


def _wrong(path: Path, line: int, fault: str) -> UsageError:
    return UsageError(f"{str(path)!r}, line {line}: {fault}. Correct the label file.")
