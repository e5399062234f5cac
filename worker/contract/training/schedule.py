"""What is kept of the schedule of trainings: who looks at the clock, when the next is due, how the last went."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.contract.scripts import load_scripts
from worker.contract.training import keys
from worker.contract.training.trainings import ALIVE_SECONDS, alive

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """The schedule as it stands.

    Attributes:
        schedulers: names of those that are alive; usually one.
        cron: five fields, in UTC, or "" where trainings only come by hand.
        next: when the next is due, unix time, seconds, or None.
        handled: when the last one was asked for or skipped, unix time, seconds, or None.
        outcome: what became of that one, and why; or "".
    """

    schedulers: list[str]
    cron: str
    next: float | None
    handled: float | None
    outcome: str


class Schedule:
    """All that is written about the schedule in one Redis.

    Schedulers share it. Each call is harmless to repeat; every method raises redis-py's errors as they come.
    """

    def __init__(self, client: "redis.Redis") -> None:
        # redis-py's types allow for replies decoded to str; `connection.connect` never asks for that.
        self._redis: Any = client
        self._scripts = load_scripts(client, "worker.contract.training", ("announce", "begin", "handled"))

    def begin(self, cron: str) -> float:
        """Begin to follow a schedule; return the unix time, seconds, after which firings of it have not been handled.

        That is now for one that is new; else one that came due while no scheduler ran is made up for.
        """
        now = time.time()
        since = self._scripts["begin"](keys=[keys.SCHEDULE], args=[cron, now])
        return min(float(since), now)

    def announce(self, name: str, cron: str, due: float | None) -> None:
        """Say that a scheduler is alive, what it follows, and when the next firing is due, unix time, seconds.

        It is forgotten unless said again in time.
        """
        arguments = [name, int(ALIVE_SECONDS * 1000), "cron", cron, "next", "" if due is None else due]
        self._scripts["announce"](keys=[keys.SCHEDULERS, keys.SCHEDULE], args=arguments)

    def handled(self, outcome: str) -> None:
        """Say what became of a firing."""
        self._scripts["handled"](keys=[keys.SCHEDULE], args=[time.time(), outcome])

    def dismiss(self, name: str) -> None:
        """Forget a scheduler that has stopped."""
        self._redis.zrem(keys.SCHEDULERS, name)

    def schedulers(self) -> list[str]:
        """Return the names of the schedulers that are alive."""
        return alive(self._redis, keys.SCHEDULERS)

    def status(self) -> ScheduleStatus:
        """Return the schedule as it stands."""
        body = {name.decode(): value.decode() for name, value in self._redis.hgetall(keys.SCHEDULE).items()}
        due, handled = body.get("next"), body.get("handled")
        return ScheduleStatus(
            schedulers=self.schedulers(),
            cron=body.get("cron", ""),
            next=float(due) if due else None,
            handled=float(handled) if handled else None,
            outcome=body.get("outcome", ""),
        )
