"""The results of a job, as columns: one row for each submitted image, in the order of submission."""

import operator
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple, Self, overload

import numpy as np
from numpy.typing import NDArray

from model import metrics
from model.cards.card import Card
from model.errors import Failure
from model.images.doubts import Doubt
from model.metrics import AlignedDigits, align
from worker.contract.wire import Label

_AT_ONCE = 4096  # names that are objects of Python at a time

NONE = metrics.NONE
"""In the columns `labels` and `digits`: the image is without a label, or failed, or has a number of several digits."""


class TimelinePoint(NamedTuple):
    """Progress of a job at one moment."""

    seconds: float  # seconds since the job started
    images: int  # images answered by then, including failed ones


class Names(Sequence[str]):
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
        try:
            encoded = list(map(str.encode, names))
        except UnicodeEncodeError:  # a name from a folder may have bytes of any kind
            encoded = [name.encode("utf-8", "surrogatepass") for name in names]
        stops = accumulate(map(len, encoded), initial=len(self._text))
        next(stops)
        self._stops.extend(stops)
        self._text += b"".join(encoded)

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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


@dataclass(frozen=True, slots=True)
class Numbers:
    """What each image shows in a job that reads all digits of an image. All columns have length n.

    Attributes:
        labels: Texts (n,), true number as a string of digits, or "" without a label.
        read: Texts (n,), number read, or "" where the image failed.
        confidences: Probabilities of the digits read, 0 to 1, a list for each image.
    """

    labels: NDArray[np.object_]
    read: NDArray[np.object_]
    confidences: list[list[float]]

    @classmethod
    def of(cls, labels: list[Label | None], read: list[str], confidences: list[list[float]]) -> "Numbers":
        """Return the numbers of n images, "" where nothing was read.

        A label that is an integer does not say whether its number begins with zeros. It gets those that were read.
        """
        texts = [_as_text(label, number) for label, number in zip(labels, read, strict=True)]
        return cls(np.array(texts, np.object_), np.array(read, np.object_), confidences)


@dataclass(frozen=True, slots=True)
class Results:
    """Every image of a job and its answer. All columns have length n and the order of submission.

    A job that reads all digits of an image also has `numbers`. Whoever counts images as right or wrong uses the
    properties, which are about digits or numbers, whichever the job reads.

    Attributes:
        names: Name by which the user knows each image: a path relative to the source, an archive member, or an index.
        labels: int8 (n,), true digit 0 to 9, or `NONE`.
        digits: int8 (n,), predicted digit 0 to 9, or `NONE` where the image failed.
        confidences: float32 (n,), probability of the predicted digit, or of the least certain digit of a number, 0 to
            1; NaN where the image failed.
        probabilities: float32 (n, 10), with NaN rows where the image failed; None unless the job asked for them.
        models: Version of the model that classified each image; "" where the image failed before it reached one.
        failures: Failure of each failed image, by index. An image has an answer exactly if it is not here.
        numbers: Numbers of the images, or None if the job reads one digit in each.
        doubts: Doubt of the image path about each doubted image, by index. Each of them has an answer.
    """

    names: Sequence[str]
    labels: NDArray[np.int8]
    digits: NDArray[np.int8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    models: list[str]
    failures: dict[int, Failure]
    numbers: Numbers | None = None
    doubts: dict[int, Doubt] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether the true digit or number of each image is known, bool (n,)."""
        return _holds(self.labels != NONE if self.numbers is None else self.numbers.labels != "")

    @property
    def classified(self) -> NDArray[np.bool_]:
        """Whether each image has an answer, bool (n,)."""
        return _holds(self.digits != NONE if self.numbers is None else self.numbers.read != "")

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image has a label and the same answer, bool (n,). All digits of a number must be right."""
        if self.numbers is None:
            return _holds((self.labels == self.digits) & (self.labels != NONE))
        return _holds((self.numbers.labels == self.numbers.read) & self.labelled)

    @property
    def aligned(self) -> AlignedDigits:
        """True digits beside the digits that were read in their places.

        In a job that reads one digit in each image, these are the columns themselves. Otherwise they are the digits of
        all labelled images.
        """
        if self.numbers is None:
            return AlignedDigits(self.labels, self.digits, self.confidences)
        rows = np.flatnonzero(self.labelled).tolist()
        return align(
            [self.numbers.labels[row] for row in rows],
            [self.numbers.read[row] for row in rows],
            [self.numbers.confidences[row] for row in rows],
        )

    def some(self, rows: Sequence[int]) -> "Results":
        """Return the images with some indices, in their order."""
        numbers = self.numbers and Numbers(
            self.numbers.labels[rows], self.numbers.read[rows], [self.numbers.confidences[row] for row in rows]
        )
        return Results(
            names=[self.names[row] for row in rows],
            labels=self.labels[rows],
            digits=self.digits[rows],
            confidences=self.confidences[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            models=[self.models[row] for row in rows],
            failures={place: self.failures[row] for place, row in enumerate(rows) if row in self.failures},
            numbers=numbers,
            doubts={place: self.doubts[row] for place, row in enumerate(rows) if row in self.doubts},
        )

    def label(self, row: int) -> Label | None:
        """Return the true digit, or the true number if the job reads numbers, or None if it is unknown."""
        if self.numbers is None:
            return _known(int(self.labels[row]))
        return self.numbers.labels[row] or None

    def answer(self, row: int) -> Label | None:
        """Return the digit that was read, or the number if the job reads numbers, or None if the image failed."""
        if self.numbers is None:
            return _known(int(self.digits[row]))
        return self.numbers.read[row] or None


@dataclass(frozen=True, slots=True)
class JobInfo:
    """What a report says about a job as a whole.

    Attributes:
        job: Identifier of the job.
        source: Description of what was submitted ("mnist test", "/data/scans").
        state: State in which the job ended; one of the ledger's job states.
        started: Unix time, seconds.
        seconds: Seconds from the first packed image to the last kept answer.
        timeline: Progress over time, for the throughput chart; empty where it is unknown.
        workers: Number of images that each worker process answered.
        read_as: How the numbers of an array file were turned into images, in words; "" if there is nothing to say.
        earlier: Number of images whose rows an earlier job wrote, and that this job did not classify again.
    """

    job: str
    source: str
    state: str
    started: float
    seconds: float
    timeline: list[TimelinePoint]
    workers: dict[str, int]
    read_as: str = ""
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job that has ended, with everything that a report needs.

    Attributes:
        results: Answers of the job.
        info: Times, workers and state of the job.
        card: Card of the model that answered most images, or None if the registry does not have it any more.
    """

    results: Results
    info: JobInfo
    card: Card | None


def _as_text(label: Label | None, read: str) -> str:
    """Return a true number as a text, or "" without a label."""
    if label is None or isinstance(label, str):
        return label or ""
    zeros = len(read) - len(read.lstrip("0"))
    return "0" * min(zeros, len(read) - len(str(label))) + str(label)


def _known(digit: int) -> int | None:
    return None if digit == NONE else digit


def _holds(condition: Any) -> NDArray[np.bool_]:
    return np.asarray(condition, np.bool_)
