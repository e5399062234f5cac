"""One scheduler: Celery's beat with the schedule of trainings."""

import logging
import signal
import sys
from functools import partial
from types import FrameType
from typing import NoReturn

from celery.beat import Service
from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.broker.application import make_app
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.telemetry.counts import Counts
from worker.contract.training import Schedule
from worker.process import expose, process_name
from worker.roles import Role
from worker.scheduler.beat import INTERVAL_SECONDS, Beat
from worker.scheduler.drift_check import DriftCheck
from worker.scheduler.firing import Firing
from worker.settings import Settings, without_password

_log = logging.getLogger(__name__)


class SchedulerService:
    """A scheduler, from its start to its end.

    Args:
        settings: Settings of this process.

    Raises:
        UsageError: The metrics cannot be shown.
    """

    def __init__(self, settings: Settings) -> None:
        self._cron, self._on_drift = settings.retrain_cron, settings.retrain_on_drift
        self._url = settings.server_url
        self._name = process_name()
        client = connect(self._url)
        doorbell = Doorbell(client)
        self._schedule = Schedule(client)
        counts = Counts() if settings.metrics_port else None
        self._exposition = expose(settings, filter(None, [counts]), role=Role.SCHEDULER, name=self._name)
        self._beat = Service(
            make_app(self._url, settings),
            max_interval=INTERVAL_SECONDS,
            scheduler_cls=partial(
                Beat,
                schedule_in_redis=self._schedule,
                fire=Firing(client, doorbell, settings, self._name, counts),
                check=DriftCheck(client, doorbell, settings, self._name).tick if self._on_drift else None,
                cron=self._cron,
                name=self._name,
            ),
        )

    def run(self) -> int:
        """Work until told to stop.

        Returns:
            The exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
        if self._exposition:
            self._exposition.start()
        _log.info("scheduler %s on %s", self._name, without_password(self._url))
        if self._cron:
            _log.info("trainings are due at %s (UTC)", self._cron)
        elif not self._on_drift:
            _log.warning("DIGITMILL_RETRAIN_CRON is not set, so nothing is scheduled; `digitmill train` still trains")
        if self._on_drift:
            _log.info("a training is due if what the live version answers drifts")
        try:
            self._beat.start()
        finally:
            self._remove_from_list()
        return 0

    def _remove_from_list(self) -> None:
        try:
            self._schedule.remove_scheduler(self._name)
        except (RedisError, DigitmillError, OSError) as fault:
            _log.debug("could not remove this scheduler from the list: %s", fault)


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)
