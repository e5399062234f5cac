"""Measure how well a model reads MNIST-C's fifteen corruptions, and twelve that no training has seen.

    python benchmarks/mnist_c.py [--model FOLDER] [--path] [--mnist FOLDER] [--count N] [--train]

The corruptions are those of `model.evaluation.mnist_c` and `model.evaluation.unseen`, on MNIST's test images. For each
kind the benchmark prints the accuracy and the share that is confidently wrong: misread with a confidence of 0.8 or
more. With --path it prints the same for all that a worker does: each image is encoded as PNG, decoded, normalised and
classified. An image that is refused counts as wrong, but not as confidently wrong.

With --train the images are those of MNIST's training set that every training holds out for validation. Choices between
recipes are made on these, with another seed than the reported figures have.
"""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np

from model.cards.card import BASELINE, Score, read_model
from model.data import mnist
from model.data.digits import Digits, hold_out
from model.evaluation.corrupting import Family
from model.evaluation.mnist_c import MNIST_C
from model.evaluation.robustness import Reader, as_files, directly, evenly, readings
from model.evaluation.unseen import UNSEEN
from model.inference.classifier import Classifier
from model.training.recipe import Recipe

FAMILIES = {"MNIST-C": MNIST_C, "never trained on": UNSEEN}


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BASELINE, help="folder of the model (default: the baseline)")
    parser.add_argument("--path", action="store_true", help="also measure images that are sent as files")
    parser.add_argument("--mnist", type=Path, default=os.environ.get("DIGITMILL_MNIST"), help="folder that holds MNIST")
    parser.add_argument(
        "--count", type=int, default=10_000, help="number of images, evenly chosen (default: all 10,000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the corruptions (default: 0)")
    parser.add_argument("--train", action="store_true", help="corrupt images held out of the training set")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    card, model = read_model(arguments.model)
    classifier = Classifier(model, temperature=card.temperature)
    digits = evenly(_digits(arguments.mnist, train=arguments.train), arguments.count)
    source = "held-out training" if arguments.train else "test"
    print(f"{card.version}, {len(digits):,} of MNIST's {source} images, seed {arguments.seed}")
    readers = {"network": directly(classifier)} | ({"path": as_files(classifier)} if arguments.path else {})
    for name, kinds in FAMILIES.items():
        _report(name, kinds, readers, digits, arguments.seed)


def _digits(folder: Path | None, *, train: bool) -> Digits:
    place = Path(folder) if folder else None
    return hold_out(mnist.load(place).train, Recipe().validation)[1] if train else mnist.load_test(place)


def _report(name: str, kinds: Family, readers: dict[str, Reader], digits: Digits, seed: int) -> None:
    """Print the table of one family, with mean, least and most."""
    right: dict[str, list[Score]] = {way: [] for way in readers}
    wrong: dict[str, list[Score]] = {way: [] for way in readers}
    for way, read in readers.items():
        for reading in readings(read, digits.images, kinds, seed=seed):
            right[way].append(Score.between(digits.labels, reading.answers.digits))
            wrong[way].append(reading.answers.confidently_wrong(digits.labels))
    print(f"\n{name:<18}" + "".join(f"{way:>10}{'confidently wrong':>20}" for way in readers))
    for number, kind in enumerate(kinds):
        cells = [f"{right[way][number].accuracy:>10.2%}{wrong[way][number].accuracy:>20.2%}" for way in readers]
        print(f"{kind:<18}" + "".join(cells))
    for word, over in (("mean", np.mean), ("least", np.min), ("most", np.max)):
        cells = []
        for way in readers:
            accuracy = "" if word == "most" else f"{over([score.accuracy for score in right[way]]):.2%}"
            share = "" if word == "least" else f"{over([score.accuracy for score in wrong[way]]):.2%}"
            cells.append(f"{accuracy:>10}{share:>20}")
        print(f"{word:<18}" + "".join(cells))


if __name__ == "__main__":
    main()
