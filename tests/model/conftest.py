"""Fixtures of the tests of `model/`: real data, and one network that is really trained on the sample digits."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from model.cards.card import Card
from model.data import mnist as mnist_source
from model.data import sample_digits as samples_source
from model.data.digits import Dataset
from model.evaluation import judge
from model.inference.classifier import Classifier

FILES, DRAWN = 12, 300
"""Number of images that a model is judged on as files, and of images without a digit. More take most of a judgement."""


@pytest.fixture(scope="session")
def mnist(mnist_folder: Path) -> Dataset:
    """Load MNIST."""
    return mnist_source.load(mnist_folder)


@pytest.fixture(scope="session")
def samples() -> Dataset:
    """Load the sample digits, which ship with the package."""
    return samples_source.load()


@pytest.fixture(scope="session")
def few(samples: Dataset) -> Dataset:
    """Return so few sample digits that training a model and judging it takes some seconds."""
    return samples._replace(train=samples.train[:640], test=samples.test[:40])


@pytest.fixture(scope="session")
def baseline() -> Classifier:
    """Load the model that ships with the package."""
    return Classifier.baseline()


@pytest.fixture(scope="session")
def network() -> ModuleType:
    """The module `model.network.network`, imported late: every process collects all tests, and few need TensorFlow."""
    from model.network import network

    return network


@pytest.fixture(scope="session", autouse=True)
def few_files() -> Iterator[None]:
    """Judge models on few images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "MAX_FILES", FILES)
        patch.setattr(judge, "DRAWN", DRAWN)
        patch.setattr(judge, "FAMILY_STEP", 100)
        yield


@pytest.fixture(scope="session")
def training_command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Train a model on the sample digits with the command. Return its folder, and the lines that it prints."""
    from model.training.train import main

    folder = tmp_path_factory.mktemp("trained")
    arguments = ["--data", "samples", "--epochs", "4", "--out", str(folder), "--name", "short", "--seed", "4"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main([*arguments, "--set", "augmentation.elastic=0.5", "--set", "batch_size=30"]) == 0
    return folder, printed.getvalue().splitlines()


@pytest.fixture(scope="session")
def trained(training_command: tuple[Path, list[str]]) -> tuple[Path, Card]:
    """Return that folder, and the card in it."""
    folder, _ = training_command
    return folder, Card.read(folder)
