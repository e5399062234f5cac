"""What images of a style that the model misreads teach it, and what it forgets for that: `digitmill train --quick`.

    python benchmarks/teaching.py --mnist FOLDER [--model FOLDER] [--count 200] [--seed 1] [--styles NAME …]
    python benchmarks/teaching.py --mnist FOLDER --together
    python benchmarks/teaching.py --mnist FOLDER --again 5

The first refines the model once per style, each time from the same start; the second once, on all styles; the third so
many times in a row, on one style more each time, and each time from the model before, whether the gate let it pass or
not. The training is the process that a trainer starts, without a queue. No style is drawn in training (`model.augmentation.drawn_digits`);
every figure is of other drawings than those that were taught. Sure: of these, with a confidence of at least 0.8.
"""

import argparse
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

from model.augmentation.drawn_digits import Style, draw_style
from model.cards.card import BASELINE, CARD, MODEL, WEIGHTS, read_model
from model.data.digits import Digits
from model.data.mnist import load_test
from model.data.taught import TaughtFolder
from model.inference.classifier import Classifier
from model.training.assignment import CANDIDATE, LIVE, TrainingAssignment, read_candidate
from model.training.options import TrainingOptions
from worker.cores import cores

UNSEEN = 400
SURE = 0.8


class Kind(NamedTuple):
    """A style, and which digit it is."""

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
    """Measure and print a line per training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True, help="folder with MNIST's four IDX files or mnist.npz")
    parser.add_argument("--model", type=Path, default=BASELINE, help="folder of a model (default: the baseline)")
    parser.add_argument("--count", type=int, default=200, help="images that are taught of each style (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the training, and of what is drawn (default 1)")
    parser.add_argument(
        "--styles", nargs="+", choices=KINDS, default=list(KINDS), metavar="NAME", help=", ".join(KINDS)
    )
    parser.add_argument("--together", action="store_true", help="teach all of them at once")
    parser.add_argument("--again", type=int, default=0, metavar="N", help="refine so many times in a row")
    asked = parser.parse_args()
    lessons = [[name] for name in asked.styles]
    if asked.again:
        lessons = [asked.styles[: number + 1] for number in range(asked.again)]
    elif asked.together:
        lessons = [asked.styles]
    print(f"{'':4}{'style':28}{'before':>8}{'after':>8}{'sure':>8}{'MNIST, test':>20}  seconds  gate")
    with tempfile.TemporaryDirectory() as folder:
        model = asked.model
        for number, names in enumerate(lessons):
            trained = _refine(model, asked.mnist, Path(folder) / str(number), names, asked.count, asked.seed + number)
            if asked.again:
                model = trained


def _refine(model: Path, mnist: Path, folder: Path, names: Sequence[str], count: int, seed: int) -> Path:
    """Teach these styles to a model and print what came of it; return the new model's folder."""
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
    # Standard input stays open, or the process takes its trainer for dead.
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
        print(f"{np.mean(after.classify(images).confidences >= SURE):>8.1%}", end="")
        print(f"{on_mnist:>20}{seconds:>9.0f}  {decision.reason}" if name == names[0] else "", flush=True)
    return folder / CANDIDATE


def _share(classifier: Classifier, digits: Digits) -> float:
    return float(np.mean(classifier.classify(digits.images).digits == digits.labels))


if __name__ == "__main__":
    main()
