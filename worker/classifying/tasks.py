"""The Celery task that a doorbell rings for. It reads the doorbell, and the `BatchProcessor` does the work."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from celery import Celery

from worker.classifying.batch_processor import BatchProcessor
from worker.contract.doorbell import CLASSIFY, DOORBELL_VERSION, Doorbell, is_understood
from worker.contract.errors import Unreachable, WireError
from worker.contract.ledger import Part

PUT_BACK_SECONDS = 0.2
"""Pause before a doorbell of another format is put back. Meanwhile workers that read it can empty the queue."""

PUT_BACKS = 25
"""Number of times that a process puts one doorbell back. After that, nobody seems to read it."""

FORGET_SECONDS = 60.0
"""Time after which a process begins to put the same doorbell back again. By then a reconciler has rung anew."""

_REMEMBERED = 1000
_KEY_LENGTH = 200
"""Number of doorbells of another format that a process remembers, and the number of characters of each."""

_log = logging.getLogger(__name__)


def register(app: Celery, get_processor: Callable[[], BatchProcessor]) -> None:
    """Add the task to the application.

    Args:
        app: Celery application.
        get_processor: Function that returns this process's batch processor. It is called in the classifying process,
            after its start.
    """
    others = _OtherDoorbells(Doorbell(app))

    @app.task(name=CLASSIFY, ignore_result=True)
    def classify(version: object = None, part: object = None, **_: object) -> None:
        """Answer the part that the message names. An invalid message does no harm, because it is only a hint."""
        if type(version) is int and 0 < version != DOORBELL_VERSION:
            others.put_back(version, {"part": part})
            return
        if not is_understood(version):
            return
        try:
            get_processor().process(Part.from_member(part if isinstance(part, str) else ""))
        except (Unreachable, WireError) as fault:
            _log.error("%s", fault)


class _OtherDoorbells:
    """Puts doorbells of other formats back, because another worker may read them. Without them, their parts would wait.

    A doorbell that nobody reads must not go round for ever, because the reconciler rings only when the queue is empty.
    """

    def __init__(self, doorbell: Doorbell) -> None:
        self._doorbell = doorbell
        self._seen: OrderedDict[tuple[int, str], tuple[int, float]] = OrderedDict()  # how often, and first when

    def put_back(self, version: int, words: Mapping[str, object]) -> None:
        """Put a doorbell back, unless this process has done so many times.

        Args:
            version: Format of the doorbell.
            words: What else it says.
        """
        now, key = time.monotonic(), (version, repr(words)[:_KEY_LENGTH])
        count, since = self._seen.get(key, (0, now))
        if now - since > FORGET_SECONDS:
            count, since = 0, now
        self._seen[key] = count + 1, since
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        if not count:
            is_understood(version)  # logs it
        if count < PUT_BACKS:
            time.sleep(PUT_BACK_SECONDS)
            self._doorbell.put_back(version, words)
