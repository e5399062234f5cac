"""Facts about the records of trainings: one is open at a time, none is lost, and only its holder changes it."""

import pytest
from redis.exceptions import OutOfMemoryError

from model.errors import ModelError
from model.training.options import TrainingOptions
from tests.support.harms import WRITERS
from worker.contract.registry import Registry
from worker.contract.training import ATTEMPTS, ProgressReply, Schedule, Trainings, TrainingState
from worker.contract.training import keys as training_keys

LEASE = 30.0


@pytest.fixture
def trainings(client):
    """The records of trainings. There are none yet."""
    return Trainings(client)


def claim(trainings, holder="one"):
    """Claim the open training."""
    return trainings.claim(holder=holder, lease_seconds=LEASE)


def end_lease(client):
    """End the lease on the training, as Redis does when its time is up."""
    assert 0 < client.pttl(training_keys.LEASE) <= LEASE * 1000
    client.delete(training_keys.LEASE)


def test_two_who_ask_at_once_get_one_training(trainings):
    """The second gets the id of the first one's training. After that has ended, another one can begin."""
    assert trainings.ask("first", TrainingOptions(seed=7), who="me") == "first"
    assert trainings.ask("second", TrainingOptions(), who="me") == "first"
    assert trainings.ask("first", TrainingOptions(seed=7), who="me") == "first"
    held = claim(trainings)
    assert held.options == TrainingOptions(seed=7)
    assert trainings.ask("second", TrainingOptions(), who="me") == "first"
    assert trainings.finish(held, TrainingState.DONE, version="v")
    assert trainings.ask("second", TrainingOptions(), who="me") == "second"
    assert trainings.status("first").version == "v"


def test_nothing_is_claimed_twice(trainings):
    """There is no claim either if no training was asked for, another trainer has it, or it has ended."""
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


def test_what_a_trainer_reports_is_there_to_see(trainings):
    """The status has the reported stage, epoch, accuracy and time left."""
    trainings.ask("a", TrainingOptions(), who="me")
    held = claim(trainings)
    progress = {"stage": "network", "epoch": 3, "epochs": 5, "accuracy": 0.987, "seconds_left": 61.5}
    assert trainings.renew(held, lease_seconds=LEASE, **progress) is ProgressReply.GO_ON
    status = trainings.latest()
    assert {name: getattr(status, name) for name in progress} == progress
    assert (status.state, status.held, status.holder) == (TrainingState.RUNNING, True, "one")


def test_a_trainer_that_lost_its_lease_changes_nothing_and_publishes_nothing(trainings, client, variant):
    """After another trainer has claimed the training, the first cannot report, end, release, publish or promote."""
    trainings.ask("a", TrainingOptions(), who="me")
    lost = claim(trainings)
    end_lease(client)
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
    """A trainer that was away goes on if no other took its place. Until it has renewed, it cannot publish."""
    trainings.ask("a", TrainingOptions(), who="me")
    held = claim(trainings)
    end_lease(client)
    card, files = variant()
    with pytest.raises(ModelError, match="lease"):
        Registry(client).publish(card, files, fence=held.fence)
    assert trainings.renew(held, lease_seconds=LEASE) is ProgressReply.GO_ON
    assert claim(trainings, "two") is None
    Registry(client).publish(card, files, fence=held.fence)


def test_a_training_that_kills_its_trainers_fails(trainings, client):
    """After three attempts it fails with the reason, and cannot be claimed again."""
    trainings.ask("a", TrainingOptions(), who="me")
    for attempt in range(1, ATTEMPTS + 1):
        assert claim(trainings).attempt == attempt
        end_lease(client)
    assert claim(trainings) is None
    status = trainings.latest()
    assert status.state is TrainingState.FAILED
    assert status.reason == "Its trainer died 3 times. The trainer's log may say why. Ask for another training."


def test_why_an_attempt_ended_is_there_to_see_until_the_next_one(trainings, client):
    """Of the last attempt, the reason of the failure says it."""
    trainings.ask("a", TrainingOptions(), who="me")
    for attempt in range(1, ATTEMPTS + 1):
        held = claim(trainings)
        assert trainings.latest().reason == ""
        trainings.renew(held, lease_seconds=LEASE, reason=f"Memory ran out {attempt} times.")
        end_lease(client)
        assert trainings.latest().reason == f"Memory ran out {attempt} times."
    claim(trainings)
    assert trainings.latest().reason == "Its trainer died 3 times. Memory ran out 3 times. Ask for another training."


def test_giving_back_costs_no_attempt(trainings):
    """A trainer that is told to stop gives its training back. The next one claims it at once."""
    trainings.ask("a", TrainingOptions(), who="me")
    for _ in range(ATTEMPTS + 1):
        assert trainings.release(claim(trainings))
    assert trainings.waiting().state is TrainingState.ASKED
    assert claim(trainings).attempt == 1


def test_cancelling_ends_what_waits_and_tells_who_works(trainings):
    """A waiting training ends at once. A trainer at work learns of it from its next report."""
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


def test_a_cancelled_training_whose_trainer_died_ends(trainings, client):
    """The next claim ends it instead of beginning it again."""
    trainings.ask("a", TrainingOptions(), who="me")
    claim(trainings)
    trainings.cancel()
    end_lease(client)
    assert claim(trainings) is None
    assert trainings.latest().state is TrainingState.CANCELLED


def test_trainers_count_while_their_heart_beats(trainings, client):
    """A trainer is not listed after a long time without a heartbeat, or after it was removed."""
    trainings.announce("one")
    assert trainings.trainers() == ["one"]
    client.zadd(training_keys.TRAINERS, {"silent": 1})
    assert trainings.trainers() == ["one"]
    trainings.remove_trainer("one")
    assert trainings.trainers() == []


def test_what_hinders_a_trainer_is_known_until_it_says_otherwise_or_dies(trainings, client):
    """A trainer without faults is left out, and so is one without heartbeats."""
    assert trainings.faults([]) == {}
    for name in ("one", "two"):
        trainings.announce(name, "" if name == "one" else "The disk is full.")
    assert trainings.faults(trainings.trainers()) == {"two": "The disk is full."}
    assert 0 < client.pttl(training_keys.trainer("two")) <= 5000
    trainings.announce("two")
    assert trainings.faults(trainings.trainers()) == {}
    trainings.announce("two", "x" * 10_000)
    assert len(trainings.faults(["two"])["two"]) == 1000
    trainings.remove_trainer("two")
    assert client.exists(training_keys.trainer("two")) == 0


def test_a_full_redis_lets_a_training_go_on_and_end(trainings, client):
    """A full Redis refuses only to take a new training."""
    trainings.ask("a", TrainingOptions(), who="me")
    client.config_set("maxmemory", "1")
    held = claim(trainings)
    assert trainings.renew(held, lease_seconds=LEASE, stage="network") is ProgressReply.GO_ON
    assert trainings.finish(held, TrainingState.DONE)
    with pytest.raises(OutOfMemoryError):
        trainings.ask("b", TrainingOptions(), who="me")


def test_a_schedule_goes_on_after_its_last_firing(client):
    """A scheduler that starts later makes up for firings that came due meanwhile. A new schedule begins now."""
    now = [1000.0]
    schedule = Schedule(client, clock=lambda: now[0])
    assert schedule.begin("0 3 * * *") == 1000
    now[0] = 2000
    schedule.handled("skipped")
    now[0] = 3000
    assert schedule.begin("0 3 * * *") == 2000
    assert (schedule.status().handled, schedule.status().outcome) == (2000, "skipped")
    assert schedule.begin("0 4 * * *") == 3000
    now[0] = 2500
    assert schedule.begin("0 4 * * *") == 2500, "a clock that was set back does not lie ahead"


def test_the_lease_of_a_dead_trainer_ends_when_the_clock_goes_back(client, trainings):
    """Its key would stay for an hour. A trainer that lives renews it within a second, and keeps the training."""
    trainings.ask("a", TrainingOptions(), who="me")
    dead = trainings.claim(holder="dead-1", lease_seconds=30)
    assert trainings.claim(holder="t-2", lease_seconds=30) is None
    set_clock_back(client, "a")
    assert not trainings.latest().held
    assert trainings.waiting(), "its heartbeat rings"
    claim = trainings.claim(holder="t-2", lease_seconds=30)
    assert (claim.identifier, claim.attempt) == ("a", 2)
    assert trainings.renew(dead, lease_seconds=30) is ProgressReply.LOST
    set_clock_back(client, "a")
    assert trainings.renew(claim, lease_seconds=30) is ProgressReply.GO_ON
    assert trainings.latest().held
    assert trainings.claim(holder="t-3", lease_seconds=30) is None


def test_a_training_of_a_dead_trainer_is_cancelled_at_once_when_the_clock_goes_back(client, trainings):
    """Nobody is there who could learn of it."""
    trainings.ask("a", TrainingOptions(), who="me")
    trainings.claim(holder="dead-1", lease_seconds=30)
    set_clock_back(client, "a")
    assert trainings.cancel().state is TrainingState.CANCELLED


def test_a_lease_without_an_end_is_not_a_lease(client, trainings):
    """Somebody else wrote it."""
    trainings.ask("a", TrainingOptions(), who="me")
    client.set(training_keys.LEASE, "7")
    assert trainings.claim(holder="t-1", lease_seconds=30)


def test_a_heartbeat_of_a_trainer_from_the_future_is_that_of_a_dead_one(client, trainings):
    """It was sent before the clock went back."""
    client.zadd(training_keys.TRAINERS, {"dead-1": 1000 * (trainings_now(client) + 3600)})
    trainings.announce("t-2")
    assert trainings.trainers() == ["t-2"]
    assert client.zrange(training_keys.TRAINERS, 0, -1) == [b"t-2"]


def trainings_now(client):
    """Return the time of Redis: unix time, seconds."""
    return client.time()[0]


def set_clock_back(client, training):
    """Write what a Redis an hour ahead would have written."""
    client.pexpire(training_keys.LEASE, 3_630_000)
    client.hincrby(training_keys.training(training), "granted", 3_600_000)


@pytest.mark.parametrize("kind", ["string", "list", "zset", "hash"])
@pytest.mark.parametrize(
    "key",
    [
        training_keys.CURRENT,
        training_keys.LEASE,
        training_keys.TOKEN,
        training_keys.TRAINERS,
        training_keys.TRAININGS,
        training_keys.training("a"),
    ],
)
def test_a_training_can_be_asked_for_whatever_lies_under_a_key(client, trainings, key, kind):
    """Scripts delete what has another type, and go on."""
    trainings.ask("a", TrainingOptions(), who="me")
    client.delete(key)
    WRITERS[kind](client, key)
    trainings.announce("t-1")
    asked = trainings.ask("b", TrainingOptions(), who="me")
    assert asked in ("a", "b")
    claim = trainings.claim(holder="t-1", lease_seconds=30)
    assert claim.identifier == asked
    assert trainings.renew(claim, lease_seconds=30, changes=1) is ProgressReply.GO_ON
    assert trainings.finish(claim, TrainingState.DONE)
