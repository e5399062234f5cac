"""The thread in each worker that reports it alive, renews the leases of its batches, and rings for overdue batches."""

import logging
import threading
from collections.abc import Callable, Iterable

from redis.exceptions import RedisError

from worker.contract.ledger import Ledger, Part
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.reconciler import Reconciler

INTERVAL_SECONDS = 1.0
STARTING_INTERVAL_SECONDS = 0.05
"""Interval until the classifying process is ready, because a user may be waiting for it."""

_log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Runs in the worker's main process, beside the classifying process, so that a slow image delays nothing.

    Args:
        ledger: Ledger on a Redis connection that only this thread uses.
        reconciler: Reconciler that rings for the overdue batches of all workers, or None if it is switched off.
        name: Name of the worker.
        facts: Function that returns the fields of `WorkerStatus` to report. It is called before each report.
        in_work: Function that returns the parts that the classifying process has begun.
        lease_seconds: Lifetime of a renewed lease.
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
        super().__init__(name="heartbeat", daemon=True)
        self._ledger = ledger
        self._reconciler = reconciler
        self._worker = name
        self._facts = facts
        self._in_work = in_work
        self._lease_seconds = lease_seconds
        self._stopping = threading.Event()
        self._announcing = threading.Lock()

    def run(self) -> None:
        """Report, renew and reconcile every second until stopped. Wait while Redis is away."""
        while True:
            facts = self._facts()
            try:
                self._announce(facts)
                for part in self._in_work():
                    self._ledger.renew(part, holder=self._worker, lease_seconds=self._lease_seconds)
            except RedisError as fault:
                _log.debug("heartbeat failed: %s", fault)
            except Exception:
                _log.exception("digitmill itself failed to report this worker alive")
            if self._reconciler:
                self._reconciler.tick()
            if self._stopping.wait(INTERVAL_SECONDS if facts["ready"] else STARTING_INTERVAL_SECONDS):
                return

    def _announce(self, facts: dict[str, str | int | float]) -> None:
        """Report the worker alive, but never after it was removed from the list."""
        with self._announcing:
            if not self._stopping.is_set():
                self._ledger.announce(self._worker, facts, ttl_seconds=ALIVE_SECONDS)

    def stop(self) -> None:
        """End the thread and remove the worker from the list of live workers."""
        with self._announcing:
            self._stopping.set()
        self.join(timeout=2 * INTERVAL_SECONDS)
        try:
            self._ledger.remove_worker(self._worker)
        except RedisError as fault:
            _log.debug("could not remove this worker from the list: %s", fault)
