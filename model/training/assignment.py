"""The folder of a mill's training: the assignment, the live model, and the candidate with the gate's decision.

The trainer and the process that it starts, `model.training.retrain`, share this module. It never imports TensorFlow.
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
    """What a training process has to do.

    Attributes:
        data: Data set, `mnist` or `samples`.
        mnist: Folder that holds MNIST, or None for the cache.
        cache: Folder of downloads.
        offline: Whether downloads are forbidden.
        taught: Folder of the taught images.
        quick: Whether to refine the live model, in about a minute, instead of training a new one.
        epochs: Number of epochs, or None for the recipe's.
        seed: Seed of all random numbers.
        threads: Number of TensorFlow's threads.
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
        """Write the assignment into `folder`, where `retrain` reads it. The folder is created if necessary."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ORDER).write_text(json.dumps(plain(self)))

    @classmethod
    def read(cls, folder: Path) -> "TrainingAssignment":
        """Read the assignment that `write` wrote into `folder`.

        Raises:
            UsageError: The file cannot be read or is not an assignment.
        """
        try:
            order: TrainingAssignment = typed(cls, json.loads((folder / ORDER).read_text()))
        except (OSError, ValueError, TypeError) as fault:
            raise UsageError(f"{folder / ORDER} says nothing of what to train: {fault}.") from fault
        return order

    def recipe(self) -> Recipe:
        """Return the recipe."""
        recipe = Recipe.refinement() if self.quick else Recipe.small() if self.data == "samples" else Recipe()
        return recipe if self.epochs is None else replace(recipe, epochs=self.epochs)

    def dataset(self) -> Dataset:
        """Load the data set, without the taught images.

        Raises:
            DataError: MNIST is not there, cannot be downloaded, or is altered.
        """
        if self.data == "samples":
            return sample_digits.load()
        folder = Path(self.mnist) if self.mnist else None
        return mnist.load(folder, cache=Path(self.cache), download=not self.offline)


def read_candidate(folder: Path) -> tuple[Card, dict[str, bytes], Decision]:
    """Read the candidate that `retrain` wrote.

    Args:
        folder: Folder of the training.

    Returns:
        The candidate's card, the content of its files by name, and the gate's decision.

    Raises:
        ModelError: The candidate is incomplete or altered.
    """
    card = Card.read(folder / CANDIDATE)
    files = {name: read_file(folder / CANDIDATE, card, name) for name in card.files}
    if DECISION not in files:
        raise ModelError(f"{folder / CANDIDATE} does not contain the gate's decision. Train again.")
    return card, files, Decision.loads(files[DECISION])
