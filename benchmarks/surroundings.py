"""Measure how well a model reads digits with something around them, and whether it doubts what is empty.

    python benchmarks/surroundings.py [--model FOLDER] [--mnist FOLDER] [--training] [--count 200]
                                      [--kinds circle disc …] [--groups around empty …] [--sheets FOLDER]

The benchmark draws each kind of `surroundings_images.py` with MNIST's digits, one in five printed in a font. Each kind
has a random choice of digits of its own, so that no ambiguous digit counts in every kind. It encodes each image, and
then handles it as a worker does. For each kind it prints the shares that are read correctly, those left for review
because they are refused or below the threshold, those read wrongly, and those read wrongly at or above the threshold.
An empty shape, and a digit that is crossed out or beside something larger, is right if it is left for review, and
otherwise confidently wrong. With --training, the digits are ones that trainings hold out, for choosing networks and
thresholds; the test digits only report.
"""

import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from inputs import add_mnist, add_model, add_training, options, read_classifier, read_digits, sample
from scruffy_images import Digit
from sheets import save_sheet
from surroundings_images import (
    ALONE,
    AROUND,
    BESIDE,
    CROSSED_OUT,
    EMPTY,
    ZEROS,
    Kind,
    Pen,
    handwriting,
    nothing,
    print_of,
)

from model.data.digits import Digits
from model.evaluation.robustness import Answers
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.inference.several import read_files
from model.metrics import NONE

GROUPS: dict[str, tuple[Kind, ...]] = {
    "around": AROUND,
    "alone": ALONE,
    "zero": ZEROS,
    "empty": EMPTY,
    "crossed out": CROSSED_OUT,
    "beside": BESIDE,
}

REVIEWED = {"empty", "crossed out", "beside"}
"""Groups of images that are right if they are left for review."""


def main() -> None:
    """Measure the chosen kinds and print a table."""
    parser = options(__doc__)
    add_model(parser)
    add_mnist(parser)
    add_training(parser)
    parser.add_argument("--count", type=int, default=200, help="images of each kind (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the drawings (default 0)")
    names = sorted({kind.__name__ for kinds in GROUPS.values() for kind in kinds})
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS), help=", ".join(GROUPS))
    parser.add_argument("--sheets", type=Path, help="folder for pictures of what went wrong")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    digits = read_digits(arguments.mnist, training=arguments.training)
    version, classifier = read_classifier(arguments.model)
    part = "training" if arguments.training else "test"
    print(f"{version}, {arguments.count} images a kind, MNIST's {part} digits, seed {arguments.seed}")
    print(f"{'kind':32}{'right':>8}{'review':>8}{'wrong':>8}{'confident':>11}")
    for group, kinds in GROUPS.items():
        for kind in kinds:
            if kind.__name__ in arguments.kinds and group in arguments.groups:
                chosen = sample(digits, arguments.count, kind.__name__)
                _measure(group, kind, chosen, classifier, arguments.seed, arguments.sheets)


def _measure(group: str, kind: Kind, digits: Digits, classifier: Classifier, seed: int, sheets: Path | None) -> None:
    """Measure one kind and print its row."""
    labels = digits.labels.astype(np.int64)
    pens: list[Pen] = [handwriting(Digit(image)) for image in digits.images]
    for index in range(4, len(pens), 5):
        pens[index] = print_of(int(labels[index]))
    if group == "empty":
        pens, labels = [nothing] * len(pens), np.full_like(labels, NONE)
    elif group == "zero":
        labels = np.zeros_like(labels)
    elif group in REVIEWED:
        labels = np.full_like(labels, NONE)
    start = [zlib.crc32(kind.__name__.encode()), seed]  # so that the images do not depend on the other kinds
    files = [kind(np.random.default_rng([*start, number]), pen) for number, pen in enumerate(pens)]
    found = read_files(classifier.classify, files)
    answers = Answers.of(found)
    read, review = answers.digits, answers.confidences < REVIEW_BELOW
    is_right = review if group in REVIEWED else read == labels
    confident = ~review & (read != labels)
    wrong = ~is_right & (read != NONE)
    mistakes = Counter(f"{max(labels[index], -1)}→{read[index]}" for index in np.flatnonzero(confident))
    taken = ", ".join(f"{count} {mistake}" for mistake, count in mistakes.most_common(4))
    codes = ", ".join(
        f"{count} {code}" for code, count in Counter(failure.code for failure in found.failures.values()).items()
    )
    shares = "".join(f"{share.mean():8.1%}" for share in (is_right, review, wrong))
    name = f"{group}: {kind.__name__}"
    print(f"{name:32}{shares}{confident.mean():11.2%}  {taken}; refused {codes or 'none'}", flush=True)
    if sheets:
        captions = {
            index: f"{index}: {labels[index]} as {read[index]} {answers.confidences[index]:.2f}"
            for index in np.flatnonzero(~is_right).tolist()
        }
        save_sheet(sheets / f"{group.replace(' ', '_')}-{kind.__name__}.png", files, found.shown, captions)


if __name__ == "__main__":
    main()
