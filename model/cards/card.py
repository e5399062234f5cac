"""A model's card: what it is, what it was trained on and how, how good it is, and the SHA-256 of its files.

Knows neither TensorFlow nor LiteRT: workers, trainer and command line all read cards.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from model.errors import ModelError
from model.metrics import ClassScore, Integers, wilson
from model.records import Damaged, OtherFormat, from_json, to_json

CARD: Final = "card.json"
MODEL: Final = "model.tflite"
WEIGHTS: Final = "weights.safetensors"
CURVES: Final = "curves.png"
BASELINE: Final = Path(__file__).parent.parent / "baseline"
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
    sha256: str  # of all of them; see `model.data.digits.sha256`
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


class Bin(NamedTuple):
    """Confidence against accuracy, of the test images whose confidence falls between the edges of one of equal bins."""

    images: int
    accuracy: float | None  # None where there is no image
    confidence: float | None  # mean; likewise


class Robustness(NamedTuple):
    """Accuracy of the int8 model on test images under each of `model.evaluation.corruptions`, by name."""

    seed: int  # of the corruptions
    network: dict[str, Score]  # shown the corrupted images as they are
    path: dict[str, Score]  # the whole way of a user's file; of a part of the images, for it takes longer


class Doubt(NamedTuple):
    """What a threshold of confidence lets pass, where what is below it is looked at by people."""

    threshold: float
    passed: Score  # of images of no digit, drawn by `model.augmentation.outliers`, those that are not below it
    doubted: Score | None  # of test images that are read rightly, those that are; None where none is read rightly
    caught: Score | None  # of test images that are misread, those that are; None where none is misread


class Seeded(NamedTuple):
    """The test accuracy of one of several trainings that differ in nothing but the seed."""

    seed: int
    test: Scores


class Size(NamedTuple):
    """How large a model is."""

    parameters: int
    bytes: int  # of model.tflite


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known of one model.

    What follows `files` is missing from old cards, and None or empty when they are read.

    Attributes:
        version: its name, ending in the first 8 hexadecimal digits of the SHA-256 of model.tflite.
        created: UTC, ISO 8601.
        parent: version of the live model that it was meant to replace, or None.
        data: what it was trained and judged on.
        seed: of the random numbers in training.
        recipe: `model.training.recipe.Recipe` as a dictionary.
        epochs: the training curve.
        validation: accuracy on images that were held out of training.
        test: accuracy on the test set; reported, never used to choose anything.
        agreement: on how many validation images float and int8 name the same digit.
        per_class: of the int8 model on the test set, by digit.
        confusion: likewise; row: true digit, column: predicted.
        temperature: that calibrates its confidences, fitted on validation.
        calibration_error: expected calibration error on the test set at this temperature, 15 bins.
        files: SHA-256, hexadecimal, of each file beside the card.
        reliability: of the int8 model on the test set at this temperature, in as many bins as `calibration_error`.
        robustness: how well it reads images that went bad.
        doubts: by threshold of confidence: what passes that is no digit, and how many digits are looked at for that.
        size: of the network and its file.
        training_seconds: of all epochs, those of teachers too; None if training was stopped and went on.
        seeds: this training and others like it, by seed: what is luck, and what is the recipe.
        intended_use: what the model is for.
        not_for: what it must not be used for.
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
    reliability: list[Bin] | None = None
    robustness: Robustness | None = None
    doubts: list[Doubt] = field(default_factory=list)
    size: Size | None = None
    training_seconds: float | None = None
    seeds: list[Seeded] = field(default_factory=list)
    intended_use: str | None = None
    not_for: list[str] = field(default_factory=list)

    @property
    def refined(self) -> bool:
        """Whether its training began with its parent's weights."""
        return bool(self.recipe.get("refines"))

    def dumps(self) -> str:
        """Return the card as JSON, readable by people too.

        Raises:
            ModelError: A figure is not finite, which JSON cannot express.
        """
        try:
            return to_json(self, format=FORMAT, indent=1) + "\n"
        except ValueError as error:
            raise ModelError(
                f"A figure of model {self.version} is not a finite number: its training diverged. Train with a lower "
                "learning rate."
            ) from error

    @classmethod
    def loads(cls, text: str | bytes) -> "Card":
        """Return the card that `dumps` wrote.

        Raises:
            ModelError: It is not a card, or has a format that this version does not read.
        """
        try:
            return from_json(cls, text, format=FORMAT)
        except OtherFormat as error:
            raise ModelError(
                f"This model card has format {error.found}; this version of digitmill reads {FORMAT}. "
                "Upgrade digitmill, or train a model with this version."
            ) from error
        except Damaged as error:
            raise ModelError(
                f"This is not a model card ({error}). Restore card.json, or train the model again."
            ) from error

    @classmethod
    def read(cls, folder: Path) -> "Card":
        """Return the card in `folder`.

        Raises:
            ModelError: It is missing, or it is not a card.
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
