"""Reads large replies of Redis without copying them several times."""

import io
from typing import Any

from redis import exceptions
from redis._parsers import _RESP3Parser
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR, SocketBuffer

LARGE_BYTES = 64 * 1024
"""Size from which a value is read into a place of its own. redis-py would put it together from pieces in a buffer, copy
it out of there and cut it, which takes two to four times as long (CPU time of a value of 800 kB)."""

MAX_AT_ONCE_BYTES = 128 * 1024 * 1024
"""Size up to which its place is taken before it has arrived. No value of digitmill is larger."""


class _LargeValues(SocketBuffer):
    """Receives what follows the beginning of a large value where the value is to be."""

    def read(self, length: int, *arguments: Any, **options: Any) -> bytes:
        """Return a value of a number of bytes."""
        if not LARGE_BYTES <= length <= MAX_AT_ONCE_BYTES:
            return super().read(length, *arguments, **options)
        value = io.BytesIO()
        value.seek(length - 1)
        value.write(b"\0")  # takes the memory
        with value.getbuffer() as place:
            there = self._buffer.readinto(place)
            while there < length:
                there += self._receive(place[there:])
        super().read(0, *arguments, **options)  # the line ending
        return value.getvalue()  # without a copy, because the place is not larger

    def _receive(self, place: memoryview) -> int:
        try:
            received = self._sock.recv_into(place)
        except TimeoutError as fault:
            raise exceptions.TimeoutError("Timeout reading from socket") from fault
        if not received:
            raise exceptions.ConnectionError(SERVER_CLOSED_CONNECTION_ERROR)
        return received


class ReplyParser(_RESP3Parser):
    """Parses replies of Redis (`redis.ConnectionPool`)."""

    def on_connect(self, connection: Any) -> None:
        """Begin to read from a connection."""
        super().on_connect(connection)  # type: ignore[no-untyped-call]
        self._buffer = _LargeValues(connection._sock, self.socket_read_size, connection.socket_timeout)  # noqa: SLF001  as redis-py's own does
