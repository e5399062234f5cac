"""Fixtures of the tests of `model/`: real data, and one network that is really trained on the sample digits."""

import dataclasses
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.cards.card import CARD, Card
from model.data import mnist as mnist_source
from model.data import sample_digits as samples_source
from model.data.digits import Dataset
from model.evaluation import judge
from model.inference.classifier import Classifier
from model.training.recipe import Recipe

FILES = 60
"""Number of images that a model is judged on as files. Reading those of all sample digits takes most of a judgement."""

SHORT = dataclasses.replace(Recipe.small(), epochs=6)


@pytest.fixture(scope="session")
def mnist(mnist_folder: Path) -> Dataset:
    """Load MNIST."""
    return mnist_source.load(mnist_folder)


@pytest.fixture(scope="session")
def samples() -> Dataset:
    """Load the sample digits, which ship with the package."""
    return samples_source.load()


@pytest.fixture(scope="session")
def baseline() -> Classifier:
    """Load the model that ships with the package."""
    return Classifier.baseline()


@pytest.fixture(scope="session", autouse=True)
def few_files() -> Iterator[None]:
    """Judge models on few images as files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "MAX_FILES", FILES)
        yield


@pytest.fixture(scope="session")
def trained(samples: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Card]:
    """Train a model on the sample digits, once for all test processes. Return its folder and its card."""
    from model.training.train import train

    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # shared by the processes of this run
    folder = place / "trained"
    with (place / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / CARD).exists():
            train(samples, SHORT, folder, name="short")
    return folder, Card.read(folder)
