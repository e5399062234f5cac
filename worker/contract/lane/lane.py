"""The lane in Redis: clients put calls in and take answers out, and workers do the reverse."""

import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis
from redis.exceptions import (
    NoScriptError,
    ResponseError,
    TimeoutError,  # noqa: A004  redis-py's own name for it
)

from worker.contract.gate.keys import GATE
from worker.contract.lane import channels, keys
from worker.contract.lane.keys import CallKind
from worker.contract.lane.messages import MAX_ANSWER_BYTES, MAX_CALL_BYTES
from worker.contract.protocol.line import Line, packed, word
from worker.contract.scripts import load_scripts
from worker.contract.validation.reading import CheckedRedis, count

MAX_WAITING = 1024
"""Maximum number of calls of one kind that wait."""

MAX_WAITING_BYTES = 64 * 2**20
"""Maximum of the size of a call, in bytes, times the number of calls that wait with it."""

CLOCK_SECONDS = 1.0
"""Seconds after which a worker asks Redis for its time again, because somebody may set the clock of Redis."""

SILENT_SECONDS = 1.0
"""Seconds without an answer after which a client asks Redis whether their connection still exists."""

CONFIRM_SECONDS = 5.0
"""Seconds within which Redis confirms that a client listens."""

_NO_REPLY = packed("CLIENT", "REPLY", "SKIP")
_PING, _TIME = packed("PING"), packed("TIME")

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
    """The lane, as its clients put calls in, and as whoever answers a call for a process that has died.

    Threads may share it, but `post` and `posted` are for one thread.

    No method waits longer than Redis takes, or retries. Every method raises redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._redis: Any = CheckedRedis(client)
        self._send = load_scripts(client, "worker.contract.lane", ("send",))["send"]
        self._line = Line(client)
        self._posts: deque[tuple[CallKind, bytes]] = deque()  # calls whose replies were not read yet
        self._heads: dict[CallKind, bytes] = {}

    def send(self, kind: CallKind, call: bytes) -> Sent:
        """Put a call into the lane, unless that is full or the queue is paused.

        Args:
            kind: What the call carries.
            call: The encoded call.
        """
        return Sent(*self._send(keys=_keys(kind), args=(*_values(kind), call)))

    def post(self, kind: CallKind, call: bytes) -> None:
        """Put a call into the lane as `send` does, but leave the reply to `posted`.

        After an error, nobody knows which of the calls that wait for their replies have arrived.
        """
        if (head := self._heads.get(kind)) is None:
            words = ("EVALSHA", self._send.sha, len(_keys(kind)), *_keys(kind), *_values(kind))
            head = self._heads[kind] = packed(*words, more=1)
        try:
            self._line.send(head + word(call), replies=1)
        except BaseException:
            self._posts.clear()
            raise
        self._posts.append((kind, call))

    def posted(self) -> Sent:
        """Return the reply to the first call of `post` that has none yet. Wait for it if need be.

        After an error, nobody knows which of the calls that wait for their replies have arrived.
        """
        kind, call = self._posts.popleft()
        try:
            reply = self._line.receive()
            return self.send(kind, call) if isinstance(reply, NoScriptError) else Sent(*_value(reply))
        except BaseException:
            self._posts.clear()
            self._line.disconnect()
            raise

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

    def answer(self, client: str, answer: bytes) -> None:
        """Send an encoded answer to a client, if it listens."""
        self._redis.publish(channels.answers(client), answer)


class Answers:
    """The answers to one client. They are not kept: one that comes while the connection is lost is lost, too.

    One thread takes them. Any thread may close them.

    Args:
        client: Connection of `connection.connect`.
        name: Identifier of the client.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """

    def __init__(self, client: "redis.Redis", name: str) -> None:
        self._subscribe = packed("SUBSCRIBE", channels.answers(name))
        self._line = Line(client, self._listen, at_most=MAX_ANSWER_BYTES)
        self._heard = 0.0  # time at which Redis has last sent something
        self._asked = False  # whether Redis was asked since then whether it is still there
        self._line.connect()

    def next(self, seconds: float, *, expecting: bool = True) -> bytes | None:
        """Return the next answer, encoded, or None if there is none in time.

        Args:
            seconds: Maximum time to wait.
            expecting: Whether an answer is outstanding. If not, it does not matter yet whether the connection is lost.

        Raises:
            redis.exceptions.RedisError: The connection is lost. The next call connects again.
        """
        found = self._line.receive_push(seconds)
        if found is not None:
            self._heard, self._asked = time.monotonic(), False
            return found[2] if isinstance(found, list) and len(found) == 3 and found[0] == b"message" else None
        silent = time.monotonic() - self._heard
        if self._asked and silent > 2 * SILENT_SECONDS:
            self._line.disconnect()
            raise TimeoutError("Timeout while listening to Redis")
        if expecting and not self._asked and silent > SILENT_SECONDS:
            self._line.send(_PING, replies=1)
            self._heard, self._asked = time.monotonic(), True
        return None

    def close(self) -> None:
        """Close the connection. The thread that waits for an answer gets an error."""
        self._line.disconnect()

    def _listen(self, line: Line) -> None:
        line.send(self._subscribe, replies=0)
        confirmed = line.receive_push(CONFIRM_SECONDS)
        if isinstance(confirmed, ResponseError):
            raise confirmed
        if confirmed is None:
            raise TimeoutError("Timeout while Redis confirms that this process listens")
        self._heard, self._asked = time.monotonic(), False


class Receiver:
    """The lane, as one thread of a worker uses it: it sends its last answers and takes the next call in one exchange.

    Args:
        client: Connection of `connection.connect`.
        kind: Kind of the calls to take.
    """

    def __init__(self, client: "redis.Redis", kind: CallKind) -> None:
        self._line = Line(client, self._prepare, at_most=MAX_CALL_BYTES)
        self._key = keys.CALLS[kind]
        self._pop, self._seconds = b"", -1.0  # the command that waits for a call, and how long it does
        self._clock_ahead, self._ask_at = 0, -math.inf  # how far the clock of Redis is ahead of the monotonic one, ms
        self._quietly = False  # whether Redis need not reply to answers

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
        self._line.connect()
        if seconds != self._seconds:
            self._pop, self._seconds = packed("BRPOP", self._key, seconds), seconds
        # A reply to an answer would wake this thread once more.
        quiet, replies = (_NO_REPLY, 0) if self._quietly else (b"", len(answers))
        commands = [quiet + packed("PUBLISH", channels.answers(client), answer) for client, answer in answers]
        began = time.monotonic()
        asks = began >= self._ask_at
        if asks:
            commands.append(_TIME)
        self._line.send(b"".join([*commands, self._pop]), replies=replies + asks + 1)
        try:
            # Without an answer, a client asks again. But the call that was taken must not be lost.
            for _ in range(replies):
                self._line.receive()
            if asks:
                whole, millionths = _value(self._line.receive())
                self._clock_ahead = int(whole) * 1000 + int(millionths) // 1000 - int(1000 * began)
                self._ask_at = began + CLOCK_SECONDS
            found = _value(self._line.receive())
        except BaseException:
            self._line.disconnect()  # replies may follow, which would be taken for those to the next commands
            raise
        return found[1] if found else None, self._clock_ahead + int(1000 * time.monotonic())

    def _prepare(self, line: Line) -> None:
        """Find out whether Redis lets this user do without replies."""
        line.send(_NO_REPLY + _PING + _PING, replies=1)
        self._quietly = not isinstance(line.receive(), ResponseError)
        if not self._quietly:
            line.receive()  # those to both PINGs
            line.receive()


def _keys(kind: CallKind) -> tuple[str, ...]:
    return keys.CALLS[kind], keys.SENT, GATE


def _values(kind: CallKind) -> tuple[str | int, ...]:
    return kind.value, MAX_WAITING, MAX_WAITING_BYTES


def _value(reply: Any) -> Any:
    """Return the reply to a command.

    Raises:
        ResponseError: Redis has refused it.
    """
    if isinstance(reply, ResponseError):
        raise reply
    return reply
