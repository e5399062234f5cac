"""Facts about what a trainer does with a candidate before it publishes it."""

import threading

import pytest

from model.training.assignment import CANDIDATE
from model.training.options import TrainingOptions
from tests.support.models import Harm, harmful, write_model
from worker.contract.registry import Registry
from worker.contract.teaching import Teaching
from worker.contract.training import Trainings, TrainingState
from worker.settings import Settings
from worker.trainer.runner import TrainingRunner
from worker.trainer.taught_keeper import TaughtKeeper


@pytest.mark.slow
def test_a_candidate_that_does_not_pass_its_trial_is_not_published(client, tmp_path):
    """It passes the gate, because it is as accurate as the live model. But it is far too slow."""
    trainings, registry = Trainings(client), Registry(client)
    settings = Settings.from_environment({"DIGITMILL_DATA": str(tmp_path), "DIGITMILL_OFFLINE": "1"})
    trainings.ask("slow", TrainingOptions(data="samples", epochs=1), who="test")
    claim = trainings.claim(holder="trainer", lease_seconds=60)
    assert claim
    write_model(tmp_path / "training" / claim.identifier / CANDIDATE, *harmful(Harm.SLOW))  # so the training is done
    keeper = TaughtKeeper(Teaching(client), settings.data)
    TrainingRunner(trainings, registry, keeper, settings, threads=1, stopping=threading.Event()).run(claim)
    ended = trainings.latest()
    assert ended
    assert ended.state is TrainingState.REFUSED
    assert "times as long as the baseline" in ended.reason
    assert [each.version for each in registry.versions()] == [registry.baseline.version]
