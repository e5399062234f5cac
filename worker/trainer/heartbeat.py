"""The thread in each trainer that reports it alive, rings for a waiting training, keeps what users teach and tidies."""

import logging
import threading
from pathlib import Path

from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.queues import TRAIN_QUEUE
from worker.contract.teaching import Teaching
from worker.contract.training import Trainings
from worker.trainer.folders import remove_ended
from worker.trainer.taught_keeper import TaughtKeeper

INTERVAL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class TrainerHeartbeat(threading.Thread):
    """Runs beside the thread that trains.

    A training waits if its message was lost, or if its trainer died. Then this thread rings again.

    Args:
        url: URL of Redis.
        doorbell: Doorbell that only this thread rings.
        name: Name of the trainer.
        data: Data folder of the trainer, which holds the taught images.
    """

    def __init__(self, url: str, doorbell: Doorbell, name: str, data: Path) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._client = connect(url)
        self._trainings = Trainings(self._client)
        self._keeper = TaughtKeeper(Teaching(self._client), data)
        self._doorbell, self._trainer, self._data = doorbell, name, data
        self._faults: dict[str, str] = {}
        self._stopping = threading.Event()
        self._announcing = threading.Lock()

    def run(self) -> None:
        """Report, ring, keep and tidy every second until stopped. Wait while Redis is away."""
        while True:
            # None may keep the others from their work.
            for step in (self._announce, self._ring, self._keep, self._tidy):
                try:
                    step()
                except RedisError as fault:
                    _log.debug("heartbeat failed: %s", fault)
                except DigitmillError as fault:
                    self._log_once(step.__name__, str(fault))
                except OSError as fault:
                    self._log_once(step.__name__, f"The operating system reports: {fault}. Correct that.")
                except Exception:
                    _log.exception("digitmill itself failed in the heartbeat of this trainer")
                else:
                    self._faults.pop(step.__name__, None)
            if self._stopping.wait(INTERVAL_SECONDS):
                return

    def _keep(self) -> None:
        while self._keeper.keep() and not self._stopping.is_set():
            self._announce()

    def _tidy(self) -> None:
        remove_ended(self._data, self._trainings)

    def _ring(self) -> None:
        if self._trainings.waiting() and not self._client.llen(TRAIN_QUEUE):
            self._doorbell.ring_trainer()

    def _log_once(self, step: str, fault: str) -> None:
        """Log what is wrong once, not every second."""
        if self._faults.get(step) != fault:
            _log.error("%s", fault)
        self._faults[step] = fault

    def _announce(self) -> None:
        """Report the trainer alive, but never after it was removed from the list."""
        with self._announcing:
            if not self._stopping.is_set():
                self._trainings.announce(self._trainer, " ".join(self._faults.values()))

    def stop(self) -> None:
        """End the thread and remove the trainer from the list of live trainers."""
        with self._announcing:
            self._stopping.set()
        if self.is_alive():
            self.join(timeout=2 * INTERVAL_SECONDS)
        try:
            self._trainings.remove_trainer(self._trainer)
            self._keeper.release()
        except (RedisError, DigitmillError, OSError) as fault:
            _log.debug("could not remove this trainer from the list: %s", fault)
