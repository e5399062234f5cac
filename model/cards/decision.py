"""The gate's decision on a candidate, compared with the live model: one of the candidate's files, `gate.json`.

This module imports neither LiteRT nor TensorFlow, so programs can show a decision without them.
"""

from dataclasses import dataclass
from typing import Final

from model.cards.card import Score
from model.errors import ModelError
from model.records import Damaged, from_json, to_json

DECISION: Final = "gate.json"
"""Name of the file. The candidate's card vouches for it."""


@dataclass(frozen=True, slots=True)
class ModelAssessment:
    """Figures of one of the two models that the gate compares."""

    version: str
    validation: Score
    taught: Score | None  # None if no taught images are held out
    recall: list[float]  # by digit, on the validation images
    bytes: int  # of model.tflite
    images_per_second: float  # best of three rounds of 1,024 images, one thread


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's verdict, and the figures that led to it."""

    passed: bool
    reason: str  # one sentence
    candidate: ModelAssessment
    live: ModelAssessment
    agreement: Score  # of the candidate's int8 export with its float network, on the validation images

    def dumps(self) -> bytes:
        """Encode the decision as JSON, indented so that people can read it."""
        return to_json(self, indent=1).encode()

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
