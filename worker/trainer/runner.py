"""One training, from its claim to its end: the process that trains, the lease, the gate's decision, the registry."""

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from redis.exceptions import RedisError

from model.cards.card import CARD, MODEL, WEIGHTS
from model.errors import DigitmillError, ModelError
from model.training.assignment import CANDIDATE, LIVE, TrainingAssignment, read_candidate
from worker.contract.connection import retry_transient
from worker.contract.registry import Registry
from worker.contract.training import Claim, ProgressReply, Trainings, TrainingState
from worker.settings import Settings
from worker.trainer.taught_keeper import TaughtKeeper
from worker.trainer.training_process import TrainingProcess

LOOK_SECONDS = 0.5
"""How often the lease is renewed, and heard whether to stop."""

TIMEOUT_SECONDS = 60.0
"""How long Redis may be away while a finished training is noted."""

LIVE_CHANGES = 3
"""How often what is live may change under a candidate before it is left a candidate."""

_Value = TypeVar("_Value")

_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The training ends here, and somebody else has noted why or will."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended."""

    state: TrainingState
    version: str = ""
    reason: str = ""


class TrainingRunner:
    """Carries out claimed trainings.

    Args:
        trainings: the records.
        registry: where the models are.
        keeper: of what is taught.
        settings: of this process.
        threads: of TensorFlow.
        stopping: set when this trainer is to end.
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
    ) -> None:
        self._trainings, self._registry, self._keeper, self._settings = trainings, registry, keeper, settings
        self._threads, self._stopping = threads, stopping

    def __call__(self, claim: Claim) -> None:
        """Train, and note how it ended; a training given back or lost leaves its checkpoints where they are."""
        folder = self._settings.data / "training" / claim.identifier
        _log.info("training %s, attempt %d", claim.identifier, claim.attempt)
        try:
            _remove_others(folder)
            outcome = self._carried_out(claim, folder)
        except _Stopped as stop:
            _log.info("training %s: %s", claim.identifier, stop)
            return
        except DigitmillError as fault:
            outcome = Outcome(TrainingState.FAILED, reason=str(fault))
        except OSError as fault:
            outcome = Outcome(TrainingState.FAILED, reason=f"The system refuses: {fault}. Mend that, and train again.")
        noted = _patiently(
            lambda: self._trainings.finish(claim, outcome.state, version=outcome.version, reason=outcome.reason)
        )
        _log.info("training %s %s: %s %s", claim.identifier, outcome.state, outcome.version, outcome.reason)
        if noted:
            shutil.rmtree(folder, ignore_errors=True)

    def _carried_out(self, claim: Claim, folder: Path) -> Outcome:
        for _ in range(LIVE_CHANGES):
            live = self._prepare(claim, folder)
            if outcome := self._train(claim, folder):
                return outcome
            card, files, decision = read_candidate(folder)
            self._say(claim, stage="publishing")
            _patiently(partial(self._registry.publish, card, files, fence=claim.fence))
            if not decision.passed:
                return Outcome(TrainingState.REFUSED, card.version, decision.reason)
            try:
                _patiently(
                    partial(
                        self._registry.promote,
                        card.version,
                        reason=decision.reason,
                        expected=live,
                        fence=claim.fence,
                        who=f"training {claim.identifier}",
                    )
                )
            except ModelError as fault:
                self._say(claim)  # raises if it is the lease that was lost
                _log.warning("%s", fault)
                continue
            return Outcome(TrainingState.DONE, card.version, decision.reason)
        return Outcome(
            TrainingState.REFUSED, card.version, "Refused: what is live changed again and again meanwhile. Train again."
        )

    def _prepare(self, claim: Claim, folder: Path) -> str:
        """Write down what to do, and what is live; return its version."""
        settings = self._settings
        if not (folder / CANDIDATE / CARD).exists():  # it was trained on what was noted then
            self._note_what_is_taught(claim)
        card, files = _patiently(lambda: self._registry.fetch(self._registry.live()))
        live = folder / LIVE
        live.mkdir(parents=True, exist_ok=True)
        for name in {MODEL, WEIGHTS} & set(files):
            (live / name).write_bytes(files[name])
        (live / CARD).write_text(card.dumps(), encoding="utf-8")
        TrainingAssignment(
            claim.order,
            mnist=str(settings.mnist) if settings.mnist else None,
            cache=str(settings.cache),
            offline=settings.offline,
            taught=str(self._keeper.folder),
            threads=self._threads,
        ).write(folder)
        version: str = card.version
        return version

    def _note_what_is_taught(self, claim: Claim) -> None:
        """Let the folder have all that was taught until now, and say so."""
        while _patiently(self._keeper.keep):
            self._say(claim)
        self._say(claim, changes=_patiently(self._keeper.changes))

    def _train(self, claim: Claim, folder: Path) -> Outcome | None:
        """Let the process train, and judge; return how that ended, or None if there is a candidate."""
        with TrainingProcess(folder) as child:
            while True:
                code = child.wait(LOOK_SECONDS)
                news = child.news()
                if "refused" in news:
                    return Outcome(TrainingState.REFUSED, reason=news["refused"])
                if "failed" in news:
                    return Outcome(TrainingState.FAILED, reason=news["failed"])
                if code == 0:
                    return None
                if code is not None:
                    return Outcome(
                        TrainingState.FAILED,
                        reason=f"The process that trains ended with code {code}. The trainer's log may say why.",
                    )
                if self._stopping.is_set():
                    _patiently(lambda: self._trainings.release(claim))
                    raise _Stopped("given back, for this trainer is to end")
                if self._say(claim, **news) is ProgressReply.CANCEL:
                    return Outcome(TrainingState.CANCELLED)

    def _say(self, claim: Claim, **said: str | float) -> ProgressReply:
        """Renew the lease; Redis being away is no reason to stop, for then nobody else can begin either."""
        try:
            told = self._trainings.renew(claim, lease_seconds=self._settings.lease_seconds, **said)
        except RedisError as fault:
            _log.debug("not renewed: %s", fault)
            return ProgressReply.GO_ON
        if told is ProgressReply.LOST:
            raise _Stopped("another trainer has it")
        return told


def _patiently(call: Callable[[], _Value]) -> _Value:
    return retry_transient(call, timeout=TIMEOUT_SECONDS)


def _remove_others(folder: Path) -> None:
    """Only one training is ever open, so what others left behind is of no use any more."""
    if folder.parent.is_dir():
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
