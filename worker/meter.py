"""Counts what one process of the worker answers, if somebody watches. Each batch counts as a whole, never an image."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

import numpy as np

from model.errors import FailureCode
from model.images.doubts import DoubtCode
from model.inference.review import REVIEW_BELOW
from worker.contract.ledger import Claim, Verdict
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.metrics import (
    BATCH_IMAGES,
    BATCH_SECONDS,
    IMAGES,
    JOBS,
    LOW_CONFIDENCE,
    MODEL,
    RELOADS,
    RESTARTS,
    Outcome,
    Stage,
)
from worker.contract.telemetry.traces import is_tracing, span
from worker.contract.wire import Result

_NOTHING = contextlib.nullcontext()


class Meter:
    """Counts into memory that the worker's main process reads.

    Args:
        counts: Counts of this process, or None if nobody watches. Then no method does anything.
    """

    def __init__(self, counts: Counts | None = None) -> None:
        self._counts = counts

    def begin(self, process: str, *, replaces: bool) -> None:
        """Begin to count in a new process. Counters without a number would hide their first step from Prometheus.

        Args:
            process: Name of the kind of process.
            replaces: Whether another process died.
        """
        if self._counts is None:
            return
        self._counts.clear(MODEL)
        self._counts.add(RESTARTS, process, amount=int(replaces))
        for outcome in ("loaded", "failed"):
            self._counts.add(RELOADS, outcome, amount=0)
        for code in FailureCode:
            self._counts.add(IMAGES, Outcome.ERROR, code, "", amount=0)

    def serves(self, version: str, *, instead_of: str = "") -> None:
        """Note which version serves as the live one.

        Args:
            version: The version.
            instead_of: The version before, or "" if the process has just begun.
        """
        if self._counts is None:
            return
        if instead_of:
            self._counts.add(RELOADS, "loaded")
            self._counts.set(MODEL, 0, instead_of)
        self._counts.set(MODEL, 1, version)
        self._counts.add(IMAGES, Outcome.ANSWERED, "", version, amount=0)
        for reason in (LOW_CONFIDENCE, *DoubtCode):
            self._counts.add(IMAGES, Outcome.REVIEW, reason, version, amount=0)

    def could_not_load(self) -> None:
        """Count that the live version could not be loaded."""
        if self._counts is not None:
            self._counts.add(RELOADS, "failed")

    def claimed(self, claim: Claim) -> None:
        """Count how long a batch waited, unless somebody has begun it before."""
        if claim.verdict is Verdict.WORK and claim.attempts == 1 and claim.waited >= 0:
            self._took(Stage.QUEUE, claim.waited, JOBS)

    def stage(self, stage: Stage, lane: str = JOBS) -> AbstractContextManager[None]:
        """Return a context whose time counts, unless it fails. If this process traces, it is a span as well."""
        if self._counts is None and not is_tracing():
            return _NOTHING  # a single image takes hardly longer than a context
        return self._stage(stage, lane)

    @contextlib.contextmanager
    def _stage(self, stage: Stage, lane: str) -> Iterator[None]:
        began = time.perf_counter()
        with span(stage, lane=lane):
            yield
        self._took(stage, time.perf_counter() - began, lane)

    def _took(self, stage: Stage, seconds: float, lane: str) -> None:
        if self._counts is not None:
            self._counts.observe(BATCH_SECONDS, seconds, stage, lane)

    def answered(self, result: Result, lane: str = JOBS) -> None:
        """Count the images of a batch or a call that was answered."""
        if self._counts is None:
            return
        self._counts.observe(BATCH_IMAGES, len(result), lane)
        reviews = _reviews(result)
        answered = len(result) - len(result.failures) - sum(reviews.values())
        if answered:
            self._counts.add(IMAGES, Outcome.ANSWERED, "", result.model, amount=answered)
        for reason, number in reviews.items():
            self._counts.add(IMAGES, Outcome.REVIEW, reason, result.model, amount=number)
        for code, number in Counter(failure.code for failure in result.failures.values()).items():
            self._counts.add(IMAGES, Outcome.ERROR, code, "", amount=number)


def _reviews(result: Result) -> Mapping[str, int]:
    """Return how many images a person should look at, by reason. A doubt of the picture comes before the network's."""
    found = Counter[str](doubt.code for index, doubt in result.doubts.items() if index not in result.failures)
    low = result.confidences < REVIEW_BELOW
    if low.any():
        images = np.flatnonzero(low)
        if result.counts is not None:  # of a number, its least certain digit counts
            images = np.unique(np.searchsorted(np.cumsum(result.counts), images, side="right"))
        known = result.failures.keys() | result.doubts.keys()
        if number := len(set(images.tolist()) - known):
            found[LOW_CONFIDENCE] = number
    return found
