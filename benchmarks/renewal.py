"""Simulate years of nightly trainings through the real gate, and say how far the live model ever fell.

    python benchmarks/renewal.py [--years 5] [--nights 365] [--loss-level 0.1] [--seed 1]

Cheap stand-ins take the place of networks: each only says which of the images it reads. A candidate starts as the last
model that was trained anew, and changes a little at random, as a new seed changes a network. In some scenarios each
refinement also costs a few images. There are as many images as MNIST's training holds out and as it tests on; the first
model misreads 24 of the 4,949, like baseline-d522abd4. 40 images of each taught style are held out, and the live model
reads half.

Each scenario runs in three ways, with the same random numbers: as digitmill does; through the same gate if it compared
a candidate with the live model alone; and with refinements that start with the live model. The command ends with 1 if
digitmill ever lets the live model fall further below the first one than its gate promises.
"""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from inputs import options
from numpy.typing import NDArray

from model.cards.card import Score
from model.evaluation import gate
from model.evaluation.judge import MIN_AGREEMENT

VALIDATION, TEST, WRONG = 4949, 10000, 24
"""Number of validation images, of test images, and of the validation images that the first model misreads."""

HELD_OUT = 40
"""Number of held-out images of a taught style: a fifth of 200."""

FAITHFUL: Final = Score.of(VALIDATION, VALIDATION)
"""Agreement of an export with its network, which is not what this simulates."""

OWN = 0.07
"""Share of what makes an image hard that lies in the network. The rest lies in the image.

So two networks that were trained with different seeds differ on some 20 of the validation images."""

LEARNT = 0.95
"""Share of the taught images that a training learns to read."""


class Scenario(NamedTuple):
    """What happens each night."""

    change: float  # share of a network that a training makes anew: all of it, or less if it is a refinement
    loss: float  # number of validation images that a training costs on average, in addition to what chance does
    teaches: int  # number of nights between two taught styles, or 0 if nothing is ever taught


class Way(NamedTuple):
    """A way to renew a model."""

    name: str
    with_best: bool  # whether the gate also compares with the best model that ever was live
    from_live: bool  # whether a refinement starts with the live model


WAYS: Final = (
    Way("as digitmill", with_best=True, from_live=False),
    Way("live alone", with_best=False, from_live=False),
    Way("from the live", with_best=True, from_live=True),
)


SCENARIOS: Final = {
    "refined, nothing taught": Scenario(0.3, 0, 0),
    "refined, worse by 2, nothing taught": Scenario(0.3, 2, 0),
    "trained anew, nothing taught": Scenario(1, 0, 0),
    "refined, a style each night": Scenario(0.3, 0, 1),
    "refined, worse by 2, a style each night": Scenario(0.3, 2, 1),
    "refined, worse by 5, a style each night": Scenario(0.3, 5, 1),
    "refined, worse by 2, a style each week": Scenario(0.3, 2, 7),
    "trained anew, a style each night": Scenario(1, 0, 1),
}


@dataclass(frozen=True, slots=True)
class Network:
    """A stand-in for a network.

    Attributes:
        version: Its name.
        own: How easy it finds each image, in addition to what all networks do, floats (n,) of mean 0 and variance 1.
        threshold: Limit of ease below which it misreads an image.
        taught: Whether it reads each held-out taught image, bool (m,).
    """

    version: str
    own: NDArray[np.float64]
    threshold: float
    taught: NDArray[np.bool_]

    def ease(self, easy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how easy it finds images that all networks find so easy: floats (n,), of the same distribution."""
        found: NDArray[np.float64] = np.sqrt(1 - OWN) * easy + np.sqrt(OWN) * self.own
        return found

    def answers(self, easy: NDArray[np.float64]) -> gate.Answers:
        """Return its answers: 0, the true digit of each image, where it reads the image, and else 1."""
        wrong = self.ease(easy)[:VALIDATION] < self.threshold
        return gate.Answers(self.version, wrong.astype(np.uint8), (~self.taught).astype(np.uint8), 0, 0.0)


class Year(NamedTuple):
    """How the live model did: numbers of images in comparison with the first one."""

    promoted: int
    lowest: int
    last: int
    lowest_test: int
    last_test: int


def main() -> None:
    """Run each scenario, and print a line for each gate."""
    parser = options(__doc__)
    parser.add_argument("--years", type=int, default=5, help="number of years of each scenario (default: 5)")
    parser.add_argument("--nights", type=int, default=365, help="number of trainings in a year (default: 365)")
    parser.add_argument(
        "--loss-level", type=float, default=gate.LOSS_LEVEL, help=f"level for losses (default: {gate.LOSS_LEVEL})"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of all random numbers (default: 1)")
    arguments = parser.parse_args()
    gate.LOSS_LEVEL = arguments.loss_level
    margin = gate.largest_loss(WRONG)
    print(f"{'images more than at the start':42}{'way':16}{'promoted':>9}", end="")
    print(f"{f'validation ({VALIDATION:,})':>22}{f'test ({TEST:,})':>16}")
    print(f"{'':67}{'lowest':>13}{'last':>9}{'lowest':>9}{'last':>7}")
    lowest = 0
    for name, scenario in SCENARIOS.items():
        for way in WAYS[:2] if scenario.change == 1 else WAYS:
            years = [_year(scenario, way, arguments, year) for year in range(arguments.years)]
            _print(name if way is WAYS[0] else "", way.name, years)
            lowest = min([lowest, *(year.lowest for year in years if way is WAYS[0])])
    print(f"promised: at most {margin} validation images fewer than at the start, {margin / VALIDATION:.2%}; ", end="")
    print(f"the lowest was {lowest}")
    if lowest < -margin:
        raise SystemExit(1)


def _print(name: str, way: str, years: Sequence[Year]) -> None:
    columns = np.array(years)
    print(f"{name:42}{way:16}{columns[:, 0].mean():>9.0f}{columns[:, 1].min():>13}", end="")
    print(f"{columns[:, 2].mean():>9.1f}{columns[:, 3].min():>9}{columns[:, 4].mean():>7.1f}", flush=True)


def _year(scenario: Scenario, way: Way, arguments: Namespace, number: int) -> Year:
    """Let one candidate a night pass the gate or not.

    Args:
        scenario: What happens each night.
        way: How candidates are made and compared.
        arguments: Options of the command.
        number: Number of the year. It seeds the random numbers.
    """
    random = np.random.default_rng([arguments.seed, number])
    easy = random.standard_normal(VALIDATION + TEST)
    origin = live = best = _first(easy, random)
    density = np.exp(-(live.threshold**2) / 2) / np.sqrt(2 * np.pi) * VALIDATION
    counts = [_read(live, easy)]
    promoted = 0
    for night in range(arguments.nights):
        if scenario.teaches and night % scenario.teaches == 0:
            style = random.random(HELD_OUT) < 0.5
            live, best = (replace(each, taught=np.append(each.taught, style)) for each in (live, best))
        fresh = random.standard_normal(len(easy))
        learnt = random.random(len(live.taught)) < LEARNT
        again = random.random(len(live.taught)) < scenario.change
        start = live if way.from_live or scenario.change == 1 else origin
        candidate = Network(
            f"night {night}",
            np.sqrt(1 - scenario.change) * start.own + np.sqrt(scenario.change) * fresh,
            start.threshold + scenario.loss / density,
            np.where(again | ~live.taught, learnt, live.taught),
        )
        labels = gate.Labels(np.zeros(VALIDATION, np.uint8), np.zeros(len(live.taught), np.uint8))
        asked = [each.answers(easy) for each in (candidate, live, best if way.with_best else live)]
        decision = gate.decide(asked[0], asked[1], asked[2], labels, FAITHFUL, MIN_AGREEMENT)
        if decision.passed:
            promoted += 1
            best = {each.version: each for each in (best, live, candidate)}[decision.leader]
            live = candidate
        counts.append(_read(live, easy))
    falls = np.array(counts) - np.array(counts[0])
    lowest, last = falls.min(axis=0), falls[-1]
    return Year(promoted, int(lowest[0]), int(last[0]), int(lowest[1]), int(last[1]))


def _first(easy: NDArray[np.float64], random: np.random.Generator) -> Network:
    """Return a network that misreads `WRONG` of the validation images and as large a share of the others."""
    network = Network("start", random.standard_normal(len(easy)), 0.0, np.zeros(0, np.bool_))
    return replace(network, threshold=float(np.sort(network.ease(easy)[:VALIDATION])[WRONG]))


def _read(network: Network, easy: NDArray[np.float64]) -> tuple[int, int]:
    """Return how many of the validation images and of the test images a network reads."""
    read = network.ease(easy) >= network.threshold
    return int(read[:VALIDATION].sum()), int(read[VALIDATION:].sum())


if __name__ == "__main__":
    main()
