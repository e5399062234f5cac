"""Long columns of texts in little memory: the names and the versions of a job's images."""

import operator
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

_AT_ONCE = 4096  # names that are objects of Python at a time


class _Texts(Sequence[str]):
    """Texts that are equal to any other sequence of the same ones, such as a list."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # equal to a list, which has none

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


class Names(_Texts):
    """Many names in little memory: as UTF-8, one after the other, and not as an object for each.

    Args:
        names: The first names.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._text = bytearray()
        self._stops = array("Q")  # where each ends
        self.extend(names)

    def extend(self, names: Iterable[str]) -> None:
        """Add names at the end."""
        names = tuple(names)
        if (together := "".join(names)).isascii():  # as most are; then each has as many bytes as characters
            sizes, text = map(len, names), together.encode()
        else:
            encoded = [name.encode("utf-8", "surrogatepass") for name in names]  # a folder's may have bytes of any kind
            sizes, text = map(len, encoded), b"".join(encoded)
        stops = np.cumsum(np.fromiter(sizes, np.uint64, len(names))) + np.uint64(len(self._text))
        self._stops.frombytes(stops.tobytes())
        self._text += text

    def __iadd__(self, other: "Names") -> Self:
        stops = np.array(other._stops, np.uint64) + np.uint64(len(self._text))
        self._text += other._text
        self._stops.frombytes(stops.tobytes())
        return self

    def __len__(self) -> int:
        return len(self._stops)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self._some(range(*index.indices(len(self))))
        stop = self._stops[index]
        start = self._stops[index - 1] if index not in (0, -len(self)) else 0
        return self._text[start:stop].decode("utf-8", "surrogatepass")

    def _some(self, indices: range) -> list[str]:
        """Return some names. If they follow each other, and are ASCII as most are, one text is cut into pieces."""
        if indices.step == 1 and indices:
            begin = self._stops[indices.start - 1] if indices.start else 0
            stops = self._stops[indices.start : indices.stop]
            text = self._text[begin : stops[-1]]
            if text.isascii():
                whole, start, names = text.decode("ascii"), 0, []
                for stop in stops:
                    stop -= begin  # noqa: PLW2901
                    names.append(whole[start:stop])
                    start = stop
                return names
        return [self[each] for each in indices]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def matrix(self, rows: NDArray[np.intp], width: int) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
        r"""Return the beginnings of some names as UTF-8.

        Args:
            rows: Rows of the n names that are wanted.
            width: Greatest number of bytes of each name that is wanted.

        Returns:
            Bytes (n, w), where w is at most `width`, each row filled up with `\0`; and the number of bytes of each
            whole name (n,).
        """
        all_stops = np.frombuffer(self._stops, np.uint64)
        stops = all_stops[rows].astype(np.intp)
        starts = np.where(rows > 0, all_stops[rows - 1].astype(np.intp), 0)
        sizes = stops - starts
        columns = np.arange(min(width, int(sizes.max(initial=0))))
        matrix = np.zeros((len(rows), len(columns)), np.uint8)
        if matrix.size:
            text = np.frombuffer(self._text, np.uint8)
            if (sizes == len(columns)).all() and (starts[1:] == stops[:-1]).all():  # as in most arrays and folders
                return text[starts[0] : stops[-1]].reshape(matrix.shape).copy(), sizes
            held = columns < sizes[:, None]
            matrix[held] = text[(starts[:, None] + columns)[held]]
        return matrix, sizes


class Versions(_Texts):
    """Many texts, few of which differ: as a number for each.

    Args:
        numbers: Number of each text, int32 (n,).
        texts: The text of each number.
    """

    def __init__(self, numbers: NDArray[np.int32], texts: Sequence[str]) -> None:
        self.numbers = numbers
        self.texts = texts

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Return the column of these texts."""
        different = list(dict.fromkeys(texts))
        numbers = {text: number for number, text in enumerate(different)}
        return cls(np.fromiter(map(numbers.__getitem__, texts), np.int32, len(texts)), different)

    def some(self, rows: ArrayLike) -> "Versions":
        """Return the texts of some rows, in their order."""
        return Versions(self.numbers[np.asarray(rows, np.intp)], self.texts)

    def counts(self) -> Counter[str]:
        """Return how often there is each text that is there at all."""
        counted = np.bincount(self.numbers, minlength=len(self.texts)).tolist()
        return Counter({text: count for text, count in zip(self.texts, counted, strict=True) if count})

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.texts[number] for number in self.numbers[index].tolist()]
        return self.texts[int(self.numbers[index])]
