"""Trainings for a mill, in the process that a trainer starts: refined on what was taught, judged by the gate."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model import mnist
from model.candidate import LIVE, Order, read_candidate
from model.card import BASELINE, CARD, MODEL, WEIGHTS, Card
from model.classifier import Classifier
from model.hands import Style, draw_style
from model.taught import TaughtFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SLASHED_ZERO = Style("~40 11 04 17 38 57 64 51 30 20|70 08", 1)
"""As programmers write it. `model.hands` has none, so the baseline takes half of them for other digits."""


@pytest.fixture
def retrain(tmp_path):
    """Let the process train as it is asked, with the baseline live; return what it said."""
    folder = tmp_path / "training"
    (folder / LIVE).mkdir(parents=True)
    for name in (CARD, MODEL, WEIGHTS):
        shutil.copy(BASELINE / name, folder / LIVE)

    def run(mnist_folder: Path | None = None, **asked):
        order = {
            "data": "mnist" if mnist_folder else "samples",
            "mnist": mnist_folder and str(mnist_folder),
            "cache": str(tmp_path / "cache"),
            "offline": True,
            "taught": str(tmp_path / "taught"),
            "seed": 1,
            "threads": 2,
        }
        Order(**order, **asked).write(folder)
        command = [sys.executable, "-m", "model.retrain", str(folder)]
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
    assert (card.parent, card.recipe["refines"]) == (Card.read(BASELINE).version, True)


def test_a_candidate_of_spoiled_labels_is_refused(retrain, samples):
    """Every image that is taught is a digit under a wrong label: the gate says what that did."""
    for image, label in zip(samples.train.images, samples.train.labels, strict=True):
        retrain.taught.store(image, (label + 1) % 10)
    retrain(quick=True, epochs=2)
    _, _, decision = read_candidate(retrain.folder)
    assert not decision.passed
    assert "validation images right, where" in decision.reason


def test_a_live_model_without_weights_is_not_refined(retrain):
    """Somebody pushed it without them: the training says so, and how to train all the same."""
    (retrain.folder / LIVE / WEIGHTS).unlink()
    said = retrain(quick=True, epochs=1)
    assert "was published without its weights" in said[-1]["failed"]
