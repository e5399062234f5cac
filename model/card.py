"""A model's card: what it is, what it was trained on and how, how good it is, and the SHA-256 of its files.

Knows neither TensorFlow nor LiteRT: workers, trainer and command line all read cards.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from model.errors import ModelError
from model.metrics import ClassScore, Integers, wilson

CARD: Final = "card.json"
MODEL: Final = "model.tflite"
WEIGHTS: Final = "weights.safetensors"
CURVES: Final = "curves.png"
BASELINE: Final = Path(__file__).parent / "baseline"
"""The folder of the model that ships with the package, and serves until something is published."""

FORMAT: Final = 1
"""Of card.json. Unknown keys are ignored, so only a change that older code would misread needs a new number."""


class Score(NamedTuple):
    """A proportion, counted, and Wilson's 95 % interval of it."""

    correct: int
    total: int
    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, correct: int, total: int) -> "Score":
        """The score of `correct` out of `total`, which must not be 0."""
        return cls(correct, total, correct / total, *wilson(correct, total))

    @classmethod
    def between(cls, some: Integers, others: Integers) -> "Score":
        """On how many of n images both, integers (n,), name the same digit; n must not be 0."""
        return cls.of(int((some == others).sum()), len(some))


class Scores(NamedTuple):
    """The same images judged by Keras' float network and by its int8 export, which is the one that serves."""

    float: Score
    int8: Score


class Data(NamedTuple):
    """Which data a model was trained and judged on."""

    name: str
    sha256: str  # of all of them; see `model.digits.sha256`
    train: int
    validation: int
    test: int


class Epoch(NamedTuple):
    """How training stood after one epoch."""

    number: int  # from 1
    loss: float  # mean over the epoch, augmented and with dropout: hence often worse than in validation
    accuracy: float  # likewise
    validation_loss: float  # of the averaged weights, at the end of the epoch
    validation_accuracy: float  # likewise
    seconds: float
    augmentation: float | None = None  # processor time that making its batches took, in seconds; unknown of older ones


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known of one model; it never changes.

    Attributes:
        version: its name, ending in the first 8 hexadecimal digits of the SHA-256 of model.tflite.
        created: UTC, ISO 8601.
        parent: version of the live model that it was meant to replace, or None.
        data: what it was trained and judged on.
        seed: of the random numbers in training.
        recipe: `model.recipe.Recipe` as a dictionary.
        epochs: the training curve.
        validation: accuracy on images that were held out of training.
        test: accuracy on the test set; reported, never used to choose anything.
        agreement: on how many validation images float and int8 name the same digit.
        per_class: of the int8 model on the test set, by digit.
        confusion: likewise; row: true digit, column: predicted.
        temperature: that calibrates its confidences, fitted on validation.
        calibration_error: expected calibration error on the test set at this temperature, 15 bins.
        files: SHA-256, hexadecimal, of each file beside the card.
    """

    version: str
    created: str
    parent: str | None
    data: Data
    seed: int
    recipe: dict[str, Any]
    epochs: list[Epoch]
    validation: Scores
    test: Scores
    agreement: Score
    per_class: list[ClassScore]
    confusion: list[list[int]]
    temperature: float
    calibration_error: float
    files: dict[str, str] = field(default_factory=dict)

    def dumps(self) -> str:
        """The card as JSON, readable by people too."""
        values = asdict(self)
        for name in ("data", "agreement"):
            values[name] = getattr(self, name)._asdict()
        for name in ("validation", "test"):
            values[name] = {kind: score._asdict() for kind, score in getattr(self, name)._asdict().items()}
        for name in ("epochs", "per_class"):
            values[name] = [row._asdict() for row in getattr(self, name)]
        return json.dumps({"format": FORMAT, **values}, indent=1) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> "Card":
        """The card that `dumps` gave.

        Raises:
            ModelError: it is no card, or of a format that this version does not read.
        """
        try:
            values = json.loads(text)
            if values["format"] != FORMAT:
                raise ModelError(
                    f"This model card has format {values['format']}; this version of digitmill reads {FORMAT}. "
                    "Upgrade digitmill, or train a model with this version."
                )
            known = {each.name: values[each.name] for each in fields(cls)}
            known["data"] = _tuple(Data, known["data"])
            known["agreement"] = _tuple(Score, known["agreement"])
            for name in ("validation", "test"):
                known[name] = Scores(*(_tuple(Score, known[name][kind]) for kind in Scores._fields))
            known["epochs"] = [_tuple(Epoch, row) for row in known["epochs"]]
            known["per_class"] = [_tuple(ClassScore, row) for row in known["per_class"]]
            return cls(**known)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ModelError(
                f"This is no model card ({type(error).__name__}: {error}). Restore card.json, or train the model again."
            ) from error

    @classmethod
    def read(cls, folder: Path) -> "Card":
        """The card in `folder`.

        Raises:
            ModelError: it is missing or is no card.
        """
        return cls.loads(_bytes(folder / CARD))

    def write(self, folder: Path) -> None:
        """Write card.json into `folder`. The files that it names should be there already: it vouches for them."""
        (folder / CARD).write_text(self.dumps(), encoding="utf-8")


def read_file(folder: Path, card: Card, name: str) -> bytes:
    """The content of one of the model's files, verified.

    Raises:
        ModelError: the card does not name it, it is missing, or its SHA-256 is not the card's.
    """
    if name not in card.files:
        raise ModelError(f"Model {card.version} has no {name}; its card names {', '.join(card.files) or 'no files'}.")
    content = _bytes(folder / name)
    found = hashlib.sha256(content).hexdigest()
    if found != card.files[name]:
        raise ModelError(
            f"{folder / name} is not what its card vouches for (SHA-256 {found[:8]}… instead of "
            f"{card.files[name][:8]}…). Restore the file, or train the model again."
        )
    return content


def read_model(folder: Path) -> tuple[Card, bytes]:
    """The card in `folder` and the verified content of its model.tflite.

    Raises:
        ModelError: either is missing or altered; the message names fault and remedy.
    """
    card = Card.read(folder)
    return card, read_file(folder, card, MODEL)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"Cannot read {path}: {error.strerror}. Restore the file, or train a model into {path.parent}."
        ) from error


def _tuple(kind: Any, values: dict[str, Any]) -> Any:
    """A named tuple of `kind` from a dictionary that may hold more."""
    return kind(**{name: values[name] for name in kind._fields if name in values})
