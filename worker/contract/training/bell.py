"""The doorbell of trainings: a Celery message that names nothing, for the record says what there is to do."""

import logging

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

TRAIN = "digitmill.train"
"""Name of the task that the doorbell rings for; senders need no more of the task than this."""

TRAIN_QUEUE = "digitmill.train"
BELL_VERSION = 1

_log = logging.getLogger(__name__)


def queue() -> Queue:
    """The queue that only trainers listen to."""
    return Queue(TRAIN_QUEUE, Exchange("digitmill", type="direct"), routing_key=TRAIN_QUEUE)


def ring(app: Celery) -> bool:
    """Tell some trainer to look at the record; return False if the message could not be sent, which costs nothing."""
    try:
        app.send_task(TRAIN, kwargs={"version": BELL_VERSION}, queue=queue(), ignore_result=True, retry=False)
    except (OperationalError, RedisError, OSError) as fault:
        _log.debug("no trainer rung for: %s", fault)
        return False
    return True
