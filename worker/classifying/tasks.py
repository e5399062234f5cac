"""The Celery task that a doorbell rings for. It reads the doorbell, and the `BatchProcessor` does the work."""

import logging
from collections.abc import Callable

from celery import Celery

from worker.classifying.batch_processor import BatchProcessor
from worker.contract.doorbell import CLASSIFY, is_understood
from worker.contract.errors import Unreachable, WireError
from worker.contract.ledger import Part

_log = logging.getLogger(__name__)


def register(app: Celery, get_processor: Callable[[], BatchProcessor]) -> None:
    """Add the task to the application.

    Args:
        app: Celery application.
        get_processor: Function that returns this process's batch processor. It is called in the classifying process,
            after its start.
    """

    @app.task(name=CLASSIFY, ignore_result=True)
    def classify(version: object = None, part: object = None, **_: object) -> None:
        """Answer the part that the message names. An invalid message does no harm, because it is only a hint."""
        if not is_understood(version):
            return
        try:
            get_processor().process(Part.from_member(part if isinstance(part, str) else ""))
        except (Unreachable, WireError) as fault:
            _log.error("%s", fault)
