"""Measure how well a model reads images that nobody prepared: photographs, scans and drawings of MNIST's digits.

    python benchmarks/scruffy.py [--model FOLDER] [--mnist FOLDER] [--training] [--count 200] [--kinds lamp …]
                                 [--sheets FOLDER]

The benchmark encodes each image, and then handles it as a worker does: it decodes and normalises the image, and the
model classifies it. For each kind, the worst first, it prints the shares that are read correctly, misread, misread
with a confidence of 0.8 or more, refused, and refused or read with less confidence. Each kind has a random choice of
digits of its own, because one ambiguous digit in all kinds would count as a mistake of each. With --training, these are
digits that trainings hold out, which may choose a network or a limit. With --sheets it saves one picture per kind of
the images that were misread or refused: the image, what the network was shown, the label and the reading.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from inputs import add_mnist, add_model, add_training, options, read_classifier, read_digits, sample
from scruffy_images import KINDS, Digit, Kind, files_of
from sheets import save_sheet

from model.data.digits import Digits
from model.evaluation.robustness import Answers
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.inference.several import read_files
from model.metrics import NONE


def main() -> None:
    """Measure the chosen kinds and print a table."""
    parser = options(__doc__)
    add_model(parser)
    add_mnist(parser)
    add_training(parser)
    parser.add_argument("--count", type=int, default=200, help="images of each kind (default 200)")
    names = [kind.__name__ for kind in KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--sheets", type=Path, help="folder for pictures of misread and refused images")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    digits = read_digits(arguments.mnist, training=arguments.training)
    version, classifier = read_classifier(arguments.model)
    kinds = [kind for kind in KINDS if kind.__name__ in arguments.kinds]
    rows = [
        _measure(kind, sample(digits, arguments.count, kind.__name__), classifier, arguments.sheets) for kind in kinds
    ]
    print(version)
    print(f"{'kind':26}{'right':>8}{'wrong':>7}{'sure':>7}{'refused':>9}{'reviewed':>10}{'ms each':>9}")
    for row in sorted(rows, key=lambda row: row.right):
        print(f"{row.kind:26}{row.right:>8.1%}{1 - row.right - row.refused:>7.1%}{row.sure:>7.1%}{row.refused:>9.1%}"
              f"{row.reviewed:>10.1%}{row.seconds * 1e3:>9.2f}  {row.mistakes}"[:120])  # fmt: skip
    print(f"{'mean':26}{np.mean([row.right for row in rows]):>8.2%}{'':7}{np.mean([row.sure for row in rows]):>7.2%}"
          f"{np.mean([row.refused for row in rows]):>9.2%}   {arguments.count} images a kind")  # fmt: skip


@dataclass(frozen=True)
class _Row:
    """What became of the images of one kind, as shares of them."""

    kind: str
    right: float
    sure: float  # misread with a confidence of `REVIEW_BELOW` or more
    refused: float
    reviewed: float  # refused, or read with less confidence
    seconds: float  # an image
    mistakes: str  # the most frequent ones


def _measure(kind: Kind, digits: Digits, classifier: Classifier, sheets: Path | None) -> _Row:
    """Measure one kind."""
    files = files_of(kind, [Digit(image) for image in digits.images])
    labels = digits.labels.astype(np.int64)
    started = time.perf_counter()
    found = read_files(classifier.classify, files)
    seconds = (time.perf_counter() - started) / len(files)
    answers = Answers.of(found)
    read = answers.digits
    reviewed = answers.confidences < REVIEW_BELOW
    wrong = np.flatnonzero(read != labels)
    mistakes = Counter(f"{labels[index]}→{read[index]}" for index in wrong if read[index] != NONE)
    if sheets:
        captions = {index: f"{index}: {labels[index]} as {read[index]}" for index in wrong.tolist()}
        save_sheet(sheets / f"{kind.__name__}.png", files, found.shown, captions)
    taken = ", ".join(f"{count} {mistake}" for mistake, count in mistakes.most_common(5))
    return _Row(
        kind=kind.__name__,
        right=1 - len(wrong) / len(files),
        sure=answers.confidently_wrong(labels).accuracy,
        refused=float((read == NONE).mean()),
        reviewed=float(reviewed.mean()),
        seconds=seconds,
        mistakes=taken,
    )


if __name__ == "__main__":
    main()
