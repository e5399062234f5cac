"""The gate's decision on a candidate: one of the candidate's files, `gate.json`.

The gate compares the candidate with the live model and with the best model that ever was live. This module imports
neither LiteRT nor TensorFlow, so programs can show a decision without them.
"""

from dataclasses import dataclass, field
from typing import Final

from model.cards.card import Score
from model.errors import ModelError
from model.records import Damaged, as_plain, from_json, to_json
from model.wording import percent

DECISION: Final = "gate.json"
"""Name of the file. The candidate's card vouches for it."""

FEW: Final = 20
"""Number of images below which a share of them proves nothing."""


@dataclass(frozen=True, slots=True)
class ModelAssessment:
    """Figures of one of the models that the gate compares."""

    version: str
    validation: Score
    taught: Score | None  # None if no taught images are held out
    recall: list[float]  # by digit, on the validation images
    bytes: int  # of model.tflite
    images_per_second: float  # of CPU time on one thread; in decisions before 0.3 the best of three measurements


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidate and another model, image by image. All other images are read by both, or misread by both."""

    version: str  # the other model
    images: str  # which images: "validation" or "taught"
    won: int  # number of images that only the candidate reads
    lost: int  # number of images that only the other model reads


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's verdict, and the figures that led to it. Decisions before 0.3 do not have the last two fields."""

    passed: bool
    reason: str  # one sentence
    candidate: ModelAssessment
    live: ModelAssessment
    agreement: Score  # of the candidate's int8 export with its float network, on the validation images
    best: ModelAssessment | None = None  # the best model that ever was live; None if that is the live one
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def models(self) -> list[ModelAssessment]:
        """The models that the gate compared: the candidate, the live one, and the best one if that is a third."""
        return [self.candidate, self.live, *([self.best] if self.best else [])]

    @property
    def leader(self) -> str:
        """The version that reads the most validation images. Of several, the one that has done so for longest."""
        return max(reversed(self.models), key=lambda model: model.validation.correct).version

    def dumps(self) -> bytes:
        """Encode the decision as JSON, indented so that people can read it."""
        plain = as_plain(self)
        if not self.comparisons:  # so the decision of an earlier version, written again, is the same bytes
            del plain["best"], plain["comparisons"]
        return to_json(plain, indent=1).encode()

    @classmethod
    def loads(cls, content: bytes) -> "Decision":
        """Decode a decision that `dumps` encoded.

        Raises:
            ModelError: The content is not a decision.
        """
        try:
            return from_json(cls, content)
        except Damaged as fault:
            raise ModelError(f"{DECISION} does not hold a decision of the gate ({fault}). Train again.") from fault


def scored(score: Score, what: str = "") -> str:
    """Return a score in words, such as "33 of 34 images right (97.1 %)".

    Args:
        score: Score of a model.
        what: What is counted, such as "images right".
    """
    return f"{score.correct:,} of {score.total:,}{what and f' {what}'}{share(score)}"


def share(score: Score) -> str:
    """Return the share to write behind a number: " (97.1 %)", or nothing if so few images prove nothing."""
    return "" if score.total < FEW else f" ({percent(score.accuracy, 2 if score.total >= 1000 else 1)})"
