"""Tables of pixels: CSV files with a row for each image, as Kaggle and many copies of MNIST have them."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError
from producer.sources.arrays.container import Array
from producer.sources.arrays.conversion import ChooseForm
from producer.sources.arrays.faults import MAX_BYTES, damaged, too_large
from producer.sources.arrays.formats.numpy_files import make_array
from producer.sources.arrays.formats.unpacking import open_unpacked
from producer.sources.labelling.label_file import LABEL_COLUMNS
from producer.sources.reading import explain

TABLE_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")

_PIXELS = 784
_FEW_PIXELS = 64  # of scikit-learn's digits and UCI's optdigits
_LABELS = (*LABEL_COLUMNS, "labels", "y")
_INDICES = ("", "unnamed: 0", "index", "id", "imageid")
_DELIMITERS = ",;\t "
_MAX_LINE = 2**16  # characters; 785 numbers have 20,000 at most
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEPARATOR = re.compile(rb"\"?sep=", re.IGNORECASE)
_ROWS = 4096  # rows that are parsed at once


class _Columns(NamedTuple):
    """Where the columns of a table are."""

    pixels: slice
    label: int | None


def open_table(path: Path, choose: ChooseForm) -> Array:
    """Open and return a CSV file, gzipped or not, of 784 pixels in each row and perhaps a label before or after them.

    It may have a header, as Kaggle's `train.csv` and `test.csv` have, or none. Commas, semicolons, tabs or spaces
    separate its columns. A column with numbers of rows is left out.

    Args:
        path: Path of the file.
        choose: Function that chooses the form of its images.

    Raises:
        UsageError: The file is not such a table, or is damaged or too large.
    """
    try:
        with open_unpacked(path) as file:
            table, columns = _read(path, file)
    except UsageError:
        raise
    except Exception as fault:  # gzip, zlib and the numbers of a row fail in several ways
        raise damaged(path, explain(fault)) from None
    others = {} if columns.label is None else {"labels": table[:, columns.label]}
    return make_array(table[:, columns.pixels], path, choose, others)


def _read(path: Path, file: BinaryIO) -> tuple[NDArray[Any], _Columns]:
    lines = _lines(path, file)
    start = next(lines, b"").removeprefix(_BYTE_ORDER_MARK)
    if _SEPARATOR.match(start):  # Excel writes such a line first, and reads it
        start = next(lines, b"")
    first = start.decode("utf-8", "replace")
    delimiter = max(_DELIMITERS, key=first.count)
    titles = [cell.strip().strip("\"'").casefold() for cell in first.strip().split(delimiter)]
    has_header = not all(map(_is_number, titles))
    if not has_header:
        lines = chain([start], lines)
    blocks: list[NDArray[Any]] = []
    size = 0
    while rows := list(islice(lines, _ROWS)):
        if not blocks and len(titles) < _FEW_PIXELS:
            break
        numbers = _parse(rows, delimiter)
        if blocks and numbers.shape[1] != blocks[0].shape[1]:
            raise ValueError(f"some rows have {blocks[0].shape[1]} numbers, and others have {numbers.shape[1]}")
        blocks.append(numbers)
        size += blocks[-1].nbytes
        if size > MAX_BYTES:
            raise too_large(path)
    if not blocks:
        raise _not_pixels(path, titles)
    table = np.concatenate(blocks)
    return table, _find_columns(path, titles if has_header else None, table)


def _parse(rows: Sequence[bytes], delimiter: str) -> NDArray[Any]:
    """Return the numbers of some rows, uint8 if all are bytes, or else float32.

    Raises:
        ValueError: A cell is not a number, or the rows have different lengths.
    """
    small = _parse_bytes(rows, delimiter)
    if small is not None:
        return small
    texts = [row.decode("utf-8", "replace") for row in rows]
    numbers = np.loadtxt(texts, np.float32, None, delimiter.strip() or None, ndmin=2, quotechar='"')
    with np.errstate(invalid="ignore"):
        small = numbers.astype(np.uint8)
    return small if np.array_equal(small, numbers) else numbers


def _parse_bytes(rows: Sequence[bytes], delimiter: str) -> NDArray[np.uint8] | None:
    """Return the numbers of rows of plain numbers 0 to 255 with one delimiter between them, or None for other rows.

    Nearly all tables of pixels have such rows, and this is ten times as fast as `numpy.loadtxt`.
    """
    text = np.frombuffer(b"\n".join(rows) + b"\n", np.uint8)
    digits = text - np.uint8(ord("0"))  # what is not a digit wraps to 10 or more
    ends = np.flatnonzero(digits > 9)
    lengths = np.diff(ends, prepend=-1) - 1
    columns, rest = divmod(len(ends), len(rows))
    if rest or lengths.min() < 1 or lengths.max() > 3:
        return None
    marks = text[ends].reshape(len(rows), columns)
    if (marks[:, -1] != ord("\n")).any() or (marks[:, :-1] != ord(delimiter)).any():
        return None
    numbers = digits[ends - 1].astype(np.int16)
    numbers[lengths > 1] += 10 * digits[ends[lengths > 1] - 2].astype(np.int16)
    numbers[lengths > 2] += 100 * digits[ends[lengths > 2] - 3].astype(np.int16)
    return numbers.astype(np.uint8).reshape(len(rows), columns) if numbers.max() <= 255 else None


def _find_columns(path: Path, titles: Sequence[str] | None, table: NDArray[Any]) -> _Columns:
    """Return where pixels and labels are.

    Raises:
        UsageError: The table does not have 784 pixels in a row.
        ValueError: The rows are shorter than the header says.
    """
    count = table.shape[1]
    if titles is not None:
        if len(titles) == count - 1:
            titles = ["", *titles]  # R names no column for the names of rows
        if any(titles[count:]):
            raise ValueError(f"its header has {len(titles)} titles, and its rows have {count} numbers")
        titles = titles[:count]
        label = next((titles.index(title) for title in _LABELS if title in titles), None)
        left_out = [column for column, title in enumerate(titles) if column == label or title in _INDICES]
    elif count in (_PIXELS + 1, _FEW_PIXELS + 1):
        label = _find_label(table)
        left_out = [] if label is None else [label]
    else:
        label, left_out = None, []
    pixels = count - len(left_out)
    if pixels not in (_PIXELS, _FEW_PIXELS):
        raise _not_pixels(path, titles or [str(column) for column in range(count)])
    start = next(column for column in range(count) if column not in left_out)
    if any(column in left_out for column in range(start, start + pixels)):
        raise _not_pixels(path, titles or [])
    return _Columns(slice(start, start + pixels), label)


def _find_label(table: NDArray[Any]) -> int | None:
    """Return the column of the labels in a table without a header: the first or the last, or None if neither is.

    MNIST's first and last pixels are empty, so the labels are where not all numbers are 0.
    """
    ends = [column for column in (0, table.shape[1] - 1) if _may_be_digits(table[:, column])]
    return next((column for column in ends if table[:, column].any()), ends[0] if ends else None)


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")
    except ValueError:
        return False
    return True


def _may_be_digits(column: NDArray[Any]) -> bool:
    return bool(np.isin(column, range(10)).all())


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a table that are not empty.

    Raises:
        UsageError: A line is longer than a row of pixels can be, or the file is longer than its numbers may be.
    """
    number = size = 0
    while line := file.readline(_MAX_LINE + 1):
        number += 1
        size += len(line)
        if len(line) > _MAX_LINE:
            raise damaged(path, f"line {number} has more than {_MAX_LINE:,} characters")
        if size > 8 * MAX_BYTES:
            raise too_large(path)
        if text := line.strip():
            yield text


def _not_pixels(path: Path, titles: Sequence[str]) -> UsageError:
    shown = ", ".join(titles[:4]) + (", …" if len(titles) > 4 else "")
    return UsageError(
        f"{str(path)!r} is not a table of images: it has {len(titles)} columns ({shown}), and not 784 pixels in a row, "
        "with or without a label. To give the labels of images, name their folder, and this file with --labels."
    )
