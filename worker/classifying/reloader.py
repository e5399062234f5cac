"""The thread in every classifying process that follows what is live, says what it serves, and watches it."""

import logging
import threading
import time

from redis.exceptions import RedisError

from worker.classifying.canary import CanaryMonitor
from worker.classifying.models import Models
from worker.contract.ledger import Ledger

INTERVAL_SECONDS = 0.25
"""Between two looks at what is live: four small reads a second, and a promotion is everywhere in 0.3 s."""

SAY_AGAIN_SECONDS = 1.0
"""Before the same is said again: what a worker says of itself may have expired meanwhile."""

FIRST_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


class ModelReloader(threading.Thread):
    """Loads and warms new versions beside the one that serves: no batch waits for that, and an idle worker follows too.

    A read before each batch would be a round trip on the way of every batch, and none in a worker that is idle.

    Args:
        models: those of this process.
        canary: what it has seen of them.
        ledger: of this thread's own Redis connection.
        name: the worker's.
    """

    def __init__(self, models: Models, canary: CanaryMonitor, ledger: Ledger, *, name: str) -> None:
        super().__init__(name="follower", daemon=True)
        self._models = models
        self._canary = canary
        self._ledger = ledger
        self._worker = name
        self._looked = threading.Event()
        self._said, self._said_at = ("", ""), 0.0

    def start(self) -> None:
        """Start, and wait for the first look; not for long, as Redis may be away, and Celery waits for this process."""
        super().start()
        self._looked.wait(FIRST_LOOK_SECONDS)

    def run(self) -> None:
        """Look and say for ever; Redis being away is waited out."""
        while True:
            try:
                self._models.follow()
                self._say()
                self._canary.look()
            except RedisError as fault:
                _log.debug("follower: %s", fault)
            except Exception:
                _log.exception("a fault of digitmill's own while following what is live")
            self._looked.set()
            time.sleep(INTERVAL_SECONDS)

    def _say(self) -> None:
        facts = (self._models.live, self._models.fault)
        if facts == self._said and time.monotonic() < self._said_at + SAY_AGAIN_SECONDS:
            return
        self._ledger.report_model(self._worker, *facts)
        self._said, self._said_at = facts, time.monotonic()
