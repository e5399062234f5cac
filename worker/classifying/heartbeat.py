"""The thread in each worker that reports it alive, renews the leases of its batches, and rings for overdue batches."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator

from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.ledger import Ledger, Part
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.reconciler import Reconciler

INTERVAL_SECONDS = 1.0
STARTING_INTERVAL_SECONDS = 0.05
"""Interval until the classifying process is ready, because a user may be waiting for it."""

MAX_LOGGED = 100
"""Number of faults of records that the thread remembers, so that it logs each once."""

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
        report: Function that reports whatever else this process has to say.
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
        report: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._ledger = ledger
        self._reconciler = reconciler
        self._worker = name
        self._facts = facts
        self._in_work = in_work
        self._lease_seconds = lease_seconds
        self._report = report
        self._stopping = threading.Event()
        self._announcing = threading.Lock()
        self._logged: set[str] = set()

    def run(self) -> None:
        """Report, renew and reconcile every second until stopped. Wait while Redis is away."""
        ready: object = False
        while True:
            with self._surviving():
                facts = self._facts()
                ready = facts["ready"]
                self._announce(facts)
            with self._surviving():
                for part in self._in_work():
                    with self._surviving():  # the fault of one part must not cost the leases of the others
                        self._ledger.renew(part, holder=self._worker, lease_seconds=self._lease_seconds)
            with self._surviving():
                self._report()
            if self._reconciler:
                with self._surviving():
                    self._reconciler.tick()
            if self._stopping.wait(INTERVAL_SECONDS if ready else STARTING_INTERVAL_SECONDS):
                return

    @contextlib.contextmanager
    def _surviving(self) -> Iterator[None]:
        """Log a fault, each once and not every second, and go on. A worker without a heartbeat counts as dead."""
        try:
            yield
        except RedisError as fault:
            _log.debug("heartbeat failed: %s", fault)
        except DigitmillError as fault:
            if str(fault) not in self._logged:
                self._logged = {*self._logged, str(fault)} if len(self._logged) < MAX_LOGGED else {str(fault)}
                _log.error("%s", fault)
        except Exception:
            _log.exception("digitmill itself failed in the heartbeat of this worker")

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
        except (RedisError, DigitmillError) as fault:
            _log.debug("could not remove this worker from the list: %s", fault)
