"""The Celery task that a doorbell rings for. It reads the doorbell, and the `BatchProcessor` does the work."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.exceptions import Reject

from worker.classifying.batch_processor import BatchProcessor
from worker.contract.doorbell import CLASSIFY, DOORBELL_VERSION, is_understood
from worker.contract.errors import Unreachable, WireError
from worker.contract.ledger import Part
from worker.doorbell_request import DoorbellRequest

PUT_BACK_SECONDS = 0.2
"""Pause before a doorbell of another format is put back. Meanwhile workers that read it can empty the queue."""

PUT_BACKS = 25
"""Number of times that a process puts one doorbell back. After that, nobody seems to read it."""

_REMEMBERED = 1000
"""Number of doorbells of another format that a process remembers."""

_log = logging.getLogger(__name__)


def register(app: Celery, get_processor: Callable[[], BatchProcessor]) -> None:
    """Add the task to the application.

    Args:
        app: Celery application.
        get_processor: Function that returns this process's batch processor. It is called in the classifying process,
            after its start.
    """
    put_back: OrderedDict[str, int] = OrderedDict()

    @app.task(name=CLASSIFY, ignore_result=True, Request=DoorbellRequest, bind=True)
    def classify(self: Any, version: object = None, part: object = None, **_: object) -> None:
        """Answer the part that the message names. An invalid message does no harm, because it is only a hint."""
        if _is_another_format(version):
            _put_back(str(self.request.id), version, put_back)
            return
        if not is_understood(version):
            return
        try:
            get_processor().process(Part.from_member(part if isinstance(part, str) else ""))
        except (Unreachable, WireError) as fault:
            _log.error("%s", fault)


def _is_another_format(version: object) -> bool:
    return type(version) is int and 0 < version != DOORBELL_VERSION


def _put_back(message: str, version: object, counts: OrderedDict[str, int]) -> None:
    """Put a doorbell of another format back, because another worker may read it. Without it, its part would wait.

    Args:
        message: Id of the message.
        version: Format of the doorbell.
        counts: How often this process has put each message back. A doorbell that nobody reads must not go round for
            ever, because the reconciler rings only when the queue is empty.

    Raises:
        Reject: Celery must put the message back.
    """
    counts[message] = counts.get(message, 0) + 1
    if len(counts) > _REMEMBERED:
        counts.popitem(last=False)
    if counts[message] == 1:
        is_understood(version)  # logs it
    if counts[message] <= PUT_BACKS:
        time.sleep(PUT_BACK_SECONDS)
        raise Reject("this worker does not read its format", requeue=True)
