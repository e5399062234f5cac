"""The reconciler rings again for overdue parts. Every waiting client and every worker runs one."""

import logging
import time
from collections.abc import Callable

import redis
from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.doorbell import Doorbell
from worker.contract.ledger import Ledger
from worker.contract.queues import CLASSIFY_QUEUE

INTERVAL_SECONDS = 1.0

LONG_OVERDUE_SECONDS = 60.0
"""Time by which a part must be overdue before the reconciler rings for it while other doorbells wait."""

_log = logging.getLogger(__name__)


class Reconciler:
    """Compares the ledger's open parts with the waiting doorbells, once a second at most.

    Args:
        client: Connection to the Redis that holds the ledger and the doorbells.
        ledger: Ledger with the parts.
        doorbell: Doorbell to ring.
        clock: Function that returns the time in seconds; it must never go back.
    """

    def __init__(
        self, client: "redis.Redis", ledger: Ledger, doorbell: Doorbell, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = client
        self._ledger = ledger
        self._doorbell = doorbell
        self._clock, self._next = clock, 0.0

    def tick(self) -> int:
        """Ring for overdue parts if a second has passed since the last time. Return the number of doorbells rung.

        While doorbells wait, the workers are busy, and more doorbells would only lengthen their queue. Then the
        reconciler rings only for parts that are long overdue. If Redis is away, or a key of the ledger is damaged, the
        next tick tries again.
        """
        now = self._clock()
        if now < self._next:
            return 0
        self._next = now + INTERVAL_SECONDS
        try:
            waiting = self._redis.llen(CLASSIFY_QUEUE)
            overdue = self._ledger.due(overdue_seconds=LONG_OVERDUE_SECONDS if waiting else 0.0)
        except (RedisError, DigitmillError) as fault:
            _log.debug("not reconciled: %s", fault)
            return 0
        rung = sum(self._doorbell.ring(part) for part in overdue)
        if rung:
            _log.info("rang again for %d overdue batches", rung)
        return rung
