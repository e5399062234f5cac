"""Which images of two jobs are the same, and how the answers to them differ."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from model.errors import UsageError
from model.metrics import Interval, p_value, paired_difference
from producer.jobs.results import FinishedJob, Results
from producer.report.selection import doubted
from worker.contract.wire import Label

_SAMPLED = 200
"""Number of images whose names say which folders differ."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two jobs.

    Attributes:
        finished: The job.
        rows: intp (n,), row of each matched image.
        right: bool (n,), whether its answer is right.
        review: bool (n,), whether it is for review.
        failed: bool (n,), whether it has no answer.
        alone: Number of images that the other job does not have.
    """

    finished: FinishedJob
    rows: NDArray[np.intp]
    right: NDArray[np.bool_]
    review: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    alone: int

    @property
    def results(self) -> Results:
        """All images of the job."""
        return self.finished.results

    @property
    def models(self) -> list[str]:
        """Versions that classified its images, the most frequent one first."""
        counts = self.results.versions.counts()
        del counts[""]
        return [model for model, _ in counts.most_common()]

    def answer(self, image: int) -> Label | None:
        """Return what was read in a matched image, or None if it failed."""
        return self.results.answer(int(self.rows[image]))


@dataclass(frozen=True, slots=True)
class Compared:
    """Two jobs, A and B, and the n images that both have.

    Attributes:
        a: First job.
        b: Second job.
        labels: True digit or number of each matched image, or None where neither job knows it or both contradict.
        labelled: bool (n,), whether the label is known.
        contradictory: Number of matched images with different labels in both jobs. Neither accuracy counts them.
        same: bool (n,), whether both jobs answer the same, or both fail.
        moved: What stands before the common part of the names in A and in B, or None if the names are the same.
    """

    a: Side
    b: Side
    labels: list[Label | None]
    labelled: NDArray[np.bool_]
    contradictory: int
    same: NDArray[np.bool_]
    moved: tuple[str, str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def won(self) -> NDArray[np.intp]:
        """Images that A misreads and B reads."""
        return np.flatnonzero(self.labelled & ~self.a.right & self.b.right)

    @property
    def lost(self) -> NDArray[np.intp]:
        """Images that A reads and B misreads."""
        return np.flatnonzero(self.labelled & self.a.right & ~self.b.right)

    @property
    def otherwise(self) -> NDArray[np.intp]:
        """Other images that both jobs answer differently: without a label, or misread by both."""
        return np.flatnonzero(~self.same & ~(self.labelled & (self.a.right | self.b.right)))

    @property
    def to_review(self) -> NDArray[np.intp]:
        """Images that are for review in B only."""
        return np.flatnonzero(~self.a.review & self.b.review)

    @property
    def from_review(self) -> NDArray[np.intp]:
        """Images that are for review in A only."""
        return np.flatnonzero(self.a.review & ~self.b.review)

    @property
    def correct(self) -> tuple[int, int]:
        """Number of labelled images that A and B read."""
        return int((self.labelled & self.a.right).sum()), int((self.labelled & self.b.right).sum())

    @property
    def interval(self) -> Interval:
        """95 % interval of the accuracy of B minus that of A."""
        both = int((self.labelled & self.a.right & self.b.right).sum())
        won, lost = len(self.won), len(self.lost)
        return paired_difference(both, lost, won, int(self.labelled.sum()) - both - won - lost)

    @property
    def p_value(self) -> float:
        """Probability of a difference as large as this in either direction if both are equally good (McNemar)."""
        fewer, more = sorted((len(self.won), len(self.lost)))
        return min(1.0, 2 * p_value(more, fewer))

    def pairs(self) -> list[tuple[Label | None, Label | None, int]]:
        """Return the different answers of A and B, None for a failure, and their numbers of images, largest first."""
        found = Counter((self.a.answer(image), self.b.answer(image)) for image in np.flatnonzero(~self.same).tolist())
        return [(one, other, count) for (one, other), count in found.most_common()]


def compare(a: FinishedJob, b: FinishedJob, below_a: float | None, below_b: float | None) -> Compared:
    """Match the images of two jobs by their names, and compare the answers.

    If no name is the same, because a folder was moved or submitted from another place, the ends of the names count.
    What stands before them must be the same for all images of a job.

    Args:
        a: First job.
        b: Second job.
        below_a: Confidence, 0 to 1, below which an image is for review in A, or None for no review.
        below_b: The same in B.

    Raises:
        UsageError: No image of one has the name of an image of the other, or several may be meant.
    """
    names, others = list(a.results.names), b.results.names
    moved = None
    matched = _matched(names, others)
    if not matched and (moved := _find_moved(names, others)):
        before, now = moved
        names = [now + name.removeprefix(before) if name.startswith(before) else f"\0{name}" for name in names]
        matched = _matched(names, others)
    if not matched:
        raise UsageError(
            f"No image of job {a.info.job} ({_some(a.results.names)}) has the name of an image of job {b.info.job} "
            f"({_some(others)}), and the ends of the names do not match either. Compare two jobs on the same images."
        )
    rows = np.array(matched, np.intp)
    labels = [_common_label(a.results.label(row), b.results.label(other)) for row, other in matched]
    known = np.array([label is not None for label in labels], np.bool_)
    contradictory = int((a.results.labelled[rows[:, 0]] & b.results.labelled[rows[:, 1]] & ~known).sum())
    same = [_same(a.results.answer(row), b.results.answer(other)) for row, other in matched]
    one, other = _side(a, rows[:, 0], labels, below_a), _side(b, rows[:, 1], labels, below_b)
    return Compared(one, other, labels, known, contradictory, np.array(same, np.bool_), moved)


def _matched(names: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Return the rows of the images that have the same name in both jobs."""
    places = {key: row for row, key in enumerate(_keys(others))}
    return [(row, places[key]) for row, key in enumerate(_keys(names)) if key in places]


def _find_moved(names: Sequence[str], others: Sequence[str]) -> tuple[str, str] | None:
    """Return what stands before the common ends of the names in both jobs, or None if that is not clear.

    Args:
        names: Names of one job.
        others: Names of the other job.
    """
    sampled = names[:: max(1, len(names) // _SAMPLED)]
    count = {end: 0 for name in sampled for end in _ends(name)}  # of the other names with each end
    one = dict.fromkeys(count, "")  # of these names
    for other in others:
        for end in takewhile(count.__contains__, _ends(other)):
            count[end], one[end] = count[end] + 1, other
    found: Counter[tuple[str, str]] = Counter()
    for name in sampled:
        *_, end = [each for each in _ends(name) if count[each]] or [""]
        if end and count[end] == 1:
            found[name.removesuffix(end), one[end].removesuffix(end)] += 1
    best = found.most_common(2)
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else None


def _ends(name: str) -> Iterator[str]:
    """Yield the ends of a name: its file, the file with its folder, and so on to the whole name."""
    begins = len(name)
    while begins >= 0:
        begins = name.rfind("/", 0, begins)
        yield name[begins + 1 :]


def _some(names: Sequence[str]) -> str:
    return f"{names[0]!r}, …" if names else "none"


def _keys(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield each name with the number of times that it has come before, because a job may have two of one name."""
    seen: defaultdict[str, int] = defaultdict(int)
    for name in names:
        yield name, seen[name]
        seen[name] += 1


def _side(
    finished: FinishedJob, rows: NDArray[np.intp], labels: list[Label | None], min_confidence: float | None
) -> Side:
    results = finished.results
    right = [label is not None and _same(label, results.answer(row)) for label, row in zip(labels, rows, strict=True)]
    return Side(
        finished,
        rows,
        np.array(right, np.bool_),
        doubted(results, min_confidence)[rows],
        ~results.classified[rows],
        len(results) - len(rows),
    )


def _common_label(one: Label | None, other: Label | None) -> Label | None:
    """Return the label of an image, or None if no job knows it, or if both know different ones."""
    if one is None or other is None:
        return other if one is None else one
    return one if _same(one, other) else None


def _same(one: Label | None, other: Label | None) -> bool:
    """Return whether two answers are the same. A job that reads numbers answers with texts."""
    return one == other or (one is not None and other is not None and str(one) == str(other))
