"""Celery's beat, with the schedule of trainings."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import beat
from celery.schedules import crontab
from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.connection import explain, is_transient
from worker.contract.training import Schedule

INTERVAL_SECONDS = 1.0

CLOCK_SLACK = timedelta(minutes=1)
"""Time by which a firing may lie in the future: the step of cron."""

_RETRAIN = "retrain"

_log = logging.getLogger(__name__)


class Beat(beat.Scheduler):
    """Watches the clock, and carries out what is due in this process. It keeps its state in Redis.

    Celery's own schedulers send a message for what is due, which may be lost or doubled, and keep their state in a
    file. While Redis is away, what is due waits.

    Args:
        schedule_in_redis: Schedule in Redis.
        fire: Function that carries out what is due at a given minute, and returns the outcome in words.
        check: Function to call at each tick, which decides itself whether there is something to do; None for none.
        cron: Five cron fields, in UTC. None: nothing is ever due.
        name: Name of the scheduler.
        celery_options: Arguments that Celery passes to each scheduler.
    """

    producer = None  # it sends no messages, so it needs no connection for them

    def __init__(
        self,
        *,
        schedule_in_redis: Schedule,
        fire: Callable[[datetime], str],
        check: Callable[[], object] | None = None,
        cron: str | None,
        name: str,
        **celery_options: Any,
    ) -> None:
        self._schedule, self._fire, self._cron, self._name = schedule_in_redis, fire, cron or "", name
        self._check = check
        self._due: datetime | None = None
        self._started = False
        self._fault = ""
        super().__init__(**celery_options)

    def setup_schedule(self) -> None:
        """Do nothing. Celery calls this, but only the first tick that reaches Redis can set the schedule up."""

    def apply_entry(self, entry: beat.ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002  Celery's signature
        """Note that an entry is due. Celery calls this.

        If an earlier firing still waits, both happen as one, for the earlier minute.
        """
        since, step, _ = entry.schedule.remaining_delta(entry.last_run_at)
        self._due = self._due or since + step

    def tick(self) -> float:
        """Carry out what is due, and report the scheduler alive. Return the seconds until the next tick."""
        interval = INTERVAL_SECONDS
        try:
            self._resume()
            interval = super().tick()
            self._schedule.announce(self._name, self._cron, self._next())
            if self._due:
                self._schedule.handled(self._fire(self._due))
                self._due = None
            if self._check:
                self._check()
            self._fault = ""
        except RedisError as fault:
            self._log_once(logging.WARNING if is_transient(fault) else logging.ERROR, explain(fault))
        except DigitmillError as fault:  # a record is damaged
            self._log_once(logging.ERROR, str(fault))
        return min(interval, INTERVAL_SECONDS)

    def _log_once(self, level: int, reason: str) -> None:
        """Log what is wrong once, not every second."""
        if reason != self._fault:
            _log.log(level, "%s", reason)
        self._fault = reason

    def _resume(self) -> None:
        """Continue where the last scheduler stopped. If the clock was set back since the last firing, begin anew.

        Otherwise nothing would be due until the clock is there again. What is then due a second time has an identifier
        that was used before, and so changes nothing.
        """
        if self._started:
            entry = self.schedule.get(_RETRAIN)
            now = datetime.now(UTC)
            if entry and entry.last_run_at > now + CLOCK_SLACK:
                _log.warning("the clock was set back; the schedule goes on from now")
                entry.last_run_at = now
                self._heap = None  # Celery keeps the next firing there, and makes it anew
            return
        since = datetime.fromtimestamp(self._schedule.begin(self._cron), UTC)
        if self._cron:
            entry = {"task": _RETRAIN, "schedule": crontab.from_string(self._cron), "last_run_at": since}
            self.update_from_dict({_RETRAIN: entry})
        self._started = True

    def _next(self) -> float | None:
        if not self._cron:
            return None
        entry = self.schedule[_RETRAIN]
        since, step, _ = entry.schedule.remaining_delta(entry.last_run_at)
        due: datetime = since + step
        return due.timestamp()
