"""Facts about the calls that a lane process answers, in this process."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

from model.cards.card import BASELINE, Card
from model.errors import FailureCode
from model.images.preprocess import preprocess_all
from tests.support.lane import Caller
from tests.support.models import Harm, harmful, marked
from worker.classifying.canary import CanaryMonitor
from worker.classifying.lane import server as module
from worker.classifying.lane.gate import Gate
from worker.classifying.lane.in_hand import InHand
from worker.classifying.lane.server import PLACES, LaneServer
from worker.classifying.models import Models
from worker.classifying.running import ModelRunner
from worker.contract.connection import connect
from worker.contract.drift import AnswerDays
from worker.contract.lane import Answer, Call, CallKind
from worker.contract.ledger import Ledger
from worker.contract.observation import RecentAnswers, RecentCounts
from worker.contract.registry import LIVE, Registry
from worker.contract.wire import Batch

BASELINE_VERSION = Card.read(BASELINE).version
CLIENT = "0123456789abcdef" * 2


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def models(registry):
    """The models of the process."""
    found = Models(registry)
    found.follow()
    return found


@pytest.fixture
def in_hand():
    """What the process has in hand."""
    return InHand(PLACES)


@pytest.fixture
def canary(server, models, registry):
    """The canary monitor of the process."""
    return CanaryMonitor(models, registry, AnswerDays(connect(server.url)), name="worker")


@pytest.fixture
def recent():
    """What counts the images."""
    return RecentAnswers()


@pytest.fixture
def lane(server, client, models, canary, in_hand, recent):
    """The lane, with a server that answers its calls."""
    answering = LaneServer(server.url, models, ModelRunner(models, canary), in_hand, recent, name="worker")
    thread = threading.Thread(target=answering.run)
    thread.start()
    yield Caller(client, CLIENT)
    answering.stop()
    thread.join()


def ask(lane, images, *, number=1, model=LIVE, deaths=0, deadline=10**14, several=False, counted=True):
    """Send a call."""
    batch = Batch(images, probabilities=not several, several=several)
    call = Call(CLIENT, number, deadline, model, deaths, batch, counted)
    lane.send(call.kind, call.to_wire())


def answer(lane, seconds=20.0):
    """Return the next answer."""
    found = lane.next_answer(seconds)
    assert found is not None, "no answer in time"
    return Answer.from_wire(found)


def test_arrays_and_files_are_answered_as_batches_are(lane, digits, png, models):
    """Digits, probabilities, failures and the version are those that a job would get."""
    expected = models(LIVE).classifier.classify(digits.images[:5])
    arrays = digits.images[:5].copy()
    arrays[3] = 0
    ask(lane, arrays, number=7)
    found = answer(lane)
    assert found.number == 7
    assert found.result.model == BASELINE_VERSION
    assert found.result.worker == "worker"
    assert {index: failure.code for index, failure in found.result.failures.items()} == {3: FailureCode.BLANK}
    assert np.delete(found.result.digits, 3).tolist() == np.delete(expected.digits, 3).tolist()
    np.testing.assert_allclose(found.result.probabilities[0], expected.probabilities[0], rtol=1e-6)
    ask(lane, (png(digits.images[0]), b"no image", png(digits.images[1])), number=8)
    found = answer(lane)
    assert {index: failure.code for index, failure in found.result.failures.items()} == {1: FailureCode.NOT_AN_IMAGE}
    assert found.result.digits[[0, 2]].tolist() == expected.digits[:2].tolist()


def test_images_that_a_job_has_counted_do_not_count_again(lane, digits, client, canary, recent):
    """Neither in the rate nor in the days that show a drift."""
    for number, counted in ((1, True), (2, False)):
        ask(lane, digits.images[:5], number=number, counted=counted)
        assert answer(lane).result.model == BASELINE_VERSION
    canary.report()
    recent.report(RecentCounts(client))
    [day] = AnswerDays(client).read(BASELINE_VERSION).values()
    minute, _ = RecentCounts(client).read(Ledger(client).now())
    assert (day.images, minute.images) == (5, 5)


def test_all_digits_are_read_if_the_client_asks_for_them(lane, digits, png):
    """As in a job with `--several read`."""
    four, six = digits.images[:2]
    ask(lane, (png(np.hstack([four, np.zeros_like(four), six])),), several=True)
    assert answer(lane).result.counts.tolist() == [2]


def test_a_call_after_its_deadline_and_a_damaged_one_are_dropped(lane, digits):
    """Nobody waits for the first, and nobody could be told of the second. The next call is answered."""
    ask(lane, digits.images[:1], number=1, deadline=1)
    lane.send(CallKind.ARRAYS, b"damaged")
    ask(lane, digits.images[:1], number=2)
    assert answer(lane).number == 2
    assert lane.next_answer(0.1) is None


def test_a_file_that_may_be_costly_does_not_hold_up_the_others(lane, digits, png, monkeypatch):
    """The slow thread decodes it, and cheap files and arrays overtake it."""
    held = threading.Event()

    def slowly(data, **options):
        held.wait(20)
        return preprocess_all(data, **options)

    monkeypatch.setattr(module, "preprocess_all", slowly)
    large = _avif(digits.images[0])
    ask(lane, (large,), number=1)
    ask(lane, (png(digits.images[1]),), number=2)
    ask(lane, digits.images[:1], number=3)
    assert {answer(lane).number, answer(lane).number} == {2, 3}
    held.set()
    found = answer(lane)
    assert (found.number, found.result.failures) == (1, {})


def _avif(image) -> bytes:
    """Return a picture as AVIF, whose decoder is never certainly cheap."""
    from io import BytesIO

    file = BytesIO()
    Image.fromarray(255 - image).resize((56, 56)).save(file, "AVIF")
    return file.getvalue()


def test_more_costly_files_than_a_process_may_hold_are_refused_for_now(lane, digits, in_hand, monkeypatch):
    """Their clients come again."""
    held = threading.Event()
    monkeypatch.setattr(module, "preprocess_all", lambda *_, **__: held.wait(20))
    for number in range(module.SLOW_CALLS + 1):
        ask(lane, (_avif(digits.images[0]),), number=number)
    found = answer(lane)
    assert len(in_hand.held()) == module.SLOW_CALLS, "a process that dies tells the clients of all"
    held.set()
    assert found.result is None
    assert "take long" in found.problem


def test_files_that_take_long_together_are_answered_in_part(lane, digits, png, monkeypatch):
    """The client sends the rest again, behind the calls of others."""
    monkeypatch.setattr(module, "READING_SECONDS", 0.0)
    ask(lane, tuple(png(image) for image in digits.images[:3]))
    assert len(answer(lane).result) == 1


def test_a_version_is_loaded_while_others_are_answered(lane, registry, variant, digits):
    """The slow thread tries and loads it. Its answers name it."""
    card, files = variant("asked")
    registry.publish(card, files)
    ask(lane, digits.images[:1], number=1, model=card.version)
    ask(lane, digits.images[:1], number=2)
    assert answer(lane).number == 2
    found = answer(lane)
    assert (found.number, found.result.model) == (1, card.version)


def test_a_version_that_does_not_exist_is_the_problem_of_its_calls(lane, digits):
    """The answer says so, and the client decides how long it tries."""
    ask(lane, digits.images[:1], model="never-published")
    found = answer(lane)
    assert found.result is None
    assert "never-published" in found.problem


def test_a_version_that_fails_on_a_call_is_the_problem_of_that_call(lane, registry, digits):
    """The failure counts against the version. The next call with the baseline is answered."""
    card, files = harmful(Harm.RAISE, only_marked=True)
    registry.publish(card, files)
    ask(lane, marked(digits.images[:2]), number=1, model=card.version)
    assert "LiteRT cannot run this model" in answer(lane).problem
    ask(lane, digits.images[:1], number=2)
    assert answer(lane).result is not None


def test_images_on_which_a_process_died_meet_a_model_in_a_process_with_limits(lane, registry, digits):
    """Then a model that would end this process is found out instead."""
    card, files = harmful(Harm.CRASH, only_marked=True)
    registry.publish(card, files)
    ask(lane, marked(digits.images[:2]), model=card.version, deaths=1)
    assert answer(lane).problem
    assert "SIGFPE" in registry.fault(card.version)


def test_a_server_that_is_told_to_stop_answers_what_it_has_in_hand(server, client, models, canary, in_hand, digits):
    """It takes no other call."""
    answering = LaneServer(server.url, models, ModelRunner(models, canary), in_hand, RecentAnswers(), name="w")
    begun, going_on = threading.Event(), threading.Event()

    class Slow(ModelRunner):
        def classify(self, *arguments, **options):
            begun.set()
            going_on.wait(20)
            return super().classify(*arguments, **options)

    answering._runner = Slow(models, canary)
    thread = threading.Thread(target=answering.run)
    thread.start()
    lane = Caller(client, CLIENT)
    ask(lane, digits.images[:1], number=1)
    assert begun.wait(20)
    assert [(held.place, held.number) for held in in_hand.held()] == [(0, 1)]
    answering.stop()
    ask(lane, digits.images[:1], number=2)
    going_on.set()
    thread.join(20)
    assert not thread.is_alive()
    assert answer(lane).number == 1
    assert lane.standing(CallKind.ARRAYS).waiting == 1
    assert in_hand.held() == []


def test_what_is_worked_on_is_overdue_after_the_limit_of_its_place():
    """The last limit is that of all other places. What only waits is never overdue, and nor is an idle process."""
    now = [100.0]
    in_hand = InHand(4, clock=lambda: now[0])
    in_hand.hold(3, CLIENT, 5)
    assert in_hand.held() == [(3, CLIENT, 5, 0.0)]
    assert not in_hand.is_overdue([0.0, 0.0])
    with in_hand.working(3, CLIENT, 5):
        assert in_hand.held() == [(3, CLIENT, 5, 100.0)]
        now[0] = 110.0
        assert not in_hand.is_overdue([1.0, 11.0])
        assert in_hand.is_overdue([11.0, 9.0])
    in_hand.release(3)
    assert in_hand.held() == []
    in_hand.hold(0, CLIENT, 6)
    in_hand.begin()
    assert in_hand.held() == []


def test_a_thread_is_alone_in_the_gate_if_it_must_be():
    """It waits for those inside, and the others wait for it."""
    gate, order = Gate(), []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with gate.passing(alone=False), gate.passing(alone=False):
            inside.set()
            leave.wait(20)
            order.append("first")

    def alone():
        with gate.passing(alone=True):
            order.append("alone")
            time.sleep(0.05)
            order.append("alone")

    def last():
        with gate.passing(alone=False):
            order.append("last")

    threads = [threading.Thread(target=target) for target in (first, alone, last)]
    threads[0].start()
    assert inside.wait(20)
    threads[1].start()
    while not gate._alone:
        time.sleep(0.001)
    threads[2].start()
    leave.set()
    for thread in threads:
        thread.join(20)
    assert order == ["first", "alone", "alone", "last"]
