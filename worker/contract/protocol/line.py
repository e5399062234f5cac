"""A connection to Redis for commands that are sent hundreds of times a second, with few steps between them and it.

redis-py packs each command anew, and takes several calls for each element of a reply. For a single image that would
cost more than its classification. So a command is packed once, and its replies are read here. redis-py still connects:
it knows about passwords, TLS and Sentinels.
"""

import time
from collections.abc import Callable
from typing import Any

import redis
from redis import exceptions
from redis._parsers import BaseParser
from redis.exceptions import RedisError, ResponseError

from worker.sentinel import is_read_only

IDLE_SECONDS = 1.0
"""Seconds after which the other side may have closed a connection, so that it is checked before it is used."""

MAX_VALUE_BYTES = 512 * 2**20
"""Maximum size of a value in Redis, as it comes."""

_FIRST_BYTES = 16 * 1024
"""Number of bytes to ask for while it is not known how many there are. More would be reserved in vain each time."""

READ_BYTES = 256 * 1024
"""Maximum number of bytes to ask for at once. 1 MiB at once is not faster, and takes more memory."""

_END = b"\r\n"


def packed(*words: bytes | str | float, more: int = 0) -> bytes:
    """Return a command as it travels, or the beginning of one.

    Args:
        words: Its words.
        more: Number of words that `word` adds at its end.
    """
    return b"".join([b"*%d\r\n" % (len(words) + more), *map(word, words)])


def word(text: bytes | str | float) -> bytes:
    """Return one word of a command as it travels."""
    data = text if isinstance(text, bytes) else str(text).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


class Line:
    """A connection that is borrowed once, because the pool would take longer to lend it than an exchange lasts.

    One thread uses it. If a method raises an error, the connection is closed, so no reply is taken for that of another
    command. The next method connects again.

    Args:
        client: Connection of `connection.connect`.
        greet: Function that is called with the line after each time that it has connected.
        at_most: Maximum size of a value in a reply, in bytes. A larger one is not read.
    """

    def __init__(
        self,
        client: "redis.Redis",
        greet: Callable[["Line"], None] = lambda _: None,
        *,
        at_most: int = MAX_VALUE_BYTES,
    ) -> None:
        self._client = client  # kept, because the connection ends with it
        self._greet, self._at_most = greet, at_most
        self._connection: Any = None
        self._socket: Any = None  # that of the connection, while its greeting was sent
        self._used = 0.0  # time of the last command
        self._due = 0  # number of replies that were not read yet
        self._listens = False  # whether Redis may send something at any time
        self._data, self._at = b"", 0  # what was received, and how much of it was read
        self._patience = -1.0  # seconds that `receive_push` has waited the last time

    def send(self, commands: bytes, *, replies: int) -> None:
        """Send commands.

        Args:
            commands: Commands of `packed`, one after the other.
            replies: Number of replies that they have.

        Raises:
            redis.exceptions.RedisError: Redis cannot be reached.
        """
        self.connect()
        try:
            self._socket.sendall(commands)
        except BaseException as fault:
            raise self._lost(fault) from None
        self._due += replies

    def receive(self) -> Any:
        """Return the next reply. An error of a command is returned, not raised.

        Raises:
            redis.exceptions.RedisError: Redis does not answer, or is a replica by now.
        """
        try:
            while True:
                is_push = self._peek() == b">"  # what nobody has asked for
                reply = self._reply()
                if not is_push:
                    break
        except BaseException as fault:
            raise self._lost(fault) from None
        self._due = max(self._due - 1, 0)
        if isinstance(reply, ResponseError) and is_read_only(reply):
            self.disconnect()  # so that the next command finds the master
            raise reply
        return reply

    def receive_push(self, seconds: float) -> Any:
        """Return what Redis sends of its own accord, or the reply to a command; or None if there is neither in time.

        Args:
            seconds: Maximum time to wait.

        Raises:
            redis.exceptions.RedisError: The connection is lost.
        """
        self._listens = True
        self.connect()
        try:
            if seconds != self._patience:
                self._socket.settimeout(seconds)
                self._patience = seconds
            if self._at == len(self._data):
                try:
                    self._fill()
                except TimeoutError:
                    return None
            return self._reply()
        except BaseException as fault:
            raise self._lost(fault) from None

    def connect(self) -> None:
        """Connect, unless the line is connected. Check that, if it was not used for a while.

        Raises:
            redis.exceptions.RedisError: Redis cannot be reached.
        """
        now = time.monotonic()
        was_idle = now - self._used > IDLE_SECONDS and not self._due and not self._listens
        if self._socket is not None and was_idle and self._is_closed():
            self.disconnect()
        self._used = now
        if self._socket is not None:
            return
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        else:
            self._connection.connect()
        self._socket = self._connection._sock  # noqa: SLF001  redis-py has no other way to it
        self._data, self._at, self._due, self._patience = b"", 0, 0, -1.0
        try:
            self._greet(self)
        except BaseException:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Close the connection. Any thread may call this."""
        self._socket = None
        if self._connection is not None:
            self._connection.disconnect()

    def _lost(self, fault: BaseException) -> BaseException:
        """Close the connection, and return what to raise for a fault."""
        was_closed = self._socket is None  # by another thread, so anything may have failed
        self.disconnect()
        if isinstance(fault, TimeoutError):
            return exceptions.TimeoutError("Timeout while talking to Redis")
        if isinstance(fault, OSError) or (was_closed and isinstance(fault, AttributeError | ValueError)):
            return exceptions.ConnectionError(f"Error while talking to Redis: {fault}.")
        return fault

    def _is_closed(self) -> bool:
        """Return whether Redis has closed the connection: it was restarted, or closes idle connections."""
        try:
            return bool(self._connection.can_read())  # nothing else is due
        except (RedisError, OSError):
            return True

    # Replies, in both versions of the protocol of Redis -----------------------------------------------------------

    def _peek(self) -> bytes:
        if self._at == len(self._data):
            self._fill()
        return self._data[self._at : self._at + 1]

    def _reply(self) -> Any:
        while (end := self._data.find(_END, self._at)) < 0:
            self._fill()
        kind, rest = self._data[self._at : self._at + 1], self._data[self._at + 1 : end]
        self._at = end + 2
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._bytes(size)
        if kind in (b"*", b">"):
            count = int(rest)
            return None if count < 0 else [self._reply() for _ in range(count)]
        if kind == b"+":
            return rest
        if kind == b"_":
            return None
        if kind == b"-":
            return _as_error(rest)
        raise exceptions.InvalidResponse(f"Protocol Error: {(kind + rest)[:80]!r}")

    def _bytes(self, size: int) -> bytes:
        if size > self._at_most:
            raise exceptions.InvalidResponse(
                f"A value in Redis has {size:,} bytes, and at most {self._at_most:,} are read."
            )
        missing = self._at + size + 2 - len(self._data)
        if missing > 0:
            pieces = [self._data[self._at :]]
            while missing > 0:
                pieces.append(self._received(min(max(missing, _FIRST_BYTES), READ_BYTES)))
                missing -= len(pieces[-1])
            self._data, self._at = b"".join(pieces), 0
        start, self._at = self._at, self._at + size + 2
        return self._data[start : start + size]

    def _fill(self) -> None:
        data = self._received(_FIRST_BYTES)
        self._data, self._at = self._data[self._at :] + data, 0

    def _received(self, size: int) -> bytes:
        received = self._socket
        data: bytes = b"" if received is None else received.recv(size)
        if not data:
            raise exceptions.ConnectionError("Connection closed by server.")
        return data


def _as_error(text: bytes) -> RedisError:
    """Return the error that a reply of Redis is."""
    error: RedisError = BaseParser.parse_error(text.decode("utf-8", "replace"))  # type: ignore[no-untyped-call]
    if isinstance(error, exceptions.ConnectionError):  # Redis ends the connection, as it does while it loads its data
        raise error
    return error
