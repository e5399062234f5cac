"""The Celery application of workers, and its transport. Whoever can write to Redis can harm no process with a message.

kombu's own transport for Redis believes every message, whatever its size and fields. It also believes what Redis says
about where messages go: what was fetched and not acknowledged (`unacked`, `unacked_index`), and which queues belong to
an exchange (`_kombu.binding.*`). This transport keeps neither in Redis, because a lost doorbell is rung again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Annotated, Any, Literal, NoReturn, TypeAlias

import msgspec
from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.transport import redis as kombu_redis
from redis._parsers import _RESP2Parser
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR, SocketBuffer
from redis.exceptions import (
    ConnectionError,  # noqa: A004  redis-py's own name for it
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from worker.contract.connection import explain, is_transient
from worker.contract.doorbell import DOORBELL_VERSION, as_celery_sends_it
from worker.contract.errors import WireError
from worker.contract.ledger import Part
from worker.contract.queues import CLASSIFY, CLASSIFY_QUEUE, TRAIN, TRAIN_QUEUE
from worker.redis_address import RedisAddress
from worker.settings import Settings, without_password

MAX_BYTES = 8192
"""Size of the largest message that is read. A doorbell has about 1100 bytes."""

LOG_SECONDS = 10.0
"""Shortest time between two log lines about dropped messages."""

PAUSE_SECONDS = 1.0
"""Pause after a refusal of Redis."""

ANSWER_SECONDS = 10.0
"""Seconds without an answer after which a worker's connection counts as lost. Clients wait for less."""

_TASKS = {CLASSIFY_QUEUE: CLASSIFY, TRAIN_QUEUE: TRAIN}
_DISCARD_BYTES = 1 << 16

_REMOVE_UNLESS_LIST = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'list' or kind == 'none' then return false end
redis.call('UNLINK', KEYS[1])
return kind
"""

_log = logging.getLogger(__name__)


def make_app(redis_url: str, settings: Settings) -> Celery:
    """Return a Celery application for the Redis at a URL. It connects on first use.

    Args:
        redis_url: URL of Redis.
        settings: Settings of this process, which hold the time limit of a batch.
    """
    app = Celery("digitmill", broker=redis_url, set_as_current=False)
    app.conf.update(
        broker_transport="worker.contract.celery_transport:Transport",
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


# Checked before Celery sees it ------------------------------------------------------------------------------------


_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=512)]
_Name: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z_]{0,63}$")]


class _Version(msgspec.Struct):
    """What doorbells of all versions have among their words."""

    version: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class _Words(_Version):
    """The words of a doorbell of this version."""

    part: _Text | None = None


class _Embedded(msgspec.Struct):
    """What a worker would do after the task. A doorbell asks for nothing."""

    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


class _Headers(msgspec.Struct):
    """The headers that Celery or kombu would obey."""

    task: Literal["digitmill.classify", "digitmill.train"]
    id: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z-]{1,64}$")]
    eta: None = None
    expires: None = None
    group: None = None
    shadow: None = None
    retries: Literal[0] = 0
    timelimit: tuple[None, None] | None = None
    compression: None = None


class _Properties(msgspec.Struct):
    """The properties that kombu would obey."""

    body_encoding: None


class _Message(msgspec.Struct):
    """A message as kombu stores it."""

    body: str
    content_type: Literal["application/json"] = msgspec.field(name="content-type")
    content_encoding: Literal["utf-8"] = msgspec.field(name="content-encoding")
    headers: _Headers
    properties: _Properties


_messages = msgspec.json.Decoder(_Message)
_bodies = msgspec.json.Decoder(tuple[tuple[()], dict[_Name, _Text | int | float | bool | None], _Embedded])


def checked_message(raw: bytes, queue: str) -> dict[str, Any]:
    """Return a doorbell as the message that Celery may see. It has what was checked, and nothing else of the original.

    Args:
        raw: Message as it was in Redis.
        queue: Queue that it came from.

    Raises:
        WireError: It is not a doorbell of this queue.
    """
    if not 0 < len(raw) <= MAX_BYTES:
        raise WireError(f"It is empty, or has more than {MAX_BYTES} bytes.")
    try:
        message = _messages.decode(raw)
        _, words, _ = _bodies.decode(message.body)
        version = msgspec.convert(words, _Version).version
        if version == DOORBELL_VERSION:
            words = msgspec.to_builtins(msgspec.convert(words, _Words))
    except (ValueError, RecursionError) as fault:
        raise WireError(f"It is not a doorbell ({str(fault)[:200]}).") from None
    task = _TASKS[queue]
    if message.headers.task != task:
        raise WireError(f"It is a doorbell of another queue ({message.headers.task}).")
    if version == DOORBELL_VERSION and task == CLASSIFY:
        Part.from_member(str(words["part"] or ""))
    # Another version of the program may understand the words of another version, so they are kept.
    return as_celery_sends_it(task, {name: word for name, word in words.items() if word is not None}, queue)


# Read without more memory than a doorbell needs -------------------------------------------------------------------


class _BoundedBuffer(SocketBuffer):
    """Reads a value that is too large piece by piece, and throws it away."""

    def read(self, length: int, *arguments: Any, **options: Any) -> bytes:
        """Return a value of a number of bytes, or an empty one in its place if it is too large."""
        if length <= MAX_BYTES:
            return super().read(length, *arguments, **options)
        missing = length + 2  # the line ending
        missing -= len(self._buffer.read(missing))
        while missing > 0:
            piece = self._sock.recv(min(missing, _DISCARD_BYTES))
            if not piece:
                raise ConnectionError(SERVER_CLOSED_CONNECTION_ERROR)
            missing -= len(piece)
        return b""


class _BoundedParser(_RESP2Parser):
    """Parses replies of Redis. A message of 500 MB costs no memory."""

    def on_connect(self, connection: Any) -> None:
        """Begin to read from a connection."""
        super().on_connect(connection)
        self._buffer = _BoundedBuffer(connection._sock, self.socket_read_size, connection.socket_timeout)  # noqa: SLF001


# The transport ----------------------------------------------------------------------------------------------------


class Channel(kombu_redis.Channel):
    """Fetches doorbells, and passes on only what `checked_message` lets through."""

    ack_emulation = False  # what is fetched is remembered in this process, and not in Redis
    do_restore = False
    _in_poll: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._dropped, self._next_log, self._refusal = 0, 0.0, ""
        self.priority_steps = [0]  # one list for each queue
        self._sender: Any = None
        super().__init__(*arguments, **options)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return the arguments of a connection pool: those of all other connections of digitmill, and kombu's own."""
        options = RedisAddress.from_url(self.connection.client.hostname).connection_options()
        if asynchronous:
            options["connection_class"] = _watched(options["connection_class"], self)
        return options | {
            "max_connections": self.max_connections,
            "socket_timeout": self.socket_timeout,
            "socket_connect_timeout": self.socket_connect_timeout,
            "health_check_interval": self.health_check_interval,
            "parser_class": _BoundedParser,
            "protocol": 2,
        }

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """Yield the client that sends commands. kombu makes one for each, which takes longer than the command."""
        if self._sender is None or self._sender.connection_pool is not self.pool:
            self._sender = self._create_client()
        yield client or self._sender

    def _queue_bind(self, *_: Any) -> None:
        """Note nothing in Redis. A routing key is the name of its queue."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:  # noqa: ARG002  kombu's
        """Return the queue of a routing key."""
        return [routing_key]

    def _brpop_read(self, **options: Any) -> bool:
        """Read the reply that has arrived, and deliver the doorbell that it holds.

        Raises:
            Empty: It holds none.
        """
        try:
            queue, message = self._fetched(**options)
            self.connection._deliver(message, queue)  # noqa: SLF001  as kombu's own channel does
        finally:
            self._in_poll = None
        return True

    def _fetched(self, **options: Any) -> tuple[str, dict[str, Any]]:
        connection = self.client.connection
        try:
            reply = self.client.parse_response(connection, "BRPOP", **options)
        except ResponseError as fault:
            self._bear(fault)
        except self.connection_errors:
            connection.disconnect()  # then kombu connects again
            raise
        self._refusal = ""
        if not reply:
            raise Empty
        queue = reply[0].decode()
        try:
            return queue, checked_message(reply[1], queue)
        except WireError as fault:
            self._drop(queue, fault)

    def _drop(self, queue: str, fault: WireError) -> NoReturn:
        """Log that a message was dropped, unless there was such a line a moment ago."""
        self._dropped += 1
        if time.monotonic() >= self._next_log:
            _log.warning(
                "dropped %d messages in %s that digitmill did not send. The last: %s Find out who can write to Redis",
                self._dropped,
                queue,
                fault,
            )
            self._dropped, self._next_log = 0, time.monotonic() + LOG_SECONDS
        raise Empty

    def _bear(self, fault: ResponseError) -> NoReturn:
        """Go on after a refusal of Redis, which Celery would answer with reconnections without a pause."""
        if str(fault).startswith("WRONGTYPE") and self._remove_what_is_no_queue():
            raise Empty
        reason = explain(fault)
        if reason != self._refusal:
            level = logging.WARNING if is_transient(fault) else logging.ERROR
            _log.log(level, "cannot fetch doorbells now. %s", reason)
        self._refusal = reason
        if isinstance(fault, ReadOnlyError):
            self.client.connection.disconnect()  # the name of the host may by now lead to another master
        time.sleep(PAUSE_SECONDS)
        raise Empty

    def _remove_what_is_no_queue(self) -> bool:
        """Remove what somebody put in the place of a queue. Return False if that failed.

        Nobody could ring a doorbell until somebody removed it, and it holds nothing of ours.
        """
        try:
            with self.conn_or_acquire() as client:
                for queue in self.active_queues:
                    if kind := client.eval(_REMOVE_UNLESS_LIST, 1, queue):
                        _log.warning("removed a %s from Redis that stood in the place of %s", kind.decode(), queue)
        except (RedisError, OSError) as fault:
            _log.warning("could not remove what stands in the place of a queue: %s", fault)
            return False
        return True


class Transport(kombu_redis.Transport):
    """Celery's transport for doorbells (setting `broker_transport`)."""

    Channel = Channel
    can_parse_url = True  # so the channel gets the whole URL

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "") -> str:  # noqa: ARG002  kombu's
        """Return a URL without its password, for logs."""
        return without_password(uri)


def _watched(connection_class: Any, channel: Channel) -> Any:
    """Return a class of connections that tell kombu's event loop when they end."""

    class Watched(connection_class):
        """A connection that the event loop listens to."""

        def disconnect(self, *arguments: Any, **options: Any) -> None:
            """Disconnect."""
            super().disconnect(*arguments, **options)
            if channel._registered:  # noqa: SLF001  as kombu's own channel does
                channel._on_connection_disconnect(self)  # noqa: SLF001

    return Watched
