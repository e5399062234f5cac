"""Try other values of each limit of the image path, and count what they change.

    python benchmarks/thresholds.py [--model FOLDER] [--mnist FOLDER] [--count 60] [--wild FOLDER] [--only WORD …]
                                    [--factors 0.5 2]

The benchmark draws `count` digits as each kind of `scruffy_images.py`, digits of MNIST's training set that trainings
hold out, and reads them as a worker does. With --wild it reads the images of `FOLDER/<set>/<label>/<file>`, too. Then
it halves and doubles each limit in `model.images`, one at a time, and prints how many images are read correctly, and
how many are wrong with a confidence of 0.8 or more.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from inputs import add_mnist, add_model, labelled_files, options, read_classifier, read_digits, spread
from numpy.typing import NDArray
from scruffy_images import KINDS, Digit, files_of

from model.data.digits import Digits
from model.evaluation.robustness import Answers
from model.inference.classifier import Classifier
from model.inference.several import read_files


def main() -> None:
    """Measure the limits as they are, then each of them changed, and print a line for each."""
    parser = options(__doc__)
    add_model(parser)
    add_mnist(parser)
    parser.add_argument("--count", type=int, default=60, help="images of each kind (default 60)")
    parser.add_argument("--wild", type=Path, help="folder of other labelled images")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="only limits whose name has a word")
    parser.add_argument("--factors", nargs="+", type=float, default=[0.5, 2.0], help="factors to try (default 0.5 2)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    files, labels = _drawn(spread(read_digits(arguments.mnist, training=True), arguments.count))
    for real in labelled_files(arguments.wild):
        files += real.contents
        labels += real.labels.tolist()
    version, classifier = read_classifier(arguments.model)
    print(version)
    known = np.array(labels)
    print(f"{'limit':44}{'value':>10}{'right':>8}{'confidently wrong':>19}   of {len(files)}")
    print(f"{'as they are':54}{_counts(files, known, classifier)}", flush=True)
    for name, limits, field in _limits():
        value = getattr(limits, field)
        if not any(word in f"{name}.{field}" for word in arguments.only) or not isinstance(value, int | float):
            continue
        for factor in arguments.factors:
            changed = max(1, round(value * factor)) if isinstance(value, int) else value * factor
            with _Changed(limits, replace(limits, **{field: changed})):
                counts = _counts(files, known, classifier)
            print(f"{name + '.' + field:44}{changed:>10.4g}{counts}", flush=True)


def _drawn(digits: Digits) -> tuple[list[bytes], list[int]]:
    """Return files of all kinds, and their labels."""
    drawn = [Digit(image) for image in digits.images]
    return [file for kind in KINDS for file in files_of(kind, drawn)], digits.labels.tolist() * len(KINDS)


def _modules() -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith("model.images.")]


def _limits() -> Iterator[tuple[str, Any, str]]:
    """Yield the name of each module with limits, the limits, and the name of each of their fields."""
    for module in _modules():
        for limits in vars(module).values():
            if is_dataclass(limits) and type(limits).__module__ == module.__name__ and not isinstance(limits, type):
                for field in fields(limits):
                    yield f"{module.__name__.removeprefix('model.images.')}.{type(limits).__name__}", limits, field.name


class _Changed:
    """Replaces limits in every module that uses them, for as long as a `with` block lasts."""

    def __init__(self, limits: Any, others: Any) -> None:
        self._places = [
            (module, name) for module in _modules() for name, value in vars(module).items() if value is limits
        ]
        self._limits, self._others = limits, others

    def __enter__(self) -> None:
        for module, name in self._places:
            setattr(module, name, self._others)

    def __exit__(self, *_: object) -> None:
        for module, name in self._places:
            setattr(module, name, self._limits)


def _counts(files: list[bytes], labels: NDArray[np.int64], classifier: Classifier) -> str:
    """Return how many files are read correctly, and how many wrongly with confidence, as two columns."""
    answers = Answers.of(read_files(classifier.classify, files))
    right, wrong = answers.digits == labels, answers.confidently_wrong(labels)
    return f"{np.count_nonzero(right):>8}{wrong.correct:>19}"


if __name__ == "__main__":
    main()
