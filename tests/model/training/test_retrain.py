"""Trainings for a mill, in the process that a trainer starts: refined on what was taught, judged by the gate."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from model.augmentation.drawn_digits import Style, draw_style
from model.cards.card import BASELINE, CARD, MODEL, WEIGHTS, Card
from model.cards.page import PAGE
from model.data import mnist
from model.data.taught import TaughtFolder
from model.inference.classifier import Classifier
from model.training.assignment import CANDIDATE, LIVE, TrainingAssignment, read_candidate
from model.training.options import TrainingOptions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SLASHED_ZERO = Style("~40 11 04 17 38 57 64 51 30 20|70 08", 1)
"""As programmers write it. `model.augmentation.drawn_digits` has none, so the baseline takes half of them for other digits."""


@pytest.fixture
def retrain(tmp_path):
    """Let the process train as it is asked, with the baseline live; return what it said."""
    folder = tmp_path / "training"
    (folder / LIVE).mkdir(parents=True)
    for name in (CARD, MODEL, WEIGHTS):
        shutil.copy(BASELINE / name, folder / LIVE)

    def run(mnist_folder: Path | None = None, **asked):
        asked.setdefault("data", "mnist" if mnist_folder else "samples")
        order = {
            "mnist": mnist_folder and str(mnist_folder),
            "cache": str(tmp_path / "cache"),
            "offline": True,
            "taught": str(tmp_path / "taught"),
            "threads": 2,
        }
        TrainingAssignment(TrainingOptions(**asked), **order).write(folder)
        command = [sys.executable, "-m", "model.training.retrain", str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            return [json.loads(line) for line in process.stdout]

    run.folder, run.taught = folder, TaughtFolder(tmp_path / "taught")
    return run


def test_two_hundred_taught_images_of_a_style_are_learnt_and_nothing_is_forgotten(retrain, mnist_folder):
    """Slashed zeros, of others that it never saw, are read ten points better or more; MNIST as well as before."""
    for image in draw_style(SLASHED_ZERO, 200, np.random.default_rng(1)):
        retrain.taught.store(image, 0)
    retrain(mnist_folder, quick=True, epochs=1)
    card, files, decision = read_candidate(retrain.folder)
    assert decision.passed, decision.reason
    assert decision.candidate.taught.accuracy > decision.live.taught.accuracy
    unseen, test = draw_style(SLASHED_ZERO, 200, np.random.default_rng(2)), mnist.load_test(mnist_folder)
    before, after = Classifier.baseline(), Classifier(files[MODEL], temperature=card.temperature)
    zeros = [np.mean(each.classify(unseen).digits == 0) for each in (before, after)]
    digits = [np.mean(each.classify(test.images).digits == test.labels) for each in (before, after)]
    assert zeros[1] >= zeros[0] + 0.1
    assert digits[1] >= digits[0] - 0.001
    parent = Card.read(BASELINE).version
    assert (card.parent, card.refined) == (parent, True)
    assert f"| refined from | `{parent}` |" in (retrain.folder / CANDIDATE / PAGE).read_text()


@pytest.mark.parametrize(
    ("weights", "fault"),
    [(None, "has no weights.safetensors"), (save({"conv": np.zeros(3, np.float32)}), "does not fit the network")],
    ids=["left out", "of another network"],
)
def test_a_live_model_without_weights_is_not_refined(retrain, weights, fault):
    """Somebody pushed it so: the training says so, and how to train all the same; no other's weights are taken."""
    live = retrain.folder / LIVE
    card = Card.read(live)
    files = {name: sha256 for name, sha256 in card.files.items() if name != WEIGHTS}
    if weights:
        (live / WEIGHTS).write_bytes(weights)
        files[WEIGHTS] = hashlib.sha256(weights).hexdigest()
    replace(card, files=files).write(live)
    [said] = retrain(quick=True, epochs=1)
    assert f"{card.version} cannot be refined." in said["failed"]
    assert fault in said["failed"]
    assert "train a new one" in said["failed"]
