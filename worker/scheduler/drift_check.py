"""Asks for a training if what the live version answers has drifted."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

import redis

from model.training.options import TrainingOptions
from worker.contract.doorbell import Doorbell
from worker.contract.drift import AnswerDays, find_drift
from worker.contract.registry import Registry
from worker.contract.teaching import Teaching
from worker.contract.training import Trainings
from worker.settings import Settings

INTERVAL_SECONDS = 600.0

AGAIN_DAYS = 7
"""Number of days for which the scheduler does not train again because of drift, unless something was taught since.

The same training on the same images would hardly help."""

_log = logging.getLogger(__name__)


class DriftCheck:
    """Looks for drift now and then.

    A training is named after the day that differs, and Redis accepts each name once. So any number of schedulers asks
    for one training.

    Args:
        client: Client of the Redis that holds the answers of each day and the trainings.
        doorbell: Doorbell that is rung for a trainer.
        settings: Settings of this process.
        name: Name of this scheduler.
        clock: Function that returns the time in seconds; it must never go back.
    """

    def __init__(
        self,
        client: "redis.Redis",
        doorbell: Doorbell,
        settings: Settings,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._days = Registry(client), AnswerDays(client)
        self._trainings, self._teaching = Trainings(client), Teaching(client)
        self._doorbell, self._name = doorbell, name
        self._options = TrainingOptions(quick=settings.retrain_quick)
        self._clock, self._next = clock, 0.0

    def tick(self) -> str:
        """Ask for a training if the last day differs and `INTERVAL_SECONDS` have passed since the last time.

        Returns:
            Id of the training that was asked for, or "".

        Raises:
            RedisError: Redis does not answer, or refuses.
            WireError: A record is damaged.
        """
        now = self._clock()
        if now < self._next:
            return ""
        self._next = now + INTERVAL_SECONDS
        drift = find_drift(self._days.read(self._registry.live()))
        if drift is None:
            return ""
        earlier = (f"{drift.day - timedelta(days=days):%y%m%d}-drift" for days in range(AGAIN_DAYS))
        asked = [identifier for identifier in earlier if self._trainings.status(identifier)]
        identifier = f"{drift.day:%y%m%d}-drift"
        if identifier in asked or (asked and not self._teaching.new_since_last_training()):
            return ""
        if self._trainings.ask(identifier, self._options, who=self._name) != identifier:
            return ""  # another training is open, and the drift is still there when it has ended
        self._doorbell.ring_trainer()
        _log.info("training %s is asked for, because the answers of %s have drifted", identifier, drift.day)
        return identifier
