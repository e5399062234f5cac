r"""The rows of many images as texts, made column by column in much less time than `csv` takes.

The rows of a job that reads digits have few different texts, except for names and confidences. So each column is a
matrix of bytes with a text in each row, taken from a table of all its texts. The matrices stand side by side. `\0`
fills each text up to the width of its column, and is then removed from all rows at once. A row that needs care is
written by `csv`: that of an image which failed, which the image path doubts, or which has an unusual name.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.metrics import CLASSES
from producer.jobs.results import NONE, Results
from producer.jobs.texts import Names
from producer.report.tables.rows import DECIMALS, FileVersion, csv_writer, guarded, rows_of

_ROWS_AT_ONCE = 4096
_MAX_BYTES = 256  # of a name; one that is longer would make the matrix of all names wide
_PLAIN = 100  # millionths; Python prints smaller shares with an exponent


def _matrix(texts: Iterable[bytes]) -> NDArray[np.uint8]:
    r"""Return texts as uint8 (n, w), filled up with `\0`."""
    rows = np.array(list(texts), np.bytes_)
    return rows.view(np.uint8).reshape(len(rows), -1)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


_DIGITS = ['""', *map(str, range(CLASSES))]
_PAIRS = _matrix(f'",{label},{digit},'.encode() for label in _DIGITS for digit in _DIGITS)
"""What follows the name in a row: the end of its quotes, label and digit, first those without a label."""

_FIRST = _matrix([*(b"0.%03d" % share for share in range(1000)), *(b"%r" % (share / 1000) for share in range(1001))])
_LAST = _matrix((b"%03d" % share).rstrip(b"0") for share in range(1000))
"""The texts of shares. `_FIRST` has the thousandths, first those that more decimals follow, then those that nothing
follows. `_LAST` has these decimals."""

_SUSPECT = np.zeros(256, np.bool_)
_SUSPECT[[*range(0x20), ord('"'), 0xED]] = True
_SUSPECT_FIRST = _SUSPECT.copy()
_SUSPECT_FIRST[[*b" =+-@", *range(0x80, 256)]] = True
"""Bytes of UTF-8, anywhere in a name or at its beginning, with which it may need care: control characters, quotes, the
first byte of surrogates, and whatever a spreadsheet may take for the beginning of a formula."""

_SAFE = bytes(np.flatnonzero(~_SUSPECT).tolist())


class LastCells(NamedTuple):
    """The cells that rows have after those of the predictions.

    Attributes:
        root: Text before an image's name that makes it a path, for a cell with this path; "" for an empty cell, and
            None for no such cell.
        versions: Which version of which file each row is about, by name, or None for no such cells.
    """

    root: str | None = None
    versions: Mapping[str, FileVersion] | None = None

    def of(self, name: str) -> tuple[object, ...]:
        """Return the last cells of the row of an image."""
        path = () if self.root is None else (guarded(self.root + name) if self.root else None,)
        return path if self.versions is None else (*path, *self.versions[name])


NO_MORE: Final = LastCells()
"""For rows that end with the cells of the predictions."""


def plain_texts(
    results: Results, indices: NDArray[np.intp], doubted: NDArray[np.bool_], last: LastCells = NO_MORE
) -> Iterator[str]:
    """Yield what `csv_writer` writes of the rows of images, in a job that reads digits without the ten probabilities.

    Args:
        results: All images of the job.
        indices: Images whose rows are wanted.
        doubted: Whether each image of the job is for review, bool (n,).
        last: The last cells of each row.
    """
    if not len(indices):
        return
    special = np.zeros(len(results), np.bool_)
    special[[*results.failures, *results.doubts]] = True
    if last.root and not _is_plain(f"{last.root}="):  # a path may be a formula, whatever its name is
        special[:] = True
    models = results.versions
    ends = _matrix(
        f',{review},"",{_quoted(guarded(model))},"",""'.encode() for review in ('""', '"yes"') for model in models.texts
    )
    for start in range(0, len(indices), _ROWS_AT_ONCE):
        some = indices[start : start + _ROWS_AT_ONCE]
        order = some.tolist()
        names, odd_names = _names(results.names, some)
        thousandths, decimals, odd_shares = _shares(results.confidences[some])
        pairs = (results.labels[some].astype(np.intp) - NONE) * len(_DIGITS) + (results.digits[some] - NONE)
        columns = [
            _same(b'"', order),
            names,
            _PAIRS[pairs],
            thousandths,
            decimals,
            ends[doubted[some] * len(models.texts) + models.numbers[some]],
            *_last_columns(results, order, names, last),
            _same(b"\n", order),
        ]
        rows = np.concatenate(columns, axis=1)
        odd = np.flatnonzero(special[some] | odd_names | odd_shares)
        written = 0
        for place, text in zip(odd.tolist(), _by_csv(results, some[odd], doubted, last), strict=True):
            yield _text(rows[written:place])
            yield text
            written = place + 1
        yield _text(rows[written:])


def _last_columns(
    results: Results, order: list[int], names: NDArray[np.uint8], last: LastCells
) -> Iterator[NDArray[np.uint8]]:
    if last.root:
        yield from (_same(f',"{last.root}'.encode("utf-8", "replace"), order), names, _same(b'"', order))
    elif last.root is not None:
        yield _same(b',""', order)
    if last.versions is not None:
        yield _matrix(_cells_text(last.versions[results.names[index]]) for index in order)


def _same(text: bytes, order: list[int]) -> NDArray[np.uint8]:
    return np.broadcast_to(np.frombuffer(text, np.uint8), (len(order), len(text)))


def _text(rows: NDArray[np.uint8]) -> str:
    return rows.tobytes().translate(None, b"\0").decode("utf-8")


def _names(names: Sequence[str], indices: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return some names as a matrix, and which of them `csv` must write."""
    if not isinstance(names, Names):
        names, indices = Names([names[index] for index in indices.tolist()]), np.arange(len(indices))
    matrix, sizes = names.matrix(indices, _MAX_BYTES)
    width = matrix.shape[1]
    odd = sizes > width
    if width:
        suspect = _SUSPECT_FIRST[matrix[:, 0]]
        filling = width - np.minimum(sizes, width)
        if len(matrix.tobytes().translate(None, _SAFE)) > filling.sum():
            suspect |= _SUSPECT[matrix].sum(axis=1) > filling  # which looks suspect, too
        for row in np.flatnonzero(suspect).tolist():
            odd[row] |= not _is_plain(names[indices[row]])
    return matrix, odd


def _is_plain(text: str) -> bool:
    """Return whether a text stands in its cell as it is, between quotes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return guarded(text) == text and not {'"', "\0"} & set(text)


def _shares(shares: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the beginnings and the ends of shares as matrices, and which of them `csv` must write."""
    millionths = np.rint(np.nan_to_num(shares.astype(np.float64), nan=1.0) * 10**DECIMALS).astype(np.intp)
    thousandths, rest = np.divmod(millionths, 1000)
    thousandths[rest == 0] += 1000  # the second half of the table
    return _FIRST[thousandths], _LAST[rest], millionths < _PLAIN


def _cells_text(cells: Iterable[object]) -> bytes:
    texts = ("" if cell is None else cell for cell in cells)
    text = "".join(f",{_quoted(cell) if isinstance(cell, str) else cell}" for cell in texts)
    return text.encode("utf-8", "backslashreplace")


def _by_csv(results: Results, indices: NDArray[np.intp], doubted: NDArray[np.bool_], last: LastCells) -> Iterator[str]:
    for index, row in zip(indices.tolist(), rows_of(results, indices, doubted), strict=True):
        text = io.StringIO()
        csv_writer(text).writerow((*row, *last.of(results.names[index])))
        yield text.getvalue()
