"""Measure how well a model reads MNIST's test images under fifteen kinds of corruption.

    python benchmarks/corruptions.py [--model FOLDER] [--path] [--mnist FOLDER] [--count N] [--show FOLDER]

The table `network` is for the network alone, which sees the corrupted 28×28 images as they are. With --path, which
takes about a minute more, the table `path` is for all that a worker does: each image is encoded as PNG, decoded,
normalised and classified. An image that is refused counts as wrong. With --show the benchmark draws the misread images
of each kind with label and reading, so that people can judge whether they are readable.
"""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from inputs import add_mnist, add_model, options, read_classifier, read_digits

from model.cards.card import Score
from model.data.digits import Digits
from model.evaluation.corruptions import CORRUPTIONS
from model.evaluation.robustness import Reading, as_files, directly, evenly, readings
from model.metrics import NONE

MIN_MEAN, MIN_EACH = 0.96, 0.88
"""Required accuracies: of the mean over the kinds, and of each kind."""

TILE, COLUMNS, MAX_TILES = 84, 14, 84
"""Side of a drawn image in pixels, number of images in a row, and maximum number of images for a kind."""


def main() -> None:
    """Measure and print the tables."""
    parser = options(__doc__)
    add_model(parser)
    parser.add_argument("--path", action="store_true", help="also measure images that are sent as files")
    add_mnist(parser)
    parser.add_argument(
        "--count", type=int, default=10_000, help="number of test images, evenly chosen (default: all 10,000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the corruptions (default: 0)")
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="draw the misread images, one picture per kind")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    version, classifier = read_classifier(arguments.model)
    test = evenly(read_digits(arguments.mnist), arguments.count)
    print(f"{version}, {len(test):,} of MNIST's test images, seed {arguments.seed}")
    readers = {"network": directly(classifier)} | ({"path": as_files(classifier)} if arguments.path else {})
    for way, read in readers.items():
        _report(way, list(readings(read, test.images, CORRUPTIONS, seed=arguments.seed)), test, arguments.show)


def _report(way: str, found: list[Reading], test: Digits, folder: Path | None) -> None:
    """Print a table, the worst kind first, and draw the misread images."""
    scores = {reading.name: Score.between(test.labels, reading.answers.digits) for reading in found}
    refused = {reading.name: int((reading.answers.digits == NONE).sum()) for reading in found}
    mistakes = {reading.name: _mistakes(reading, test) for reading in found}
    print(f"\n{way:<16}{'right':>8}{'95 % interval':>20}{'refused':>9}  most frequent mistakes")
    for name, score in sorted(scores.items(), key=lambda item: item[1].accuracy):
        interval = f"{score.low:.2%} to {score.high:.2%}"
        verdict = "" if score.accuracy >= MIN_EACH else f"  (below {MIN_EACH:.0%})"
        print(f"{name:<16}{score.accuracy:>8.2%}{interval:>20}{refused[name]:>9}  {mistakes[name]}{verdict}")
    mean = np.mean([score.accuracy for score in scores.values()])
    print(f"{'mean':<16}{mean:>8.2%}" + ("" if mean >= MIN_MEAN else f"  (below {MIN_MEAN:.0%})"))
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for reading in found:
            cv2.imwrite(str(folder / f"{way}-{reading.name}.png"), _drawn(reading, test))


def _mistakes(reading: Reading, test: Digits) -> str:
    """Return the most frequent mistakes, without refusals."""
    wrong = (reading.answers.digits != test.labels) & (reading.answers.digits != NONE)
    pairs = zip(test.labels[wrong].tolist(), reading.answers.digits[wrong].tolist(), strict=True)
    return ", ".join(f"{count} {true}→{digit}" for (true, digit), count in Counter(pairs).most_common(4))


def _drawn(reading: Reading, test: Digits) -> cv2.typing.MatLike:
    tiles = []
    for index in np.flatnonzero(reading.answers.digits != test.labels)[:MAX_TILES]:
        tile = cv2.resize(reading.images[index], (TILE, TILE), interpolation=cv2.INTER_NEAREST)
        tile = cv2.copyMakeBorder(tile, 14, 2, 2, 2, cv2.BORDER_CONSTANT, value=(90,))
        digit = "none" if reading.answers.digits[index] == NONE else str(reading.answers.digits[index])
        cv2.putText(tile, f"{test.labels[index]} as {digit}", (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255,), 1)
        tiles.append(tile)
    blank = np.zeros((TILE + 16, TILE + 4), np.uint8)
    tiles += [blank] * (-len(tiles) % COLUMNS or (0 if tiles else COLUMNS))
    return np.vstack([np.hstack(tiles[row : row + COLUMNS]) for row in range(0, len(tiles), COLUMNS)])


if __name__ == "__main__":
    main()
