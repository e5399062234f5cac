"""Celery's clock, set to the schedule of trainings."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery import beat
from celery.schedules import crontab
from redis.exceptions import RedisError

from worker.contract.connection import explain, is_transient
from worker.contract.training import Schedule

TICK_SECONDS = 1.0
_RETRAIN = "retrain"

_log = logging.getLogger(__name__)


class Beat(beat.Scheduler):
    """Keeps the time in memory, what must outlive it in Redis, and does what is due by itself.

    Celery's own schedulers send a message for what is due, which may be lost or doubled, and remember it in a file.
    While Redis is away, what is due waits.

    Args:
        schedule_in_redis: where what outlives this process is kept.
        fire: does what is due at a minute; says what became of it.
        cron: five fields, in UTC; None: nothing is ever due.
        name: the scheduler's.
        celery_options: what Celery says to each scheduler.
    """

    producer = None  # it sends no messages, so none is connected

    def __init__(
        self,
        *,
        schedule_in_redis: Schedule,
        fire: Callable[[datetime], str],
        cron: str | None,
        name: str,
        **celery_options: Any,
    ) -> None:
        self._kept, self._fire, self._cron, self._name = schedule_in_redis, fire, cron or "", name
        self._waiting: datetime | None = None
        self._begun = False
        self._fault = ""
        super().__init__(**celery_options)

    def setup_schedule(self) -> None:
        """Leave it to the first tick that finds Redis; called by Celery."""

    def apply_entry(self, entry: beat.ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002  Celery's signature
        """Note that an entry is due; called by Celery. What waits still is only done once, for the earlier minute."""
        since, step, _ = entry.schedule.remaining_delta(entry.last_run_at)
        self._waiting = self._waiting or since + step

    def tick(self) -> float:
        """Look at the clock, do what is due, say that the scheduler is alive; return the seconds to the next look."""
        interval = TICK_SECONDS
        try:
            self._begin()
            interval = super().tick()
            self._kept.announce(self._name, self._cron, self._next())
            if self._waiting:
                self._kept.handled(self._fire(self._waiting))
                self._waiting = None
            self._fault = ""
        except RedisError as fault:
            reason = explain(fault)
            if reason != self._fault:  # once, not every second
                _log.log(logging.WARNING if is_transient(fault) else logging.ERROR, "%s", reason)
            self._fault = reason
        return min(interval, TICK_SECONDS)

    def _begin(self) -> None:
        """Continue where the last scheduler has stopped."""
        if self._begun:
            return
        since = datetime.fromtimestamp(self._kept.begin(self._cron), UTC)
        if self._cron:
            entry = {"task": _RETRAIN, "schedule": crontab.from_string(self._cron), "last_run_at": since}
            self.update_from_dict({_RETRAIN: entry})
        self._begun = True

    def _next(self) -> float | None:
        if not self._cron:
            return None
        entry = self.schedule[_RETRAIN]
        since, step, _ = entry.schedule.remaining_delta(entry.last_run_at)
        due: datetime = since + step
        return due.timestamp()
