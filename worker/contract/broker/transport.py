"""Celery's transport for doorbells and its own tools. Whoever can write to Redis can harm no process with a message.

kombu's own transport for Redis believes every message, whatever its size and fields. It also believes what Redis says
about where messages go: what was fetched and not acknowledged (`unacked`, `unacked_index`), and which queues belong to
an exchange (`_kombu.binding.*`). This transport keeps neither in Redis, because a lost doorbell is rung again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Any, NoReturn

from kombu.transport import redis as kombu_redis
from redis._parsers import _RESP2Parser
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR, SocketBuffer
from redis.exceptions import (
    ConnectionError,  # noqa: A004  redis-py's own name for it
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from worker.contract.broker.messages import MAX_BYTES, checked_command, checked_message
from worker.contract.connection import explain, is_transient
from worker.contract.errors import WireError
from worker.contract.queues import COMMANDS, REPLIES
from worker.redis_address import RedisAddress
from worker.settings import without_password

LOG_SECONDS = 10.0
"""Shortest time between two log lines about dropped messages."""

PAUSE_SECONDS = 1.0
"""Pause after a refusal of Redis."""

REPLIES_KEPT_MS = 60_000
"""Time, in ms, after which Redis forgets the replies to a tool that has ended before it read them."""

_DISCARD_BYTES = 1 << 16

_REMOVE_UNLESS_LIST = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'list' or kind == 'none' then return false end
redis.call('UNLINK', KEYS[1])
return kind
"""

_log = logging.getLogger(__name__)


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

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:  # noqa: ARG002  kombu's
        """Note nothing in Redis. A routing key is the name of its queue."""
        if exchange == COMMANDS:
            self._fanout_queues[queue] = exchange, ""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:  # noqa: ARG002  kombu's
        """Return the queue of a routing key."""
        return [f"{routing_key}.{REPLIES}" if exchange == REPLIES else routing_key]

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        """Put a message into a queue."""
        super()._put(queue, message, **options)
        if queue.endswith(REPLIES):
            with self.conn_or_acquire() as client:
                client.pexpire(queue, REPLIES_KEPT_MS)

    # Commands come through a channel, so they have no list in Redis.

    def _size(self, queue: str) -> int:
        return 0 if queue.endswith(COMMANDS) else int(super()._size(queue))

    def _delete(self, *_: Any, **__: Any) -> None:
        """Delete nothing in Redis."""

    def _subscribe(self) -> None:
        """Listen to commands. kombu subscribes to a pattern, for which each database would need a right."""
        topics = [topic for queue in self.active_fanout_queues for topic in self._get_subscribe_topics(queue)]
        if topics:
            if self.subclient.connection._sock is None:  # noqa: SLF001  as kombu's own channel does
                self.subclient.connection.connect()
            self._in_listen = self.subclient.connection
            self.subclient.subscribe(topics)

    def _unsubscribe_from(self, queue: str) -> None:
        client = self.subclient
        if client.connection and client.connection._sock:  # noqa: SLF001  as kombu's own channel does
            client.unsubscribe(self._get_subscribe_topics(queue))

    def _receive_one(self, client: Any) -> Any:
        try:
            return super()._receive_one(client)
        except ResponseError as fault:
            _log.error("Celery's tools cannot reach this process. %s", explain(fault))
            raise Empty from None

    def _handle_message(self, client: Any, reply: Any) -> dict[str, Any]:
        """Return what came through the channel of commands, checked and built again."""
        received: dict[str, Any] = super()._handle_message(client, reply)
        if received["type"] == b"message":
            try:
                received["data"] = checked_command(received["data"])
            except WireError as fault:
                self._count_dropped(COMMANDS, fault)
                received["data"] = b""
        return received

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
        self._count_dropped(queue, fault)
        raise Empty

    def _count_dropped(self, queue: str, fault: WireError) -> None:
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
