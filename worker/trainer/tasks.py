"""The Celery task that the doorbell of trainings rings for."""

import logging
from collections.abc import Callable

from celery import Celery

from model.errors import DigitmillError
from worker.contract.doorbell import is_understood
from worker.contract.queues import TRAIN

_log = logging.getLogger(__name__)


def register(app: Celery, train: Callable[[], None]) -> None:
    """Add the task to the application.

    Args:
        app: Celery application.
        train: Function that carries out the open training, if there is one.
    """

    @app.task(name=TRAIN, ignore_result=True)
    def task(version: object = None, **_: object) -> None:
        """Carry out the open training, if there is one. The message is only a hint."""
        if not is_understood(version):
            return
        try:
            train()
        except DigitmillError as fault:
            _log.error("%s", fault)
