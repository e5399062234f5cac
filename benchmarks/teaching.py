"""Measure what a model learns from taught images of a style that it misreads, and what it forgets meanwhile.

    python benchmarks/teaching.py --mnist FOLDER [--model FOLDER] [--count 200] [--seed 1] [--styles NAME …]
    python benchmarks/teaching.py --mnist FOLDER --together
    python benchmarks/teaching.py --mnist FOLDER --again 8 [--out FOLDER]

The first command refines the model once per style, each time from the same model. The second refines it once, on all
styles. The third trains eight times in a row, on one style more each time, as a mill does: each training starts with
the first model, and is compared with the one that the gate let pass last and with the best one so far. It ends with 1
if the last one reads 0.10 % fewer of MNIST's test images than the first. It takes a quarter of an hour or more; `--out`
keeps what it has done, and the same command goes on from there. The benchmark runs the process that a trainer starts
for `digitmill train --quick`, without a queue. Training itself does not draw these styles
(`model.augmentation.drawn_digits`). All figures are for drawings that were not taught; "sure" is their share with a
confidence of at least 0.8. "Estimate" is what the process said after a tenth, a quarter and a half of its time that it
would take in all, in comparison with what it took.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from inputs import add_model, options, read_classifier

from model.augmentation.drawn_digits import Style, draw_style
from model.cards.card import CARD, MODEL, WEIGHTS
from model.cards.decision import DECISION, Decision
from model.data.digits import Digits
from model.data.mnist import load_test
from model.data.taught import TaughtFolder
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.training.assignment import BEST, CANDIDATE, LIVE, START, TrainingAssignment, read_candidate
from model.training.options import TrainingOptions
from worker.cores import cores

MAX_LOSS = 0.001
"""Largest share of MNIST's test images that `--again` may lose."""

REPORTS = "reports.txt"
"""File, in the folder of a training, of what its process reported and when."""

MOMENTS = (0.1, 0.25, 0.5)
"""Shares of the time of a training at which its estimates are looked at."""

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
    "one like an arrow": Kind(1, Style("13 40 73|40 48", 1)),
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
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder that keeps each training")
    arguments = parser.parse_args()
    trainings = [[name] for name in arguments.styles]
    if arguments.again:
        trainings = [arguments.styles[: number + 1] for number in range(arguments.again)]
    elif arguments.together:
        trainings = [arguments.styles]
    print(f"{'':4}{'style':28}{'before':>8}{'after':>8}{'sure':>8}{'MNIST, test':>20}  seconds  estimate       gate")
    with contextlib.nullcontext(arguments.out) if arguments.out else tempfile.TemporaryDirectory() as folder:
        live = best = arguments.model
        for number, names in enumerate(trainings):
            place, seed = Path(folder) / str(number), arguments.seed + number
            models = {LIVE: live, BEST: best, START: arguments.model}
            decision = _refine(models, arguments.mnist, place, names, arguments.count, seed)
            if arguments.again and decision.passed:
                if decision.leader != (decision.best or decision.live).version:
                    best = place / CANDIDATE if decision.leader == decision.candidate.version else live
                live = place / CANDIDATE
        if arguments.again:
            _compare(arguments.model, live, load_test(arguments.mnist))


def _compare(first: Path, last: Path, test: Digits) -> None:
    """Print what the last model reads of MNIST's test images, and end with 1 if that is too little."""
    before, after = (_share(read_classifier(model)[1], test) for model in (first, last))
    print(f"after all of them {after:.2%} of MNIST's test images, and {before:.2%} before")
    if after < before - MAX_LOSS:
        raise SystemExit(1)


def _refine(
    models: Mapping[str, Path], mnist: Path, folder: Path, names: Sequence[str], count: int, seed: int
) -> Decision:
    """Teach these styles to a model, unless the folder has the result already, and print what it has learnt.

    Args:
        models: Folders of the live model, the best one until now, and the one to start with, by the names of their
            places in `folder`.
        mnist: Folder of MNIST.
        folder: Folder for the training.
        names: Names of the styles.
        count: Number of drawings of each style.
        seed: Seed of the training and of the drawings.

    Returns:
        The decision of the gate.
    """
    for place, model in models.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name in (CARD, MODEL, WEIGHTS):
            shutil.copy(model / name, folder / place)
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
    if not (folder / CANDIDATE / DECISION).exists():
        _run(folder)
    seconds, estimate = _times(folder)
    _, _, decision = read_candidate(folder)
    before, after = (read_classifier(model)[1] for model in (models[LIVE], folder / CANDIDATE))
    test = load_test(mnist)
    on_mnist = f"{_share(before, test):.2%} → {_share(after, test):.2%}"
    for name in names:
        kind = KINDS[name]
        images = draw_style(kind.style, UNSEEN, np.random.default_rng(list(name.encode())))
        unseen = Digits(images, np.full(UNSEEN, kind.digit, np.uint8))
        print(f"{kind.digit:<4}{name:28}{_share(before, unseen):>8.1%}{_share(after, unseen):>8.1%}", end="")
        print(f"{np.mean(after.classify(images).confidences >= REVIEW_BELOW):>8.1%}", end="")
        last = f"{on_mnist:>20}{seconds:>9.0f}  {estimate:15}{decision.reason}" if name == names[0] else ""
        print(last, flush=True)
    return decision


def _run(folder: Path) -> None:
    """Run the process of a training, and write each of its reports into the folder, after the seconds until then."""
    started = time.perf_counter()
    with (
        (folder / REPORTS).open("w", encoding="utf-8") as reports,
        subprocess.Popen(
            [sys.executable, "-m", "model.training.retrain", str(folder)],
            stdin=subprocess.PIPE,  # it must stay open, or the process believes that its trainer is dead
            stdout=subprocess.PIPE,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            encoding="utf-8",
        ) as process,
    ):
        for line in process.stdout or ():
            print(f"{time.perf_counter() - started:.2f} {line}", end="", file=reports, flush=True)
        process.wait()
        print(f"{time.perf_counter() - started:.2f} {{}}", file=reports)


def _times(folder: Path) -> tuple[float, str]:
    """Return the seconds that a training took, and its estimates of that, as shares of it."""
    lines = (line.split(maxsplit=1) for line in (folder / REPORTS).read_text(encoding="utf-8").splitlines())
    reports = [(float(at), json.loads(report)) for at, report in lines]
    took = reports[-1][0]
    estimates = []
    for share in MOMENTS:
        known = [
            at + report["seconds_left"] for at, report in reports if "seconds_left" in report and at <= share * took
        ]
        estimates.append(f"{known[-1] / took:.0%}" if known else "-")
    return took, " ".join(estimates)


def _share(classifier: Classifier, digits: Digits) -> float:
    return float(np.mean(classifier.classify(digits.images).digits == digits.labels))


if __name__ == "__main__":
    main()
