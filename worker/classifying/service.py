"""One worker: Celery's main process with the heartbeat, and one classifying process that is forked from it."""

import contextlib
import logging
import mmap
import os
import re
import shutil
import signal
import threading
import time
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from billiard.util import get_temp_dir
from celery import signals
from celery.worker import state as celery_state
from redis.exceptions import RedisError

from model.errors import DigitmillError
from model.images.decoding.helper import HELPER
from model.inference.classifier import Classifier
from worker.classifying.batch_processor import BatchProcessor
from worker.classifying.faults import VersionFaults, count_oom_kills, how_it_ended
from worker.classifying.heartbeat import Heartbeat
from worker.classifying.lane.process import LaneKeeper
from worker.classifying.memory import ProcessMemory, give_back_files, give_back_memory, keep_memory
from worker.classifying.notes import ProcessNotes
from worker.classifying.reloader import ModelReloader
from worker.classifying.running import start_models
from worker.classifying.tasks import register
from worker.contract.broker.application import make_app
from worker.contract.connection import connect
from worker.contract.doorbell import DOORBELL_VERSION, Doorbell
from worker.contract.errors import WireError
from worker.contract.lane import LANE_VERSION
from worker.contract.ledger import Ledger, Part
from worker.contract.observation import ErrorLog, ProcessReports, RecentAnswers
from worker.contract.queues import CLASSIFY
from worker.contract.reconciler import Reconciler
from worker.contract.registry import Registry
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.traces import STOP_SECONDS, start_tracing, stop_tracing
from worker.contract.validation.identifiers import this_process
from worker.job_log import JobLog
from worker.meter import Meter
from worker.process import expose, installed_version, run_celery
from worker.roles import Role
from worker.settings import Settings, without_password

CHECK_CHILDREN_SECONDS = 0.25
"""Interval at which Celery checks whether the classifying process is alive. Celery's own can be five seconds."""

STOP_TIMEOUT_SECONDS = 10.0
"""Time that a worker spends on the batch in hand after it was told to stop. Whoever stops it should allow 5 s more."""

CHECK_IDLE_SECONDS = 0.05
"""Interval at which a worker that was told to stop checks whether it is idle."""

_log = logging.getLogger(__name__)


class WorkerService:
    """A worker, from its start to its end.

    Args:
        settings: Settings of this process.
        started: Start of the process, in unix time, for the start-up time in `digitmill status`.

    Raises:
        ModelError: The baseline is missing or altered.
        UsageError: The metrics cannot be shown.
    """

    def __init__(self, settings: Settings, started: float) -> None:
        self._settings = settings
        self._started = started
        self._url = settings.server_url
        self._name = this_process()
        self._app = make_app(self._url, settings)
        self._doorbell = Doorbell(connect(self._url))
        # Nothing can serve without it, so fail now, not in each process in turn. They share the memory that it takes.
        self._baseline = Classifier.baseline()
        self._processor: BatchProcessor | None = None
        self._recent = RecentAnswers()
        self._errors = ErrorLog()
        self._version = installed_version()
        self._memory = ProcessMemory()
        # Shared with the forked classifying processes: the process id, the seconds until it was ready,
        # and how often one of them became ready.
        self._ready = memoryview(mmap.mmap(-1, 24)).cast("d")
        self._notes = ProcessNotes()
        # One for each kind of process. They too are shared.
        counts = [Counts(), Counts()] if settings.metrics_port else [None, None]
        self._meter, lane = map(Meter, counts)
        self._exposition = expose(settings, filter(None, counts), role=Role.WORKER, name=self._name)
        self._lane = LaneKeeper(settings, self._errors, lane, self._notes, self._baseline, name=self._name)
        self._oom_kills = count_oom_kills()
        self._heartbeat: Heartbeat | None = None
        register(self._app, self._doorbell, self._get_processor)

    def run(self) -> int:
        """Work until told to stop. Then finish the batch in hand, or hand it back if that takes too long.

        Returns:
            The exit code.
        """
        _quieten_celery(self._settings.log_level)
        signals.worker_process_init.connect(self._start_classifying, weak=False)
        signals.worker_before_create_process.connect(self._start_lane, weak=False)
        signals.worker_ready.connect(_check_children_often, weak=False)
        signals.worker_ready.connect(self._start_heartbeat, weak=False)
        signals.worker_shutting_down.connect(self._stop_in_time, weak=False)
        signals.worker_shutdown.connect(self._stop_heartbeat, weak=False)
        signals.task_failure.connect(self._release_failed, weak=False)
        _log.info("worker %s on %s", self._name, without_password(self._url))
        HELPER.take_turns()  # both processes together may take the memory for one costly image
        logging.getLogger().addHandler(self._errors)  # before the forks, which inherit it
        return run_celery(self._app, f"digitmill@{self._name}", self._settings, pool="prefork")

    # In the classifying process -----------------------------------------------------------------------------------

    def _start_classifying(self, **_: Any) -> None:
        keep_memory()
        loading = self._notes.begin()
        if self._settings.traces:
            start_tracing(role=Role.WORKER, name=self._name)
            signals.worker_process_shutdown.connect(_send_traces, weak=False)
        first = not self._ready[0]
        self._meter.begin("classifying", replaces=not first)
        try:
            models, canary = start_models(self._url, self._notes, self._meter, loading, self._baseline, name=self._name)
        except DigitmillError as fault:
            _log.critical("%s", fault)
            os._exit(1)
        jobs = JobLog(self._make_ledger())
        jobs.start()
        self._processor = BatchProcessor(
            self._make_ledger(),
            self._doorbell,
            models,
            canary,
            self._recent,
            name=self._name,
            lease_seconds=self._settings.lease_seconds,
            time_limit_seconds=self._settings.time_limit_seconds,
            jobs=jobs,
        )
        reports = ProcessReports(connect(self._url), self._recent, self._errors, name=self._name)
        ModelReloader(models, canary, reports, self._make_ledger(), name=self._name).start()
        self._ready[0] = os.getpid()
        self._ready[2] += 1
        if first:
            self._ready[1] = time.time() - self._started
            _log.info("ready after %.2f s with model %s", self._ready[1], models.live)
        else:
            _log.info("ready again: a new classifying process replaces one that ended")

    def _get_processor(self) -> BatchProcessor:
        if self._processor is None:
            raise RuntimeError("the task runs only in a classifying process")
        return self._processor

    # In the main process ------------------------------------------------------------------------------------------

    def _start_lane(self, **_: Any) -> None:
        """Fork the lane's process with the first classifying one, because later they would share less memory."""
        if self._lane.ident:  # Celery replaces a classifying process
            return
        try:
            give_back_memory()
            give_back_files()
            self._lane.start()
        except Exception as fault:  # Celery would only log it, and the worker would never be ready
            _log.critical(
                "the process of the lane cannot be started (%s). End other processes, and start this worker again.",
                fault,
            )
            os._exit(1)

    def _start_heartbeat(self, **_: Any) -> None:
        if self._heartbeat:  # Celery says "ready" again after each reconnection
            return
        if self._exposition:
            self._exposition.start()  # after the forks, because a thread may hold a lock that a fork would copy
        client = connect(self._url)
        ledger = self._make_ledger()
        self._heartbeat = Heartbeat(
            ledger,
            Reconciler(client, ledger, Doorbell(client)) if self._settings.reconcile else None,
            name=self._name,
            facts=self._facts,
            in_work=_parts_in_work,
            report=ProcessReports(client, RecentAnswers(), self._errors, name=self._name).send,
            lease_seconds=self._settings.lease_seconds,
        )
        self._heartbeat.start()

    def _stop_heartbeat(self, **_: Any) -> None:
        self._lane.stop(STOP_TIMEOUT_SECONDS)
        if self._heartbeat:
            self._heartbeat.stop()

    def _stop_in_time(self, **_: Any) -> None:
        """Stop sooner than Celery, which takes 2.5 s to end an idle worker and waits a minute for the batch in hand."""
        threading.Thread(target=self._await_idle_and_exit, name="stop", daemon=True).start()

    def _await_idle_and_exit(self) -> None:
        self._lane.begin_to_stop()
        deadline = time.monotonic() + min(STOP_TIMEOUT_SECONDS, self._settings.lease_seconds)
        idle = False
        # Two checks in a row, because Celery forgets a message a moment before it acknowledges it.
        while time.monotonic() < deadline and not (idle and not celery_state.reserved_requests):
            idle = not celery_state.reserved_requests
            time.sleep(CHECK_IDLE_SECONDS)
        self._hand_back_and_exit(deadline)

    def _hand_back_and_exit(self, deadline: float) -> None:
        """Hand the batch in hand to another worker, and exit without Celery's own shutdown.

        Args:
            deadline: Monotonic time until which the lane may answer the calls in hand.
        """
        ledger = self._make_ledger()
        for part in _parts_in_work():
            try:
                # Release it before its process is killed, because that would count as a failed attempt.
                if ledger.release(part, holder=self._name, refund=True):
                    self._doorbell.ring(part)
                    _log.info("batch %s was handed back, because there is no time to finish it", part.member)
            except (RedisError, DigitmillError) as fault:
                _log.warning("batch %s was not handed back; its lease will expire: %s", part.member, fault)
        self._lane.stop(deadline - time.monotonic())
        self._stop_heartbeat()
        if self._ready[0]:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                self._end(int(self._ready[0]))
        shutil.rmtree(get_temp_dir(), ignore_errors=True)  # a normal exit would remove it
        # Doorbells that Celery has fetched but not begun are lost here. A reconciler rings for their batches again.
        os._exit(0)

    def _end(self, process: int) -> None:
        """End the classifying process. If it traces, let it end when Celery tells it to, because it sends spans then.

        Raises:
            ProcessLookupError, ChildProcessError: It has ended by itself.
        """
        deadline = time.monotonic() + (STOP_SECONDS if self._settings.traces else 0.0)
        while time.monotonic() < deadline:
            if os.waitpid(process, os.WNOHANG)[0]:
                return
            time.sleep(CHECK_IDLE_SECONDS)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)

    def _facts(self) -> dict[str, str | int | float]:
        process, startup_seconds, starts = self._ready
        return {
            "started": self._started,
            "process": int(process),
            "ready": int(process > 0 and self._lane.ready),
            "startup_seconds": round(startup_seconds, 3),
            "doorbell": DOORBELL_VERSION,
            "lane": LANE_VERSION,
            "version": self._version,
            "memory": self._memory.bytes([os.getpid(), int(process), self._lane.process]),
            "restarts": max(int(starts) - 1, 0) + self._lane.restarts,
        }

    def _release_failed(self, exception: BaseException, kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Release the part of a classifying process that died, instead of waiting for its lease to expire."""
        if not isinstance(exception, WorkerLostError | TimeLimitExceeded):
            return
        part = _part_of(kwargs)
        if part is None:
            return
        try:
            death = self._notes.died_on(part)
            # A version that ended the process while it was loaded has nothing to do with the images in work.
            if self._make_ledger().release(part, holder=self._name, refund=bool(death.loading)):
                self._doorbell.ring(part)
            self._blame_model(death.classifying, exception)
        except Exception as fault:
            _log.warning("batch %s was not given back; its lease will expire: %s", part.member, fault)

    def _blame_model(self, version: str, exception: BaseException) -> None:
        """Count a death against the version that was classifying, unless somebody else ended the process."""
        before, self._oom_kills = self._oom_kills, count_oom_kills()
        if version and (how := _how_it_ended(exception, out_of_memory=self._oom_kills > before)):
            VersionFaults(Registry(connect(self._url)), name=self._name).strike(
                version, f"it ended its process ({how})"
            )

    def _make_ledger(self) -> Ledger:
        """Return a ledger on a connection of its own, for one thread of one process."""
        return Ledger(connect(self._url), ttl_seconds=self._settings.result_seconds)


def _how_it_ended(exception: BaseException, *, out_of_memory: bool) -> str:
    """Return how a classifying process ended by its own doing, or "" if somebody killed it.

    Args:
        exception: Celery's exception about the process.
        out_of_memory: Whether the kernel has killed a process to free memory.
    """
    too_slow = isinstance(exception, TimeLimitExceeded)
    found = re.search(r"signal (\d+)", str(exception))
    if not found and not too_slow:
        return str(exception)
    return how_it_ended(-int(found[1]) if found else 0, too_slow=too_slow, out_of_memory=out_of_memory)


def _send_traces(**_: Any) -> None:
    stop_tracing()


def _quieten_celery(log_level: str) -> None:
    """Drop the two lines that Celery logs for each batch, because they would bury everything else."""
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(log_level)))


def _check_children_often(sender: Any, **_: Any) -> None:
    """Make Celery notice a dead classifying process soon."""
    sender.controller.hub.call_repeatedly(CHECK_CHILDREN_SECONDS, sender.controller.pool.maintain_pool)


def _parts_in_work() -> list[Part]:
    return [
        part
        for request in _active_requests()
        if request.name == CLASSIFY and (part := _part_of(request.kwargs)) is not None
    ]


def _active_requests() -> list[Any]:
    while True:
        # Celery's own thread may change the set while this one reads it.
        with contextlib.suppress(RuntimeError):
            return list(celery_state.active_requests)


def _part_of(kwargs: dict[str, Any] | None) -> Part | None:
    """Return the part that a doorbell names, or None if the message is not a valid doorbell."""
    try:
        return Part.from_member((kwargs or {})["part"])
    except (KeyError, AttributeError, WireError):
        return None
