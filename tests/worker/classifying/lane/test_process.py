"""Facts about the lane's process in a running worker."""

import os
import signal
import time

import psutil
import pytest

from tests.support.lane import Caller
from tests.system.faults.injected.marks import MARK_HANG, MARK_KILL, MARK_SLOW
from worker.contract.lane import Answer, Call, CallKind
from worker.contract.registry import LIVE
from worker.contract.wire import Batch

CLIENT = "0123456789abcdef" * 2
ZOMBIE = psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def worker(start_mill_in, tmp_path_factory):
    """A mill with one worker, whose lane's process the tests may kill."""
    with start_mill_in(tmp_path_factory.mktemp("lane"), 1) as mill:
        yield mill


def lane_process(mill) -> psutil.Process:
    """Return the lane's process of the only worker. Of its children, the classifying process is the other."""
    status = mill.connection.ledger.workers()[-1]
    main = psutil.Process(int(status.name.rpartition("-")[2]))
    [process] = [child for child in main.children() if child.pid != status.process and child.status() != ZOMBIE]
    return process


def ask(lane, batch, *, number=1, deaths=0):
    """Send a call to the lane."""
    call = Call(CLIENT, number, 10**14, LIVE, deaths, batch)
    return lane.send(call.kind, call.to_wire())


def answer(lane, seconds=30.0):
    """Return the next answer."""
    found = lane.next_answer(seconds / 2)
    assert found is not None, "no answer in time"
    return Answer.from_wire(found)


def test_a_killed_process_is_replaced_and_its_client_told_at_once(worker, digits, png, eventually):
    """The client learns that the process died on its call, and the next process answers the call."""
    lane, process = Caller(worker.connection.client, CLIENT), lane_process(worker)
    slow = Batch(tuple(png(image) + MARK_SLOW for image in digits.images[:2]))
    sequence = ask(lane, slow).sequence
    eventually(lambda: not lane.standing(CallKind.FILES).waits(sequence), what="a call in hand")
    time.sleep(0.2)  # it has read the call by now, and the images take it 0.6 s
    process.kill()
    told = answer(lane)
    assert (told.number, told.result, told.died, told.blamed) == (1, None, True, True)
    ask(lane, slow, number=2, deaths=1)
    assert len(answer(lane).result) == 2
    assert lane_process(worker).pid != process.pid


def test_an_image_that_kills_its_process_is_blamed(worker, digits, png):
    """Each attempt ends one process, and the client is told each time."""
    lane = Caller(worker.connection.client, CLIENT)
    poison = Batch((png(digits.images[0]) + MARK_KILL,))
    for deaths in range(2):
        ask(lane, poison, number=10 + deaths, deaths=deaths)
        told = answer(lane)
        assert (told.number, told.died, told.blamed) == (10 + deaths, True, True)
    ask(lane, Batch(digits.images[:1]), number=12)
    assert answer(lane).number == 12


def test_a_hanging_process_is_replaced(start_mill, digits, png):
    """The time limit of a batch holds for a call, too."""
    with start_mill(1, DIGITMILL_TIME_LIMIT_SECONDS="0.5") as mill:
        lane = Caller(mill.connection.client, CLIENT)
        ask(lane, Batch((png(digits.images[0]) + MARK_HANG,)))
        assert answer(lane).died
        ask(lane, Batch(digits.images[:1]), number=2)
        assert answer(lane).result is not None


def test_the_lane_follows_promotions_and_counts_for_the_canary(worker, variant, digits, eventually):
    """Its answers name the new version, and the registry counts them."""
    lane, registry = Caller(worker.connection.client, CLIENT), worker.connection.registry
    card, files = variant("promoted")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")

    def model():
        ask(lane, Batch(digits.images[:32]))
        return answer(lane).result.model

    eventually(lambda: model() == card.version, what="an answer of the new version")
    eventually(lambda: model() and registry.service_counts(card.version).shadowed, what="a comparison with the old one")
    registry.rollback(reason="test")


def test_the_lane_ends_with_its_worker(worker, digits, png, eventually):
    """A worker that is told to stop answers what the lane has in hand. One that is killed takes the lane with it."""
    lane, process = Caller(worker.connection.client, CLIENT), lane_process(worker)
    [before] = worker.connection.ledger.workers()
    sequence = ask(lane, Batch(tuple(png(image) + MARK_SLOW for image in digits.images[:1]))).sequence
    eventually(lambda: not lane.standing(CallKind.FILES).waits(sequence), what="a call in hand")
    os.kill(worker.stack.supervisor.processes()["worker-1"], signal.SIGTERM)
    assert answer(lane).result.digits.tolist() == digits.labels[:1].tolist()
    eventually(lambda: _ended(process), what="the end of the lane's process")

    def successors():
        return [each for each in worker.connection.ledger.workers() if each.ready and each.name != before.name]

    eventually(successors, what="the next worker")
    process = lane_process(worker)
    os.kill(worker.stack.supervisor.processes()["worker-1"], signal.SIGKILL)
    eventually(lambda: _ended(process), what="the end of the lane's process")


def _ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == ZOMBIE
