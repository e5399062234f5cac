"""What Celery's own tools (`celery inspect`, Flower, exporters) may ask of a worker or a trainer, and what they see.

Off by default, because whoever can write to the broker could stop workers: Celery's commands shut a worker down, revoke
tasks, or make a worker listen to other queues. So a worker that serves these tools obeys only commands that look.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from celery import Celery
from celery.app.control import Control
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from kombu.pidbox import Mailbox

from worker.settings import without_password

OBEYED = frozenset(
    {"ping", "stats", "active", "active_queues", "registered", "reserved", "scheduled", "revoked", "enable_events"}
)
"""The commands that change nothing. `enable_events` is one of them, because events are on."""

EVENTS_TOGETHER = 500
"""Maximum number of events of tasks that travel in one message."""

EVENT_SECONDS = 1.0
"""Time for which a worker gathers the events of its tasks, unless there are `EVENTS_TOGETHER`."""

_log = logging.getLogger(__name__)


def serve_tools(app: Celery) -> None:
    """Let a process that is about to start answer Celery's tools, and send events. Call this before it connects.

    Args:
        app: Application of `worker.contract.broker.application.make_app`.
    """
    app.control_cls, app.events_cls = _Control, _Events
    app.conf.update(
        worker_enable_remote_control=True,
        worker_send_task_events=True,
        control_queue_expires=None,  # commands pass through no list of Redis, so there is nothing to expire
    )


class _Mailbox(Mailbox):
    """Hands out the commands that a worker obeys."""

    def Node(self, hostname: Any = None, state: Any = None, channel: Any = None, handlers: Any = None) -> Any:  # noqa: N802  kombu's
        """Return the node of a worker, which refuses all other commands."""
        return super().Node(hostname, state, channel, _Handlers(handlers))


class _Control(Control):
    Mailbox = _Mailbox


class _Handlers(dict[str, Callable[..., Any]]):
    """Celery's handlers of the commands that are obeyed. Any other command is answered with a refusal."""

    def __init__(self, handlers: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__({name: handlers[name] for name in OBEYED})
        self["stats"] = partial(_stats, handlers["stats"])

    def __missing__(self, command: str) -> Callable[..., Any]:
        return partial(_refuse, command)


def _refuse(command: str, _: Any) -> dict[str, str]:
    return {"error": f"digitmill does not obey {command}: Celery's tools may only look."}


def _stats(celery_stats: Callable[..., dict[str, Any]], state: Any) -> dict[str, Any]:
    """Return Celery's statistics without the password of Redis: Celery shows our whole URL as the name of its host."""
    stats = celery_stats(state)
    return stats | {"broker": {"hostname": without_password(str(state.app.conf.broker_url))}}


class _Events(Events):
    """Makes dispatchers that cost little."""

    @property
    def dispatcher_cls(self) -> type:
        """The class of dispatchers."""
        return _Dispatcher


class _Dispatcher(EventDispatcher):
    """Sends events, many together. If Redis does not take them, they are dropped, and nobody waits.

    Celery's own dispatcher sends the two or three events of each turn of its loop, and keeps events that it could not
    send, without a limit.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._next = 0.0
        super().__init__(
            *arguments, **options | {"buffer_limit": EVENTS_TOGETHER, "on_send_buffered": self._flush_in_time}
        )

    def _flush_in_time(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVENT_SECONDS
            self.flush()

    def send(self, type: str, *arguments: Any, **fields: Any) -> Any:  # noqa: A002  Celery's name
        """Send an event. A heartbeat also sends what was gathered."""
        sent = super().send(type, *arguments, **fields)
        if type == "worker-heartbeat":
            self.flush()
        return sent

    def _publish(self, event: Any, producer: Any, routing_key: str, **_: Any) -> None:
        super()._publish(event, producer, routing_key)  # without a retry, which could last as long as Redis is away
        if self._outbound_buffer:
            _log.debug("events were dropped")
            self._outbound_buffer.clear()
