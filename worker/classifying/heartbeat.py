"""The thread in every worker that looks after its batches: says it is alive, renews leases, rings for the overdue."""

import logging
import threading
from collections.abc import Callable, Iterable

from redis.exceptions import RedisError

from worker.contract.ledger import Ledger, Part
from worker.contract.reconciler import Reconciler

INTERVAL_SECONDS = 1.0
STARTING_INTERVAL_SECONDS = 0.05
"""Until the classifying process is ready: somebody may be waiting to hear that it is."""

ALIVE_SECONDS = 5.0
"""A worker that has said nothing for so long is not counted any more."""

_log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Runs beside the classifying process, in the worker's main process, so that a long image delays nothing.

    Args:
        ledger: of this thread's own Redis connection.
        reconciler: rings for overdue parts of anybody; None where that is switched off.
        name: the worker's.
        facts: what to say of the worker, read anew each time.
        in_work: the parts that this worker's classifying process has begun.
        lease_seconds: how long a renewed lease lasts.
    """

    def __init__(
        self,
        ledger: Ledger,
        reconciler: Reconciler | None,
        *,
        name: str,
        facts: Callable[[], dict[str, str | int | float]],
        in_work: Callable[[], Iterable[Part]],
        lease_seconds: float,
    ) -> None:
        super().__init__(name="steward", daemon=True)
        self._ledger = ledger
        self._reconciler = reconciler
        self._worker = name
        self._facts = facts
        self._in_work = in_work
        self._lease_seconds = lease_seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look after things every second until stopped; Redis being away is waited out."""
        while True:
            facts = self._facts()
            try:
                self._ledger.announce(self._worker, facts, ttl_seconds=ALIVE_SECONDS)
                for part in self._in_work():
                    self._ledger.renew(part, holder=self._worker, lease_seconds=self._lease_seconds)
            except RedisError as fault:
                _log.debug("steward: %s", fault)
            if self._reconciler:
                self._reconciler.tick()
            if self._stopping.wait(INTERVAL_SECONDS if facts["ready"] else STARTING_INTERVAL_SECONDS):
                return

    def stop(self) -> None:
        """End the thread and take the worker off the list."""
        self._stopping.set()
        self.join(timeout=2 * INTERVAL_SECONDS)
        try:
            self._ledger.remove_worker(self._worker)
        except RedisError as fault:
            _log.debug("not dismissed: %s", fault)
