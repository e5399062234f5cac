"""One firing of the schedule: asks for a training, or says why not."""

import logging
from datetime import UTC, datetime

import redis

from model.training.options import TrainingOptions
from worker.contract.doorbell import Doorbell
from worker.contract.teaching import Teaching
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.metrics import FIRINGS
from worker.contract.training import Trainings
from worker.settings import Settings

NOTHING_TAUGHT = "skipped: nothing was taught since the last training"

_log = logging.getLogger(__name__)


class Firing:
    """Carries out firings.

    A training is named after the minute for which it was scheduled, and one script asks for it. So two schedulers ask
    for one training, and so does a scheduler that is restarted while it fires. Neither a lock nor a scheduler with one,
    like RedBeat, is needed.

    Args:
        client: Client of the Redis that holds the trainings.
        doorbell: Doorbell that is rung for a trainer.
        settings: Settings of this process.
        name: Name of this scheduler.
        counts: What counts firings, if somebody watches.
    """

    def __init__(
        self,
        client: "redis.Redis",
        doorbell: Doorbell,
        settings: Settings,
        name: str,
        counts: Counts | None = None,
    ) -> None:
        self._trainings, self._teaching = Trainings(client), Teaching(client)
        self._doorbell, self._name, self._counts = doorbell, name, counts
        self._options = TrainingOptions(quick=settings.retrain_quick)
        self._always = settings.retrain_always

    def __call__(self, minute: datetime) -> str:
        """Carry out what is due at a minute. Repeating it does no harm.

        Args:
            minute: Minute of the schedule.

        Returns:
            The outcome, in words.

        Raises:
            RedisError: Redis does not answer, or refuses. The training may have been asked for, or not.
        """
        identifier = f"{minute.astimezone(UTC):%y%m%d-%H%M}-cron"
        asked, outcome = self._carry_out(identifier)
        if self._counts:
            self._counts.add(FIRINGS, "asked" if asked else "skipped")
        _log.info("due at %s: %s", f"{minute:%Y-%m-%d %H:%M}", outcome)
        return outcome

    def _carry_out(self, identifier: str) -> tuple[bool, str]:
        """Return whether the training was asked for, and the outcome in words."""
        if not self._always and not self._teaching.new_since_last_training():
            return False, NOTHING_TAUGHT
        given = self._trainings.ask(identifier, self._options, who=self._name)
        if given != identifier:
            return False, f"skipped: training {given} has not ended"
        self._doorbell.ring_trainer()
        return True, f"training {identifier} is asked for"
