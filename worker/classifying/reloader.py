"""The thread in each classifying process that loads the live version, reports which one serves, and runs the canary.

In the process that classifies jobs, the thread also gives memory back when there has been no work for a second.
"""

import logging
import threading
import time

from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.classifying.canary import CanaryMonitor
from worker.classifying.memory import IdleMemory
from worker.classifying.models import Models
from worker.contract.ledger import Ledger
from worker.contract.observation import ProcessReports

INTERVAL_SECONDS = 0.25
"""Interval between two checks of the live version. A promotion arrives within 0.3 s.

A check is one small read, unless its reply has changed.
"""

WHOLE_SECONDS = 2.0
"""Interval between two checks of everything, if the small read has the same reply each time."""

REPORT_SECONDS = 1.0
"""Interval after which an unchanged report is sent again, because the record of the worker may have expired."""

FIRST_CHECK_SECONDS = 1.0
"""Time that the start of the classifying process may wait for the first check."""

_log = logging.getLogger(__name__)


class ModelReloader(threading.Thread):
    """Loads and warms new versions beside the one that serves. No batch waits for it, and an idle worker follows too.

    Reading the live version before each batch would add a round trip to each batch, and an idle worker would not
    follow.

    Args:
        models: Models of this process.
        canary: Canary monitor of this process.
        reports: What else the thread reports to Redis.
        ledger: Ledger on a Redis connection that only this thread uses. None if another process reports for the worker.
        name: Name of the worker.
    """

    def __init__(
        self,
        models: Models,
        canary: CanaryMonitor,
        reports: ProcessReports,
        ledger: Ledger | None,
        *,
        name: str,
    ) -> None:
        super().__init__(name="reloader", daemon=True)
        self._models = models
        self._canary = canary
        self._reports = reports
        self._ledger = ledger
        self._worker = name
        self._checked = threading.Event()
        self._fault = ""
        self._seen: object = None  # the reply to the small read
        self._whole_at = 0.0  # time of the next check of everything
        self._reported, self._reported_at = ("", ""), 0.0
        self._memory = IdleMemory(lambda: models.notes.parts, models.notes.is_working)

    def start(self) -> None:
        """Start the thread, and wait for the first check.

        The wait is short, because Redis may be away, and Celery waits for this process.
        """
        super().start()
        self._checked.wait(FIRST_CHECK_SECONDS)

    def run(self) -> None:
        """Check and report forever. Wait while Redis is away."""
        while True:
            try:
                if self._has_changed():
                    self._models.follow()
                    self._withdraw_unloadable()
                    self._canary.report()
                self._report()
                self._reports.send()
            except RedisError as fault:
                self._whole_at = 0.0
                _log.debug("cannot follow the live version: %s", fault)
            except DigitmillError as fault:  # a record is damaged; the version in service goes on serving
                if str(fault) != self._fault:  # log it once, not four times a second
                    _log.error("%s", fault)
                self._fault = str(fault)
            except Exception:
                _log.exception("digitmill itself failed to follow the live version")
            self._checked.set()
            if self._ledger:  # single calls keep so little that giving it back would cost them more
                self._memory.tick()
            time.sleep(INTERVAL_SECONDS)

    def _has_changed(self) -> bool:
        """Return whether it is time for a check of everything."""
        seen, now = self._models.registry.glance(), time.monotonic()
        if seen == self._seen and now < self._whole_at and not self._models.fault and not self._canary.is_watching:
            return False
        self._seen, self._whole_at = seen, now + WHOLE_SECONDS
        return True

    def _withdraw_unloadable(self) -> None:
        """Roll the live version back if it cannot be loaded. Otherwise each new job would wait for it."""
        version, fault = self._models.unloadable
        if version:
            self._canary.faults.withdraw(version, fault)

    def _report(self) -> None:
        if self._ledger is None:
            return
        report = (self._models.live, self._models.fault)
        if report == self._reported and time.monotonic() < self._reported_at + REPORT_SECONDS:
            return
        self._ledger.report_model(self._worker, *report)
        self._reported, self._reported_at = report, time.monotonic()
