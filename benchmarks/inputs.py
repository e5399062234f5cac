"""What benchmarks read, and the options that name it: a model, MNIST's digits, and folders of labelled images."""

import argparse
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.cards.card import BASELINE, read_model
from model.data import mnist, sample_digits
from model.data.digits import Dataset, Digits, hold_out
from model.errors import DataError
from model.inference.classifier import Classifier
from model.training.recipe import Recipe
from worker.settings import Settings


class LabelledFiles(NamedTuple):
    """The files of one set, in the order of their paths."""

    name: str
    paths: list[Path]
    labels: NDArray[np.int64]  # (n,), 0 to 9

    @property
    def contents(self) -> Iterator[bytes]:
        """The bytes of each file."""
        return (path.read_bytes() for path in self.paths)


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows a module's docstring as it is."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, for `read_classifier`."""
    parser.add_argument(
        "--model", type=Path, default=BASELINE, metavar="FOLDER", help="folder of the model (default: the baseline)"
    )


def add_mnist(parser: argparse.ArgumentParser) -> None:
    """Add `--mnist`, for `read_mnist` and `read_digits`."""
    parser.add_argument(
        "--mnist", type=Path, metavar="FOLDER", help="folder that holds MNIST (default: DIGITMILL_MNIST or the cache)"
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add `--training`, for `read_digits`."""
    parser.add_argument(
        "--training",
        action="store_true",
        help="use the digits of MNIST's training set that trainings hold out, and not its test digits",
    )


def read_classifier(folder: Path) -> tuple[str, Classifier]:
    """Return the version and the classifier of the model in a folder."""
    card, model = read_model(folder)
    return card.version, Classifier(model, temperature=card.temperature)


def read_mnist(folder: Path | None) -> Dataset:
    """Return MNIST from a folder or, for None, from where digitmill looks for it."""
    settings = Settings.from_environment()
    return mnist.load(folder or settings.mnist, cache=settings.cache, download=not settings.offline)


def read_digits(folder: Path | None, *, training: bool = False) -> Digits:
    """Return MNIST's test digits, or the training digits that trainings hold out, from a folder as for `read_mnist`.

    A choice between networks or limits on digits that a network has learnt would favour what it knows by heart.
    """
    if training:
        return hold_out(read_mnist(folder).train, Recipe().validation)[1]
    settings = Settings.from_environment()
    return mnist.load_test(folder or settings.mnist, cache=settings.cache, download=not settings.offline)


def read_digits_or_samples() -> Digits:
    """Return MNIST's test digits, or the sample digits if MNIST is not available."""
    try:
        return read_digits(None)
    except DataError as fault:
        print(f"{fault} Using the sample digits instead.", file=sys.stderr)
        return sample_digits.load().test


def spread(digits: Digits, count: int) -> Digits:
    """Choose `count` of the digits, evenly spaced."""
    return digits[np.arange(count) * (len(digits) // count)]


def sample(digits: Digits, count: int, name: str) -> Digits:
    """Choose `count` of the digits at random. The same name chooses the same ones."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return digits[random.choice(len(digits), count, replace=False)]


def labelled_files(folder: Path | None) -> Iterator[LabelledFiles]:
    """Yield the sets of a folder that holds images as `<set>/<label>/<file>`; none for None."""
    for place in sorted(path for path in folder.iterdir() if path.is_dir()) if folder else ():
        paths = sorted(path for path in place.glob("[0-9]/*") if path.is_file())
        if paths:
            yield LabelledFiles(place.name, paths, np.array([int(path.parent.name) for path in paths]))
