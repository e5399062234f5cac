"""The reconciler: rings again for parts that are overdue. Every waiting client and every worker runs one."""

import logging
import time

import redis
from redis.exceptions import RedisError

from worker.contract.doorbell import CLASSIFY_QUEUE, Doorbell
from worker.contract.ledger import Ledger

INTERVAL_SECONDS = 1.0
LONG_OVERDUE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Reconciler:
    """Compares the ledger's open parts with the doorbells waiting, once a second at most."""

    def __init__(self, client: "redis.Redis", ledger: Ledger, doorbell: Doorbell) -> None:
        self._redis = client
        self._ledger = ledger
        self._doorbell = doorbell
        self._next = 0.0

    def tick(self) -> int:
        """Ring for what is overdue, if a second has passed since the last time; return how often it rang.

        While doorbells are waiting the workers are merely busy, and ringing more would only lengthen their queue; then
        only what is long overdue is rung for. Redis being away is no error: there is a next tick.
        """
        if time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + INTERVAL_SECONDS
        try:
            waiting = self._redis.llen(CLASSIFY_QUEUE)
            overdue = self._ledger.due(overdue_seconds=LONG_OVERDUE_SECONDS if waiting else 0.0)
        except RedisError as fault:
            _log.debug("not reconciled: %s", fault)
            return 0
        rung = sum(self._doorbell.ring(part) for part in overdue)
        if rung:
            _log.info("rang again for %d overdue batches", rung)
        return rung
