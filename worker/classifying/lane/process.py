"""The lane's process: the worker's main process forks it, watches it, and replaces it when it dies."""

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import NoReturn

from redis.exceptions import RedisError

from model.child_process import named_end
from model.errors import DigitmillError
from model.inference.classifier import Classifier
from worker.classifying.faults import VersionFaults, count_oom_kills, how_it_ended
from worker.classifying.lane.in_hand import HeldCall, InHand
from worker.classifying.lane.server import PLACES, SLOW, THREADS, LaneServer
from worker.classifying.notes import ProcessNotes
from worker.classifying.reloader import ModelReloader
from worker.classifying.running import ModelRunner, start_models
from worker.contract.connection import connect
from worker.contract.lane import Answer, Lane
from worker.contract.observation import ErrorLog, ProcessReports, RecentAnswers
from worker.contract.registry import Registry
from worker.meter import Meter
from worker.settings import Settings

CHECK_SECONDS = 0.1
"""Interval at which the main process checks whether the lane's process is alive."""

QUICK_SECONDS = 20.0
"""Time that a call of arrays or cheap files may take before its process is killed. It takes a thousandth of that."""

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.05, 5.0
"""Pause before a process that died is replaced. It doubles while processes die before they are ready."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_log = logging.getLogger(__name__)


class LaneKeeper(threading.Thread):
    """Keeps one lane process running. It lives in the worker's main process.

    Args:
        settings: Settings of this process.
        errors: What remembers the errors that this process and its children log.
        meter: What counts in the process of the lane.
        jobs: Notes of the process that classifies jobs.
        baseline: The loaded baseline, which the process shares.
        name: Name of this worker.

    Attributes:
        process: Id of the process that runs, or 0 between two.
        restarts: Number of processes that were replaced.
    """

    def __init__(
        self,
        settings: Settings,
        errors: ErrorLog,
        meter: Meter,
        jobs: ProcessNotes,
        baseline: Classifier,
        *,
        name: str,
    ) -> None:
        super().__init__(name="lane-keeper", daemon=True)
        self._settings = settings
        self._errors, self._meter = errors, meter
        self._jobs, self._baseline, self._worker = jobs, baseline, name
        self._in_hand = InHand(PLACES)
        self._notes = ProcessNotes()
        limit = settings.time_limit_seconds
        self._limits = [limit if thread == SLOW else min(limit, QUICK_SECONDS) for thread in THREADS]
        self._stopping = threading.Event()
        self.process = 0
        self.restarts = 0
        self._replaces = False  # whether a process that is forked from now on replaces one that died
        self._oom_kills = count_oom_kills()

    @property
    def ready(self) -> bool:
        """Whether a process of the lane was ever ready."""
        return self._in_hand.process > 0

    def start(self) -> None:
        """Fork the first process, and keep one running from now on. Call this before other threads start."""
        self.process = self._fork()
        super().start()

    def run(self) -> None:
        """Replace each process that dies, until told to stop."""
        self._replaces = True
        pause = FIRST_BACKOFF_SECONDS
        while True:
            status, too_slow = self._await_end()
            if self._stopping.is_set():
                return
            pause = FIRST_BACKOFF_SECONDS if self._in_hand.process == self.process else pause
            try:
                self._report(status, too_slow=too_slow)
            except Exception as fault:  # whatever it is, another process must start
                _log.warning("the clients of the dead process were not told, and send again later: %s", fault)
            self.process = 0
            while not self.process and not self._stopping.wait(pause):
                pause = min(2 * pause, MAX_BACKOFF_SECONDS)
                try:
                    self.process = self._fork()
                    self.restarts += 1
                except OSError as fault:
                    _log.error("the process of the lane does not start, and is tried again: %s", fault)
            if not self.process:
                return

    def begin_to_stop(self) -> None:
        """Tell the process to answer what it has in hand, and to end."""
        self._stopping.set()
        self._kill(signal.SIGTERM)

    def stop(self, seconds: float) -> None:
        """Wait until the process has ended, and kill it if it does not in time. Its clients then go elsewhere.

        Args:
            seconds: Maximum time to wait.
        """
        self.begin_to_stop()
        self.join(max(seconds, 0.0))
        if self.is_alive():
            held = self._in_hand.held()
            self._kill(signal.SIGKILL)
            self.join(1.0)
            with contextlib.suppress(RedisError, DigitmillError):
                self._tell(held, may_blame=False)

    def _await_end(self) -> tuple[int, bool]:
        """Wait for the end of the process. Return its status, and whether it was killed because it hung."""
        too_slow = False
        while True:
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                return status, too_slow
            if self._stopping.is_set():
                self._kill(signal.SIGTERM)  # again, because it may have been forked just after the first time
            elif not too_slow and self._in_hand.is_overdue(self._limits):
                too_slow = True
                self._kill(signal.SIGKILL)
            time.sleep(CHECK_SECONDS)

    def _report(self, status: int, *, too_slow: bool) -> None:
        """Tell the clients of a dead process, and count its death against the version that was running."""
        code = os.waitstatus_to_exitcode(status)
        _log.error("the process of the lane died (%s); another replaces it", named_end(code))
        death = self._notes.last_death()
        # A version that ended the process while it was loaded has nothing to do with the images in hand.
        self._tell(self._in_hand.held(), may_blame=not death.loading)
        before, self._oom_kills = self._oom_kills, count_oom_kills()
        how = how_it_ended(code, too_slow=too_slow, out_of_memory=self._oom_kills > before)
        if death.classifying and how:
            registry = Registry(connect(self._settings.server_url))
            VersionFaults(registry, name=self._worker).strike(death.classifying, f"it ended its process ({how})")

    def _tell(self, held: Iterable[HeldCall], *, may_blame: bool) -> None:
        """Tell the clients of a process that it died, and whether their calls may be the reason: those in work may."""
        lane = Lane(connect(self._settings.server_url))
        for call in held:
            blamed = may_blame and call.since > 0
            lane.answer(call.client, Answer(call.number, died=True, blamed=blamed).to_wire())

    def _kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.process:  # 0 would mean all processes of the group
                os.kill(self.process, number)

    def _fork(self) -> int:
        main = os.getpid()
        self._in_hand.begin()  # before the fork, because what the process before had in hand may look overdue
        process = os.fork()
        if process == 0:
            try:
                self._answer_calls(main)
            except BaseException:
                _log.exception("digitmill itself failed in the process of the lane")
            finally:
                os._exit(1)  # without the handlers that the main process has registered
        return process

    # In the lane's process ----------------------------------------------------------------------------------------

    def _answer_calls(self, main: int) -> NoReturn:
        _leave_main_process()
        loading = self._notes.begin()
        self._meter.begin("lane", replaces=self._replaces)
        url = self._settings.server_url
        try:
            models, canary = start_models(url, self._notes, self._meter, loading, self._baseline, name=self._worker)
        except DigitmillError as fault:
            _log.critical("%s", fault)
            os._exit(1)
        recent = RecentAnswers()
        server = LaneServer(
            url,
            models,
            ModelRunner(models, canary),
            self._in_hand,
            recent,
            name=self._worker,
            is_beside_jobs=self._jobs.is_working,
        )
        signal.signal(signal.SIGTERM, lambda *_: server.stop())
        reports = ProcessReports(connect(url), recent, self._errors, name=self._worker)
        ModelReloader(models, canary, reports, None, name=self._worker).start()
        self._in_hand.be_ready()
        server.run(lambda: os.getppid() != main)
        os._exit(0)


def _leave_main_process() -> None:
    """Undo what a forked process has inherited from the main process, and die with it."""
    multiprocessing.current_process().name = "lane"  # as the log names it
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # they are for the main process, which then stops this one
    signal.set_wakeup_fd(-1)
    if sys.platform == "linux":  # elsewhere, this process looks for its parent between two calls
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
