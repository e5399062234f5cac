"""The Celery application, and the doorbell: the one message that ever travels through it.

The message names a part and carries nothing else (a claim check). Losing it, doubling it or delaying it is harmless:
the ledger holds what is true, and a reconciler rings again.
"""

import logging

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from worker.contract.ledger import Part
from worker.settings import Settings

CLASSIFY = "digitmill.classify"
"""Name of the task that a doorbell rings for; senders need no more of the task than this."""

CLASSIFY_QUEUE = "digitmill.classify"
DOORBELL_VERSION = 1

_log = logging.getLogger(__name__)


def make_app(redis_url: str, settings: Settings) -> Celery:
    """Return a Celery application for that Redis; it connects on first use."""
    app = Celery("digitmill", broker=_broker_url(redis_url), set_as_current=False)
    app.conf.update(
        # Only JSON is sent or read; results live in the ledger, never in a Celery backend.
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        # The ledger counts attempts; a doorbell is kept until its part is answered, and dropped with its worker.
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
            "visibility_timeout": 3600,  # redelivery is the reconciler's work, not kombu's
            "unacked_restore_interval": 60,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "health_check_interval": 5,
            "body_encoding": None,  # the body is JSON: base64 would only make it longer
            "queue_order_strategy": "sorted",
        },
        task_default_queue=CLASSIFY_QUEUE,
        task_queues=[Queue(CLASSIFY_QUEUE, Exchange("digitmill", type="direct"), routing_key=CLASSIFY_QUEUE)],
        task_default_exchange="digitmill",
        task_default_routing_key=CLASSIFY_QUEUE,
        task_routes={CLASSIFY: {"queue": CLASSIFY_QUEUE}},
    )
    return app


class Doorbell:
    """Rings for parts, and hears whether anybody still has to answer."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ring(self, part: Part) -> bool:
        """Tell some worker that there is a part to claim; return False if the message could not be sent."""
        try:
            self._app.send_task(
                CLASSIFY, kwargs={"version": DOORBELL_VERSION, "part": part.member}, ignore_result=True, retry=False
            )
        except (OperationalError, RedisError, OSError) as fault:
            _log.debug("doorbell for %s not sent: %s", part.member, fault)
            return False
        return True


def _broker_url(redis_url: str) -> str:
    # kombu spells a Unix socket its own way.
    return redis_url.replace("unix://", "redis+socket://", 1) if redis_url.startswith("unix://") else redis_url
