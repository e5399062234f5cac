"""One firing of the schedule: a training is asked for, or there is a reason against it."""

import logging
from datetime import UTC, datetime

import redis

from model.training.options import TrainingOptions
from worker.contract.doorbell import Doorbell
from worker.contract.teaching import Teaching
from worker.contract.training import Trainings
from worker.settings import Settings

NOTHING_TAUGHT = "skipped: nothing was taught since the last training"

_log = logging.getLogger(__name__)


class Firing:
    """Carries out firings.

    A training is named by the minute for which it was scheduled, and is asked for in one script. So two schedulers, or
    one that is restarted in mid-firing, ask for one training; no lock is needed, nor a scheduler like RedBeat that has
    one.

    Args:
        client: of the Redis where trainings are.
        doorbell: Rings for a trainer.
        settings: of this process.
        name: this scheduler's.
    """

    def __init__(self, client: "redis.Redis", doorbell: Doorbell, settings: Settings, name: str) -> None:
        self._trainings, self._teaching = Trainings(client), Teaching(client)
        self._doorbell, self._name = doorbell, name
        self._order = TrainingOptions(quick=settings.retrain_quick)
        self._always = settings.retrain_always

    def __call__(self, minute: datetime) -> str:
        """Do what is due at that minute; return what became of it, in words. Harmless to repeat.

        Raises:
            RedisError: as it comes; then it is not known whether it was done.
        """
        outcome = self._carry_out(f"{minute.astimezone(UTC):%y%m%d-%H%M}-cron")
        _log.info("due at %s: %s", f"{minute:%Y-%m-%d %H:%M}", outcome)
        return outcome

    def _carry_out(self, identifier: str) -> str:
        if not self._always and not self._teaching.new_since_last_training():
            return NOTHING_TAUGHT
        given = self._trainings.ask(identifier, self._order, who=self._name)
        if given != identifier:
            return f"skipped: training {given} has not ended"
        self._doorbell.ring_trainer()
        return f"training {identifier} is asked for"
