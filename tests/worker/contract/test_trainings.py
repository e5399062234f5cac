"""Facts about the record of trainings: one at a time, never lost, and only its holder changes it."""

import time

import pytest

from model.errors import ModelError
from model.training.options import TrainingOptions
from worker.contract.registry import Registry
from worker.contract.training import ATTEMPTS, ProgressReply, Trainings, TrainingState
from worker.contract.training import keys as training_keys

LEASE = 30.0


@pytest.fixture
def trainings(client):
    """No training was ever asked for."""
    return Trainings(client)


def claim(trainings, holder="one", lease_seconds=LEASE):
    """Take hold of what is open."""
    return trainings.claim(holder=holder, lease_seconds=lease_seconds)


def test_two_who_ask_at_once_get_one_training(trainings):
    """The second is told the id of the first's; once that has ended, another may be asked for."""
    assert trainings.ask("first", TrainingOptions(seed=7), who="me") == "first"
    assert trainings.ask("second", TrainingOptions(), who="me") == "first"
    assert trainings.ask("first", TrainingOptions(seed=7), who="me") == "first"
    held = claim(trainings)
    assert held.order == TrainingOptions(seed=7)
    assert trainings.ask("second", TrainingOptions(), who="me") == "first"
    assert trainings.finish(held, TrainingState.DONE, version="v")
    assert trainings.ask("second", TrainingOptions(), who="me") == "second"
    assert trainings.status("first").version == "v"


def test_nothing_is_claimed_twice(trainings):
    """Neither what nobody asked for, nor what another trainer has, nor what has ended."""
    assert claim(trainings) is None
    trainings.ask("a", TrainingOptions(), who="me")
    held = claim(trainings)
    assert held.attempt == 1
    assert claim(trainings, "two") is None
    assert trainings.waiting() is None
    trainings.finish(held, TrainingState.REFUSED, reason="worse")
    assert claim(trainings) is None
    status = trainings.latest()
    assert (status.state, status.reason, status.held) == (TrainingState.REFUSED, "worse", False)


def test_what_a_trainer_says_is_there_to_see(trainings):
    """Stage, epoch, accuracy, time left."""
    trainings.ask("a", TrainingOptions(), who="me")
    held = claim(trainings)
    said = {"stage": "network", "epoch": 3, "epochs": 5, "accuracy": 0.987, "seconds_left": 61.5}
    assert trainings.renew(held, lease_seconds=LEASE, **said) is ProgressReply.GO_ON
    status = trainings.latest()
    assert {name: getattr(status, name) for name in said} == said
    assert (status.state, status.held, status.holder) == (TrainingState.RUNNING, True, "one")


def test_a_trainer_that_lost_its_lease_changes_nothing_and_publishes_nothing(trainings, client, variant):
    """Another has the training: saying, ending, giving back and publishing are all refused."""
    trainings.ask("a", TrainingOptions(), who="me")
    lost = claim(trainings, lease_seconds=0.05)
    time.sleep(0.1)
    assert trainings.waiting().identifier == "a"
    held = claim(trainings, "two")
    assert held.attempt == 2
    assert trainings.renew(lost, lease_seconds=LEASE, stage="network") is ProgressReply.LOST
    assert not trainings.finish(lost, TrainingState.DONE)
    assert not trainings.release(lost)
    registry = Registry(client)
    card, files = variant()
    with pytest.raises(ModelError, match="lease on training was lost"):
        registry.publish(card, files, fence=lost.fence)
    status = trainings.latest()
    assert (status.holder, status.stage) == ("two", "starting")
    registry.publish(card, files, fence=held.fence)
    with pytest.raises(ModelError, match="lease on training was lost"):
        registry.promote(card.version, reason="", fence=lost.fence)
    assert registry.promote(card.version, reason="", fence=held.fence)


def test_a_lease_that_ran_out_unnoticed_is_taken_again(trainings, client, variant):
    """A trainer that was away for a moment goes on if nobody took its place, but publishes nothing until it has."""
    trainings.ask("a", TrainingOptions(), who="me")
    held = claim(trainings, lease_seconds=0.05)
    time.sleep(0.1)
    card, files = variant()
    with pytest.raises(ModelError, match="lease"):
        Registry(client).publish(card, files, fence=held.fence)
    assert trainings.renew(held, lease_seconds=LEASE) is ProgressReply.GO_ON
    assert claim(trainings, "two") is None
    Registry(client).publish(card, files, fence=held.fence)


def test_a_training_that_kills_its_trainers_is_given_up(trainings):
    """After three attempts it is failed, with the reason, and not begun again."""
    trainings.ask("a", TrainingOptions(), who="me")
    for attempt in range(1, ATTEMPTS + 1):
        assert claim(trainings, lease_seconds=0.02).attempt == attempt
        time.sleep(0.05)
    assert claim(trainings) is None
    status = trainings.latest()
    assert status.state is TrainingState.FAILED
    assert "died 3 times" in status.reason


def test_giving_back_costs_no_attempt(trainings):
    """As a trainer does that is told to stop: the next one takes it up at once."""
    trainings.ask("a", TrainingOptions(), who="me")
    for _ in range(ATTEMPTS + 1):
        assert trainings.release(claim(trainings))
    assert trainings.waiting().state is TrainingState.ASKED
    assert claim(trainings).attempt == 1


def test_cancelling_ends_what_waits_and_tells_who_works(trainings):
    """A trainer hears of it with its next word; without a trainer the training ends at once."""
    assert trainings.cancel() is None
    trainings.ask("a", TrainingOptions(), who="me")
    assert trainings.cancel().state is TrainingState.CANCELLED
    assert claim(trainings) is None
    trainings.ask("b", TrainingOptions(), who="me")
    held = claim(trainings)
    assert trainings.cancel().state is TrainingState.RUNNING
    assert trainings.renew(held, lease_seconds=LEASE) is ProgressReply.CANCEL
    assert trainings.release(held)
    assert trainings.status("b").state is TrainingState.CANCELLED
    assert trainings.cancel() is None


def test_a_cancelled_training_whose_trainer_died_ends(trainings):
    """It is neither begun again nor left running for good."""
    trainings.ask("a", TrainingOptions(), who="me")
    claim(trainings, lease_seconds=0.05)
    trainings.cancel()
    time.sleep(0.1)
    assert claim(trainings) is None
    assert trainings.latest().state is TrainingState.CANCELLED


def test_trainers_are_known_while_they_say_so(trainings, client):
    """One that has been silent for long is not counted."""
    trainings.announce("one")
    assert trainings.trainers() == ["one"]
    client.zadd(training_keys.TRAINERS, {"silent": 1})
    assert trainings.trainers() == ["one"]
    trainings.remove_trainer("one")
    assert trainings.trainers() == []


def test_a_full_redis_lets_a_training_go_on_and_end(trainings, client):
    """What leads to the end of work is never refused; asking for more is."""
    trainings.ask("a", TrainingOptions(), who="me")
    client.config_set("maxmemory", "1")
    held = claim(trainings)
    assert trainings.renew(held, lease_seconds=LEASE, stage="network") is ProgressReply.GO_ON
    assert trainings.finish(held, TrainingState.DONE)
