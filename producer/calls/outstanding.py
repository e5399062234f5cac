"""The calls of a client that are not answered yet: what to send next, what to send again, and when to give up.

Nothing here waits or talks to Redis. Every time is the monotonic time in seconds, and a parameter. A lock of the caller
keeps threads apart.
"""

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from model.errors import Failure, FailureCode
from producer.calls.images import Content
from worker.contract.lane import MAX_CALL_IMAGES, CallKind
from worker.contract.validation.identifiers import LIVE

LINGER_SECONDS = 0.001
"""Time that an image waits for others to travel with, while answers to others are outstanding."""

BUSY_MESSAGES, BUSY_IMAGES, BUSY_LINGER_SECONDS = 4, 32, 0.008
"""With this many outstanding messages, or this many outstanding images, an image waits for an answer, but not longer
than these seconds.

Workers with so much work do not need it at once, and a message costs more than an image in it."""

BESIDE_JOBS_SECONDS = 0.015
"""Shortest time between two messages while workers classify jobs as well, unless many images wait.

A message with one image costs a worker, Redis and the client as much as a job gives for 25 images. Images that come one
after the other therefore share messages, and wait some milliseconds more than they wait for a busy core anyway."""

BESIDE_JOBS_IMAGES = 16
"""Number of images that wait no longer beside jobs, because the cost of a message is small for so many."""

JOBS_SECONDS = 0.5
"""Time for which an answer that was given beside jobs says that workers classify jobs."""

MAX_FILE_BYTES = 64 * 2**10
"""Maximum size of the files of one message together, in bytes. A larger file travels alone.

So a message takes a worker some 50 ms, and not longer than a large file alone may."""

WINDOW = 16
"""Maximum number of messages of one group that are outstanding, so that one client does not fill the lane.

Each group has its own, so that a version that cannot be loaded does not hold up the others."""

MAX_DEATHS = 3
"""Number of times that an image may end its process, at the last time alone, before it is quarantined."""

ALONE_DEATHS = 2
"""Number of times after which an image travels alone."""

LOOK_SECONDS = 1.0
"""Time without an answer after which a client looks whether a worker has taken the message."""

GRACE_SECONDS = {CallKind.ARRAYS: 0.5, CallKind.FILES: 2.0}
"""Time that a worker has from then for a message that it has taken, before the client sends it again. It doubles."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 1.0
"""Pause before a message that could not be sent, or was refused, is sent again. It doubles."""

QUARANTINED = Failure(
    FailureCode.QUARANTINED,
    "A worker process died, hung or failed every time that it tried this image. The image is left out. Open it in "
    "another program before you send it again.",
)


class Group(NamedTuple):
    """What images that may travel together have in common.

    Attributes:
        kind: What they are.
        model: Version that classifies them, or `live`.
        several: Whether all digits of an image are read.
    """

    kind: CallKind
    model: str = LIVE
    several: bool = False


@dataclass(slots=True, eq=False)
class PendingCall:
    """One image that waits for its answer.

    Attributes:
        content: The image.
        future: Future of threads or of an event loop, which receives the answer.
        since: Time at which it was given.
        deadline: Time at which it is given up.
        model: Version that classifies it, or `live`.
        several: Whether all of its digits are read.
        done: Whether it has its answer, or was given up.
        problem: Why there was no answer the last time, or "".
    """

    content: Content
    future: Any
    since: float
    deadline: float
    model: str = LIVE
    several: bool = False
    done: bool = False
    problem: str = ""

    @property
    def group(self) -> Group:
        """The group with which it may travel."""
        kind = CallKind.FILES if isinstance(self.content, bytes) else CallKind.ARRAYS
        return Group(kind, self.model, self.several)


@dataclass(slots=True, eq=False)
class Message:
    """Images of one group that travel together.

    Attributes:
        number: Number of the message among those of its client.
        group: What its images have in common.
        calls: Its images, in order.
        deaths: Number of times that a process died on them.
        sequence: Number under which the lane knows it, or 0 while it is not in the lane.
        act_at: Time at which something must be done about it: send it if it is not in the lane, or else look for it.
        taken_since: Time since which it is known to be with a worker, or None.
        tries: Number of times that it could not be sent, or was refused.
        losses: Number of times that a worker took it and no answer came.
        done: Whether nothing more must be done.
    """

    number: int
    group: Group
    calls: list[PendingCall]
    deaths: int
    sequence: int = 0
    act_at: float = 0.0
    taken_since: float | None = None
    tries: int = 0
    losses: int = 0
    done: bool = False

    @property
    def kind(self) -> CallKind:
        """What it carries."""
        return self.group.kind

    @property
    def deadline(self) -> float:
        """The time until which somebody waits for an answer."""
        return max(call.deadline for call in self.calls)


@dataclass(slots=True)
class Outstanding:
    """All unanswered calls of one client."""

    _waiting: dict[Group, deque[PendingCall]] = field(default_factory=lambda: defaultdict(deque))
    _messages: dict[int, Message] = field(default_factory=dict)
    _to_send: list[Message] = field(default_factory=list)  # messages that are not in the lane
    _deadlines: list[tuple[float, int, PendingCall]] = field(default_factory=list)  # a heap
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _open: int = 0
    _new_at: float = float("-inf")  # time of the last message that was not sent before
    _jobs_until: float = float("-inf")  # time until which workers are known to classify jobs

    def __len__(self) -> int:
        """Return the number of calls that are not done."""
        return self._open

    def add(self, call: PendingCall) -> float:
        """Add a call. Return the time at which something must be done about it or those with which it waits."""
        group = call.group
        waiting = self._waiting[group]
        waiting.append(call)
        # A call without an answer must not keep all those that came after it.
        if len(self._deadlines) > 2 * self._open + MAX_CALL_IMAGES:
            self._deadlines = [each for each in self._deadlines if not each[2].done]
            heapq.heapify(self._deadlines)
        heapq.heappush(self._deadlines, (call.deadline, next(self._numbers), call))
        self._open += 1
        return min(self._ready_at(group, waiting), call.deadline)

    def note_jobs(self, now: float) -> None:
        """Note that workers classify jobs as well."""
        self._jobs_until = now + JOBS_SECONDS

    def has_unsent(self) -> bool:
        """Return whether calls wait to be sent."""
        return bool(self._to_send) or any(self._waiting.values())

    def next_message(self, now: float) -> Message | None:
        """Return a message to send now, or None if none is ready.

        Its answer may come at any time from now on. `sent` or `not_sent` must follow.
        """
        for message in self._to_send:
            if message.act_at <= now:
                self._to_send.remove(message)
                message.act_at = float("inf")  # until `sent` or `not_sent`
                return message
        for group, waiting in list(self._waiting.items()):
            while waiting and waiting[0].done:
                waiting.popleft()
            if not waiting:
                del self._waiting[group]
        ready = [group for group, waiting in self._waiting.items() if self._ready_at(group, waiting) <= now]
        if not ready:
            return None
        oldest = min(ready, key=lambda group: self._waiting[group][0].since)  # so none waits behind another for ever
        self._new_at = now
        return self._new_message(oldest, _joined(self._waiting[oldest]), deaths=0)

    def sent(self, message: Message, sequence: int, now: float) -> None:
        """Note that a message is in the lane under this sequence number."""
        if message not in self._to_send:  # it may have been refused by now
            message.sequence, message.taken_since, message.act_at = sequence, None, now + LOOK_SECONDS

    def not_sent(self, message: Message, now: float, problem: str) -> None:
        """Note that a message could not be sent, or was refused. It is sent again after a pause.

        Args:
            message: Message.
            now: Current time.
            problem: Reason, as a sentence.
        """
        if message.done:
            return
        for call in message.calls:
            call.problem = problem
        self._send_again(message, now + min(FIRST_PAUSE_SECONDS * 2**message.tries, MAX_PAUSE_SECONDS))

    def answered(self, number: int, count: int) -> list[PendingCall]:
        """Return the calls that the answer to a message answers, in order. Some may be done already.

        Images that the answer leaves out are sent again.

        Args:
            number: Number of the message. An answer that comes twice answers no call.
            count: Number of images that are answered: the first ones.
        """
        message = self._forget(number) if count else None
        if message is None:
            return []
        answered, rest = message.calls[:count], message.calls[count:]
        if rest:
            self._send_again(self._new_message(message.group, rest, deaths=message.deaths), 0.0)
        return answered

    def died(self, number: int, now: float, *, blamed: bool) -> list[PendingCall]:
        """Note that the process that worked on a message died. Return the calls that are quarantined for that.

        Args:
            number: Number of the message.
            now: Current time.
            blamed: Whether its images may be the reason.
        """
        message = self._forget(number)
        if message is None:
            return []
        deaths = message.deaths + blamed
        if deaths >= MAX_DEATHS and len(message.calls) == 1:
            return message.calls
        groups = [[call] for call in message.calls] if deaths >= ALONE_DEATHS else [message.calls]
        for calls in groups:
            self._send_again(self._new_message(message.group, calls, deaths=deaths), now)
        return []

    def refused(self, number: int, now: float, problem: str) -> None:
        """Note that no worker can answer a message now. It is sent again after a pause."""
        message = self._messages.get(number)
        if message is not None and message not in self._to_send:
            message.tries += 1
            self.not_sent(message, now, problem)

    def due(self, now: float) -> list[Message]:
        """Return the messages in the lane that should be looked for. `looked` must follow for each."""
        return [message for message in self._messages.values() if message.sequence and message.act_at <= now]

    def looked(self, message: Message, now: float, *, waits: bool) -> None:
        """Note whether a message still waits in the lane. If a worker seems to have lost it, it is sent again."""
        if message.done or not message.sequence:
            return
        grace = GRACE_SECONDS[message.kind] * 2**message.losses
        if waits:
            message.act_at, message.taken_since = now + LOOK_SECONDS, None
        elif message.taken_since is None:
            message.act_at, message.taken_since = now + grace, now
        else:
            message.losses += 1
            self._send_again(message, now)

    def expired(self, now: float) -> list[PendingCall]:
        """Return the calls whose deadline has passed, and give them up."""
        found = []
        while self._deadlines and (self._deadlines[0][2].done or self._deadlines[0][0] <= now):
            call = heapq.heappop(self._deadlines)[2]
            if not call.done:
                found.append(call)
        self.finish(found)
        return found

    def give_up_cancelled(self) -> None:
        """Give up the calls whose futures are cancelled."""
        self.finish([call for _, _, call in self._deadlines if call.future.cancelled()])

    def take_all(self) -> list[PendingCall]:
        """Return all calls, and give them up."""
        found = [call for _, _, call in sorted(self._deadlines) if not call.done]
        self._deadlines.clear()
        self.finish(found)
        return found

    def finish(self, calls: Iterable[PendingCall]) -> list[PendingCall]:
        """Note that calls have an answer or were given up. Return those that were not done before."""
        finished = []
        for call in calls:
            if not call.done:
                call.done = True
                self._open -= 1
                finished.append(call)
        if finished:
            for message in [each for each in self._messages.values() if all(call.done for call in each.calls)]:
                self._forget(message.number)
        return finished

    def act_at(self, now: float) -> float:
        """Return the time at which something must be done next, unless something happens before."""
        times = [message.act_at for message in self._messages.values()]
        times += [self._ready_at(group, waiting) for group, waiting in self._waiting.items() if waiting]
        if self._deadlines:
            times.append(self._deadlines[0][0])
        if now < self._new_at + BESIDE_JOBS_SECONDS and self._new_at < self._jobs_until:
            times.append(self._new_at + BESIDE_JOBS_SECONDS)  # an image will probably wait by then
        return min(times, default=float("inf"))

    def _linger(self) -> float:
        """Return the time that an image waits for others to travel with."""
        in_lane = len(self._messages) - len(self._to_send)
        is_busy = in_lane >= BUSY_MESSAGES or _images(self._messages.values()) - _images(self._to_send) >= BUSY_IMAGES
        return BUSY_LINGER_SECONDS if is_busy else LINGER_SECONDS

    def _may_send(self, group: Group) -> bool:
        messages = self._messages
        return len(messages) < WINDOW or sum(message.group == group for message in messages.values()) < WINDOW

    def _ready_at(self, group: Group, waiting: deque[PendingCall]) -> float:
        """Return the time at which the next message of a group may be sent, if nothing happens before."""
        if not self._may_send(group):
            return float("inf")
        first = waiting[0]
        content = first.content
        if len(waiting) >= MAX_CALL_IMAGES or (isinstance(content, bytes) and len(content) >= MAX_FILE_BYTES):
            return first.since
        at = first.since + self._linger() if self._messages else first.since
        if first.since < self._jobs_until and len(waiting) < BESIDE_JOBS_IMAGES:
            at = max(at, self._new_at + BESIDE_JOBS_SECONDS)
        return at

    def _new_message(self, group: Group, calls: list[PendingCall], *, deaths: int) -> Message:
        message = Message(next(self._numbers), group, calls, deaths, act_at=float("inf"))
        self._messages[message.number] = message
        return message

    def _send_again(self, message: Message, at: float) -> None:
        message.sequence, message.act_at, message.taken_since = 0, at, None
        if message not in self._to_send:
            self._to_send.append(message)

    def _forget(self, number: int) -> Message | None:
        message = self._messages.pop(number, None)
        if message is not None:
            message.done = True
            if message in self._to_send:
                self._to_send.remove(message)
        return message


def _images(messages: Iterable[Message]) -> int:
    """Return the number of images in messages."""
    return sum(len(message.calls) for message in messages)


def _joined(waiting: deque[PendingCall]) -> list[PendingCall]:
    """Take calls out of those that wait, as many as may travel together."""
    calls: list[PendingCall] = []
    size = 0
    while waiting and len(calls) < MAX_CALL_IMAGES:
        content = waiting[0].content
        size += len(content) if isinstance(content, bytes) else 0
        if calls and size > MAX_FILE_BYTES:
            break
        call = waiting.popleft()
        if not call.done:
            calls.append(call)
    return calls
