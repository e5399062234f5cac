"""The results of a job, as columns: one row for each submitted image, in the order of submission."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model import metrics
from model.cards.card import Card
from model.errors import Failure
from model.images.doubts import Doubt
from model.metrics import AlignedDigits, align
from producer.jobs.texts import Versions
from worker.contract.wire import Label

NONE = metrics.NONE
"""In the columns `labels` and `digits`: the image is without a label, or failed, or has a number of several digits."""


class TimelinePoint(NamedTuple):
    """Progress of a job at one moment."""

    seconds: float  # seconds since the job started
    images: int  # images answered by then, including failed ones


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
        models: Version of the model that classified each image; "" where the image failed before it reached one. Of a
            large job, `Versions`.
        failures: Failure of each failed image, by index. An image has an answer exactly if it is not here.
        numbers: Numbers of the images, or None if the job reads one digit in each.
        doubts: Doubt of the image path about each doubted image, by index. Each of them has an answer.
    """

    names: Sequence[str]
    labels: NDArray[np.int8]
    digits: NDArray[np.int8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    models: Sequence[str]
    failures: dict[int, Failure]
    numbers: Numbers | None = None
    doubts: dict[int, Doubt] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def versions(self) -> Versions:
        """The column `models` in a form whose texts can be counted quickly."""
        return self.models if isinstance(self.models, Versions) else Versions.of(self.models)

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
            models=self.versions.some(rows),
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
