"""How many images were answered lately, and why others could not be: counted by workers, read by whoever looks."""

import math
import re
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.errors import Failure
from worker.contract.errors import WireError
from worker.contract.observation import keys
from worker.contract.scripts import load_scripts
from worker.contract.validation.bounds import MAX_RECORD_BYTES
from worker.contract.validation.reading import count, hash_of, naming, reading

if TYPE_CHECKING:
    import redis

SPAN_SECONDS = 10
"""Length of the spans in which Redis keeps the counts. A rate is that of whole spans and of the one that runs."""

SPANS_KEPT = 360
"""Number of spans that Redis keeps: one hour."""

_SPANS = {"minute": 60 // SPAN_SECONDS, "hour": SPANS_KEPT - 1}
_IMAGES = "images"
_FIELD = re.compile(rb"([0-9]{1,15}):([a-z_]{1,40})")


@dataclass(frozen=True, slots=True)
class Recent:
    """What workers answered in a time that has just passed.

    Attributes:
        seconds: Length of that time: up to a span more than its name says.
        images: Number of images that were answered, with a digit or with an error row.
        failures: Number of those with an error row, by the value of their `FailureCode`.
    """

    seconds: float
    images: int
    failures: Mapping[str, int]

    @property
    def rate(self) -> float:
        """Images answered in a second."""
        return self.images / self.seconds

    @property
    def failed(self) -> int:
        """Number of images with an error row."""
        return sum(self.failures.values())


class RecentAnswers:
    """Counts what one process answers. Any thread may add; one of them reports now and then."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, images: int, failures: Collection[Failure]) -> None:
        """Count answers.

        Args:
            images: Number of images that were answered.
            failures: Failure of each of those that has an error row.
        """
        with self._guard:
            self._counts[_IMAGES] += images
            if failures:
                self._counts.update(str(failure.code) for failure in failures)

    def report(self, counts: "RecentCounts") -> None:
        """Add what was counted since the last report to Redis' counts.

        Raises:
            redis.exceptions.RedisError: Redis does not answer. What was counted is lost.
        """
        with self._guard:
            unreported, self._counts = self._counts, Counter()
        if unreported:
            counts.add(unreported)


class RecentCounts:
    """What Redis keeps about the answers of the last hour.

    Both methods raise redis-py's errors. `add` counts twice if it is repeated, so nobody retries it.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._count: Any = load_scripts(client, "worker.contract.observation", ("count",))["count"]
        self._record: Any = load_scripts(client, "worker.contract.ledger", ("record",))["record"]

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to the counts of the span that runs.

        Args:
            counts: Number of images by `images` or the value of a `FailureCode`.
        """
        named = [word for pair in counts.items() for word in pair]
        self._count(keys=[keys.RECENT], args=[1000 * SPAN_SECONDS, SPANS_KEPT, *named])

    def read(self, now: float) -> tuple[Recent, Recent]:
        """Return what was answered in the last minute, and in the last hour.

        Args:
            now: Time of Redis: unix time, seconds.

        Raises:
            WireError: The record is damaged.
        """
        with naming(keys.RECENT):
            reply = self._record(keys=[keys.RECENT], args=[SPANS_KEPT * 50, MAX_RECORD_BYTES])
        stored = hash_of(keys.RECENT, reply)
        if isinstance(stored, WireError):
            raise stored
        current = math.floor(now / SPAN_SECONDS)
        minute, hour = (self._sum(stored, now, current, spans) for spans in _SPANS.values())
        return minute, hour

    def _sum(self, stored: Mapping[bytes, bytes], now: float, current: int, spans: int) -> Recent:
        sums: Counter[str] = Counter()
        with reading("The record of recent answers", remedy=f"`redis-cli DEL {keys.RECENT}` clears it."):
            for field, number in stored.items():
                if (found := _FIELD.fullmatch(field)) and current - spans <= int(found[1]) <= current:
                    sums[found[2].decode()] += count(number)
        images = sums.pop(_IMAGES, 0)
        return Recent(now - (current - spans) * SPAN_SECONDS, images, dict(sums.most_common()))
