"""A mill's training refines a model on taught images, and the gate judges the result.

A mill runs it in a process of its own, as the tests of `worker.trainer` do.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from model.cards.card import BASELINE, CARD, MODEL, WEIGHTS, Card
from model.cards.changes import CHANGES, MAX_KEPT, Changes
from model.cards.decision import DECISION
from model.cards.page import PAGE
from model.data import mnist
from model.data.taught import TaughtFolder
from model.errors import UsageError
from model.inference.classifier import Classifier
from model.training import retrain as module
from model.training.assignment import BEST, CANDIDATE, LIVE, START, TrainingAssignment, read_candidate
from model.training.options import TrainingOptions
from tests.support.images import slashed_zeros
from tests.support.models import Harm, harmful, write_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Training:
    """A mill's training in a folder, with the baseline as the live model and as what a refinement starts with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "training"
        self.taught = TaughtFolder(folder / "taught")
        self._cache = folder / "cache"
        for place in (LIVE, START):
            (self.folder / place).mkdir(parents=True)
            for name in (CARD, MODEL, WEIGHTS):
                shutil.copy(BASELINE / name, self.folder / place)

    def assign(self, **options: Any) -> None:
        """Write the assignment of a training on the sample digits."""
        places: dict[str, Any] = {
            "mnist": None,
            "cache": str(self._cache),
            "offline": True,
            "taught": str(self.taught.folder),
            "threads": 2,
        }
        TrainingAssignment(TrainingOptions(data="samples", **options), **places).write(self.folder)

    def run(self) -> list[dict[str, Any]]:
        """Run the process to its end, and return the objects that it printed."""
        command = [sys.executable, "-m", "model.training.retrain", str(self.folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            return [json.loads(line) for line in process.stdout]


@pytest.fixture
def training(tmp_path: Path) -> Training:
    """Prepare the folder of a training."""
    return Training(tmp_path)


def test_a_taught_style_is_learnt_and_nothing_is_forgotten(training, mnist_folder, monkeypatch):
    """After 200 taught slashed zeros, the model reads ten points more of others, and no less of what it could read.

    The training has the sample digits, because MNIST takes two minutes; `benchmarks/teaching.py` measures that.
    """
    monkeypatch.setattr(module, "_limit_threads", lambda _: None)  # TensorFlow allows that only in a new process
    replace(Card.read(BASELINE), version="renamed").write(training.folder / LIVE)
    for image in slashed_zeros(200, seed=1):
        training.taught.store(image, 0)
    training.assign(quick=True)
    decision = module.retrain(training.folder)
    assert decision.passed, decision.reason
    card, files, written = read_candidate(training.folder)
    assert written == decision
    counted = Counter((image.images, image.won) for image in Changes.loads(files[CHANGES]).images)
    for found in decision.comparisons:
        assert counted[found.images, True] == min(found.won, MAX_KEPT)
        assert counted[found.images, False] == min(found.lost, MAX_KEPT)
    assert decision.candidate.taught is not None
    assert decision.live.taught is not None
    assert decision.candidate.taught.accuracy > decision.live.taught.accuracy
    lost = decision.live.validation.correct - decision.candidate.validation.correct
    assert lost <= 1  # of 119 sample digits, which chance explains
    unseen, test = slashed_zeros(200, seed=2), mnist.load_test(mnist_folder)[:5000]  # more take seconds
    before, after = Classifier.baseline(), Classifier(files[MODEL], temperature=card.temperature)
    zeros = [np.mean(each.classify(unseen).digits == 0) for each in (before, after)]
    digits = [np.mean(each.classify(test.images).digits == test.labels) for each in (before, after)]
    assert zeros[1] >= zeros[0] + 0.1
    assert digits[1] >= digits[0] - 0.004
    baseline = Card.read(BASELINE).version
    assert (card.parent, card.refined, card.start, card.origin) == ("renamed", True, baseline, baseline)
    assert f"| refined from | `{baseline}` |" in (training.folder / CANDIDATE / PAGE).read_text()


def test_a_decision_that_cannot_be_written_is_reported(training):
    """If the gate's decision cannot be written, the training fails, and the message names folder and remedy."""
    candidate = training.folder / CANDIDATE
    shutil.copytree(training.folder / LIVE, candidate)
    (candidate / DECISION).mkdir()  # even root cannot write a file there
    training.assign()
    *_, printed = training.run()
    assert printed["failed"].startswith(f"Cannot write into {candidate}: Is a directory. Make room there")


def test_temporary_files_lie_in_the_folder_and_those_of_a_killed_process_go(tmp_path, monkeypatch):
    """So whoever removes the folder of a training removes everything that it left."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    folder = tmp_path / "tmp"
    (folder / "left").mkdir(parents=True)
    module._keep_temporary_files_in(folder)
    assert list(folder.iterdir()) == []
    assert Path(tempfile.mkdtemp()).parent == folder


def test_whatever_ends_the_process_is_reported(training):
    """Its trainer and those who wait for the training hear of an error that nobody has foreseen, too."""
    training.assign()
    (training.folder / "lock").mkdir()
    [printed] = training.run()
    assert printed["failed"].startswith(f"Cannot write into {training.folder}: Is a directory. Make room there")
    (training.folder / "lock").rmdir()
    training.taught.folder = Path("/" + "x" * 300)  # no system allows such a name
    training.assign()
    *_, printed = training.run()
    assert printed["failed"].startswith("The training met an unexpected error. The trainer's log has all of it; ")
    assert "Error: " in printed["failed"]
    assert "\n" not in printed["failed"]


@pytest.mark.parametrize("harm", ["crashes", "is missing"])
def test_if_the_best_model_fails_the_baseline_stands_in_for_it(training, harm):
    """It may have been exported by another release. That must not stop all trainings from then on."""
    shutil.copytree(BASELINE, training.folder / CANDIDATE)
    baseline = Card.read(BASELINE)
    replace(baseline, version="renamed").write(training.folder / LIVE)
    if harm == "crashes":
        write_model(training.folder / BEST, *harmful(Harm.CRASH))
    training.assign()
    training.run()
    _, _, decision = read_candidate(training.folder)
    assert [model.version for model in decision.models] == [baseline.version, "renamed", baseline.version]


def test_a_model_without_its_weights_is_not_refined(training):
    """If it was pushed without them, the message names a remedy, though its file is still there."""
    start = training.folder / START
    card = Card.read(start)
    replace(card, files={name: sha256 for name, sha256 in card.files.items() if name != WEIGHTS}).write(start)
    with pytest.raises(
        UsageError, match=rf"{card.version} cannot be refined\..*has no weights\.safetensors.*train a new one"
    ):
        module._start(start)


def test_a_model_with_the_weights_of_another_network_is_not_refined(training):
    """The message names a remedy, as above."""
    start = training.folder / START
    weights = save({"conv": np.zeros(3, np.float32)})
    (start / WEIGHTS).write_bytes(weights)
    card = Card.read(start)
    replace(card, files={**card.files, WEIGHTS: hashlib.sha256(weights).hexdigest()}).write(start)
    with pytest.raises(UsageError, match=r"cannot be refined\..*does not fit the network.*train a new one"):
        module._start(start)
