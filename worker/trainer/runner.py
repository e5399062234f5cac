"""Carries out one training, from its claim to its end: process, lease, decision of the gate, registry."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray
from redis.exceptions import ConnectionError, RedisError, TimeoutError  # noqa: A004  redis-py's own names

from model.cards.card import CARD, MODEL, WEIGHTS, Card
from model.cards.changes import CHANGES
from model.cards.decision import DECISION
from model.errors import DigitmillError, ModelError, NotTried
from model.inference.predictions import Predictions
from model.inference.trial import try_model
from model.network.saving import writing
from model.training.assignment import BEST, CANDIDATE, LIVE, START, TrainingAssignment, read_candidate
from worker.contract.connection import Clock, is_transient, retry_transient
from worker.contract.errors import Unreachable
from worker.contract.registry import BestChange, Registry, Retention
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.logs import about
from worker.contract.telemetry.metrics import TRAININGS
from worker.contract.training import Claim, ProgressReply, Trainings, TrainingState
from worker.settings import Settings
from worker.trainer.folders import training_folder
from worker.trainer.taught_keeper import TaughtKeeper
from worker.trainer.training_process import TrainingProcess

RENEW_SECONDS = 0.5
"""Interval at which the lease is renewed. The reply says whether to stop."""

TIMEOUT_SECONDS = 60.0
"""Time for which a trainer repeats a call that Redis refuses, for example because its memory is full."""

MAX_LIVE_CHANGES = 3
"""Number of times that the live version may change during a training. After that its model stays a candidate."""

_Value = TypeVar("_Value")

_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """This trainer stops the training. Another trainer has it, or will take it up again."""


class _Before(NamedTuple):
    """The versions with these aliases before a candidate goes live."""

    live: str
    best: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended."""

    state: TrainingState
    version: str = ""
    reason: str = ""


class TrainingRunner:
    """Carries out claimed trainings.

    Args:
        trainings: Records of the trainings.
        registry: Registry that holds the models.
        keeper: Keeper of the taught images.
        settings: Settings of this process.
        threads: Number of threads that TensorFlow uses.
        stopping: Event that is set when this trainer has to end.
        clock: Clock by which it repeats calls to Redis.
        counts: What counts trainings, if somebody watches.
    """

    def __init__(
        self,
        trainings: Trainings,
        registry: Registry,
        keeper: TaughtKeeper,
        settings: Settings,
        *,
        threads: int,
        stopping: threading.Event,
        clock: Clock = time,
        counts: Counts | None = None,
    ) -> None:
        self._trainings, self._registry, self._keeper, self._settings = trainings, registry, keeper, settings
        self._threads, self._stopping, self._clock, self._counts = threads, stopping, clock, counts

    def run(self, claim: Claim) -> None:
        """Train, and record how the training ended. A training that is given back or lost keeps its checkpoints.

        While Redis is away, the training goes on, and its end waits for Redis.

        Args:
            claim: This trainer's claim on the training.

        Raises:
            Unreachable: Redis refuses.
        """
        with about(training=claim.identifier):
            self._run(claim)

    def _run(self, claim: Claim) -> None:
        began = time.monotonic()
        _log.info("training %s, attempt %d", claim.identifier, claim.attempt)
        try:
            outcome = self._outcome(claim, training_folder(self._settings.data, claim.identifier))
            self._retry(
                lambda: self._trainings.finish(claim, outcome.state, version=outcome.version, reason=outcome.reason)
            )
        except _Stopped as stop:
            ended = "stopped"
            _log.info("training %s: %s", claim.identifier, stop)
        else:
            ended = outcome.state
            _log.info("training %s %s: %s %s", claim.identifier, outcome.state, outcome.version, outcome.reason)
        if self._counts:
            self._counts.observe(TRAININGS, time.monotonic() - began, ended)

    def _outcome(self, claim: Claim, folder: Path) -> Outcome:
        try:
            return self._carry_out(claim, folder)
        except DigitmillError as fault:
            return Outcome(TrainingState.FAILED, reason=str(fault))
        except OSError as fault:
            return Outcome(
                TrainingState.FAILED, reason=f"The operating system reports: {fault}. Correct that, and train again."
            )

    def _carry_out(self, claim: Claim, folder: Path) -> Outcome:
        for _ in range(MAX_LIVE_CHANGES):
            before = self._prepare(claim, folder)
            if outcome := self._train(claim, folder):
                return outcome
            card, files, decision = read_candidate(folder)
            self._report(claim, stage="publishing")
            try:
                self._try(claim, card, files[MODEL])
            except NotTried:
                raise
            except ModelError as fault:
                return Outcome(TrainingState.REFUSED, reason=str(fault))
            self._retry_with_lease(claim, partial(self._publish, claim, card, files))
            if not decision.passed:
                return Outcome(TrainingState.REFUSED, card.version, decision.reason)
            try:
                self._retry_with_lease(
                    claim,
                    partial(
                        self._registry.promote,
                        card.version,
                        reason=decision.reason,
                        expected=before.live,
                        fence=claim.fence,
                        who=f"training {claim.identifier}",
                        # What the models read of other data says nothing about which is the best on MNIST.
                        best=BestChange(decision.leader, before.best) if claim.options.data == "mnist" else None,
                    ),
                )
            except ModelError as fault:
                self._report(claim)  # raises if the cause is a lost lease
                _log.warning("%s", fault)
                continue
            return Outcome(TrainingState.DONE, card.version, decision.reason)
        return Outcome(
            TrainingState.REFUSED,
            card.version,
            "Refused: the live version kept changing during the training. Train again.",
        )

    def _try(self, claim: Claim, card: Card, model: bytes) -> None:
        """Try the candidate in a process with limits. That may take long, because a trainer has low priority.

        Raises:
            ModelError: The candidate did not pass.
            NotTried: The process could not run.
        """
        self._renewing(claim, partial(try_model, card.version, model, card.temperature))

    def _renewing(self, claim: Claim, work: Callable[[], _Value]) -> _Value:
        """Do something that takes seconds, and renew the lease meanwhile. Return its result."""
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(work)
            while not wait([doing], RENEW_SECONDS).done:
                self._report(claim)
            return doing.result()

    def _publish(self, claim: Claim, card: Card, files: Mapping[str, bytes]) -> None:
        """Publish the candidate. It may be there already, with an earlier decision of the gate, which then remains.

        Raises:
            ModelError: Another model has its name, or the lease is lost.
        """
        try:
            settings = self._settings
            retention = Retention(settings.versions_kept, settings.version_seconds)
            self._registry.publish(card, files, fence=claim.fence, retention=retention)
        except ModelError:
            if _unjudged(self._registry.card(card.version)) != _unjudged(card):
                raise

    def _prepare(self, claim: Claim, folder: Path) -> "_Before":
        """Write the assignment and the models that the training needs into the folder. Return two versions' names."""
        settings = self._settings
        if not (folder / CANDIDATE / CARD).exists():  # an existing candidate knows only what was collected before it
            self._collect_taught(claim)
        aliases = self._retry(self._registry.aliases)
        live, files = self._retry(lambda: self._registry.fetch(aliases.live))
        best, model = self._retry(self._registry.fetch_best)
        start, weights = self._retry(lambda: self._registry.fetch_origin(live))
        if start.version != live.origin:
            _log.warning(
                "the version that %s was refined from cannot be read, so a refinement starts with %s",
                live.version,
                start.version,
            )
        if aliases.best not in (None, best.version):
            _log.warning("%s, the best version, cannot be read; the gate compares with %s", aliases.best, best.version)
        assignment = TrainingAssignment(
            claim.options,
            mnist=str(settings.mnist) if settings.mnist else None,
            cache=str(settings.cache),
            offline=settings.offline,
            taught=str(self._keeper.folder),
            threads=self._threads,
        )
        with writing(folder):
            _write_model(folder / LIVE, live, files)
            _write_model(folder / BEST, best, {MODEL: model})
            _write_model(folder / START, start, weights)
            assignment.write(folder)
        return _Before(live.version, aliases.best or best.version)

    def _collect_taught(self, claim: Claim) -> None:
        """Move everything that was taught until now into the folder, and report the number of changes so far."""
        self._keep_taught(claim)
        if self._hold_back_suspicious(claim):
            self._keep_taught(claim)
        self._retry(partial(self._renew, claim, changes=self._retry(self._keeper.changes)))

    def _keep_taught(self, claim: Claim) -> None:
        while self._retry(self._keeper.keep):
            self._report(claim)

    def _hold_back_suspicious(self, claim: Claim) -> int:
        """Hold back taught images whose labels the live model contradicts wholesale. Return their number.

        A client may have had no worker to ask when it taught them, or may have taught them one by one.
        """
        from model.inference.apart import classify_apart  # it loads LiteRT, which an idle trainer does not need

        live, files = self._retry(lambda: self._registry.fetch(self._registry.aliases().live))

        def read(images: NDArray[np.uint8]) -> tuple[Predictions, Sequence[float]]:
            asked = partial(classify_apart, live.version, files[MODEL], live.temperature, images)
            return self._renewing(claim, asked), live.mean_confidences

        if held := self._keeper.hold_back(read):
            _log.warning(
                "%d taught images are held back, because %s is sure of other digits than their labels. "
                "`digitmill teach --list` shows them.",
                held,
                live.version,
            )
        return held

    def _train(self, claim: Claim, folder: Path) -> Outcome | None:
        """Train and judge in a process of its own. Return how that ended, or None if there is a candidate."""
        with TrainingProcess(folder) as process:
            while True:
                code = process.wait(RENEW_SECONDS)
                reports = process.take_reports()
                if "refused" in reports:
                    return Outcome(TrainingState.REFUSED, reason=reports["refused"])
                if "failed" in reports:
                    return Outcome(TrainingState.FAILED, reason=reports["failed"])
                if code == 0:
                    return None
                if code is not None and code < 0:
                    self._give_up(claim, code)
                if code is not None:
                    return Outcome(
                        TrainingState.FAILED,
                        reason=f"The training process ended with code {code}. The trainer's log may say why.",
                    )
                if self._stopping.is_set():
                    self._retry(lambda: self._trainings.release(claim))
                    raise _Stopped("given back, because this trainer has to end")
                if self._report(claim, **reports) is ProgressReply.CANCEL:
                    return Outcome(TrainingState.CANCELLED)

    def _give_up(self, claim: Claim, code: int) -> NoReturn:
        """Let the lease run out, so that the training is begun again after its last epoch, as if this trainer had died.

        Raises:
            _Stopped: Always.
        """
        name = signal.Signals(-code).name
        reason = f"The process that trains was ended by {name}"
        if name == "SIGKILL":
            reason += ", as the system does when memory runs out"
        self._report(claim, reason=f"{reason}.")
        raise _Stopped(reason)

    def _retry_with_lease(self, claim: Claim, call: Callable[[], object]) -> None:
        """Make a call that needs the lease. Renew it each time before, because it runs out while Redis is away.

        Raises:
            Unreachable: Redis answers and refuses.
            _Stopped: Another trainer has the training, or this one has to end.
        """

        def renew_and_call() -> None:
            self._renew(claim)
            call()

        self._retry(renew_and_call)

    def _retry(self, call: Callable[[], _Value]) -> _Value:
        """Call Redis. Repeat the call while Redis is away, however long, because nothing is lost by that.

        Raises:
            Unreachable: Redis answers and refuses.
            _Stopped: This trainer has to end. The lease runs out.
        """
        while True:
            try:
                return retry_transient(call, timeout=TIMEOUT_SECONDS, on_wait=self._on_wait, clock=self._clock)
            except Unreachable as fault:
                cause = fault.__cause__
                if not (isinstance(cause, ConnectionError | TimeoutError) and is_transient(cause)):
                    raise
                _log.warning("waiting: %s", fault)

    def _on_wait(self, _: RedisError) -> None:
        if self._stopping.is_set():
            raise _Stopped("this trainer has to end, and Redis is away")

    def _report(self, claim: Claim, **progress: str | float) -> ProgressReply:
        """Renew the lease and report progress. Go on while Redis is away, because no other trainer can start then.

        Raises:
            _Stopped: Another trainer has the training.
        """
        try:
            return self._renew(claim, **progress)
        except RedisError as fault:
            _log.debug("not renewed: %s", fault)
            return ProgressReply.GO_ON

    def _renew(self, claim: Claim, **progress: str | float) -> ProgressReply:
        reply = self._trainings.renew(claim, lease_seconds=self._settings.lease_seconds, **progress)
        if reply is ProgressReply.LOST:
            raise _Stopped("another trainer has it")
        return reply


def _unjudged(card: Card) -> Card:
    """Return the card as it was before the gate judged the model."""
    files = {name: sha256 for name, sha256 in card.files.items() if name not in (DECISION, CHANGES)}
    return replace(card, files=files)


def _write_model(folder: Path, card: Card, files: Mapping[str, bytes]) -> None:
    """Write a model and, if it has them, its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in {MODEL, WEIGHTS} & set(files):  # no other name is safe
        (folder / name).write_bytes(files[name])
    card.write(folder)
