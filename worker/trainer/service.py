"""One trainer: a Celery worker of its own queue, and the thread that says it is alive and rings again."""

import logging
import os
import socket
import threading
from pathlib import Path
from typing import Any

from celery import Celery, signals
from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.connection import connect, retry_transient
from worker.contract.doorbell import TRAIN, TRAIN_QUEUE, Doorbell, is_understood, make_app, queue
from worker.contract.registry import Registry
from worker.contract.teaching import Teaching
from worker.contract.training import Trainings
from worker.cores import cores, granted_cores
from worker.process import run
from worker.settings import DEFAULT_REDIS_URL, Settings, without_password
from worker.trainer.runner import TIMEOUT_SECONDS, TrainingRunner
from worker.trainer.taught_keeper import TaughtKeeper

NICENESS = 15
"""Classification comes first: beside a process of niceness 0 one of 15 gets a thirtieth of a core that both want."""

TICK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class TrainerService:
    """A trainer, from its start to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.redis_url or DEFAULT_REDIS_URL
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._stopping = threading.Event()
        self._at_work = threading.Lock()
        self._app = make_app(self._url, settings)
        self._app.conf.update(
            task_queues=[queue(TRAIN_QUEUE)],
            worker_prefetch_multiplier=1,
            task_time_limit=None,
            task_soft_time_limit=None,
        )
        self._lookout = TrainerHeartbeat(self._url, Doorbell(make_app(self._url, settings)), self._name, settings.data)
        register(self._app, self._train)

    def run(self) -> int:
        """Work until told to stop; a training in hand is given back then. Return the exit code."""
        os.nice(NICENESS)
        signals.worker_ready.connect(self._ready, weak=False)
        signals.worker_shutting_down.connect(self._stop, weak=False)
        worker = self._app.Worker(
            hostname=f"trainer@{self._name}",
            # A thread, for a training waits for its own process; and Celery goes on listening meanwhile.
            pool="threads",
            concurrency=1,
            loglevel=self._settings.log_level,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        _log.info("trainer %s on %s", self._name, without_password(self._url))
        worker.start()
        return int(worker.exitcode or 0)

    def _ready(self, **_: Any) -> None:
        if not self._lookout.is_alive():  # Celery says "ready" again after each reconnection
            self._lookout.start()

    def _stop(self, **_: Any) -> None:
        """Told to stop: Celery would take 2.5 s to end an idle trainer."""
        self._stopping.set()
        threading.Thread(target=self._end_soon, name="end", daemon=True).start()

    def _end_soon(self) -> None:
        """End without another word to Celery, as soon as no training is in hand."""
        with self._at_work:
            self._lookout.stop()
            os._exit(0)

    def _train(self) -> None:
        with self._at_work:
            if not self._stopping.is_set():
                self._train_alone()

    def _train_alone(self) -> None:
        client = connect(self._url)
        trainings = Trainings(client)
        claim = retry_transient(
            lambda: trainings.claim(holder=self._name, lease_seconds=self._settings.lease_seconds),
            timeout=TIMEOUT_SECONDS,
        )
        if claim:
            keeper = TaughtKeeper(Teaching(client), self._settings.data)
            run = TrainingRunner(
                trainings, Registry(client), keeper, self._settings, threads=threads(), stopping=self._stopping
            )
            run(claim)


class TrainerHeartbeat(threading.Thread):
    """Says that the trainer is alive, rings for a training that waits, and keeps what is taught.

    A training may wait because its message was lost, or its trainer.
    """

    def __init__(self, url: str, doorbell: Doorbell, name: str, data: Path) -> None:
        super().__init__(name="lookout", daemon=True)
        self._client = connect(url)
        self._trainings = Trainings(self._client)
        self._keeper = TaughtKeeper(Teaching(self._client), data)
        self._doorbell, self._trainer = doorbell, name
        self._fault = ""
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look every second until stopped; Redis being away is waited out."""
        while True:
            try:
                self._trainings.announce(self._trainer)
                if self._trainings.waiting() and not self._client.llen(TRAIN_QUEUE):
                    self._doorbell.ring_trainer()
                self._keep()
            except (RedisError, DigitmillError) as fault:
                _log.debug("lookout: %s", fault)
            if self._stopping.wait(TICK_SECONDS):
                return

    def _keep(self) -> None:
        try:
            while self._keeper.keep() and not self._stopping.is_set():
                self._trainings.announce(self._trainer)
        except DigitmillError as fault:
            if str(fault) != self._fault:  # once, not every second
                _log.error("%s", fault)
            self._fault = str(fault)
        else:
            self._fault = ""

    def stop(self) -> None:
        """End the thread and take the trainer off the list."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=2 * TICK_SECONDS)
        try:
            self._trainings.remove_trainer(self._trainer)
            self._keeper.release()
        except (RedisError, OSError) as fault:
            _log.debug("not dismissed: %s", fault)


def register(app: Celery, train: Any) -> None:
    """Add the task that the doorbell rings for."""

    @app.task(name=TRAIN, ignore_result=True)
    def task(version: object = None) -> None:
        """Carry out the training that is open, if there is one. The message is only a hint."""
        if not is_understood(version):
            return
        try:
            train()
        except DigitmillError as fault:
            _log.error("%s", fault)


def threads() -> int:
    """Half of the cores: the other half stays cool for those who wait for answers. And no more than are granted."""
    return max(1, min(cores() // 2, int(granted_cores())))


def main() -> int:
    """Run a trainer with the settings of the environment; return the exit code."""
    return run(lambda settings: TrainerService(settings).run())
