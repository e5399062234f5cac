"""The folder of a mill's training: assignment, models to compare with, and the candidate with the gate's decision.

The trainer and the process that it starts, `model.training.retrain`, share this module. So it never imports TensorFlow.
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

ASSIGNMENT: Final = "order.json"
LIVE: Final = "live"
BEST: Final = "best"
START: Final = "start"
CANDIDATE: Final = "candidate"


@dataclass(frozen=True, slots=True)
class TrainingAssignment:
    """The work of one training process.

    Attributes:
        options: Choices of the user who asked for the training.
        mnist: Folder that holds MNIST, or None for the cache.
        cache: Folder of downloads.
        offline: Whether downloads are forbidden.
        taught: Folder of the taught images.
        threads: Number of TensorFlow's threads.
    """

    options: TrainingOptions
    mnist: str | None
    cache: str
    offline: bool
    taught: str
    threads: int

    def write(self, folder: Path) -> None:
        """Write the assignment into `folder`, where `retrain` reads it. The folder is created if necessary.

        Raises:
            OSError: The file cannot be written.
        """
        body = as_plain(self)
        folder.mkdir(parents=True, exist_ok=True)
        # All fields are on one level, as every version reads them.
        (folder / ASSIGNMENT).write_text(to_json({**body.pop("options"), **body}), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "TrainingAssignment":
        """Read the assignment that `write` wrote into `folder`.

        Raises:
            UsageError: The file cannot be read or is not an assignment.
        """
        path = folder / ASSIGNMENT
        try:
            body = from_json(dict[str, Any], path.read_bytes())
            return from_plain(cls, {**body, "options": body})
        except OSError as fault:
            raise UsageError(f"Cannot read {path}: {fault.strerror}. Ask for another training.") from fault
        except Damaged as fault:
            raise UsageError(f"{path} does not say what to train ({fault}). Ask for another training.") from fault

    def recipe(self) -> Recipe:
        """Return the recipe that the options choose.

        Raises:
            UsageError: The number of epochs is below 1.
        """
        options = self.options
        recipe = Recipe.refinement() if options.quick else Recipe.small() if options.data == "samples" else Recipe()
        return recipe if options.epochs is None else replace(recipe, epochs=options.epochs)

    def dataset(self) -> Dataset:
        """Load the data set, without the taught images.

        Raises:
            DataError: MNIST is not there, cannot be downloaded or kept, or is altered.
        """
        if self.options.data == "samples":
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
