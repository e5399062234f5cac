"""Facts about trainings that a scheduler asks for because of drift."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model.cards.card import BASELINE, Card
from tests.support.drift import answers, write_days
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.drift import keys
from worker.contract.queues import TRAIN_QUEUE
from worker.contract.teaching import LabelChange, Teaching
from worker.contract.training import Trainings, TrainingState
from worker.contract.training import keys as training_keys
from worker.scheduler.drift_check import INTERVAL_SECONDS, DriftCheck
from worker.settings import Settings

BASELINE_VERSION = Card.read(BASELINE).version
NORMAL, DOUBTFUL = answers(1000, unsure=0.02), answers(1000, unsure=0.3)


@pytest.fixture
def clock():
    """A clock that stands still until somebody changes it."""
    return [0.0]


@pytest.fixture
def make_check(server, clock):
    """Make the check of a scheduler, on a connection of its own."""

    def make(name="one", **settings):
        given = replace(Settings.from_environment({}), **settings)
        doorbell = Doorbell(connect(server.url))
        return DriftCheck(connect(server.url), doorbell, given, name, clock=lambda: clock[0])

    return make


def finish(trainings):
    """Carry out the open training."""
    claim = trainings.claim(holder="trainer", lease_seconds=30)
    assert trainings.finish(claim, TrainingState.REFUSED)


def test_drift_of_the_live_version_asks_for_one_training(client, make_check):
    """Any number of schedulers asks once for each day, also after that training has ended."""
    write_days(client, BASELINE_VERSION, [NORMAL, DOUBTFUL])
    identifier = make_check().tick()
    assert identifier.endswith("-drift")
    assert client.llen(TRAIN_QUEUE) == 1
    assert make_check("two").tick() == ""
    finish(Trainings(client))
    assert make_check("three").tick() == ""
    assert client.zcard(training_keys.TRAININGS) == 1


def test_without_drift_no_training_is_asked_for(client, make_check):
    """Other versions may drift."""
    write_days(client, BASELINE_VERSION, [NORMAL, NORMAL])
    write_days(client, "another", [NORMAL, DOUBTFUL])
    assert make_check().tick() == ""


def test_redis_is_asked_now_and_then(client, make_check, clock):
    """A scheduler ticks every second."""
    check = make_check()
    assert check.tick() == ""
    write_days(client, BASELINE_VERSION, [NORMAL, DOUBTFUL])
    clock[0] = INTERVAL_SECONDS - 1
    assert check.tick() == ""
    clock[0] = INTERVAL_SECONDS
    assert check.tick()


def test_the_next_day_asks_again_only_if_something_was_taught(client, make_check, digits):
    """The same training on the same images would hardly help."""
    write_days(client, BASELINE_VERSION, [NORMAL, DOUBTFUL])
    old = make_check().tick()
    finish(Trainings(client))
    yesterday = datetime.fromtimestamp(int(client.time()[0]), UTC) - timedelta(days=1)
    client.rename(training_keys.training(old), training_keys.training(f"{yesterday:%y%m%d}-drift"))
    client.delete(training_keys.TRAININGS, training_keys.CURRENT)
    client.delete(keys.days(BASELINE_VERSION))
    write_days(client, BASELINE_VERSION, [NORMAL, NORMAL, answers(1000, unsure=0.5)])
    assert make_check().tick() == "", "a training was asked for yesterday"
    Teaching(client).send([LabelChange.of(digits.images[0], 7, "", 1.0)])
    assert make_check("two").tick() == old


def test_the_settings_say_which_training_to_ask_for(client, make_check):
    """As for the schedule."""
    write_days(client, BASELINE_VERSION, [NORMAL, DOUBTFUL])
    training = Trainings(client).status(make_check(retrain_quick=False).tick())
    assert training
    assert not training.options.quick
