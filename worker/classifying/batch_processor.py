"""What the classifying process does when a doorbell rings: it claims a part of a batch and answers it."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded
from numpy.typing import NDArray
from redis.exceptions import RedisError

from model.errors import Failure, FailureCode, ImageError, ModelError, NotTried
from model.images.doubts import Doubt
from model.images.normalise import Normalised
from model.images.preprocess import preprocess_all
from model.inference.apart import classify_apart
from model.inference.classifier import Predictions
from model.inference.several import find_several, sort_out, with_parts
from worker.classifying.answers import Answers
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

MAX_PARTS = 8192
"""Number of digits in images that may show several after which no further image is decoded. They have 6 MiB."""

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
        self._notes = models.notes
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
                    with self._notes.working(part):
                        batch = _batch_of(claim)
                        model = self._retry(partial(self._models, claim.model))
                        read = self._read(batch)
                        claim = self._hand_on_the_rest(claim, batch, len(read.images))
                        read = read.first(len(claim.part))
                        answers = self._classify(claim, model, read)
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
                case Verdict.GONE | Verdict.BUSY:
                    pass
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

    def _read(self, batch: Batch) -> "_Read":
        """Return the images of a batch as the network takes them, or the first of them if the others take too long."""
        if isinstance(batch.images, np.ndarray):
            drawn = batch.images.reshape(len(batch), -1).any(axis=1)
            blank = dict.fromkeys(np.flatnonzero(~drawn).tolist(), _BLANK)
            return _Read(batch.images, blank, {}, {}, batch.several)
        return _decode(batch.images, self._decoding_seconds, several=batch.several)

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

    def _classify(self, claim: Claim, model: LoadedModel, read: "_Read") -> Answers:
        """Classify images. Whatever goes wrong here is the model's fault, because every image is uint8 (28, 28) now.

        Raises:
            ModelError: The model failed. That does not count against the images.
        """
        images, answered = with_parts(read.images, read.doubtful), len(read.images) - len(read.failures)
        if model.content and claim.attempts > 1 and len(images):
            # Somebody has begun this part and not finished it. If the model ended that process, it cannot end this one.
            run = partial(classify_apart, model.version, model.content, model.temperature, images)
            answers = read.answers(self._run(model.version, run, images=answered, proven=True))
            self._observe(model.version, images, answers, compare=False)
            return answers
        with self._notes.classifying(model.version):
            run = partial(model.classifier.classify, images)
            answers = read.answers(self._run(model.version, run, images=answered, proven=False))
            self._observe(model.version, images, answers, compare=True)
        return answers

    def _observe(self, version: str, images: NDArray[np.uint8], answers: Answers, *, compare: bool) -> None:
        """Show the canary monitor one image and one prediction for each image of a batch, also where it is a number."""
        seen = answers.least_certain
        predictions = answers.predictions.at(seen)
        self._canary.observe(
            version, images[seen], predictions, answers.failures, doubted=answers.doubts, compare=compare
        )

    def _run(self, version: str, run: Callable[[], Predictions], *, images: int, proven: bool) -> Predictions:
        """Run a version on some images.

        Args:
            version: Name of the version.
            run: Function that runs it.
            images: Number of images that count against it if it fails.
            proven: Whether it runs in a process with limits, so that a fault is certainly its own.

        Raises:
            ModelError: The version failed.
            NotTried: The process with limits could not run.
            SoftTimeLimitExceeded: The batch took too long, perhaps because of its images.
        """
        try:
            return run()
        except NotTried:
            raise
        except Exception as fault:
            if isinstance(fault, SoftTimeLimitExceeded):
                if not proven:
                    raise
                # The images are decoded, so they are not to blame. But this process may have been short of time.
                fault, proven = ModelError(f"Model {version} took longer than the time limit of a batch."), False
            self._canary.observe_error(version, images)
            self._blame(version, f"it failed on images of a job ({fault})", proven=proven)
            self._models.forget(version)  # loading it again asks whether it may still serve
            raise ModelError(str(fault)) from fault

    def _blame(self, version: str, fault: str, *, proven: bool) -> None:
        """Record that a version failed. It is out of service at once if a process with limits has proven that."""
        try:
            if proven:
                self._canary.faults.condemn(version, fault)
            else:
                self._canary.faults.strike(version, fault)
        except RedisError as obstacle:
            _log.warning("the fault of model %s was not recorded: %s", version, obstacle)

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


@dataclass(frozen=True, slots=True)
class _Read:
    """The images of a batch as the network takes them.

    Attributes:
        images: uint8 (n, 28, 28), at least one; black where decoding failed.
        failures: Failures by index.
        doubtful: Images that may show several digits, by index. The network decides, unless it is certain.
        doubts: Doubts of the image path, by index.
        several: Whether all digits of an image are wanted. If not, an image with several is a failure.
    """

    images: NDArray[np.uint8]
    failures: dict[int, Failure]
    doubtful: dict[int, Normalised]
    doubts: dict[int, Doubt]
    several: bool

    def first(self, count: int) -> "_Read":
        """Return the first images."""
        return _Read(
            self.images[:count],
            {index: failure for index, failure in self.failures.items() if index < count},
            {index: image for index, image in self.doubtful.items() if index < count},
            {index: doubt for index, doubt in self.doubts.items() if index < count},
            self.several,
        )

    def add(self, index: int, image: Normalised) -> None:
        """Add an image, and note why it is doubtful, and whether it may show several digits or is refused for that."""
        self.images[index] = image.shown
        if image.doubt is not None:
            self.doubts[index] = image.doubt
        if self.several and len(image.parts) == image.total:
            self.doubtful[index] = image
        elif self.several and len(image.parts):
            self.failures[index] = Failure(
                FailureCode.SEVERAL_DIGITS,
                f"The image shows {image.total} digits, and at most {len(image.parts)} are read. Cut it up.",
            )
        else:
            sort_out(index, image, self.failures, self.doubtful)

    def answers(self, predictions: Predictions) -> Answers:
        """Return the answers, given the predictions for the images and, after them, for the parts of doubtful ones."""
        count = len(self.images)
        found = find_several(predictions, self.doubtful, count)
        if self.several:
            return Answers(predictions, count, self.failures, found, self.doubts)
        refused = {index: self.doubtful[index].as_several.failure for index in found}
        return Answers(predictions, count, self.failures | refused, {}, self.doubts)


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


def _decode(files: tuple[bytes, ...], seconds: float, *, several: bool) -> _Read:
    """Decode and normalise each file on its own.

    Args:
        files: Contents of image files.
        seconds: Time after which no further file is decoded.
        several: Whether all digits of an image are wanted.

    Returns:
        The images of the first n files, at least one.
    """
    deadline = time.monotonic() + seconds
    read = _Read(np.zeros((len(files), SIDE, SIDE), np.uint8), {}, {}, {}, several)
    parts = 0
    for index, file in enumerate(files):
        if index and (time.monotonic() > deadline or parts > MAX_PARTS):
            return read.first(index)
        try:
            image = preprocess_all(file)
            read.add(index, image)
            parts += len(image.parts)
        except ImageError as fault:
            read.failures[index] = fault.failure
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            _log.exception("digitmill itself failed to decode an image")
            read.failures[index] = Failure(
                FailureCode.INTERNAL, "digitmill itself failed on this image. The worker's log says how. Report it."
            )
    return read
