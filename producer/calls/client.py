"""The client of the lane: it sends images to the workers of a mill, and resolves a future for each."""

import logging
import math
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
from redis.exceptions import RedisError

from model.errors import DigitmillError, Failure, UsageError
from model.inference.review import REVIEW_BELOW
from producer.calls.causes import FULL, check_lane, no_answer, workers_of
from producer.calls.images import Content, Floats, InputImage, content_of
from producer.calls.options import Several, check_confidence, check_floats, check_many, reads, seconds_of
from producer.calls.outstanding import (
    MAX_PAUSE_SECONDS,
    QUARANTINED,
    Message,
    Outstanding,
    PendingCall,
)
from producer.calls.prediction import Prediction, predictions_of
from producer.calls.versions import Versions
from producer.mill.finding import CALLING, FIRST_TIMEOUT_SECONDS, Reached, reach_mill, reach_running_mill
from worker.contract.connection import as_error, explain, is_transient
from worker.contract.errors import NoLane, WireError
from worker.contract.lane import PAUSED, Answer, Answers, Call, Lane, Sent
from worker.contract.validation.bounds import MAX_COUNT
from worker.contract.validation.identifiers import LIVE
from worker.contract.wire import Batch
from worker.settings import Settings

TIMEOUT_SECONDS = 30.0
"""Time within which a call is answered or fails."""

MAX_AHEAD = 2048
"""Number of images that `classify_many` sends before it waits for the first of their answers."""

LISTENING_SECONDS = 0.8
"""Time that the reader waits for an answer before it looks whether the connection still exists."""

REPLY_SECONDS = 0.05
"""Time after which the reply to a message is read, if there was no other message to send before.

An answer usually comes before that, and waking up for the reply would cost as much as sending the message."""

_PAUSED = "An administrator has paused the queue. `digitmill status` says who and why."

Settled: TypeAlias = tuple[Any, Prediction | DigitmillError | None]
"""A future and its outcome: an answer, an error, or None if it is cancelled."""

_log = logging.getLogger(__name__)


class Client:
    """Sends images to a running mill and returns predictions. Threads may share one client.

    Use it as a context manager. At the end of the block it waits for the answers that are outstanding, unless their
    futures are cancelled; after an error, it cancels their futures instead.

    Images travel together: an image waits for others for a millisecond, but only while other images are outstanding;
    and up to 15 ms while the workers classify jobs as well.
    Each image is answered, or its future fails, within the timeout. An image that cannot be read is not an error: its
    prediction says why. Images are not kept anywhere, so nothing can be resumed after this process has ended.

    A process that is forked from this one cannot use the client, because its threads are not there. Create another.

    Args:
        url: URL of Redis, or None for the mill that `DIGITMILL_REDIS_URL` names or that runs on this machine.
        timeout: Seconds within which an image is answered or fails.
        model: Version that classifies the images: its name, the beginning of it, or an alias; or `live` for the version
            that is live at that moment. `submit` and the others take another for one image.
        several: Whether an image of several digits is an error, or all of its digits are read as a number. `submit` and
            the others take another for one image.
        floats: Whether arrays of floats are refused, or hold numbers from 0 to 1.
        min_confidence: Confidence, 0 to 1, below which a prediction is for review.
        counted: Whether the images count in the mill's rates, metrics and drift. They should not if they were
            answered before.

    Raises:
        NotPermitted: The Redis user may not send images.
        Unreachable: No mill is running, or its Redis does not answer.
        UnsuitableServer: Redis can never do the work.
        UsageError: The model does not exist, or an option has a value that it cannot have.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        model: str = LIVE,
        several: Several = "refuse",
        floats: Floats = "refuse",
        min_confidence: float = REVIEW_BELOW,
        counted: bool = True,
    ) -> None:
        self._timeout, self._counted = seconds_of(timeout), counted
        self._reads = reads(several)
        self._floats = check_floats(floats)
        self._min_confidence = check_confidence(min_confidence)
        self._reached = _reach(url, self._timeout)
        self._redis = self._reached.client
        self._lane = Lane(self._redis)
        self._versions = Versions(self._redis, self._reached.where)
        self._model = self._versions.find(model)
        self._client = secrets.token_hex(16)
        self._process = os.getpid()
        self._lock = threading.RLock()  # that of the condition, which takes it a little more slowly by itself
        self._changed = threading.Condition(self._lock)
        self._outstanding = Outstanding()
        self._wakes_at = -math.inf  # time until which the sender sleeps, unless somebody wakes it
        self._fault: RedisError | None = None
        self._clock_ahead = 0  # what the clock of Redis (unix time, ms) is ahead of the monotonic clock
        self._closing = self._closed = False
        self._sender = threading.Thread(target=self._send_all, name="digitmill-sender", daemon=True)
        self._reader = threading.Thread(target=self._read_all, name="digitmill-reader", daemon=True)
        self._posted: deque[tuple[Message, float]] = deque()  # messages whose replies were not read, and when they went
        self._answers = self._listen()
        self._sender.start()
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(cancel=kind is not None)

    def submit(
        self,
        image: InputImage,
        *,
        timeout: float | None = None,
        model: str | None = None,
        several: Several | None = None,
    ) -> "Future[Prediction]":
        """Send an image, and return the future of its prediction.

        Callbacks of the future run in a thread of the client, so they must not wait for it.

        Args:
            image: The image: a path; the bytes of an image file; a picture of Pillow; or an array of uint8, which is
                (28, 28) in MNIST's convention, light ink on black, or a picture of the shape (height, width), (height,
                width, 3) or (height, width, 4).
            timeout: Seconds within which it is answered or fails, instead of those of the client.
            model: Version that classifies it, instead of that of the client. Redis is asked what the name means, but
                not again within a second.
            several: What to do if it shows several digits, instead of what the client does.

        Returns:
            The future. It raises NoWorkers or Unreachable if no worker answers in time, and NoLane soon if workers are
            alive but run another version of digitmill.

        Raises:
            InputError: It cannot be an image.
            Unreachable: Redis does not say what the name of the model means.
            UsageError: The model does not exist, an option has a value that it cannot have, or the client is closed or
                belongs to another process.
        """
        return self.send(content_of(image, self._floats), timeout=timeout, model=model, several=several)

    def send(
        self,
        content: Content | Failure,
        *,
        timeout: float | None = None,
        model: str | None = None,
        several: Several | None = None,
    ) -> "Future[Prediction]":
        """Send an image that is known to be one, such as that of a source. Everything else is as in `submit`.

        Args:
            content: The image as it travels, or the reason why it cannot be read.
            timeout: As in `submit`.
            model: As in `submit`.
            several: As in `submit`.

        Raises:
            Unreachable: As in `submit`.
            UsageError: As in `submit`.
        """
        if self._process != os.getpid():
            raise UsageError("This client belongs to another process. Create a client in each process, after the fork.")
        future = self._new_future()
        if isinstance(content, Failure):
            future.set_result(Prediction.failed(content))
            return future
        version = self._model if model is None else self._versions.find(model)
        read = self._reads if several is None else reads(several)
        seconds = self._timeout if timeout is None else seconds_of(timeout)
        now = time.monotonic()
        call = PendingCall(content, future, now, now + seconds, version, read)
        with self._lock:
            if self._closing:
                raise UsageError("This client is closed. Create another.")
            if self._outstanding.add(call) < self._wakes_at:
                self._changed.notify()
        return future

    def is_resolved(self, model: str | None) -> bool:
        """Return whether the client knows what the name of a model means, so that `submit` does not ask Redis."""
        return model is None or self._versions.known(model) is not None

    def classify(
        self,
        image: InputImage,
        *,
        timeout: float | None = None,
        model: str | None = None,
        several: Several | None = None,
    ) -> Prediction:
        """Return the prediction for an image. See `submit`.

        Raises:
            InputError: It cannot be an image.
            NoWorkers: No worker answered in time. The message says why.
            Unreachable: Redis did not answer in time, or refuses.
            UsageError: The model does not exist, an option has a value that it cannot have, or the client is closed or
                belongs to another process.
        """
        future = self.submit(image, timeout=timeout, model=model, several=several)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # after Ctrl-C, nobody waits for it
            raise

    def classify_many(
        self,
        images: Iterable[InputImage],
        *,
        timeout: float | None = None,
        model: str | None = None,
        several: Several | None = None,
    ) -> Iterator[Prediction]:
        """Yield a prediction for each image, in their order, and take at most `MAX_AHEAD` images ahead.

        Args:
            images: The images, each as for `submit`.
            timeout: Seconds within which each image is answered or fails, from when it is taken.
            model: As in `submit`.
            several: As in `submit`.

        Raises:
            InputError: They are one image and not several, or one of them cannot be an image.
            NoWorkers: No worker answered in time. The message says why.
            Unreachable: Redis did not answer in time, or refuses.
            UsageError: The model does not exist, an option has a value that it cannot have, or the client is closed or
                belongs to another process.
        """
        check_many(images)
        return self._many(images, timeout, model, several)

    def _many(
        self, images: Iterable[InputImage], timeout: float | None, model: str | None, several: Several | None
    ) -> Iterator[Prediction]:
        ahead: deque[Future[Prediction]] = deque()
        try:
            for image in images:
                ahead.append(self.submit(image, timeout=timeout, model=model, several=several))
                while ahead and (len(ahead) >= MAX_AHEAD or ahead[0].done()):
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def close(self, *, cancel: bool = False) -> None:
        """End the client. Closing it twice is harmless.

        Args:
            cancel: Whether to cancel the futures of images that are not answered, instead of waiting for them.
        """
        if self._process != os.getpid():
            return
        with self._changed:
            self._closing = True
            self._outstanding.give_up_cancelled()
            given_up = self._outstanding.take_all() if cancel else []
            self._changed.notify()
        self._settle([(call.future, None) for call in given_up])
        self._sender.join()
        if not self._closed:
            self._closed = True
            self._answers.close()
            self._reader.join(LISTENING_SECONDS)
            self._redis.close()

    # In the sender ------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        """Send what is ready, look for what has no answer, and give up what has none in time, until closed."""
        while True:
            with self._changed:
                now = time.monotonic()
                expired, due = self._outstanding.expired(now), self._outstanding.due(now)
                message = self._outstanding.next_message(now)
                read_at = self._posted[0][1] + REPLY_SECONDS if self._posted else math.inf
                if not expired and not due and message is None and now < read_at:
                    if self._closing and not len(self._outstanding):
                        return
                    self._wakes_at = min(self._outstanding.act_at(now), read_at)
                    self._changed.wait(min(max(self._wakes_at - now, 0.0), threading.TIMEOUT_MAX))
                    self._wakes_at = -math.inf
                    continue
            try:
                if self._posted:
                    self._read_replies()
                if message is not None:
                    self._send(message)
                if due:
                    self._look(due)
                if expired:
                    self._give_up(expired)
            except Exception as fault:
                _log.exception("digitmill itself failed to send images")
                self._fail_all(DigitmillError(f"digitmill itself failed to send images ({fault!r}). Report it."))

    def _send(self, message: Message) -> None:
        contents = [call.content for call in message.calls]
        images = np.stack(contents) if not isinstance(contents[0], bytes) else tuple(contents)
        _, model, several = message.group
        batch = Batch(images, probabilities=not several, several=several)  # type: ignore[arg-type]  # of one kind
        deadline = min(max(self._clock_ahead + int(1000 * message.deadline), 0), MAX_COUNT)
        call = Call(self._client, message.number, deadline, model, message.deaths, batch, self._counted)
        try:
            self._lane.post(message.kind, call.to_wire())
        except RedisError as fault:
            self._not_sent(message, fault)
            return
        self._posted.append((message, time.monotonic()))

    def _read_replies(self) -> None:
        """Read what Redis replied to the messages that were sent."""
        while self._posted:
            message, at = self._posted.popleft()
            try:
                sent = self._lane.posted()
            except RedisError as fault:
                self._not_sent(message, fault)
                return
            self._fault = None
            self._set_clock(sent, at)
            with self._changed:
                if sent.sequence > 0:
                    self._outstanding.sent(message, sent.sequence, time.monotonic())
                else:
                    message.tries += 1
                    problem = _PAUSED if sent.sequence == PAUSED else FULL
                    self._outstanding.not_sent(message, time.monotonic(), problem)

    def _not_sent(self, message: Message, fault: RedisError) -> None:
        """Note that a message could not be sent, and neither could those whose replies were not read before."""
        self._note_fault(fault)
        with self._changed:
            for each in (message, *(posted for posted, _ in self._posted)):
                each.tries += 1
                self._outstanding.not_sent(each, time.monotonic(), explain(fault, self._reached.where))
        self._posted.clear()

    def _look(self, due: list[Message]) -> None:
        """Look which messages still wait, so that only those are sent again that were lost."""
        try:
            standings = {kind: self._lane.standing(kind) for kind in {message.kind for message in due}}
            check_lane(workers_of(self._redis))
        except (RedisError, WireError) as fault:
            if isinstance(fault, RedisError):
                self._note_fault(fault)
            with self._changed:
                for message in due:  # look again later
                    self._outstanding.looked(message, time.monotonic(), waits=True)
            return
        except NoLane as fault:
            self._fail_all(fault)
            return
        self._fault = None
        with self._changed:
            for message in due:
                waits = standings[message.kind].waits(message.sequence)
                self._outstanding.looked(message, time.monotonic(), waits=waits)

    def _note_fault(self, fault: RedisError) -> None:
        """Take note that Redis does not answer. If waiting does not help, all calls fail at once."""
        _log.debug("Redis does not take images: %s", fault)
        self._fault = fault
        if not is_transient(fault):
            self._fail_all(as_error(fault, self._reached.where))

    def _give_up(self, calls: list[PendingCall]) -> None:
        """Fail calls that were not answered in time, with an error that names the cause."""
        try:
            if self._fault is not None:
                raise self._fault
            workers = workers_of(self._redis)
            check_lane(workers)
        except RedisError as fault:
            self._fail(calls, as_error(fault, self._reached.where))
        except (NoLane, WireError) as fault:
            self._fail(calls, fault)
        else:
            for call in calls:
                self._fail([call], no_answer(workers, call.problem, call.deadline - call.since))

    def _fail_all(self, fault: DigitmillError) -> None:
        with self._changed:
            calls = self._outstanding.take_all()
        self._fail(calls, fault)

    def _fail(self, calls: list[PendingCall], fault: DigitmillError) -> None:
        # Each future has an error of its own, because raising one changes its traceback.
        self._settle([(call.future, type(fault)(*fault.args)) for call in calls])

    # In the reader ------------------------------------------------------------------------------------------------

    def _read_all(self) -> None:
        """Take answers out of the lane and resolve futures, until closed."""
        pause = 0.0
        while not self._closed:
            try:
                data = self._answers.next(LISTENING_SECONDS, expecting=len(self._outstanding) > 0)
                pause = 0.0
            except RedisError as fault:
                if self._closed:
                    return
                _log.debug("Redis gives no answers: %s", fault)
                pause = min(2 * pause + 0.05, MAX_PAUSE_SECONDS)
                time.sleep(pause)
                continue
            if data is None:
                continue
            try:
                self._resolve(Answer.from_wire(data))
            except WireError as fault:
                _log.warning("an answer was ignored: %s", fault)
            except Exception:
                _log.exception("digitmill itself failed on an answer")

    def _resolve(self, answer: Answer) -> None:
        predictions: list[Prediction] = []
        if answer.result is not None:
            predictions = predictions_of(answer.result, self._min_confidence)
        with self._changed:
            now = time.monotonic()
            if answer.beside_jobs:
                self._outstanding.note_jobs(now)
            if answer.result is not None:
                calls = self._outstanding.answered(answer.number, len(predictions))
            elif answer.died:
                calls = self._outstanding.died(answer.number, now, blamed=answer.blamed)
                predictions = [Prediction.failed(QUARANTINED)] * len(calls)
            else:
                self._outstanding.refused(answer.number, now, answer.problem)
                calls = []
            resolved: list[Settled] = [
                (call.future, prediction) for call, prediction in zip(calls, predictions, strict=False) if not call.done
            ]
            self._outstanding.finish(calls)
            if self._closing or (self._outstanding.has_unsent() and self._outstanding.act_at(now) < self._wakes_at):
                self._changed.notify()  # but not for nothing, because that would cost as much as an answer
        self._settle(resolved)

    # Futures ------------------------------------------------------------------------------------------------------

    def _new_future(self) -> "Future[Prediction]":
        return Future()

    def _settle(self, settled: list[Settled]) -> None:
        """Give futures their outcomes, without waiting for the threads that wait for these futures."""
        for future, outcome in settled:
            if outcome is None:
                future.cancel()
            elif future.set_running_or_notify_cancel():
                if isinstance(outcome, Prediction):
                    future.set_result(outcome)
                else:
                    future.set_exception(outcome)

    # At the start -------------------------------------------------------------------------------------------------

    def _listen(self) -> Answers:
        """Return what brings the answers. From now on they come."""
        try:
            seconds, microseconds = self._redis.time()
            self._set_clock(Sent(0, int(seconds) * 1000 + int(microseconds) // 1000), time.monotonic())
            return Answers(self._redis, self._client)
        except RedisError as fault:
            raise as_error(fault, self._reached.where) from fault

    def _set_clock(self, sent: Sent, at: float) -> None:
        """Note what the clock of Redis showed at a monotonic time."""
        self._clock_ahead = sent.now - int(1000 * at)


def _reach(url: str | None, timeout: float) -> Reached:
    """Connect to the mill at a URL, or to the one that is set or runs on this machine."""
    if url is None:
        return reach_running_mill(Settings.from_environment(), timeout=timeout, needs=CALLING, warn=False)
    first = min(timeout, FIRST_TIMEOUT_SECONDS)
    return reach_mill(url, timeout=first, command_timeout=timeout, needs=CALLING, warn=False)
