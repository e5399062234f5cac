"""Answers the calls of the lane: it takes one, classifies its images, and sends the answer as it takes the next."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from redis.exceptions import RedisError

from model.errors import DigitmillError, Failure, FailureCode, ModelError
from model.images.decoding.pillow import MayBeCostly
from model.images.preprocess import preprocess_all
from worker.classifying.lane.gate import Gate
from worker.classifying.lane.in_hand import InHand
from worker.classifying.models import Models
from worker.classifying.reading import Preprocess, read
from worker.classifying.running import ModelRunner
from worker.contract.connection import connect, retry_transient
from worker.contract.errors import WireError
from worker.contract.lane import Answer, Call, CallKind, Lane, Receiver
from worker.contract.observation import RecentAnswers
from worker.contract.telemetry.metrics import Stage
from worker.contract.wire import Result

WAIT_SECONDS = 2.0
"""Time that a thread waits for a call before it looks whether it should stop."""

READING_SECONDS = 0.5
"""Time after which no further file of a call is decoded. The client sends the others again, behind those of others."""

SLOW_CALLS = 8
"""Maximum number of calls with the slow thread. Others are refused for now, and their clients come again."""

ANSWER_SECONDS = 10.0
"""Time for which the slow thread tries to send an answer. Then the client has sent its call again."""

MAX_PAUSE_SECONDS = 1.0
"""Longest pause after a fault of Redis."""

SLOW = "slow"
THREADS = (*CallKind, SLOW)
"""Names of the threads. The calls of the first two have the first places in `InHand`, and the slow ones those after."""

PLACES = len(CallKind) + SLOW_CALLS
"""Maximum number of calls that a process has in hand."""

_BUSY = "A worker has too many images in hand that take long to decode, or models to load."
_FAILED = Failure(FailureCode.INTERNAL, "digitmill itself failed on this image. The worker's log says how. Report it.")

_cheaply = partial(preprocess_all, only_if_cheap=True)
_log = logging.getLogger(__name__)


class LaneServer:
    """Answers calls in one process: a thread takes arrays, one takes files, and one does what takes long.

    What takes long must not hold up the others: files that are not certainly cheap to decode, versions that are not
    loaded yet, and calls on which a process has died. The last are done while the other threads rest, so that another
    death shows which call causes it.

    Args:
        url: URL of Redis. Each thread has a connection of its own.
        models: Models of this process.
        runner: What runs them.
        in_hand: Notes of what the process has in hand.
        recent: What counts the images that this process answers.
        name: Name of this worker.
        is_beside_jobs: Function that returns whether the worker classifies a job now.
    """

    def __init__(
        self,
        url: str,
        models: Models,
        runner: ModelRunner,
        in_hand: InHand,
        recent: RecentAnswers,
        *,
        name: str,
        is_beside_jobs: Callable[[], bool] = lambda: False,
    ) -> None:
        self._url = url
        self._models, self._meter = models, models.meter
        self._runner = runner
        self._in_hand = in_hand
        self._recent = recent
        self._name = name
        self._is_beside_jobs = is_beside_jobs
        self._lane = Lane(connect(url))
        self._gate = Gate()
        self._classifying = threading.Lock()
        self._slow: queue.SimpleQueue[tuple[int, Call] | None] = queue.SimpleQueue()
        self._free = [*range(len(CallKind), PLACES)]  # places for slow calls; taking one and giving it back is atomic
        self._stopping = False

    def run(self, is_orphan: Callable[[], bool] = lambda: False) -> None:
        """Answer calls until told to stop. This thread takes arrays.

        Args:
            is_orphan: Function that returns whether nobody needs this process any more. Then it stops at once.
        """
        files = threading.Thread(target=self._serve, args=(CallKind.FILES,), name=CallKind.FILES)
        slow = threading.Thread(target=self._serve_slow, name=SLOW)
        for thread in (files, slow):
            thread.daemon = True
            thread.start()
        self._serve(CallKind.ARRAYS, is_orphan)
        if not self._stopping:
            return
        files.join()
        self._slow.put(None)
        slow.join()

    def stop(self) -> None:
        """Take no more calls, and end when those in hand are answered. A handler of signals may call this."""
        self._stopping = True

    def _serve(self, kind: CallKind, is_orphan: Callable[[], bool] = lambda: False) -> None:
        receiver, pause = Receiver(connect(self._url), kind), 0.0
        answers: list[tuple[str, bytes]] = []
        while not self._stopping and not is_orphan():
            try:
                message, now = receiver.exchange(answers, WAIT_SECONDS)
            except (RedisError, OSError) as fault:
                _log.debug("no calls now: %s", fault)
                pause = min(2 * pause + 0.05, MAX_PAUSE_SECONDS)
                time.sleep(pause)
                continue
            answers, pause = [], 0.0
            answer = None if message is None else self._answer(message, now, THREADS.index(kind))
            if answer is not None:
                answers.append(answer)
        for each in answers:
            self._send(*each)

    def _answer(self, message: bytes, now: int, place: int) -> tuple[str, bytes] | None:
        """Return the client of a call and the encoded answer, or None if nobody waits for one, or it comes later."""
        try:
            call = Call.from_wire(message)
        except WireError as fault:
            _log.error("a call was ignored: %s", fault)
            return None
        if now > call.deadline:
            return None
        self._in_hand.hold(place, call.client, call.number)
        answer = None
        if not call.deaths and self._models.at_hand(call.model) is not None:
            answer = self._process(call, place, _cheaply)
        if answer is None:
            answer = self._hand_on(call)
        self._in_hand.release(place)
        return None if answer is None else (call.client, answer.to_wire())

    def _hand_on(self, call: Call) -> Answer | None:
        """Give a call to the slow thread, or return an answer that refuses it for now."""
        try:
            place = self._free.pop()
        except IndexError:
            return Answer(call.number, problem=_BUSY)
        self._in_hand.hold(place, call.client, call.number)
        self._slow.put((place, call))
        return None

    def _serve_slow(self) -> None:
        while (found := self._slow.get()) is not None:
            place, call = found
            answer = self._process(call, place, preprocess_all)
            self._in_hand.release(place)
            self._free.append(place)
            if answer is not None:
                self._send(call.client, answer.to_wire())

    def _send(self, client: str, answer: bytes) -> None:
        try:
            retry_transient(lambda: self._lane.answer(client, answer), timeout=ANSWER_SECONDS)
        except DigitmillError as fault:
            _log.warning("an answer was not sent, and the client will ask again: %s", fault)

    def _process(self, call: Call, place: int, preprocess: Preprocess) -> Answer | None:
        """Return the answer to a call, or None if `preprocess` refuses files that are not certainly cheap.

        Args:
            call: Call.
            place: Its place among those in hand.
            preprocess: Function that decodes and normalises a file.
        """
        # After one death, the model runs apart. If the process dies again all the same, it was not the model.
        with self._gate.passing(alone=call.deaths > 0), self._in_hand.working(place, call.client, call.number):
            try:
                model = self._models(call.model)
                with self._meter.stage(Stage.DECODE, call.kind):
                    images = read(call.batch, READING_SECONDS, preprocess)
                with self._classifying, self._meter.stage(Stage.CLASSIFY, call.kind):
                    answers = self._runner.classify(model, images, suspect=call.deaths == 1, counted=call.counted)
                batch = call.batch
                result = answers.result(
                    model.version, self._name, probabilities=batch.probabilities, several=batch.several
                )
            except MayBeCostly:
                return None
            except (ModelError, WireError, RedisError) as fault:
                _log.warning("a call was refused: %s", fault)
                return Answer(call.number, problem=str(fault) or type(fault).__name__)
            except Exception:
                _log.exception("digitmill itself failed on a call")
                result = Result.failed(len(call.batch), _FAILED, worker=self._name)
        if call.counted:
            self._recent.add(len(result), result.failures.values())
            self._meter.answered(result, call.kind)
        return Answer(call.number, result, beside_jobs=self._is_beside_jobs())
