"""The lane in Redis: clients put calls in and take answers out, and workers do the reverse."""

import logging
import math
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from worker.contract.gate.keys import GATE
from worker.contract.lane import keys
from worker.contract.lane.keys import CallKind
from worker.contract.scripts import load_scripts
from worker.contract.validation.reading import CheckedRedis, count, naming

MAX_WAITING = 1024
"""Maximum number of calls of one kind that wait."""

MAX_WAITING_BYTES = 64 * 2**20
"""Maximum of the size of a call, in bytes, times the number of calls that wait with it."""

MAX_REPLIES = 1024
"""Maximum number of answers that wait for one client, not counting those of the last exchange of each worker.

A client takes them out at once, unless it has died.
"""

CLOCK_SECONDS = 1.0
"""Seconds after which a worker asks Redis for its time again, because somebody may set the clock of Redis."""

REPLY_SECONDS = 60.0
"""Time after which Redis forgets the answers to a client that does not take them."""

IDLE_SECONDS = 1.0
"""Seconds after which the other side may have closed a connection, so that it is checked before it is used."""

_log = logging.getLogger(__name__)


PAUSED = -1
"""Number of a call that was not sent, because the queue is paused."""


class Sent(NamedTuple):
    """The reply to a call that was sent."""

    sequence: int  # number of the call among all of its kind, 0 if the lane is full, or PAUSED
    now: int  # time of Redis: unix time, ms


class Standing(NamedTuple):
    """Where the calls of one kind stand."""

    sent: int  # number of calls that were ever sent
    waiting: int  # number of those that no worker has taken

    def waits(self, sequence: int) -> bool:
        """Return whether the call with this sequence number waits for a worker."""
        return self.sent - self.waiting < sequence <= self.sent


class Lane:
    """The lane, as its clients use it, and whoever answers a call for a process that has died.

    Threads may share it. One that sends and one that waits for answers do not hinder each other.

    No method waits longer than it says, or retries. Every method raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._redis: Any = CheckedRedis(client)
        self._send = load_scripts(client, "worker.contract.lane", ("send",))["send"]
        self._sending, self._waiting = _Line(client), _Line(client)

    def send(self, kind: CallKind, call: bytes) -> Sent:
        """Put a call into the lane, unless that is full or the queue is paused.

        Args:
            kind: What the call carries.
            call: The encoded call.
        """
        names, values = (keys.CALLS[kind], keys.SENT, GATE), (kind.value, call, MAX_WAITING, MAX_WAITING_BYTES)
        [reply] = self._sending.exchange([("EVALSHA", self._send.sha, len(names), *names, *values)])
        if isinstance(reply, NoScriptError):
            reply = self._send(keys=names, args=values)
        return Sent(*_value(reply))

    def standing(self, kind: CallKind) -> Standing:
        """Return where the calls of one kind stand.

        Raises:
            WireError: A key holds another type than the lane stores there.
        """
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hget(keys.SENT, kind.value)
        pipeline.llen(keys.CALLS[kind])
        sent, waiting = pipeline.execute()
        try:
            return Standing(count(sent), waiting)
        except ValueError:
            return Standing(0, waiting)  # the next call replaces what is not a number

    def next_answer(self, client: str, seconds: float) -> bytes | None:
        """Return the next answer to a client, encoded, or None if there is none in time.

        Args:
            client: Identifier of the client.
            seconds: Maximum time to wait.
        """
        key = keys.replies(client)
        [reply] = self._waiting.exchange([("BLPOP", key, seconds)])
        with naming(key):
            found = _value(reply)
        return found[1] if found else None

    def answer(self, client: str, answer: bytes) -> None:
        """Send an encoded answer to a client."""
        pipeline = self._redis.pipeline(transaction=False)
        for command in (*_answering(client, answer), ("LTRIM", keys.replies(client), -MAX_REPLIES, -1)):
            pipeline.execute_command(*command)
        pipeline.execute()


class Receiver:
    """The lane, as one thread of a worker uses it: it sends its last answers and takes the next call in one exchange.

    Args:
        client: Connection of `connection.connect`.
        kind: Kind of the calls to take.
    """

    def __init__(self, client: "redis.Redis", kind: CallKind) -> None:
        self._line = _Line(client)
        self._key = keys.CALLS[kind]
        self._behind: set[str] = set()  # clients for which too many answers wait
        self._clock_ahead, self._ask_at = 0, -math.inf  # how far the clock of Redis is ahead of the monotonic one, ms

    def exchange(self, answers: Sequence[tuple[str, bytes]], seconds: float) -> tuple[bytes | None, int]:
        """Send answers, and wait for the next call.

        If the exchange fails, it may be repeated, because clients ignore an answer that comes twice.

        Args:
            answers: Identifiers of clients, and the encoded answers to them.
            seconds: Maximum time to wait.

        Returns:
            The call, encoded, or None if there is none in time; and the time of Redis (unix time, ms).

        Raises:
            redis.exceptions.RedisError: Redis does not answer, or refuses.
        """
        # A command costs this process as much as a part of its work, so each exchange has only those that it needs.
        trimmed = [("LTRIM", keys.replies(client), -MAX_REPLIES, -1) for client in self._behind]
        pushed = [command for client, answer in answers for command in _answering(client, answer)]
        asked = [] if time.monotonic() < self._ask_at else [("TIME",)]
        began = time.monotonic()
        replies = self._line.exchange([*trimmed, *pushed, *asked, ("BRPOP", self._key, seconds)])
        answered = replies[len(trimmed) : len(trimmed) + len(pushed)]
        for reply in answered:  # without an answer, a client asks again; but the call that was taken must not be lost
            if isinstance(reply, ResponseError):
                _log.warning("Redis refused an answer: %s", reply)
        waiting = zip(answers, answered[::2], strict=True)
        self._behind = {client for (client, _), count in waiting if isinstance(count, int) and count > MAX_REPLIES}
        if asked:
            whole, millionths = _value(replies[-2])
            self._clock_ahead = int(whole) * 1000 + int(millionths) // 1000 - int(1000 * began)
            self._ask_at = began + CLOCK_SECONDS
        found = _value(replies[-1])
        return found[1] if found else None, self._clock_ahead + int(1000 * time.monotonic())


def _answering(client: str, answer: bytes) -> tuple[tuple[Any, ...], ...]:
    """Return the commands that send an answer. Redis keeps one that nobody takes for a short time."""
    key = keys.replies(client)
    return ("RPUSH", key, answer), ("PEXPIRE", key, int(REPLY_SECONDS * 1000))


class _Line:
    """A connection that is borrowed once, because the pool would take longer to lend it than an exchange lasts.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client  # kept, because the connection ends with it
        self._connection: Any = None
        self._used = 0.0  # time of the last exchange
        self._lock = threading.Lock()

    def exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands together, and return their replies, with an error in place of each that Redis refuses.

        Raises:
            redis.exceptions.RedisError: Redis does not answer.
        """
        with self._lock:
            connection = self._connection = self._connection or self._client.connection_pool.get_connection()
            if time.monotonic() - self._used > IDLE_SECONDS:
                _disconnect_if_closed(connection)
            self._used = time.monotonic()
            try:
                connection.send_packed_command(connection.pack_commands(commands))
                return [_reply(connection) for _ in commands]
            except BaseException:
                connection.disconnect()  # replies that were not read must not be taken for those of the next command
                raise


def _disconnect_if_closed(connection: Any) -> None:
    """Let a connection connect again if Redis has closed it: it was restarted, or closes idle connections."""
    try:
        closed = connection.can_read()  # nothing else is due
    except (RedisError, OSError):
        closed = True
    if closed:
        connection.disconnect()


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as fault:
        return fault


def _value(reply: Any) -> Any:
    """Return the reply to a command.

    Raises:
        ResponseError: Redis has refused it.
    """
    if isinstance(reply, ResponseError):
        raise reply
    return reply
