"""The doorbells: the only two messages that travel through Celery.

The one for workers names a part and carries nothing else (a claim check). The one for trainers names nothing. It does
no harm if a message is lost, doubled or late, because the ledger and the record of trainings hold the truth, and a
reconciler or a trainer rings again.

Whoever rings writes the message as Celery and kombu would, but without them: importing them and sending the first
message takes a client longer than a job of a hundred files, and each later message ten times as long as this does.
"""

import json
import logging
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError, RedisError

from worker.contract.ledger import Part
from worker.contract.queues import CLASSIFY, CLASSIFY_QUEUE, TRAIN, TRAIN_QUEUE

if TYPE_CHECKING:
    import redis

DOORBELL_VERSION = 1
"""Format of both messages."""

_log = logging.getLogger(__name__)


class Doorbell:
    """Tells workers and trainers that there is something to do.

    Args:
        client: Connection to the Redis of the queues.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._refused = False

    def ring(self, part: Part) -> bool:
        """Tell one of the workers that there is a part to claim. Return False if the message could not be sent."""
        return self._send(CLASSIFY, CLASSIFY_QUEUE, part=part.member)

    def ring_trainer(self) -> bool:
        """Tell one of the trainers that a training may wait. Return False if the message could not be sent."""
        return self._send(TRAIN, TRAIN_QUEUE)

    def put_back(self, version: int, words: Mapping[str, object]) -> bool:
        """Send a doorbell of another format again, as it came. Return False if the message could not be sent."""
        return self._send(CLASSIFY, CLASSIFY_QUEUE, **{**words, "version": version})

    @staticmethod
    def message(part: Part) -> tuple[str, str]:
        """Return the list of doorbells, and what `ring` puts there. `Ledger.submit` does it in the same step."""
        return CLASSIFY_QUEUE, _encoded(CLASSIFY, CLASSIFY_QUEUE, part=part.member)

    def _send(self, task: str, queue: str, /, **words: object) -> bool:
        try:
            self._redis.lpush(queue, _encoded(task, queue, **words))
        except (RedisError, OSError) as fault:
            refused = isinstance(fault, NoPermissionError)
            level = logging.WARNING if refused and not self._refused else logging.DEBUG
            _log.log(level, "doorbell %s not sent: %s", task, fault)
            self._refused = self._refused or refused
            return False
        return True


def _encoded(task: str, queue: str, /, **words: object) -> str:
    return json.dumps(as_celery_sends_it(task, {"version": DOORBELL_VERSION, **words}, queue))


def is_understood(version: object) -> bool:
    """Return whether this program reads doorbells of that format. Log an error if it does not."""
    if version == DOORBELL_VERSION:
        return True
    _log.error(
        "ignored a doorbell of format %r, because this program reads format %d; another will follow. "
        "Run the same version of digitmill everywhere",
        version,
        DOORBELL_VERSION,
    )
    return False


def as_celery_sends_it(task: str, words: Mapping[str, Any], queue: str) -> dict[str, Any]:
    """Return the message with which Celery would ask for a task, as kombu stores it.

    This is version 2 of Celery's message protocol, of which a worker needs all these fields.

    Args:
        task: Name of the task.
        words: Its arguments.
        queue: Name of its queue.
    """
    identifier = str(uuid.uuid4())
    headers: dict[str, Any] = {
        "lang": "py",
        "task": task,
        "id": identifier,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": identifier,
        "parent_id": None,
        "argsrepr": "()",
        "kwargsrepr": repr(dict(words)),
        "origin": "",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return envelope([[], words, embedded], headers, "", queue, identifier)


def envelope(
    body: object, headers: Mapping[str, Any], exchange: str, routing_key: str, identifier: str | None = None
) -> dict[str, Any]:
    """Return a message as kombu stores it.

    Args:
        body: What becomes its body.
        headers: Its headers.
        exchange: Exchange that it came through.
        routing_key: Routing key with which it was sent.
        identifier: Its identifier; a new one by default.
    """
    identifier = identifier or str(uuid.uuid4())
    return {
        "body": json.dumps(body),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": {
            "correlation_id": identifier,
            "delivery_mode": 2,
            "delivery_info": {"exchange": exchange, "routing_key": routing_key},
            "priority": 0,
            "body_encoding": None,
            "delivery_tag": identifier,
        },
    }
