"""One scheduler: Celery's beat, with the schedule of trainings."""

import logging
import os
import signal
import socket
import sys
from functools import partial
from types import FrameType
from typing import NoReturn

from celery.beat import Service
from redis.exceptions import RedisError

from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell, make_app
from worker.contract.training import Schedule
from worker.process import run
from worker.scheduler.beat import TICK_SECONDS, Beat
from worker.scheduler.firing import Firing
from worker.settings import DEFAULT_REDIS_URL, Settings, without_password

_log = logging.getLogger(__name__)


class SchedulerService:
    """A scheduler, from its start to its end."""

    def __init__(self, settings: Settings) -> None:
        self._cron = settings.retrain_cron
        self._url = settings.redis_url or DEFAULT_REDIS_URL
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        client = connect(self._url)
        app = make_app(self._url, settings)
        self._schedule = Schedule(client)
        self._beat = Service(
            app,
            max_interval=TICK_SECONDS,
            scheduler_cls=partial(
                Beat,
                schedule_in_redis=self._schedule,
                fire=Firing(client, Doorbell(app), settings, self._name),
                cron=self._cron,
                name=self._name,
            ),
        )

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        _log.info("scheduler %s on %s", self._name, without_password(self._url))
        if self._cron:
            _log.info("trainings are due at %s (UTC)", self._cron)
        else:
            _log.warning("DIGITMILL_RETRAIN_CRON is not set, so trainings only come by hand: `digitmill train`")
        try:
            self._beat.start()
        finally:
            self._dismiss()
        return 0

    def _dismiss(self) -> None:
        try:
            self._schedule.remove_scheduler(self._name)
        except (RedisError, OSError) as fault:
            _log.debug("not dismissed: %s", fault)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def main() -> int:
    """Run a scheduler with the settings of the environment; return the exit code."""
    return run(lambda settings: SchedulerService(settings).run())
