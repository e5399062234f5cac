"""Measure what a model learns from taught images of a style that it misreads, and what it forgets meanwhile.

    python benchmarks/teaching.py --mnist FOLDER [--model FOLDER] [--count 200] [--seed 1] [--styles NAME …]
    python benchmarks/teaching.py --mnist FOLDER --together
    python benchmarks/teaching.py --mnist FOLDER --again 5

The first command refines the model once per style, each time from the same model. The second refines it once, on all
styles. The third refines it five times in a row, on one style more each time, and each time from the model before,
whether the gate let it pass or not. The benchmark runs the process that a trainer starts for `digitmill train
--quick`, without a queue. Training itself does not draw these styles (`model.augmentation.drawn_digits`). All figures
are for drawings that were not taught; "sure" is their share with a confidence of at least 0.8.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from inputs import add_model, options

from model.augmentation.drawn_digits import Style, draw_style
from model.cards.card import CARD, MODEL, WEIGHTS, read_model
from model.data.digits import Digits
from model.data.mnist import load_test
from model.data.taught import TaughtFolder
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.training.assignment import CANDIDATE, LIVE, TrainingAssignment, read_candidate
from model.training.options import TrainingOptions
from worker.cores import cores

UNSEEN = 400
"""Number of drawings of each style that are read and were not taught."""


class Kind(NamedTuple):
    """A style and its digit."""

    digit: int
    style: Style


KINDS: Final = {
    "slashed zero": Kind(0, Style("~40 11 04 17 38 57 64 51 30 20|70 08", 1)),
    "zero struck the other way": Kind(0, Style("~40 11 04 17 38 57 64 51 30 20|10 78", 1)),
    "one curved like a bracket": Kind(1, Style("13 40|~40 46 38 17", 1)),
    "two with a bar": Kind(2, Style("00 60 08 68|14 54", 1)),
    "six like a delta": Kind(6, Style("~60 30 12 33 55 48 18 05 33", 1)),
    "seven on a slab": Kind(7, Style("00 60 28|08 48", 1)),
    "nine like a g": Kind(9, Style("~51 20 02 14 44 51|~51 57 38 08 06", 1)),
}


def main() -> None:
    """Run each training, measure it, and print its lines."""
    parser = options(__doc__)
    parser.add_argument(
        "--mnist", type=Path, required=True, help="folder that holds MNIST's four IDX files or mnist.npz"
    )
    add_model(parser)
    parser.add_argument("--count", type=int, default=200, help="number of taught images of each style (default: 200)")
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the training and of the taught drawings (default: 1)"
    )
    parser.add_argument(
        "--styles", nargs="+", choices=KINDS, default=list(KINDS), metavar="NAME", help=", ".join(KINDS)
    )
    parser.add_argument("--together", action="store_true", help="teach all styles at once")
    parser.add_argument(
        "--again", type=int, default=0, metavar="N", help="refine N times in a row, on one style more each time"
    )
    arguments = parser.parse_args()
    trainings = [[name] for name in arguments.styles]
    if arguments.again:
        trainings = [arguments.styles[: number + 1] for number in range(arguments.again)]
    elif arguments.together:
        trainings = [arguments.styles]
    print(f"{'':4}{'style':28}{'before':>8}{'after':>8}{'sure':>8}{'MNIST, test':>20}  seconds  gate")
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        for number, names in enumerate(trainings):
            seed = arguments.seed + number
            refined = _refine(model, arguments.mnist, Path(folder) / str(number), names, arguments.count, seed)
            if arguments.again:
                model = refined


def _refine(model: Path, mnist: Path, folder: Path, names: Sequence[str], count: int, seed: int) -> Path:
    """Teach these styles to a model, print the results, and return the folder of the new model."""
    (folder / LIVE).mkdir(parents=True)
    for name in (CARD, MODEL, WEIGHTS):
        shutil.copy(model / name, folder / LIVE)
    taught = TaughtFolder(folder / "taught")
    for name in names:
        for image in draw_style(KINDS[name].style, count, np.random.default_rng([seed, *name.encode()])):
            taught.store(image, KINDS[name].digit)
    TrainingAssignment(
        TrainingOptions(quick=True, seed=seed),
        mnist=str(mnist),
        cache=str(folder),
        offline=True,
        taught=str(taught.folder),
        threads=cores(),
    ).write(folder)
    started = time.perf_counter()
    # Standard input must stay open. Otherwise the process believes that its trainer is dead.
    with subprocess.Popen(
        [sys.executable, "-m", "model.training.retrain", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        process.wait()
    seconds = time.perf_counter() - started
    card, files, decision = read_candidate(folder)
    before, after = Classifier(read_model(model)[1]), Classifier(files[MODEL], temperature=card.temperature)
    test = load_test(mnist)
    on_mnist = f"{_share(before, test):.2%} → {_share(after, test):.2%}"
    for name in names:
        kind = KINDS[name]
        images = draw_style(kind.style, UNSEEN, np.random.default_rng(list(name.encode())))
        unseen = Digits(images, np.full(UNSEEN, kind.digit, np.uint8))
        print(f"{kind.digit:<4}{name:28}{_share(before, unseen):>8.1%}{_share(after, unseen):>8.1%}", end="")
        print(f"{np.mean(after.classify(images).confidences >= REVIEW_BELOW):>8.1%}", end="")
        print(f"{on_mnist:>20}{seconds:>9.0f}  {decision.reason}" if name == names[0] else "", flush=True)
    return folder / CANDIDATE


def _share(classifier: Classifier, digits: Digits) -> float:
    return float(np.mean(classifier.classify(digits.images).digits == digits.labels))


if __name__ == "__main__":
    main()
