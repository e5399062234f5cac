"""The schedule of trainings: which schedulers follow it, its next firing, and the outcome of the last one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from worker.contract.liveness import ALIVE_SECONDS, alive
from worker.contract.scripts import load_scripts
from worker.contract.training import keys
from worker.contract.validation.bounds import MAX_TEXT
from worker.contract.validation.reading import CheckedRedis, moment, reading

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """The schedule as it stands.

    Attributes:
        schedulers: Names of the schedulers that are alive; usually one.
        cron: Five cron fields, in UTC, or "" if only users ask for trainings.
        next: Time at which the next training is due: unix time, seconds, or None.
        handled: Time at which the last one was asked for or skipped: unix time, seconds, or None.
        outcome: What became of that one, and why, or "".
    """

    schedulers: list[str]
    cron: str
    next: float | None
    handled: float | None
    outcome: str

    @classmethod
    def from_hash(cls, body: Mapping[bytes, bytes], schedulers: list[str]) -> Self:
        """Return the status that Redis keeps as a hash.

        Raises:
            WireError: The hash is damaged.
        """
        with reading("The record of the schedule", remedy=f"`redis-cli DEL {keys.SCHEDULE}` clears it."):
            text = {name.decode(): value.decode("utf-8", "replace") for name, value in body.items()}
            due, handled = text.get("next"), text.get("handled")
            return cls(
                schedulers=schedulers,
                cron=text.get("cron", "")[:MAX_TEXT],
                next=moment(due) if due else None,
                handled=moment(handled) if handled else None,
                outcome=text.get("outcome", "")[:MAX_TEXT],
            )


class Schedule:
    """Everything that a Redis keeps about the schedule.

    Schedulers share it. Each call is harmless to repeat. Every method raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
        clock: Function that returns unix time, seconds.
    """

    def __init__(self, client: "redis.Redis", *, clock: Callable[[], float] = time.time) -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = CheckedRedis(client)
        self._clock = clock
        names = ("announce", "begin", "handled")
        self._scripts = load_scripts(client, "worker.contract.training", names)

    def begin(self, cron: str) -> float:
        """Begin to follow a schedule. Return the unix time, seconds, after which its firings are not handled yet.

        For a new schedule that is now. For one that was followed before, it is the time at which the last firing was
        handled, so that the scheduler makes up for firings that came due while none ran.
        """
        now = self._clock()
        since = self._scripts["begin"](keys=[keys.SCHEDULE], args=[cron, now])
        try:
            return min(moment(since), now)
        except ValueError:  # somebody else wrote it
            return now

    def announce(self, name: str, cron: str, due: float | None) -> None:
        """Record that a scheduler is alive. Redis forgets it after `ALIVE_SECONDS`.

        Args:
            name: Name of the scheduler.
            cron: The schedule that it follows.
            due: Unix time, seconds, at which the next firing is due, or None.
        """
        arguments = [name, int(ALIVE_SECONDS * 1000), "cron", cron, "next", "" if due is None else due]
        self._scripts["announce"](keys=[keys.SCHEDULERS, keys.SCHEDULE], args=arguments)

    def handled(self, outcome: str) -> None:
        """Record what became of a firing."""
        self._scripts["handled"](keys=[keys.SCHEDULE], args=[self._clock(), outcome])

    def remove_scheduler(self, name: str) -> None:
        """Remove a scheduler that has stopped from the list."""
        self._redis.zrem(keys.SCHEDULERS, name)

    def schedulers(self) -> list[str]:
        """Return the names of the schedulers that are alive."""
        return alive(self._redis, keys.SCHEDULERS)

    def status(self) -> ScheduleStatus:
        """Return the schedule as it stands.

        Raises:
            WireError: Its record is damaged.
        """
        return ScheduleStatus.from_hash(self._redis.hgetall(keys.SCHEDULE), self.schedulers())
