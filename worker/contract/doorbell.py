"""The Celery application, and the doorbells: the only two messages that travel through it.

The one for workers names a part and carries nothing else (a claim check). The one for trainers names nothing. It does
no harm if a message is lost, doubled or late, because the ledger and the record of trainings hold the truth, and a
reconciler or a trainer rings again.
"""

import logging
from collections.abc import Mapping

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import NoPermissionError, RedisError

from worker.contract.ledger import Part
from worker.contract.queues import CLASSIFY, CLASSIFY_QUEUE, TRAIN, TRAIN_QUEUE
from worker.settings import Settings

DOORBELL_VERSION = 1
"""Format of both messages."""

ANSWER_SECONDS = 10.0
"""Seconds without an answer after which a worker's connection counts as lost. Clients wait for less."""

_log = logging.getLogger(__name__)


def make_app(redis_url: str, settings: Settings, *, answer_seconds: float = ANSWER_SECONDS) -> Celery:
    """Return a Celery application for the Redis at a URL. It connects on first use.

    Args:
        redis_url: URL of Redis.
        settings: Settings of this process, which hold the time limit of a batch.
        answer_seconds: Seconds without an answer after which a connection counts as lost.
    """
    app = Celery("digitmill", broker=redis_url, set_as_current=False)
    app.conf.update(
        broker_transport="worker.contract.broker.transport:Transport",
        # Celery sends and reads only JSON. Results live in the ledger, never in a Celery backend.
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        # The ledger counts attempts. Celery keeps a doorbell until its part is answered, and drops it with its worker.
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_acks_on_failure_or_timeout=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=2,
        task_soft_time_limit=settings.time_limit_seconds,
        task_time_limit=settings.time_limit_seconds + 5,
        worker_soft_shutdown_timeout=10,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_connection_timeout=3,
        broker_heartbeat=0,
        broker_transport_options={
            "socket_timeout": answer_seconds,
            "socket_connect_timeout": min(3, answer_seconds),
            "health_check_interval": 5,
            "body_encoding": None,  # the body is JSON: base64 would only make it longer
            "queue_order_strategy": "sorted",
        },
        task_default_queue=CLASSIFY_QUEUE,
        task_queues=[queue(CLASSIFY_QUEUE)],
        task_default_exchange="digitmill",
        task_default_routing_key=CLASSIFY_QUEUE,
        # A worker listens to every queue in `task_queues`, so the queue of trainers stands only here.
        task_routes={CLASSIFY: {"queue": CLASSIFY_QUEUE}, TRAIN: {"queue": queue(TRAIN_QUEUE)}},
    )
    return app


class Doorbell:
    """Tells workers and trainers that there is something to do.

    Args:
        app: Application of `make_app`.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._refused = False

    def ring(self, part: Part) -> bool:
        """Tell one of the workers that there is a part to claim. Return False if the message could not be sent."""
        return self._send(CLASSIFY, part=part.member)

    def ring_trainer(self) -> bool:
        """Tell one of the trainers that a training may wait. Return False if the message could not be sent."""
        return self._send(TRAIN)

    def put_back(self, version: int, words: Mapping[str, object]) -> bool:
        """Send a doorbell of another format again, as it came. Return False if the message could not be sent."""
        return self._send(CLASSIFY, **{**words, "version": version})

    def _send(self, task: str, **words: object) -> bool:
        try:
            # A worker's own application would send its time limits along, and each worker has its own.
            self._app.send_task(
                task,
                kwargs={"version": DOORBELL_VERSION, **words},
                ignore_result=True,
                retry=False,
                time_limit=None,
                soft_time_limit=None,
            )
        except (OperationalError, RedisError, OSError) as fault:
            refused = isinstance(fault.__cause__ or fault, NoPermissionError)
            level = logging.WARNING if refused and not self._refused else logging.DEBUG
            _log.log(level, "doorbell %s not sent: %s", task, fault)
            self._refused = self._refused or refused
            return False
        return True


def queue(name: str) -> Queue:
    """Return the queue of that name, as senders and receivers declare it."""
    return Queue(name, Exchange("digitmill", type="direct"), routing_key=name)


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
