"""One trainer: a Celery worker with a queue of its own, and its heartbeat."""

import logging
import os
import threading
from typing import Any

from celery import signals

from worker.contract.broker.application import make_app, queue
from worker.contract.connection import connect, retry_transient
from worker.contract.doorbell import Doorbell
from worker.contract.queues import TRAIN_QUEUE
from worker.contract.registry import Registry
from worker.contract.teaching import Teaching
from worker.contract.telemetry.counts import Counts
from worker.contract.training import Trainings
from worker.contract.validation.identifiers import this_process
from worker.cores import cores, granted_cores
from worker.process import expose, run_celery
from worker.roles import Role
from worker.settings import Settings, without_password
from worker.trainer.heartbeat import TrainerHeartbeat
from worker.trainer.priority import NICENESS
from worker.trainer.runner import TIMEOUT_SECONDS, TrainingRunner
from worker.trainer.tasks import register
from worker.trainer.taught_keeper import TaughtKeeper

_log = logging.getLogger(__name__)


class TrainerService:
    """A trainer, from its start to its end.

    Args:
        settings: Settings of this process.

    Raises:
        UsageError: The metrics cannot be shown.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.server_url
        self._name = this_process()
        self._stopping = threading.Event()
        self._training = threading.Lock()
        self._app = make_app(self._url, settings)
        self._app.conf.update(
            task_queues=[queue(TRAIN_QUEUE)],
            worker_prefetch_multiplier=1,
            task_time_limit=None,
            task_soft_time_limit=None,
        )
        self._heartbeat = TrainerHeartbeat(self._url, Doorbell(connect(self._url)), self._name, settings.data)
        self._counts = Counts() if settings.metrics_port else None
        self._exposition = expose(settings, filter(None, [self._counts]), role=Role.TRAINER, name=self._name)
        register(self._app, self._train)

    def run(self) -> int:
        """Work until told to stop. Then give the training in hand back.

        Returns:
            The exit code.
        """
        os.nice(NICENESS)
        signals.worker_ready.connect(self._start_heartbeat, weak=False)
        signals.worker_shutting_down.connect(self._stop_in_time, weak=False)
        if self._exposition:
            self._exposition.start()
        _log.info("trainer %s on %s", self._name, without_password(self._url))
        # A thread is enough, because a training runs in a process of its own. Celery goes on listening meanwhile.
        return run_celery(self._app, f"trainer@{self._name}", self._settings, pool="threads")

    def _start_heartbeat(self, **_: Any) -> None:
        if not self._heartbeat.is_alive():  # Celery says "ready" again after each reconnection
            self._heartbeat.start()

    def _stop_in_time(self, **_: Any) -> None:
        """Stop sooner than Celery, which takes 2.5 s to end an idle trainer."""
        self._stopping.set()
        # Python waits for a thread that is not a daemon, so this one ends the process even where Celery is quicker.
        threading.Thread(target=self._await_idle_and_exit, name="stop", daemon=False).start()

    def _await_idle_and_exit(self) -> None:
        """Exit without Celery's own shutdown, as soon as no training is in hand."""
        with self._training:
            self._heartbeat.stop()
            os._exit(0)

    def _train(self) -> None:
        """Carry out the open training, if there is one.

        Raises:
            Unreachable: Redis did not answer in time, or refuses.
        """
        with self._training:
            if not self._stopping.is_set():
                self._claim_and_train()

    def _claim_and_train(self) -> None:
        client = connect(self._url)
        trainings = Trainings(client)
        claim = retry_transient(
            lambda: trainings.claim(holder=self._name, lease_seconds=self._settings.lease_seconds),
            timeout=TIMEOUT_SECONDS,
        )
        if claim:
            runner = TrainingRunner(
                trainings,
                Registry(client),
                TaughtKeeper(Teaching(client), self._settings.data),
                self._settings,
                threads=training_threads(cores(), granted_cores()),
                stopping=self._stopping,
                counts=self._counts,
            )
            runner.run(claim)


def training_threads(bound: int, granted: float) -> int:
    """Return the number of threads for a training: half of the cores, because workers need the other half.

    Args:
        bound: Number of cores that the process is bound to.
        granted: CPU time that the process may use, in cores.
    """
    return max(1, min(bound // 2, int(granted)))
