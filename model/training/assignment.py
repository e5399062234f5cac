"""The folder of a training for a mill: what is asked for, what is live, and the candidate with the gate's decision.

Knows no TensorFlow: it is what the trainer and the process that it starts, `model.training.retrain`, have in common.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from model.cards.card import Card, read_file
from model.cards.decision import DECISION, Decision
from model.cards.typed import plain, typed
from model.data import mnist, sample_digits
from model.data.digits import Dataset
from model.errors import ModelError, UsageError
from model.training.recipe import Recipe

ORDER: Final = "order.json"
LIVE: Final = "live"
CANDIDATE: Final = "candidate"


@dataclass(frozen=True, slots=True)
class TrainingAssignment:
    """What to train, and with what.

    Attributes:
        data: `mnist` or `samples`.
        mnist: folder of MNIST, or None for the cache.
        cache: folder of downloads.
        offline: never download.
        taught: folder of what users taught.
        quick: refine the live model, in about a minute, instead of training a new one.
        epochs: instead of the recipe's, or None.
        seed: of every random number.
        threads: of TensorFlow.
    """

    data: str
    mnist: str | None
    cache: str
    offline: bool
    taught: str
    quick: bool
    epochs: int | None
    seed: int
    threads: int

    def write(self, folder: Path) -> None:
        """Write it where `retrain` finds it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ORDER).write_text(json.dumps(plain(self)))

    @classmethod
    def read(cls, folder: Path) -> "TrainingAssignment":
        """Read what `write` wrote.

        Raises:
            UsageError: it is not there, or no order.
        """
        try:
            order: TrainingAssignment = typed(cls, json.loads((folder / ORDER).read_text()))
        except (OSError, ValueError, TypeError) as fault:
            raise UsageError(f"{folder / ORDER} says nothing of what to train: {fault}.") from fault
        return order

    def recipe(self) -> Recipe:
        """How to train."""
        recipe = Recipe.refinement() if self.quick else Recipe.small() if self.data == "samples" else Recipe()
        return recipe if self.epochs is None else replace(recipe, epochs=self.epochs)

    def dataset(self) -> Dataset:
        """The data without what was taught."""
        if self.data == "samples":
            return sample_digits.load()
        folder = Path(self.mnist) if self.mnist else None
        return mnist.load(folder, cache=Path(self.cache), download=not self.offline)


def read_candidate(folder: Path) -> tuple[Card, dict[str, bytes], Decision]:
    """The candidate that `retrain` left in `folder`: card, files, and what the gate said.

    Raises:
        ModelError: it is incomplete or altered.
    """
    card = Card.read(folder / CANDIDATE)
    files = {name: read_file(folder / CANDIDATE, card, name) for name in card.files}
    if DECISION not in files:
        raise ModelError(f"{folder / CANDIDATE} has no decision of the gate. Train again.")
    return card, files, Decision.loads(files[DECISION])
