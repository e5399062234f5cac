"""The Celery application of workers, trainers and schedulers. A process that only rings a doorbell does not need it."""

from celery import Celery
from kombu.entity import Exchange, Queue

from worker.contract.queues import CLASSIFY, CLASSIFY_QUEUE, TRAIN, TRAIN_QUEUE
from worker.settings import Settings

ANSWER_SECONDS = 10.0
"""Seconds without an answer after which a worker's connection counts as lost. Clients wait for less."""


def make_app(redis_url: str, settings: Settings) -> Celery:
    """Return a Celery application for the Redis at a URL. It connects on first use.

    Args:
        redis_url: URL of Redis.
        settings: Settings of this process, which hold the time limit of a batch.
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
            "socket_timeout": ANSWER_SECONDS,
            "socket_connect_timeout": 3,
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


def queue(name: str) -> Queue:
    """Return the queue of that name, as senders and receivers declare it."""
    return Queue(name, Exchange("digitmill", type="direct"), routing_key=name)
