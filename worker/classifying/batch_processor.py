"""What the classifying process does when a doorbell rings: it claims a part of a batch and answers it."""

import logging
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded
from numpy.typing import NDArray

from model.errors import Failure, FailureCode, ImageError, ModelError
from model.images.preprocess import preprocess
from model.inference.classifier import Predictions
from worker.classifying.canary import CanaryMonitor
from worker.classifying.models import LoadedModel, Models
from worker.contract.connection import retry_transient
from worker.contract.doorbell import Doorbell
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.ledger import Claim, Ledger, Part, Verdict
from worker.contract.wire import SIDE, Batch, Result

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
        name: Name of this worker.
        lease_seconds: Lifetime of a claim unless it is renewed.
        time_limit_seconds: Time that one batch may take before its process is killed.
    """

    def __init__(
        self,
        ledger: Ledger,
        doorbell: Doorbell,
        models: Models,
        canary: CanaryMonitor,
        *,
        name: str,
        lease_seconds: float,
        time_limit_seconds: float,
    ) -> None:
        self._ledger = ledger
        self._doorbell = doorbell
        self._models = models
        self._canary = canary
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
        claim = self._claim(part)
        try:
            match claim.verdict:
                case Verdict.WORK:
                    self._finish(*self._answer(claim))
                case Verdict.SPLIT:
                    self._split(claim)
                case Verdict.QUARANTINE:
                    self._finish(claim, self._fail(claim, _QUARANTINED))
                case Verdict.GONE | Verdict.BUSY:
                    pass
        except (ModelError, UnknownFormat) as fault:
            # Another worker may run another version of the program, or have a model that this one cannot load.
            problem = str(fault)
            _log.error("batch %s refused: %s", part.member, problem)
            self._retry(lambda: self._ledger.record_problem(part.job, problem))
            self._release(part, refund=True, due_seconds=REFUSED_PAUSE_SECONDS)
        except SoftTimeLimitExceeded:
            _log.error("batch %s took too long; given back", part.member)
            self._release(part, refund=False)
        except Exception:
            _log.exception("batch %s failed; given back", part.member)
            self._release(part, refund=False, due_seconds=FAILED_PAUSE_SECONDS)

    def _claim(self, part: Part) -> Claim:
        token = secrets.token_hex(8)
        return self._retry(
            lambda: self._ledger.claim(part, token=token, holder=self._name, lease_seconds=self._lease_seconds)
        )

    def _answer(self, claim: Claim) -> tuple[Claim, Result]:
        """Return the answers to a claimed part, or to its first images if the others would take too long.

        Returns:
            The claim that the answers belong to, and the answers.
        """
        batch = Batch.from_wire(claim.payload)
        model = self._retry(lambda: self._models(claim.model))
        if isinstance(batch.images, np.ndarray):
            images = batch.images
            drawn = images.reshape(len(images), -1).any(axis=1)
            failures = {int(index): _BLANK for index in np.flatnonzero(~drawn)}
        else:
            images, failures = _decode(batch.images, self._decoding_seconds)
            if len(images) < len(batch):
                claim = self._hand_on_the_rest(claim, batch, len(images))
        predictions = self._classify(model, images, failures)
        return claim, Result(
            model=model.version,
            worker=self._name,
            digits=predictions.digits,
            confidences=predictions.confidences,
            probabilities=predictions.probabilities if batch.probabilities else None,
            failures=failures,
        )

    def _hand_on_the_rest(self, claim: Claim, batch: Batch, count: int) -> Claim:
        """Cut a part behind its first images, and ring for the others. Return a claim on the first.

        No image is to blame, and nothing is done twice: many costly images just take longer than one batch may.
        """
        parts = self._retry(lambda: self._ledger.split(claim, batch.part(0, count), batch.part(count, len(batch))))
        if not parts:
            return claim  # another worker has the part by now, so the answers will come too late
        first, rest = parts
        _log.info("batch %s takes long; the last %d of its images are handed on", claim.part.member, len(rest))
        self._doorbell.ring(rest)
        return self._claim(first)

    def _classify(self, model: LoadedModel, images: NDArray[np.uint8], failures: dict[int, Failure]) -> Predictions:
        try:
            predictions = model.classifier.classify(images)
        except Exception:
            self._canary.observe_error(model.version, len(images) - len(failures))
            raise
        self._canary.observe(model.version, images, predictions, failures)
        return predictions

    def _fail(self, claim: Claim, failure: Failure) -> Result:
        """Return an answer that gives every image of a part the same error row."""
        count = len(claim.part)
        _log.error("batch %s: gave up all %d images: %s", claim.part.member, count, failure.code)
        return Result(
            model="",
            worker=self._name,
            digits=np.zeros(count, np.uint8),
            confidences=np.zeros(count, np.float32),
            probabilities=None,
            failures=dict.fromkeys(range(count), failure),
        )

    def _split(self, claim: Claim) -> None:
        try:
            batch = Batch.from_wire(claim.payload)
        except UnknownFormat:
            raise
        except WireError:
            self._finish(claim, self._fail(claim, _DAMAGED))
            return
        middle = len(batch) // 2
        left, right = batch.part(0, middle), batch.part(middle, len(batch))
        halves = self._retry(lambda: self._ledger.split(claim, left, right))
        _log.warning("batch %s failed %d times; split in halves", claim.part.member, claim.attempts)
        for half in halves:
            self._doorbell.ring(half)

    def _finish(self, claim: Claim, result: Result) -> None:
        if not self._retry(lambda: self._ledger.finish(claim, result)):
            _log.info("batch %s was answered by another worker in the meantime", claim.part.member)

    def _release(self, part: Part, *, refund: bool, due_seconds: float = 0.0) -> None:
        released = self._retry(
            lambda: self._ledger.release(part, holder=self._name, refund=refund, due_seconds=due_seconds)
        )
        if released and not due_seconds:
            self._doorbell.ring(part)

    def _retry(self, call: Callable[[], _Value]) -> _Value:
        return retry_transient(call, timeout=TIMEOUT_SECONDS)


_BLANK = Failure(FailureCode.BLANK, "Nothing is drawn on this image.")
_DAMAGED = Failure(FailureCode.INTERNAL, "The batch of this image was damaged on its way. Submit it again.")
_QUARANTINED = Failure(
    FailureCode.QUARANTINED,
    "A worker process died, hung or failed every time that it tried this image. The image is left out. Open it in "
    "another program before you submit it again.",
)


def _decode(files: tuple[bytes, ...], seconds: float) -> tuple[NDArray[np.uint8], dict[int, Failure]]:
    """Decode and normalise each file on its own.

    Args:
        files: Contents of image files.
        seconds: Time after which no further file is decoded.

    Returns:
        The images, uint8 (n, 28, 28), of the first n files, at least one; black where decoding failed. And the failures
        by index.
    """
    deadline = time.monotonic() + seconds
    images = np.zeros((len(files), SIDE, SIDE), np.uint8)
    failures: dict[int, Failure] = {}
    for index, file in enumerate(files):
        if index and time.monotonic() > deadline:
            return images[:index], failures
        try:
            images[index] = preprocess(file)
        except ImageError as fault:
            failures[index] = fault.failure
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            _log.exception("digitmill itself failed to decode an image")
            failures[index] = Failure(
                FailureCode.INTERNAL, "digitmill itself failed on this image. The worker's log says how. Report it."
            )
    return images, failures
