"""Doorbells of other formats are put back for others, but do not keep a worker from its own."""

from collections.abc import Iterable

import pytest
import redis

from producer.mill.stack import Stack
from worker.classifying.tasks import PUT_BACKS, PUT_BACKS_A_MINUTE, OtherDoorbells
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.queues import CLASSIFY_QUEUE


class Time:
    """A clock that only pauses move on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pause(self, seconds: float) -> None:
        """Move it on."""
        self.now += seconds


@pytest.fixture
def time() -> Time:
    """The clock of a process."""
    return Time()


@pytest.fixture
def others(server: Stack, time: Time) -> OtherDoorbells:
    """What puts doorbells back into the queue of the server."""
    return OtherDoorbells(Doorbell(connect(server.url)), clock=lambda: time.now, pause=time.pause)


def put_back(others: OtherDoorbells, parts: Iterable[object]) -> int:
    """Return how many of these doorbells are put back."""
    return sum(others.put_back(2, {"part": part}) for part in parts)


def test_many_doorbells_take_little_time(others: OtherDoorbells, time: Time, client: "redis.Redis") -> None:
    """After a few pauses the rest is dropped at once, and so is what comes round."""
    began = time.now
    assert put_back(others, range(3000)) == PUT_BACKS_A_MINUTE
    assert client.llen(CLASSIFY_QUEUE) == PUT_BACKS_A_MINUTE
    assert put_back(others, range(PUT_BACKS_A_MINUTE)) == 0
    assert time.now - began < 10


def test_a_minute_later_others_are_put_back_again(others: OtherDoorbells, time: Time, client: "redis.Redis") -> None:
    """By then reconcilers have rung anew, perhaps while a worker that reads them is there."""
    put_back(others, range(3000))
    time.pause(61)
    assert put_back(others, ["new"]) == 1
    assert client.llen(CLASSIFY_QUEUE) == PUT_BACKS_A_MINUTE + 1


@pytest.mark.parametrize("every", [1.0, 10.0, 50.0])
def test_a_doorbell_that_keeps_coming_round_ends(
    others: OtherDoorbells, time: Time, client: "redis.Redis", every: float
) -> None:
    """It does, however long each round takes, because other workers pause before they put it back."""

    def rounds(number: int) -> Iterable[str]:
        for _ in range(number):
            time.pause(every)
            yield "the same"

    assert put_back(others, rounds(3 * PUT_BACKS)) == PUT_BACKS
    assert client.llen(CLASSIFY_QUEUE) == PUT_BACKS
    time.pause(61)
    assert put_back(others, ["the same"]) == 1
