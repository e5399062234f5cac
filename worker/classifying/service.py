"""One worker: Celery's main process with the steward, and one classifying process forked from it."""

import contextlib
import logging
import mmap
import os
import shutil
import signal
import socket
import threading
import time
from typing import Any

import cv2
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from billiard.util import get_temp_dir
from celery import signals
from celery.worker import state as celery_state
from kombu import compression
from redis.exceptions import RedisError

from model.cards.card import BASELINE, read_model
from model.errors import DigitmillError
from worker.classifying.canary import CanaryMonitor
from worker.classifying.heartbeat import Heartbeat
from worker.classifying.models import Models
from worker.classifying.reloader import ModelReloader
from worker.classifying.serving import Serving
from worker.classifying.tasks import register
from worker.contract.connection import connect
from worker.contract.doorbell import CLASSIFY, Doorbell, make_app
from worker.contract.errors import WireError
from worker.contract.ledger import Ledger, Part
from worker.contract.reconciler import Reconciler
from worker.contract.registry import Registry
from worker.process import run
from worker.settings import DEFAULT_REDIS_URL, Settings, without_password

LOOK_AFTER_CHILDREN_SECONDS = 0.25
HAND_BACK_SECONDS = 10.0
"""How long a worker that was told to stop stays for the batch in hand; whoever stops it should allow five more."""
LOOK_FOR_THE_END_SECONDS = 0.05

_log = logging.getLogger(__name__)


class Service:
    """A worker, from its start to its end.

    Args:
        settings: of this process.
        started: unix time at which the process began, for the figure in `digitmill status`.
    """

    def __init__(self, settings: Settings, started: float) -> None:
        self._settings = settings
        self._started = started
        self._url = settings.redis_url or DEFAULT_REDIS_URL
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._app = make_app(self._url, settings)
        self._doorbell = Doorbell(self._app)
        read_model(BASELINE)  # without it nothing serves, which is better said now than by each process in turn
        self._serving: Serving | None = None
        # Shared with the classifying processes, which are forked: process id and seconds until ready.
        self._ready = memoryview(mmap.mmap(-1, 16)).cast("d")
        self._steward: Heartbeat | None = None
        register(self._app, self._get_serving)
        _refuse_compression()

    def run(self) -> int:
        """Work until told to stop, then finish the batch in hand, or hand it back if that takes too long.

        Returns:
            The exit code.
        """
        signals.worker_process_init.connect(self._start_classifying, weak=False)
        signals.worker_ready.connect(_look_after_children_often, weak=False)
        signals.worker_ready.connect(self._start_steward, weak=False)
        signals.worker_shutting_down.connect(self._limit_the_end, weak=False)
        signals.worker_shutdown.connect(self._stop_steward, weak=False)
        signals.task_failure.connect(self._give_back, weak=False)
        worker = self._app.Worker(
            hostname=f"digitmill@{self._name}",
            pool="prefork",
            concurrency=1,
            loglevel=self._settings.log_level,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        _log.info("worker %s on %s", self._name, without_password(self._url))
        worker.start()
        return int(worker.exitcode or 0)

    # In the classifying process -----------------------------------------------------------------------------------

    def _start_classifying(self, **_: Any) -> None:
        cv2.setNumThreads(1)  # one process per core: threads would only get into each other's way
        try:
            registry = Registry(connect(self._url))
            models = Models(registry)
        except DigitmillError as fault:
            _log.critical("%s", fault)
            os._exit(1)
        canary = CanaryMonitor(models, registry, name=self._name)
        self._serving = Serving(
            self._ledger(), self._doorbell, models, canary, name=self._name, lease_seconds=self._settings.lease_seconds
        )
        ModelReloader(models, canary, self._ledger(), name=self._name).start()
        first = not self._ready[0]
        self._ready[0] = os.getpid()
        if first:
            self._ready[1] = time.time() - self._started
            _log.info("ready after %.2f s with model %s", self._ready[1], models.live)
        else:
            _log.info("ready again: another process takes the place of one that ended")

    def _get_serving(self) -> Serving:
        if self._serving is None:
            raise RuntimeError("the task runs only in a classifying process")
        return self._serving

    # In the main process ------------------------------------------------------------------------------------------

    def _start_steward(self, **_: Any) -> None:
        if self._steward:  # Celery says "ready" again after each reconnection
            return
        client = connect(self._url)
        ledger = self._ledger()
        self._steward = Heartbeat(
            ledger,
            Reconciler(client, ledger, Doorbell(make_app(self._url, self._settings)))
            if self._settings.reconcile
            else None,
            name=self._name,
            facts=self._facts,
            in_work=_parts_in_work,
            lease_seconds=self._settings.lease_seconds,
        )
        self._steward.start()

    def _stop_steward(self, **_: Any) -> None:
        if self._steward:
            self._steward.stop()

    def _limit_the_end(self, **_: Any) -> None:
        """Told to stop: Celery would take 2.5 s to end an idle worker, and wait a minute for the batch in hand."""
        threading.Thread(target=self._end_soon, name="end", daemon=True).start()

    def _end_soon(self) -> None:
        deadline = time.monotonic() + min(HAND_BACK_SECONDS, self._settings.lease_seconds)
        idle = False
        # Twice, for Celery forgets a message a moment before it acknowledges it.
        while time.monotonic() < deadline and not (idle and not celery_state.reserved_requests):
            idle = not celery_state.reserved_requests
            time.sleep(LOOK_FOR_THE_END_SECONDS)
        self._hand_back()

    def _hand_back(self) -> None:
        """Give what is in work to the other workers, and end without another word to Celery."""
        for part in _parts_in_work():
            try:
                # Before its process ends, which would count against the batch.
                if self._ledger().release(part, holder=self._name, refund=True):
                    self._doorbell.ring(part)
                    _log.info("batch %s handed back: there is no time to finish it", part.member)
            except RedisError as fault:
                _log.warning("batch %s not handed back, its lease will run out: %s", part.member, fault)
        self._stop_steward()
        if self._ready[0]:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(int(self._ready[0]), signal.SIGKILL)
                os.waitpid(int(self._ready[0]), 0)
        shutil.rmtree(get_temp_dir(), ignore_errors=True)  # it would go at a usual exit
        # Doorbells that were fetched and not begun go with us; a reconciler rings for their batches again.
        os._exit(0)

    def _facts(self) -> dict[str, str | int | float]:
        process, startup_seconds = self._ready
        return {
            "started": self._started,
            "process": int(process),
            "ready": int(process > 0),
            "startup_seconds": round(startup_seconds, 3),
        }

    def _give_back(self, exception: BaseException, kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """A classifying process died in mid-batch: release its part at once instead of waiting for the lease."""
        if not isinstance(exception, WorkerLostError | TimeLimitExceeded):
            return
        part = _part_of(kwargs)
        if part is None:
            return
        try:
            if self._ledger().release(part, holder=self._name, refund=False):
                self._doorbell.ring(part)
        except Exception as fault:
            _log.warning("batch %s not given back: %s", part.member, fault)

    def _ledger(self) -> Ledger:
        return Ledger(connect(self._url), ttl_seconds=self._settings.result_days * 86400)


def _look_after_children_often(sender: Any, **_: Any) -> None:
    """Let Celery notice a dead classifying process soon: by itself it sometimes takes its timer's five seconds."""
    sender.controller.hub.call_repeatedly(LOOK_AFTER_CHILDREN_SECONDS, sender.controller.pool.maintain_pool)


def _refuse_compression() -> None:
    """Take kombu's decompressors away: it would unpack whatever a message's header asks for, without bound."""

    def refuse(_: bytes) -> bytes:
        raise WireError("A compressed message is passed over: no doorbell is compressed.")

    for content_type in compression.encoders():
        compression.register(refuse, refuse, content_type)


def _parts_in_work() -> list[Part]:
    requests = [request for request in list(celery_state.active_requests) if request.name == CLASSIFY]
    return [part for request in requests if (part := _part_of(request.kwargs))]


def _part_of(kwargs: dict[str, Any] | None) -> Part | None:
    """Return the part that a doorbell names, or None if it is no doorbell of ours."""
    try:
        return Part.from_member((kwargs or {})["part"])
    except (KeyError, AttributeError, WireError):
        return None


def main(started: float) -> int:
    """Run a worker with the settings of the environment; return the exit code."""
    return run(lambda settings: _serve(settings, started))


def _serve(settings: Settings, started: float) -> int:
    # Two lines for every batch would bury what matters.
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    return Service(settings, started).run()
