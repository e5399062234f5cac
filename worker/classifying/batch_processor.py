"""What the classifying process does when a doorbell rings: it claims a part of a batch and answers it."""

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from billiard.exceptions import SoftTimeLimitExceeded

from model.errors import Failure, FailureCode, ModelError
from worker.classifying.canary import CanaryMonitor
from worker.classifying.models import Models
from worker.classifying.reading import read
from worker.classifying.running import ModelRunner
from worker.contract.connection import retry_transient
from worker.contract.doorbell import Doorbell
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.ledger import Claim, Ledger, Part, Verdict
from worker.contract.observation import RecentAnswers
from worker.contract.telemetry.logs import about
from worker.contract.telemetry.metrics import Stage
from worker.contract.telemetry.traces import SpanKind, span
from worker.contract.wire import Batch, Result
from worker.job_log import JobLog

TIMEOUT_SECONDS = 30.0
"""Time that a call waits for Redis. If a finished batch waits longer, its answers are dropped, and it is done again."""

REFUSED_PAUSE_SECONDS = 5.0
FAILED_PAUSE_SECONDS = 0.5
"""Pauses before a batch that was refused, or that failed, is tried again. They keep workers from spinning on it."""

DECODING_SHARE = 0.5
"""Share of a batch's time limit after which no further image is decoded. The last one may take 30 s by itself."""

_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")


class BatchProcessor:
    """Answers batches in one classifying process.

    Args:
        ledger: Ledger in which batches are claimed and finished.
        doorbell: Doorbell to ring for the halves of a split batch, and for a batch that is given back.
        models: Models of this process.
        canary: Canary monitor that observes what the models answer.
        recent: What counts the images that this process answers.
        name: Name of this worker.
        lease_seconds: Lifetime of a claim unless it is renewed.
        time_limit_seconds: Time that one batch may take before its process is killed.
        jobs: What logs the begin and the end of jobs.
    """

    def __init__(
        self,
        ledger: Ledger,
        doorbell: Doorbell,
        models: Models,
        canary: CanaryMonitor,
        recent: RecentAnswers,
        *,
        name: str,
        lease_seconds: float,
        time_limit_seconds: float,
        jobs: JobLog | None = None,
    ) -> None:
        self._ledger = ledger
        self._doorbell = doorbell
        self._models = models
        self._notes, self._meter = models.notes, models.meter
        self._runner = ModelRunner(models, canary)
        self._recent, self._jobs = recent, jobs
        self._name = name
        self._lease_seconds = lease_seconds
        self._decoding_seconds = time_limit_seconds * DECODING_SHARE

    def process(self, part: Part) -> None:
        """Answer a part, if it still needs an answer.

        A part that this process cannot answer is given back, so that a worker tries it again.

        Args:
            part: Part of a batch that a doorbell named.

        Raises:
            Unreachable: Redis did not answer in time, or refuses.
        """
        with about(job=part.job, batch=part.field):
            claim = self._claim(part)
            if claim.verdict in (Verdict.GONE, Verdict.BUSY, Verdict.PAUSED):
                return
            self._meter.claimed(claim)
            if self._jobs:
                self._jobs.claimed(claim)
            tracing = span("answer batch", claim.trace, SpanKind.CONSUMER, job=part.job, batch=part.field)
            with about(version=claim.model), tracing:
                self._answer(part, claim)

    def _answer(self, part: Part, claim: Claim) -> None:
        try:
            match claim.verdict:
                case Verdict.WORK:
                    with self._notes.working(part):
                        batch = _batch_of(claim)
                        model = self._retry(partial(self._models, claim.model))
                        with self._meter.stage(Stage.DECODE):
                            images = read(batch, self._decoding_seconds)
                        claim = self._hand_on_the_rest(claim, batch, len(images))
                        # Somebody has begun this part before and not finished it, unless this is the first attempt.
                        with self._meter.stage(Stage.CLASSIFY):
                            answers = self._runner.classify(
                                model, images.first(len(claim.part)), suspect=claim.attempts > 1
                            )
                        result = answers.result(
                            model.version, self._name, probabilities=batch.probabilities, several=batch.several
                        )
                    self._finish(claim, result)
                case Verdict.SPLIT:
                    self._split(claim)
                case Verdict.QUARANTINE:
                    self._finish(claim, self._fail(claim, _QUARANTINED if len(part) == 1 else _QUARANTINED_TOGETHER))
                case Verdict.OVERSIZED:
                    self._finish(claim, self._fail(claim, _OVERSIZED))
        except _DamagedBatch as fault:
            _log.error("batch %s: %s", part.member, fault)
            self._finish(claim, self._fail(claim, _DAMAGED))
        except (ModelError, WireError) as fault:
            # Another worker may run another version of the program, or have a model that this one cannot load. Or
            # something else that this batch needs is damaged in Redis, and somebody will repair it.
            problem = str(fault)
            _log.error("batch %s refused: %s", part.member, problem)
            self._retry(lambda: self._ledger.record_problem(part.job, problem))
            self._release(claim.part, refund=True, due_seconds=REFUSED_PAUSE_SECONDS)
        except SoftTimeLimitExceeded:
            _log.error("batch %s took too long; given back", part.member)
            self._release(claim.part, refund=False)
        except Exception:
            _log.exception("batch %s failed; given back", part.member)
            self._release(claim.part, refund=False, due_seconds=FAILED_PAUSE_SECONDS)

    def _claim(self, part: Part) -> Claim:
        token = secrets.token_hex(8)
        return self._retry(
            lambda: self._ledger.claim(part, token=token, holder=self._name, lease_seconds=self._lease_seconds)
        )

    def _hand_on_the_rest(self, claim: Claim, batch: Batch, count: int) -> Claim:
        """Halve a part until it has at most `count` images, the first ones, and ring for the others.

        No image is to blame: many costly images just take longer than one batch may.

        Returns:
            The claim on what is left of the part.
        """
        while len(claim.part) > count:
            halves = self._retry(partial(self._ledger.split, claim, batch))
            if not halves:
                return claim  # another worker has the part by now, so the answers will come too late
            first, rest = halves
            _log.info("batch %s takes long; other workers get its last %d images", claim.part.member, len(rest))
            self._doorbell.ring(rest)
            claim, batch = self._claim(first), batch.part(0, len(first))
        return claim

    def _fail(self, claim: Claim, failure: Failure) -> Result:
        """Return an answer that gives every image of a part the same error row."""
        count = len(claim.part)
        _log.error("batch %s: gave up all %d images: %s", claim.part.member, count, failure.code)
        return Result.failed(count, failure, worker=self._name)

    def _split(self, claim: Claim) -> None:
        batch = _batch_of(claim)
        halves = self._retry(lambda: self._ledger.split(claim, batch))
        _log.warning("batch %s failed %d times; split in halves", claim.part.member, claim.attempts)
        for half in halves:
            self._doorbell.ring(half)

    def _finish(self, claim: Claim, result: Result) -> None:
        with self._meter.stage(Stage.FINISH):
            finished = self._retry(lambda: self._ledger.finish(claim, result))
        if finished:
            self._recent.add(len(claim.part), result.failures.values())
            self._meter.answered(result)
        else:
            _log.info("batch %s was answered by another worker in the meantime", claim.part.member)

    def _release(self, part: Part, *, refund: bool, due_seconds: float = 0.0) -> None:
        released = self._retry(
            lambda: self._ledger.release(part, holder=self._name, refund=refund, due_seconds=due_seconds)
        )
        if released and not due_seconds:
            self._doorbell.ring(part)

    def _retry(self, call: Callable[[], _Value]) -> _Value:
        return retry_transient(call, timeout=TIMEOUT_SECONDS)


_DAMAGED = Failure(FailureCode.INTERNAL, "The batch of this image was damaged on its way. Submit it again.")
_OVERSIZED = Failure(
    FailureCode.INTERNAL,
    "The batch of this image is larger than a worker accepts, so its record is damaged. Submit the image again.",
)
_QUARANTINED_TOGETHER = Failure(
    FailureCode.QUARANTINED,
    "Worker processes died each time that they tried the batch of this image or tried to split it. The images of the "
    "batch are left out. Submit them again with a smaller --batch-size.",
)
_QUARANTINED = Failure(
    FailureCode.QUARANTINED,
    "A worker process died, hung or failed every time that it tried this image. The image is left out. Open it in "
    "another program before you submit it again.",
)


class _DamagedBatch(Exception):
    """The batch in the ledger is damaged, so no worker can ever answer it."""


def _batch_of(claim: Claim) -> Batch:
    """Return the images of a claimed part.

    Raises:
        UnknownFormat: This program does not read the format of the batch. Another version may.
        _DamagedBatch: The batch is damaged, or has another number of images than the part.
    """
    try:
        batch = Batch.from_wire(claim.payload)
    except UnknownFormat:
        raise
    except WireError as fault:
        raise _DamagedBatch(str(fault)) from fault
    if len(batch) != len(claim.part):
        raise _DamagedBatch(f"It has {len(batch):,} images, and its name says {len(claim.part):,}.")
    return batch
