"""The Celery task that a doorbell rings for. It reads the doorbell, and the `BatchProcessor` does the work."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping

from celery import Celery

from worker.classifying.batch_processor import BatchProcessor
from worker.contract.doorbell import DOORBELL_VERSION, Doorbell, is_understood
from worker.contract.errors import Unreachable, WireError
from worker.contract.ledger import Part
from worker.contract.queues import CLASSIFY

PUT_BACK_SECONDS = 0.2
"""Pause before a doorbell of another format is put back. Meanwhile workers that read it can empty the queue."""

PUT_BACKS = 25
"""Number of times that a process puts one doorbell back. After that, nobody seems to read it."""

PUT_BACKS_A_MINUTE = 40
"""Number of times that a process puts any doorbells back within a minute, so that it pauses for 8 s at most.

It drops the others, and the reconcilers of their clients ring again."""

FORGET_SECONDS = 60.0
"""Time without a doorbell after which a process begins to put it back again. By then a reconciler has rung anew."""

_REMEMBERED = 1000
_KEY_LENGTH = 200
"""Number of doorbells of another format that a process remembers, and the number of characters of each."""

_log = logging.getLogger(__name__)


def register(app: Celery, doorbell: Doorbell, get_processor: Callable[[], BatchProcessor]) -> None:
    """Add the task to the application.

    Args:
        app: Celery application.
        doorbell: What puts doorbells of other formats back.
        get_processor: Function that returns this process's batch processor. It is called in the classifying process,
            after its start.
    """
    others = OtherDoorbells(doorbell)

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


class OtherDoorbells:
    """Puts doorbells of other formats back, because another worker may read them. Without them, their parts would wait.

    A doorbell that nobody reads must not go round for ever, because the reconciler rings only when the queue is empty.
    Many of them must not keep a process from the doorbells that it reads.

    Args:
        doorbell: What rings again.
        clock: Function that returns a time in seconds, which is never set back.
        pause: Function that waits for a number of seconds.
    """

    def __init__(
        self,
        doorbell: Doorbell,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._doorbell, self._clock, self._pause = doorbell, clock, pause
        self._seen: OrderedDict[tuple[int, str], tuple[int, float]] = OrderedDict()  # how often, and when last
        self._put_back: deque[float] = deque(maxlen=PUT_BACKS_A_MINUTE)  # when

    def put_back(self, version: int, words: Mapping[str, object]) -> bool:
        """Put a doorbell back, unless this process has done so many times. Return whether it did.

        Args:
            version: Format of the doorbell.
            words: What else it says.
        """
        now, key = self._clock(), (version, repr(words)[:_KEY_LENGTH])
        count, last = self._seen.pop(key, (0, now))
        if now - last > FORGET_SECONDS:
            count = 0
        self._seen[key] = count + 1, now
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        spent = len(self._put_back) == PUT_BACKS_A_MINUTE and now - self._put_back[0] < 60
        if spent or count >= PUT_BACKS:
            return False
        if not count:
            is_understood(version)  # logs it
        self._put_back.append(now)
        self._pause(PUT_BACK_SECONDS)
        return self._doorbell.put_back(version, words)
