"""What each process of a worker reports about itself beside its heartbeat: what it answered, and what went wrong."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.contract.observation.incidents import Incident, Incidents
from worker.contract.observation.recent import RecentAnswers, RecentCounts

if TYPE_CHECKING:
    import redis

INCIDENT_INTERVAL_SECONDS = 1.0
"""Least time between two incidents that one process reports. Its log has all of them."""


class ErrorLog(logging.Handler):
    """Remembers the last error that a process has logged, until somebody takes it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._last: tuple[float, str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Remember an error."""
        try:
            self._last = record.created, record.getMessage()
        except Exception:
            self.handleError(record)

    def take(self) -> tuple[float, str] | None:
        """Return the time of the last error (unix time, seconds) and its text, once; or None without one."""
        last, self._last = self._last, None
        return last


class ProcessReports:
    """Sends what one process has to report. One thread calls `send` often.

    Args:
        client: Connection of `connection.connect`, which only that thread uses.
        answers: What counts the images that the process answers.
        errors: What remembers its errors.
        name: Name of the worker.
        clock: Function that returns a time in seconds, which is never set back.
    """

    def __init__(
        self,
        client: "redis.Redis",
        answers: RecentAnswers,
        errors: ErrorLog,
        *,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers, self._counts = answers, RecentCounts(client)
        self._errors, self._incidents = errors, Incidents(client)
        self._name, self._clock = name, clock
        self._next = 0.0
        errors.take()  # a fork has inherited what its parent will report

    def send(self) -> None:
        """Report what was counted, and the last error.

        Raises:
            redis.exceptions.RedisError: Redis does not answer. What was counted is lost.
        """
        self._answers.report(self._counts)
        if self._clock() >= self._next and (last := self._errors.take()):
            self._next = self._clock() + INCIDENT_INTERVAL_SECONDS
            self._incidents.record(Incident(last[0], self._name, last[1]))
