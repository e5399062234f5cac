"""The folder of a training for a mill: the assignment, the live model, and the candidate with the gate's decision.

Knows no TensorFlow: the trainer and the process that it starts, `model.training.retrain`, have this in common.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from model.cards.card import Card, read_file
from model.cards.decision import DECISION, Decision
from model.data import mnist, sample_digits
from model.data.digits import Dataset
from model.errors import ModelError, UsageError
from model.records import Damaged, as_plain, from_json, from_plain, to_json
from model.training.options import TrainingOptions
from model.training.recipe import Recipe

ORDER: Final = "order.json"
LIVE: Final = "live"
CANDIDATE: Final = "candidate"


@dataclass(frozen=True, slots=True)
class TrainingAssignment:
    """What to train, and with what.

    Attributes:
        options: What whoever asked for the training chose.
        mnist: Folder of MNIST, or None for the cache.
        cache: Folder of downloads.
        offline: Whether to download nothing.
        taught: Folder of the taught images.
        threads: Threads of TensorFlow.
    """

    options: TrainingOptions
    mnist: str | None
    cache: str
    offline: bool
    taught: str
    threads: int

    def write(self, folder: Path) -> None:
        """Write the assignment where `retrain` finds it."""
        body = as_plain(self)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ORDER).write_text(to_json({**body.pop("options"), **body}))  # one level, as every version reads it

    @classmethod
    def read(cls, folder: Path) -> "TrainingAssignment":
        """Return the assignment that `write` wrote.

        Raises:
            UsageError: It is missing, or it is not an assignment.
        """
        path = folder / ORDER
        try:
            body = from_json(dict[str, Any], path.read_bytes())
            return from_plain(cls, {**body, "options": body})
        except OSError as fault:
            raise UsageError(f"Cannot read {path}: {fault.strerror}. Ask for another training.") from fault
        except Damaged as fault:
            raise UsageError(f"{path} does not say what to train ({fault}). Ask for another training.") from fault

    def recipe(self) -> Recipe:
        """Return how to train."""
        options = self.options
        recipe = Recipe.refinement() if options.quick else Recipe.small() if options.data == "samples" else Recipe()
        return recipe if options.epochs is None else replace(recipe, epochs=options.epochs)

    def dataset(self) -> Dataset:
        """Return the data without the taught images."""
        if self.options.data == "samples":
            return sample_digits.load()
        folder = Path(self.mnist) if self.mnist else None
        return mnist.load(folder, cache=Path(self.cache), download=not self.offline)


def read_candidate(folder: Path) -> tuple[Card, dict[str, bytes], Decision]:
    """Return the candidate that `retrain` left in `folder`: its card, its files, and the gate's decision.

    Raises:
        ModelError: It is incomplete or altered.
    """
    card = Card.read(folder / CANDIDATE)
    files = {name: read_file(folder / CANDIDATE, card, name) for name in card.files}
    if DECISION not in files:
        raise ModelError(f"{folder / CANDIDATE} does not hold a decision of the gate. Train again.")
    return card, files, Decision.loads(files[DECISION])
