"""The answers of a job as columns, made of its batches one by one, so that only one batch need be in memory."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from model.errors import Failure
from model.images.doubts import Doubt
from producer.jobs.kept.journal import AnsweredBatch
from producer.jobs.results import NONE, Numbers, Results
from producer.jobs.texts import Names, Versions
from worker.contract.wire import Label, Result


def merge(
    batches: Mapping[int, AnsweredBatch] | Sequence[AnsweredBatch],
    *,
    several: bool = False,
    probabilities: bool = False,
) -> Results:
    """Return the answers of batches as columns, in the order of submission.

    Args:
        batches: Completely answered batches of one job, in any order or by their sequence numbers.
        several: Whether the job asked for all digits of each image.
        probabilities: Whether it asked for the ten probabilities. Without it, they are there if an answer has them.
    """
    by_sequence = batches if isinstance(batches, Mapping) else {batch.sequence: batch for batch in batches}
    columns = [
        Columns(by_sequence[sequence], several=several, probabilities=probabilities) for sequence in sorted(by_sequence)
    ]
    # Whoever has no order of the job still gets what the answers hold.
    more = (
        several or any(each.found_several for each in columns),
        probabilities or any(each.found_probabilities for each in columns),
    )
    if more != (several, probabilities):
        return merge(by_sequence, several=more[0], probabilities=more[1])
    return join(columns, several=several, probabilities=probabilities)


class Columns:
    """The answers of one batch as columns, in much less memory than the batch itself needs.

    Args:
        batch: The batch, with all its answers.
        several: Whether its job asked for all digits of each image.
        probabilities: Whether it asked for the ten probabilities.

    Attributes:
        found_several: `several`, or whether an answer or a label is a number.
        found_probabilities: `probabilities`, or whether an answer has them.
    """

    __slots__ = (
        "confidences",
        "digits",
        "doubts",
        "failures",
        "found_probabilities",
        "found_several",
        "labels",
        "models",
        "names",
        "numbers",
        "read",
        "ten",
    )

    def __init__(self, batch: AnsweredBatch, *, several: bool, probabilities: bool) -> None:
        manifest, count = batch.manifest, len(batch.manifest.names)
        self.names = Names(manifest.names)
        kinds = set(map(type, manifest.labels))
        texts = str in kinds
        self.found_several = several or texts or any(each.counts is not None for each in batch.results)
        self.found_probabilities = probabilities or any(each.probabilities is not None for each in batch.results)
        given: Sequence[Any] = manifest.labels
        if kinds != {int}:
            given = [NONE if texts or each is None else each for each in given]
        self.labels = np.array(given, np.int8)
        self.digits = np.full(count, NONE, np.int8)
        self.confidences = np.full(count, np.nan, np.float32)
        self.ten = np.full((count if probabilities else 0, 10), np.nan, np.float32)
        self.failures: dict[int, Failure] = dict(manifest.failures)
        self.doubts: dict[int, Doubt] = {}
        self.models: list[tuple[str, NDArray[np.intp]]] = []  # each version, and the rows that it answered
        self.numbers: list[Label | None] = list(manifest.labels) if several else []
        self.read: list[tuple[str, list[float]]] = [("", [])] * count if several else []
        rows = np.arange(count)
        if manifest.failures:
            rows = np.delete(rows, list(manifest.failures))  # no worker saw these
        for result in batch.results:
            part, rows = rows[: len(result)], rows[len(result) :]
            self._add(result, part, several=several, probabilities=probabilities)
        failed = sorted(self.failures)
        self.digits[failed] = NONE
        self.confidences[failed] = np.nan
        if probabilities:
            self.ten[failed] = np.nan
        for row in failed if several else ():
            self.read[row] = ("", [])

    def _add(self, result: Result, part: NDArray[np.intp], *, several: bool, probabilities: bool) -> None:
        """Add the answers to some rows."""
        if several:
            for row, number in zip(part.tolist(), _numbers_of(result), strict=True):
                self.read[row] = number
        if result.counts is None:
            self.digits[part] = result.digits
            self.confidences[part] = result.confidences
            if probabilities and result.probabilities is not None:
                self.ten[part] = result.probabilities
        self.models.append((result.model, part))
        self.failures.update({int(part[index]): failure for index, failure in result.failures.items()})
        self.doubts.update({int(part[index]): doubt for index, doubt in result.doubts.items()})


def join(columns: Sequence[Columns], *, several: bool, probabilities: bool) -> Results:
    """Return the columns of batches as results.

    Args:
        columns: Columns of batches of one job, in the order of submission.
        several: As for `Columns`.
        probabilities: As for `Columns`.
    """
    names, failures, doubts = Names(), {}, {}
    count = sum(len(each.names) for each in columns)
    versions: dict[str, int] = {"": 0}
    models = np.zeros(count, np.int32)
    for each in columns:
        start = len(names)
        names += each.names
        for version, rows in each.models:
            models[start + rows] = versions.setdefault(version, len(versions))
        failures.update({start + row: each.failures[row] for row in sorted(each.failures)})
        doubts.update({start + row: doubt for row, doubt in sorted(each.doubts.items()) if row not in each.failures})
    labels = _joined((each.labels for each in columns), np.int8)
    digits = _joined((each.digits for each in columns), np.int8)
    confidences = _joined((each.confidences for each in columns), np.float32)
    numbers = None
    if several:
        read = [number for each in columns for number in each.read]
        shares = [each for _, each in read]
        given = [label for each in columns for label in each.numbers]
        numbers = Numbers.of(given, [number for number, _ in read], shares)
        labels = np.array([_digit(label) for label in numbers.labels.tolist()], np.int8)
        digits = np.array([_digit(number) for number in numbers.read.tolist()], np.int8)
        confidences = np.array([min(each, default=np.nan) for each in shares], np.float32)
    return Results(
        names=names,
        labels=labels,
        digits=digits,
        confidences=confidences,
        probabilities=_joined((each.ten for each in columns), np.float32, 10) if probabilities else None,
        models=Versions(models, list(versions)),
        failures=failures,
        numbers=numbers,
        doubts=doubts,
    )


def _joined(pieces: Iterable[NDArray[Any]], dtype: DTypeLike, *sides: int) -> NDArray[Any]:
    """Return the pieces of a column as one, which also exists without any."""
    return np.concatenate([np.empty((0, *sides), dtype), *pieces])


def _numbers_of(result: Result) -> list[tuple[str, list[float]]]:
    """Return the number that was read in each image, and the confidences of its digits."""
    digits, confidences = "".join(map(str, result.digits.tolist())), result.confidences.tolist()
    counts = [1] * len(result) if result.counts is None else result.counts.tolist()
    stops = list(accumulate(counts))
    return [
        (digits[stop - count : stop], confidences[stop - count : stop])
        for count, stop in zip(counts, stops, strict=True)
    ]


def _digit(number: str) -> int:
    """Return the digit of a number that has one digit, or `NONE`."""
    return int(number) if len(number) == 1 else NONE
