"""Measure how often wrong labels are held back, and how often right ones are.

    python benchmarks/suspicious_labels.py [--mnist FOLDER] [--training] [--model FOLDER] [--tries 200] [--seed 1]
        [--wild FOLDER]

Each try is what a user teaches at once, as `model.evaluation.suspicion` sees it. Wrong labels are put on MNIST's digits
as they are, and on digits that are rotated, slanted, thickened and stretched so much that the model misreads 1 in 12.
Right labels are those of MNIST's digits, of only those changed digits that the model misreads, of the styles that
`benchmarks/teaching.py` teaches, and of styles that no model has seen: each is one of `model.augmentation.drawn_digits`
with its points moved at random. Of wrong labels, the table has the share that is held back; of right ones, the share of
tries in which any is held back. The second number of a pair is for the changed digits. `--wild` adds your own images,
`FOLDER/<set>/<label>/<file>`, with right labels and with labels that are shifted by one. With --training, MNIST's
digits are those of its training set that trainings hold out.

Of the changed digits and the moved styles, the last lines have the share of typical images among the misread ones. That
share must be below `TYPICAL_IF_MISREAD`.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from inputs import LabelledFiles, add_mnist, add_model, add_training, labelled_files, options, read_digits
from numpy.typing import NDArray
from teaching import KINDS

from model.augmentation.distortion import Augmentation, distort
from model.augmentation.drawn_digits import STYLES, Style, draw_style
from model.cards.card import read_model
from model.errors import ImageError
from model.evaluation.suspicion import TYPICAL, TYPICAL_IF_MISREAD, suspicious
from model.images.preprocess import preprocess
from model.inference.classifier import Classifier
from model.metrics import Integers

SIZES: Final = (1, 3, 5, 10, 20, 50, 200)
"""Numbers of images that are taught at once."""

CHANGED: Final = Augmentation(rotation=30, scale=0.2, shear=0.4, shift=3, elastic=1.5, thickness=1.5)
"""Changes of the digits that are hard to read."""

DRAWN: Final = 200
"""Number of drawings of each style."""

MOVES: Final = (1.5, 2.5)
"""How far the points of a style are moved, in the units of `model.augmentation.glyphs`; a digit is 8 of them high."""


@dataclass(frozen=True, slots=True)
class Read:
    """Images as the model reads them."""

    labels: Integers  # (n,), true digits
    digits: Integers  # (n,), as read
    confidences: NDArray[np.float32]  # (n,)

    def __getitem__(self, rows: NDArray[Any]) -> "Read":
        return Read(self.labels[rows], self.digits[rows], self.confidences[rows])


def _one_digit(labels: Integers, random: np.random.Generator) -> Integers:
    """Return one wrong digit for all images."""
    return (labels + random.integers(1, 10)) % 10


SHIFTED: Final = "all digits, shifted by one"
"""Name of one of the `MISTAKES`."""

MISTAKES: Final[dict[str, Callable[[Integers, np.random.Generator], Integers]]] = {
    "all of one digit, as another": _one_digit,
    "two digits, swapped": lambda labels, _: labels[0] + labels[-1] - labels,
    SHIFTED: lambda labels, _: (labels + 1) % 10,
    "all digits, mixed at random": lambda labels, random: random.permutation(labels),
    "a tenth of one digit, as another": lambda labels, random: np.where(
        np.arange(len(labels)) < len(labels) / 10, _one_digit(labels, random), labels
    ),
    "a fiftieth of one digit, as another": lambda labels, random: np.where(
        np.arange(len(labels)) < len(labels) / 50, _one_digit(labels, random), labels
    ),
}
"""Ways to label wrongly, by name. The first word says which digits are taught."""


def main() -> None:
    """Print a table of the shares."""
    parser = options(__doc__)
    add_mnist(parser)
    add_training(parser)
    add_model(parser)
    parser.add_argument("--tries", type=int, default=200, help="number of tries for each number (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random numbers (default: 1)")
    parser.add_argument("--wild", type=Path, metavar="FOLDER", help="folder of your own labelled images")
    arguments = parser.parse_args()
    card, model = read_model(arguments.model)
    classifier = Classifier(model, temperature=card.temperature)
    typical = card.mean_confidences or [TYPICAL] * 10
    random = np.random.default_rng(arguments.seed)

    def read(images: NDArray[np.uint8], labels: Integers) -> Read:
        predictions = classifier.classify(images)
        return Read(labels, predictions.digits, predictions.confidences)

    digits = read_digits(arguments.mnist, training=arguments.training)
    labels = digits.labels.astype(np.int64)
    plain, changed = read(digits.images, labels), read(distort(digits.images, CHANGED, random), labels)
    print(f"{'images taught at once':40}" + "".join(f"{size:>12}" for size in SIZES))
    wild = {each.name: read(*_readable(each)) for each in labelled_files(arguments.wild)}

    def print_wrong(title: str, name: str, pools: list[Read]) -> None:
        row = []
        for size in SIZES:
            shares = [
                np.mean([_held(pool, name, MISTAKES[name], size, typical, random) for _ in range(arguments.tries)])
                for pool in pools
            ]
            row.append(" ".join(f"{share:.0%}" for share in shares))
        print(f"wrong: {title:33}" + "".join(f"{each:>12}" for each in row), flush=True)

    for name in MISTAKES:
        print_wrong(name, name, [plain, changed])
    for name, pool in wild.items():
        print_wrong(f"{name}, shifted by one", SHIFTED, [pool])
    known = [read(draw_style(kind.style, DRAWN, random), np.full(DRAWN, kind.digit)) for kind in KINDS.values()]
    moved = [read(images, np.full(DRAWN, digit)) for digit, images in _moved_styles(random)]
    rights = {
        "MNIST's digits": [plain],
        "digits that the model misreads": [changed[changed.labels != changed.digits]],
        "styles of benchmarks/teaching.py": known,
        f"{len(moved):,} styles with moved points": moved,
        **{name: [pool] for name, pool in wild.items()},
    }
    for name, pools in rights.items():
        row = []
        for size in SIZES:
            tries = [pools[random.integers(len(pools))] for _ in range(arguments.tries)]
            some = [_some(pool, size, random) for pool in tries]
            found = [suspicious(each.labels, each.digits, each.confidences, typical).any() for each in some]
            row.append(f"{np.mean(found):.1%}")
        print(f"right: {name:33}" + "".join(f"{each:>12}" for each in row), flush=True)
    _print_typical(changed, moved, typical)


def _readable(files: LabelledFiles) -> tuple[NDArray[np.uint8], Integers]:
    """Return the images that can be read, as a worker reads them, and their labels."""
    images, rows = [], []
    for row, content in enumerate(files.contents):
        with contextlib.suppress(ImageError):
            images.append(preprocess(content))
            rows.append(row)
    return np.stack(images), files.labels[rows]


def _held(
    pool: Read,
    name: str,
    mistake: Callable[[Integers, np.random.Generator], Integers],
    size: int,
    typical: list[float],
    random: np.random.Generator,
) -> float:
    """Return the share of the wrong labels that is held back, if a user teaches `size` images with this mistake."""
    chosen = random.choice(10, 2, replace=False)
    taught = {"all digits": np.arange(10), "two digits": chosen}.get(name.partition(",")[0], chosen[:1])
    some = _some(pool[np.isin(pool.labels, taught)], size, random)
    if name.startswith("two"):
        some = some[np.argsort(some.labels, kind="stable")]
    labels = mistake(some.labels, random)
    wrong = labels != some.labels
    found = suspicious(labels, some.digits, some.confidences, typical)
    return float(found[wrong].mean()) if wrong.any() else 0.0


def _some(pool: Read, size: int, random: np.random.Generator) -> Read:
    return pool[random.choice(len(pool.labels), min(size, len(pool.labels)), replace=False)]


def _moved_styles(random: np.random.Generator) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the digit and drawings of each style with its points moved."""
    for digit, styles in STYLES.items():
        for style in styles.values():
            for move in MOVES:
                yield digit, draw_style(Style(_moved(style.strokes, move, random), 1), DRAWN, random)


def _moved(strokes: str, move: float, random: np.random.Generator) -> str:
    """Move each point of a text of strokes by at most `move` in each direction."""
    texts = []
    for stroke in strokes.split("|"):
        points = np.array([[int(place) for place in point] for point in stroke.lstrip("~").split()])
        points = np.clip(np.rint(points + random.uniform(-move, move, points.shape)), 0, 8).astype(int)
        texts.append("~" * stroke.startswith("~") + " ".join(f"{x}{y}" for x, y in points))
    return "|".join(texts)


def _print_typical(changed: Read, moved: list[Read], typical: list[float]) -> None:
    limits = np.array(typical)
    shares = []
    for pool in (changed, *moved):
        misread = pool[pool.labels != pool.digits]
        if len(misread.labels) >= DRAWN / 4:
            shares.append(float((misread.confidences >= limits[misread.digits]).mean()))
    changed_share, *styles = shares
    above = sum(share > TYPICAL_IF_MISREAD for share in styles)
    print(f"typical among the misread: changed digits {changed_share:.1%}; ", end="")
    print(f"{len(styles)} styles of which a quarter or more is misread: mean {np.mean(styles):.1%}, ", end="")
    print(f"highest {np.max(styles):.1%}, {above} above {TYPICAL_IF_MISREAD:.0%}")


if __name__ == "__main__":
    main()
