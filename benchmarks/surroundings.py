"""Measure how well the baseline reads digits with something around them, and whether it doubts what is empty.

    python benchmarks/surroundings.py [--mnist FOLDER] [--count 200] [--set train|test] [--kinds circle disc …]
                                      [--sheets FOLDER]

The benchmark draws each kind of `surroundings_images.py` with MNIST's digits, one in five printed in a font. It encodes
each image, and then handles it as a worker does. For each kind it prints the shares that are read correctly, those left
for review because they are refused or below the threshold, those read wrongly, and those read wrongly at or above the
threshold. An empty shape or a digit that is crossed out is right if it is left for review, and otherwise confidently
wrong. The training digits are for choosing thresholds; the test digits only report.
"""

import argparse
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scruffy import _sheet, _tile
from scruffy_images import Digit
from surroundings_images import (
    ALONE,
    AROUND,
    CROSSED_OUT,
    EMPTY,
    ZEROS,
    Kind,
    Pen,
    handwriting,
    nothing,
    print_of,
)

from model.data import mnist
from model.errors import ImageError
from model.images.preprocess import preprocess
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.metrics import NONE
from worker.settings import Settings

GROUPS: dict[str, tuple[Kind, ...]] = {
    "around": AROUND,
    "alone": ALONE,
    "zero": ZEROS,
    "empty": EMPTY,
    "crossed out": CROSSED_OUT,
}


def main() -> None:
    """Measure the chosen kinds and print a table."""
    settings = Settings.from_environment()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=settings.mnist, help="folder with MNIST")
    parser.add_argument("--count", type=int, default=200, help="images of each kind (default 200)")
    parser.add_argument(
        "--set", choices=("train", "test"), default="test", help="MNIST's digits to draw (default test)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the drawings (default 0)")
    names = sorted({kind.__name__ for kinds in GROUPS.values() for kind in kinds})
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS), help=", ".join(GROUPS))
    parser.add_argument("--sheets", type=Path, help="folder for pictures of what went wrong")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    sets = mnist.load(arguments.mnist, cache=settings.cache, download=not settings.offline)
    digits = sets.train if arguments.set == "train" else sets.test
    every = np.arange(arguments.count) * (len(digits) // arguments.count)
    labels = digits.labels[every].astype(np.int64)
    pens = [handwriting(Digit(image)) for image in digits.images[every]]
    for index in range(4, len(pens), 5):
        pens[index] = print_of(int(labels[index]))
    classifier = Classifier.baseline()
    print(f"{arguments.count} images a kind, MNIST's {arguments.set} digits, seed {arguments.seed}")
    print(f"{'kind':32}{'right':>8}{'review':>8}{'wrong':>8}{'confident':>11}")
    for group, kinds in GROUPS.items():
        for kind in kinds:
            if kind.__name__ in arguments.kinds and group in arguments.groups:
                _measure(group, kind, pens, labels, classifier, arguments.seed, arguments.sheets)


def _measure(
    group: str,
    kind: Kind,
    pens: list[Pen],
    labels: NDArray[np.int64],
    classifier: Classifier,
    seed: int,
    sheets: Path | None,
) -> None:
    """Measure one kind and print its row."""
    if group == "empty":
        pens, labels = [nothing] * len(pens), np.full_like(labels, NONE)
    elif group == "zero":
        labels = np.zeros_like(labels)
    elif group == "crossed out":
        labels = np.full_like(labels, NONE)
    start = [zlib.crc32(kind.__name__.encode()), seed]  # so that the images do not depend on the other kinds
    files = [kind(np.random.default_rng([*start, number]), pen) for number, pen in enumerate(pens)]
    images = np.zeros((len(files), 28, 28), np.uint8)
    refused: dict[int, str] = {}
    for number, data in enumerate(files):
        try:
            images[number] = preprocess(data)
        except ImageError as error:
            refused[number] = str(error.code)
    found = classifier.classify(images)
    read = found.digits.astype(np.int64)
    read[list(refused)] = NONE
    review = found.confidences < REVIEW_BELOW
    review[list(refused)] = True
    is_right = review if group in {"empty", "crossed out"} else read == labels
    confident = ~review & (read != labels)
    wrong = ~is_right & (read != NONE)
    mistakes = Counter(f"{max(labels[index], -1)}→{read[index]}" for index in np.flatnonzero(confident))
    taken = ", ".join(f"{count} {mistake}" for mistake, count in mistakes.most_common(4))
    codes = ", ".join(f"{count} {code}" for code, count in Counter(refused.values()).items())
    shares = "".join(f"{share.mean():8.1%}" for share in (is_right, review, wrong))
    name = f"{group}: {kind.__name__}"
    print(f"{name:32}{shares}{confident.mean():11.2%}  {taken}; refused {codes or 'none'}", flush=True)
    bad = np.flatnonzero(~is_right)
    if sheets and len(bad):
        sheets.mkdir(parents=True, exist_ok=True)
        captions = [f"{i}: {labels[i]} as {read[i]} {found.confidences[i]:.2f}" for i in bad[:40]]
        tiles = [_tile(files[i], images[i], caption) for i, caption in zip(bad, captions, strict=False)]
        _sheet(tiles).save(sheets / f"{group.replace(' ', '_')}-{kind.__name__}.png")


if __name__ == "__main__":
    main()
