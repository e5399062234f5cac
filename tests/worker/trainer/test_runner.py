"""Facts about what a trainer does with a candidate before it publishes it, and when the candidate goes live."""

import hashlib
import threading
import time
from dataclasses import replace

import pytest

from model.cards.card import WEIGHTS, Card, Score
from model.cards.decision import DECISION
from model.training.assignment import ASSIGNMENT, CANDIDATE, START
from model.training.options import TrainingOptions
from tests.support.clock import Clock
from tests.support.models import Harm, harmful, spoiled, write_model
from tests.system.chaos.proxy import Proxy
from worker.contract.connection import connect
from worker.contract.registry import Registry
from worker.contract.registry import keys as registry_keys
from worker.contract.teaching import Teaching
from worker.contract.telemetry.counts import Counts
from worker.contract.training import Trainings, TrainingState
from worker.contract.training import keys as training_keys
from worker.settings import Settings
from worker.trainer.runner import TrainingRunner
from worker.trainer.taught_keeper import TaughtKeeper

pytestmark = pytest.mark.slow


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


class LongClock(Clock):
    """A clock by which each wait takes ten minutes, and a hundredth of a second by the wall. Each calls a function."""

    def __init__(self, on_wait):
        super().__init__()
        self._on_wait = on_wait

    def sleep(self, seconds, /):
        """Wait."""
        self._on_wait()
        time.sleep(0.01)
        super().sleep(600 + seconds)


@pytest.fixture
def carry_out(client, tmp_path):
    """Carry out a training that has made this candidate already. Return how it ended."""

    def run(card, files, *, data="samples", mnist="", through=None, clock=time, lease_seconds=60, counts=None):
        variables = {"DIGITMILL_DATA": str(tmp_path), "DIGITMILL_OFFLINE": "1", "DIGITMILL_MNIST": str(mnist)}
        variables["DIGITMILL_LEASE_SECONDS"] = str(lease_seconds)
        settings, trainings = Settings.from_environment(variables), Trainings(client)
        trainings.ask("test", TrainingOptions(data=data, epochs=1), who="test")
        claim = trainings.claim(holder="trainer", lease_seconds=lease_seconds)
        assert claim
        write_model(tmp_path / "training" / claim.identifier / CANDIDATE, card, files)
        redis = through or client
        keeper = TaughtKeeper(Teaching(redis), settings.data)
        TrainingRunner(
            Trainings(redis),
            Registry(redis),
            keeper,
            settings,
            threads=1,
            stopping=threading.Event(),
            clock=clock,
            counts=counts,
        ).run(claim)
        ended = trainings.latest()
        assert ended
        return ended

    return run


def test_a_candidate_that_does_not_pass_its_trial_is_not_published(registry, carry_out):
    """It is as accurate as the live model. But it is far too slow."""
    ended = carry_out(*harmful(Harm.SLOW))
    assert ended.state is TrainingState.REFUSED
    assert "times as long as the baseline" in ended.reason
    assert [each.version for each in registry.versions()] == [registry.baseline.version]


def test_a_candidate_that_crashes_is_refused_by_the_gate(registry, carry_out):
    """It ends only the process with limits in which the gate lets it classify. The reason names the candidate."""
    ended = carry_out(*harmful(Harm.CRASH))
    assert ended.state is TrainingState.REFUSED
    assert ended.reason.startswith("Model harmful-crash fails on some images. This model crashes LiteRT")
    assert [each.version for each in registry.versions()] == [registry.baseline.version]


def test_where_nothing_is_gained_nothing_is_promoted(client, registry, carry_out, variant, caplog):
    """The candidate answers as the live model does. It stays the candidate, even if the best model is gone."""
    client.hset(registry_keys.ALIASES, "best", "gone")
    card, files = variant("same")
    counts = Counts()
    ended = carry_out(card, files, counts=counts)
    assert {key[1] for key in counts.read()} == {"refused"}
    assert ended.state is TrainingState.REFUSED
    assert ended.reason.startswith("Refused: nothing is gained: no taught image is held out to be judged on, and ")
    assert registry.aliases() == (registry.baseline.version, None, card.version, "gone")
    decision = registry.decision(registry.card(card.version))
    assert decision
    assert (decision.live.version, decision.best) == (registry.baseline.version, None)
    assert f"gone, the best version, cannot be read; the gate compares with {registry.baseline.version}" in caplog.text


def test_a_candidate_that_is_published_already_is_judged_again(registry, carry_out, variant):
    """So it is if the live version changed after the first judgement, or if a trainer died between the two steps."""
    card, files = variant("same")
    before = {**files, DECISION: b"an earlier decision"}
    registry.publish(
        replace(card, files={**card.files, DECISION: hashlib.sha256(before[DECISION]).hexdigest()}), before
    )
    ended = carry_out(card, files)
    assert (ended.state, ended.version) == (TrainingState.REFUSED, card.version), ended.reason
    assert registry.fetch(card.version)[1] == before


def test_another_model_of_the_same_name_is_not_taken_for_the_candidate(registry, carry_out, variant):
    """A published version never changes."""
    card, files = variant("same")
    registry.publish(replace(card, temperature=3.0), files)
    ended = carry_out(card, files)
    assert ended.state is TrainingState.FAILED
    assert "There is another model same-" in ended.reason


def test_the_gate_measures_which_version_is_the_best(registry, carry_out, variant, mnist_folder):
    """A version with a card that promises too much was made live by hand. The candidate is better than that."""
    card, files = spoiled()
    promised = replace(card.validation, int8=Score.of(4940, 4949))
    registry.publish(replace(card, validation=promised), files)
    registry.promote(card.version, reason="it promises so much")
    assert registry.aliases().best == card.version
    sound, files = variant("sound")
    ended = carry_out(sound, files, data="mnist", mnist=mnist_folder)
    assert ended.state is TrainingState.DONE, ended.reason
    assert registry.aliases() == (sound.version, card.version, None, sound.version)


@pytest.mark.parametrize("harm", ["", "is gone"])
def test_a_refinement_starts_with_what_the_live_model_was_refined_from(
    client, registry, carry_out, variant, tmp_path, caplog, harm
):
    """If that is gone, it starts with the live model itself."""
    whole, files = variant("whole")
    registry.publish(whole, files)
    live, files = variant("live")
    live = replace(live, recipe={**live.recipe, "refines": True}, start=whole.version)
    registry.publish(live, files)
    registry.promote(live.version, reason="test")
    if harm:
        client.delete(registry_keys.model(whole.version))
    carry_out(*variant("candidate"))
    start = tmp_path / "training" / "test" / START
    assert Card.read(start) == (live if harm else whole)
    assert (start / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert (f"{live.version} was refined from cannot be read" in caplog.text) == bool(harm)


def test_a_training_outlasts_a_redis_that_is_away_for_ten_minutes(
    client, server, registry, carry_out, variant, tmp_path, eventually
):
    """Redis goes away when the gate begins. The lease ends, and nobody else takes the training.

    Redis comes back before the fourth attempt to publish the candidate, after thirty minutes by the trainer's clock.
    """
    card, files = variant("patient")
    waits = []

    def on_wait():
        waits.append(client.pttl(training_keys.LEASE))
        if len(waits) == 3:
            proxy.refusing = False

    with Proxy(server.server.socket) as proxy:
        through = connect(proxy.url)

        def cut():
            eventually((tmp_path / "training" / "test" / ASSIGNMENT).exists, seconds=60, what="the assignment")
            proxy.refusing = True
            proxy.reset()

        thread = threading.Thread(target=cut)
        thread.start()
        ended = carry_out(card, files, through=through, clock=LongClock(on_wait), lease_seconds=0.5)
        thread.join()
    assert waits == [-2, -2, -2]
    assert (ended.state, ended.version, ended.attempts) == (TrainingState.REFUSED, card.version, 1), ended.reason
    assert registry.aliases().candidate == card.version
