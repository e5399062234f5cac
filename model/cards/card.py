"""A model's card: what the model is, how and on what data it was trained, how good it is, and the SHA-256 of its files.

This module imports neither TensorFlow nor LiteRT, because workers, the trainer and the command line all read cards.
"""

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from model.cards.verification import verified
from model.errors import ModelError
from model.metrics import ClassScore, Integers, wilson
from model.records import Damaged, OtherFormat, as_plain, from_json, to_json

CARD: Final = "card.json"
MODEL: Final = "model.tflite"
WEIGHTS: Final = "weights.safetensors"
CURVES: Final = "curves.png"
BASELINE: Final = Path(__file__).parent.parent / "baseline"
"""The folder of the model that ships with the package. It serves until a model is published."""

MAX_FILE_BYTES: Final = 64 * 1024**2
"""Maximum size of one file of a model. The registry takes half of this for all files together."""

FORMAT: Final = 1
"""Format of card.json. Readers ignore unknown keys, so only changes that older code would misread raise the number."""


@dataclass(frozen=True, slots=True)
class Score:
    """A counted proportion with its 95 % interval by Wilson."""

    correct: int
    total: int
    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, correct: int, total: int) -> "Score":
        """Return the score of `correct` out of `total`. The total must not be 0."""
        return cls(correct, total, correct / total, *wilson(correct, total))

    @classmethod
    def between(cls, some: Integers, others: Integers) -> "Score":
        """Return the share of images on which two arrays of digits, integers (n,), agree; n must not be 0."""
        return cls.of(int((some == others).sum()), len(some))


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracy of Keras' float network and of its int8 export on the same images. The export is what serves."""

    float: Score
    int8: Score


@dataclass(frozen=True, slots=True)
class Data:
    """The data that a model was trained and judged on."""

    name: str
    sha256: str  # of training and test images; see `model.data.digits.sha256`
    train: int  # number of images
    validation: int  # number of images
    test: int  # number of images


@dataclass(frozen=True, slots=True)
class Epoch:
    """The state of a training after one epoch."""

    number: int  # from 1
    loss: float  # mean over the epoch, on augmented images and with dropout, so often worse than in validation
    accuracy: float  # over the epoch, on the same images as the loss
    validation_loss: float  # of the averaged weights, at the end of the epoch
    validation_accuracy: float  # of the averaged weights, at the end of the epoch
    seconds: float
    augmentation: float | None = None  # processor time for making the batches, in seconds; None on older cards


@dataclass(frozen=True, slots=True)
class Bin:
    """Accuracy and mean confidence of the test images in one bin of confidence. All bins have the same width."""

    images: int
    accuracy: float | None  # None if the bin is empty
    confidence: float | None  # mean; None if the bin is empty


@dataclass(frozen=True, slots=True)
class Robustness:
    """Accuracy of the int8 model on test images under each corruption of a family, by name."""

    seed: int  # of the corruptions
    network: dict[str, Score]  # of the network alone, which sees the corrupted images as they are
    path: dict[str, Score]  # of the whole path of a user's file; on fewer images, because it takes longer


@dataclass(frozen=True, slots=True)
class FamilyRobustness(Robustness):
    """The same, and the share of the images that is misread with a confidence of 0.8 or more."""

    confidently_wrong: dict[str, Score]  # of the whole path of a user's file


@dataclass(frozen=True, slots=True)
class ThresholdEffect:
    """The effect of one threshold of confidence, if people check each image below it."""

    threshold: float
    passed: Score  # images without a digit, from `model.augmentation.outliers`, that are not below it
    doubted: Score | None  # correctly read test images that are below it; None if no image is read correctly
    caught: Score | None  # misread test images that are below it; None if no image is misread


@dataclass(frozen=True, slots=True)
class Seeded:
    """The test accuracy of one of several trainings that differ only in the seed."""

    seed: int
    test: Scores


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a model."""

    parameters: int
    bytes: int  # of model.tflite


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known about one model.

    Old cards do not have the fields after `files`. These are None or empty when an old card is read.

    Attributes:
        version: Name of the model. It ends in the first 8 hexadecimal digits of the SHA-256 of model.tflite.
        created: Time of the training, UTC, ISO 8601.
        parent: Version of the live model that this model was meant to replace, or None.
        data: Data of training, validation and test.
        seed: Seed of all random numbers in training.
        recipe: `model.training.recipe.Recipe` as a dictionary.
        epochs: Training curve.
        validation: Accuracy on images that were held out of training.
        test: Accuracy on the test images. It is reported, and never decides anything.
        agreement: Share of the validation images on which the float network and its int8 export name the same digit.
        per_class: Scores of the int8 model on the test images, by digit.
        confusion: Counts of the int8 model on the test images, 10 rows (true digit) of 10 columns (predicted digit).
        temperature: Divisor of the logits that calibrates the confidences, fitted on the validation images.
        calibration_error: Expected calibration error on the test images at this temperature, in 15 bins.
        files: Hexadecimal SHA-256 of each file beside the card, by name.
        reliability: Bins of the int8 model on the test images at this temperature, as many as for `calibration_error`.
        robustness: Accuracy under `model.evaluation.corruptions`.
        families: Accuracy under other families of corruptions, by the name of their module in `model.evaluation`:
            `mnist_c`, which training resembles, and `unseen`, which it does not.
        doubts: Effects of several thresholds of confidence.
        mean_confidences: Mean probability of the true digit over each digit's own validation images, by digit.
        size: Size of the network and of its file.
        training_seconds: Duration of all epochs, those of teacher networks included; None if the training was resumed.
        seeds: Test accuracies of this training and of others that differ only in the seed, by seed.
        graph: Order in which model.tflite computes what the network computes; "" in the order of its layers.
        start: Version with whose weights the training started, if it refined one; "" on older cards, too.
        intended_use: Purpose of the model.
        not_for: Uses that the model is not suitable for.
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
    families: dict[str, FamilyRobustness] = field(default_factory=dict)
    doubts: list[ThresholdEffect] = field(default_factory=list)
    mean_confidences: list[float] = field(default_factory=list)
    size: Size | None = None
    training_seconds: float | None = None
    seeds: list[Seeded] = field(default_factory=list)
    graph: str = ""
    start: str = ""
    intended_use: str | None = None
    not_for: list[str] = field(default_factory=list)

    @property
    def refined(self) -> bool:
        """Whether the training started with the weights of another model."""
        return bool(self.recipe.get("refines"))

    @property
    def origin(self) -> str:
        """Version that a refinement of this model starts with: the one that it was refined from, or this one.

        If refinements started with each other, what each loses would add up.
        """
        return self.start if self.refined and self.start else self.version

    def sha256(self, name: str) -> str:
        """Return the SHA-256, hexadecimal, that the card gives for one of the model's files.

        Raises:
            ModelError: The card does not name the file.
        """
        if name not in self.files:
            raise ModelError(
                f"Model {self.version} has no {name}: its card names {', '.join(self.files) or 'no files'}. "
                "Export the model again."
            )
        return self.files[name]

    def dumps(self) -> str:
        """Encode the card as JSON, indented so that people can read it.

        Raises:
            ModelError: A figure is not finite, which JSON cannot express.
        """
        plain = as_plain(self)
        for name in ("families", "mean_confidences", "graph", "start"):
            if not plain[name]:  # so the card of an earlier version, written again, is the same bytes
                del plain[name]
        try:
            return to_json(plain, format=FORMAT, indent=1) + "\n"
        except ValueError as error:
            raise ModelError(
                f"A figure of model {self.version} is not a finite number: its training diverged. Train with a lower "
                "learning rate."
            ) from error

    @classmethod
    def loads(cls, text: str | bytes) -> "Card":
        """Decode a card that `dumps` encoded.

        Raises:
            ModelError: The text is not a card, or its format is one that this version does not read.
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
        """Read the card in `folder`.

        Raises:
            ModelError: The file cannot be read or is not a card.
        """
        return cls.loads(_bytes(folder / CARD))

    def write(self, folder: Path) -> None:
        """Write card.json into `folder`. The caller must first write the files that the card vouches for.

        Raises:
            ModelError: A figure is not finite.
            OSError: The file cannot be written.
        """
        (folder / CARD).write_text(self.dumps(), encoding="utf-8")


def read_file(folder: Path, card: Card, name: str) -> bytes:
    """Read and verify one of the model's files.

    Args:
        folder: Folder of the model.
        card: Card of the model.
        name: Name of the file.

    Returns:
        Content of the file.

    Raises:
        ModelError: The card does not name the file, or the file cannot be read or has another SHA-256.
    """
    expected = card.sha256(name)
    if Path(name).name != name:
        raise ModelError(f"The card of {card.version} names {name!r}, which leads elsewhere. Export the model again.")
    remedy = "Restore the file, or train the model again."
    return verified(_bytes(folder / name), expected, file=str(folder / name), remedy=remedy)


def read_model(folder: Path) -> tuple[Card, bytes]:
    """Read the card in `folder` and the content of its model.tflite, verified.

    Raises:
        ModelError: A file cannot be read, card.json is not a card, or model.tflite is altered.
    """
    card = Card.read(folder)
    return card, read_file(folder, card, MODEL)


def _bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise ModelError(
                f"{path} is not a file of a model: it is not a regular file, or has more than "
                f"{MAX_FILE_BYTES // 1024**2} MiB. Name the folder of a model."
            )
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"Cannot read {path}: {error.strerror}. Restore the file, or train a model into {path.parent}."
        ) from error
