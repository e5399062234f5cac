"""Measure how well a model reads MNIST-C's fifteen corruptions, and twelve that no training has seen.

    python benchmarks/mnist_c.py [--model FOLDER] [--path] [--mnist FOLDER] [--count N] [--training]

The corruptions are those of `model.evaluation.mnist_c` and `model.evaluation.unseen`, on MNIST's test images. For each
kind the benchmark prints the accuracy and the share that is confidently wrong: misread with a confidence of 0.8 or
more. With --path it prints the same for all that a worker does: each image is encoded as PNG, decoded, normalised and
classified. An image that is refused counts as wrong, but not as confidently wrong.

With --training the images are those of MNIST's training set that every training holds out for validation. Choices
between recipes are made on these, with another seed than the reported figures have.
"""

import cv2
import numpy as np
from inputs import add_mnist, add_model, add_training, options, read_classifier, read_digits

from model.cards.card import Score
from model.data.digits import Digits
from model.evaluation.corrupting import Family
from model.evaluation.mnist_c import MNIST_C
from model.evaluation.robustness import Reader, as_files, directly, evenly, readings
from model.evaluation.unseen import UNSEEN

FAMILIES = {"MNIST-C": MNIST_C, "never trained on": UNSEEN}


def main() -> None:
    """Measure and print the tables."""
    parser = options(__doc__)
    add_model(parser)
    parser.add_argument("--path", action="store_true", help="also measure images that are sent as files")
    add_mnist(parser)
    parser.add_argument(
        "--count", type=int, default=10_000, help="number of images, evenly chosen (default: all 10,000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the corruptions (default: 0)")
    add_training(parser)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    version, classifier = read_classifier(arguments.model)
    digits = evenly(read_digits(arguments.mnist, training=arguments.training), arguments.count)
    source = "held-out training" if arguments.training else "test"
    print(f"{version}, {len(digits):,} of MNIST's {source} images, seed {arguments.seed}")
    readers = {"network": directly(classifier)} | ({"path": as_files(classifier)} if arguments.path else {})
    for name, kinds in FAMILIES.items():
        _report(name, kinds, readers, digits, arguments.seed)


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
