"""Measure how often several digits in one image are found, and how often one digit is taken for several.

    python benchmarks/several.py [--model FOLDER] [--mnist FOLDER] [--training] [--count 400] [--wild FOLDER]

The benchmark encodes each image, and handles it as a worker does. The first table has images of two to four digits made
of MNIST's, by style, layout and gap, MNIST's images side by side as they are, and another digit beside a one. It counts
those that get the error `several_digits`, those with the right count, those in which every digit is read correctly when
each is classified by itself, and those that are read as one digit with a confidence of 0.8 or more. Its last rows have
touching digits, which are not promised. The second table has single digits, most of them in several pieces: the share
that is taken for several, read correctly, and read wrongly with a confidence of 0.8 or more.

With --training, it draws from the digits of MNIST's training set that trainings hold out. Limits and networks are
chosen on these, and the test digits only report.
"""

from pathlib import Path

import cv2
import numpy as np
from inputs import add_mnist, add_model, add_training, labelled_files, options, read_classifier, read_digits
from numpy.typing import NDArray
from scruffy_images import Digit
from several_images import LABELS, LAYOUTS, SINGLES, STYLES, TOUCHING, as_array, several

from model.data.digits import Digits
from model.errors import FailureCode
from model.evaluation.robustness import Answers
from model.images.preprocess import preprocess_all
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.inference.several import FilesRead, read_files
from model.inference.variants import Inputs, read_inputs

GAPS = (0.1, 0.3, 0.6, 1.0, 1.5)
"""Gaps between digits, in digit widths."""


def main() -> None:
    """Measure, and print the tables."""
    parser = options(__doc__)
    add_model(parser)
    add_mnist(parser)
    add_training(parser)
    parser.add_argument("--count", type=int, default=400, help="images of each kind (default 400)")
    parser.add_argument("--wild", type=Path, help="folder of real single digits, <set>/<label>/<file>")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    digits = read_digits(arguments.mnist, training=arguments.training)
    version, classifier = read_classifier(arguments.model)
    print(version)
    _print_several(digits, arguments.count, classifier)
    _print_singles(digits, arguments.count, classifier, arguments.wild)


def _print_several(digits: Digits, count: int, classifier: Classifier) -> None:
    print(f"{'several digits':<16}{'layout':<8}{'images':>7}{'found':>8}{'count':>8}{'number':>8}{'pairs':>8}{'one':>7}"
          "   found by gap of " + ", ".join(map(str, GAPS)))  # fmt: skip
    for style in STYLES:
        for layout in LAYOUTS:
            random = np.random.default_rng(list(f"{style}{layout}".encode()))
            files, numbers, gaps = [], [], []
            for index in range(count):
                chosen = random.integers(0, len(digits), 2 if index % 2 else int(random.integers(2, 5)))
                labels = digits.labels[chosen].tolist()
                gaps.append(GAPS[index // 2 % len(GAPS)])
                drawn = [Digit(digits.images[number]) for number in chosen]
                files.append(several(random, style, drawn, labels, layout, gaps[-1]))
                numbers.append(labels)
            _print_row(style, layout, files, numbers, np.array(gaps), classifier)
    random = np.random.default_rng(0)
    chosen = random.integers(0, len(digits), (count, 2))
    files = [as_array([Digit(digits.images[number]) for number in pair]) for pair in chosen]
    _print_row("28 x 56", "row", files, digits.labels[chosen].tolist(), np.zeros(count), classifier)
    _print_beside_ones(digits, count, classifier)
    for style in ("raw", "pen", "boxes"):
        files, numbers = [], []
        for _ in range(count):
            chosen = random.integers(0, len(digits), 2)
            numbers.append(digits.labels[chosen].tolist())
            files.append(
                several(random, style, [Digit(digits.images[number]) for number in chosen], (), "row", -TOUCHING)
            )
        _print_row(f"touching {style}", "row", files, numbers, np.zeros(count), classifier)


def _print_beside_ones(digits: Digits, count: int, classifier: Classifier) -> None:
    ones, others = np.flatnonzero(digits.labels == 1), np.flatnonzero(digits.labels != 1)
    for style in ("enlarged", "pen", "print"):
        random = np.random.default_rng(list(f"{style} beside 1".encode()))
        files, numbers, gaps = [], [], []
        for index in range(count):
            chosen = [random.choice(ones), random.choice(others)][:: 1 if index % 2 else -1]
            labels = digits.labels[chosen].tolist()
            gaps.append(GAPS[index // 2 % len(GAPS)])
            drawn = [Digit(digits.images[number]) for number in chosen]
            files.append(several(random, style, drawn, labels, "row", gaps[-1]))
            numbers.append(labels)
        _print_row(f"{style}, a 1", "row", files, numbers, np.array(gaps), classifier)


def _print_row(
    style: str,
    layout: str,
    files: list[bytes],
    numbers: list[list[int]],
    gaps: NDArray[np.floating],
    classifier: Classifier,
) -> None:
    read = read_files(classifier.classify, files)
    answers, found = Answers.of(read), _are_several(read)
    counted, right = np.zeros(len(files), bool), np.zeros(len(files), bool)
    for index in np.flatnonzero(found):
        normalised = preprocess_all(files[index])
        counted[index] = normalised.total == len(numbers[index])
        parts = Inputs(normalised.parts, np.ones(len(normalised.parts), bool))
        right[index] = read_inputs(classifier.classify, parts).predictions.digits.tolist() == numbers[index]
    pairs = np.array([len(number) == 2 for number in numbers])
    one = answers.confidences >= REVIEW_BELOW
    by_gap = "".join(f"{found[gaps == gap].mean():>8.1%}" for gap in GAPS if (gaps == gap).any())
    print(
        f"{style:<16}{layout:<8}{len(files):>7}{found.mean():>8.1%}{counted.mean():>8.1%}{right.mean():>8.1%}"
        f"{right[pairs].mean():>8.1%}{one.mean():>7.1%} {by_gap}"
    )


def _print_singles(digits: Digits, count: int, classifier: Classifier, wild: Path | None) -> None:
    print(f"\n{'single digits':<24}{'images':>7}{'taken for several':>20}{'right':>8}{'wrong at 0.8':>14}")
    for kind, draw in SINGLES.items():
        random = np.random.default_rng(list(kind.encode()))
        among = np.flatnonzero(digits.labels == LABELS[kind]) if kind in LABELS else np.arange(len(digits))
        chosen = among[random.integers(0, len(among), count)]
        files = [draw(random, Digit(digits.images[index])) for index in chosen]
        _print_single(kind, files, digits.labels[chosen], classifier)
    for real in labelled_files(wild):
        _print_single(real.name, list(real.contents), real.labels, classifier)


def _print_single(kind: str, files: list[bytes], labels: NDArray[np.integer], classifier: Classifier) -> None:
    read = read_files(classifier.classify, files)
    answers, taken = Answers.of(read), _are_several(read)
    right, wrong = answers.digits == labels, answers.confidently_wrong(labels).accuracy
    print(f"{kind:<24}{len(files):>7}{f'{taken.sum()} ({taken.mean():.1%})':>20}{right.mean():>8.1%}{wrong:>14.1%}")


def _are_several(read: FilesRead) -> NDArray[np.bool_]:
    found = np.zeros(len(read.shown), bool)
    found[[index for index, failure in read.failures.items() if failure.code is FailureCode.SEVERAL_DIGITS]] = True
    return found


if __name__ == "__main__":
    main()
