"""What the gate found of a candidate and the model that was live: one of the candidate's files, `gate.json`.

Knows neither LiteRT nor TensorFlow, so that whoever shows a decision needs none.
"""

from typing import Final, NamedTuple

from model.cards.card import Score
from model.errors import ModelError
from model.records import Damaged, from_json, to_json

DECISION: Final = "gate.json"
"""Its file; the candidate's card vouches for it."""


class ModelAssessment(NamedTuple):
    """How one of the two models did."""

    version: str
    validation: Score
    taught: Score | None  # None where nothing taught is held out
    recall: list[float]  # by digit, on the validation images
    bytes: int  # of model.tflite
    images_per_second: float  # best of three rounds of 1,024 images, one thread


class Decision(NamedTuple):
    """What the gate found."""

    passed: bool
    reason: str  # one sentence
    candidate: ModelAssessment
    live: ModelAssessment
    agreement: Score  # of the candidate's int8 export with its float network

    def dumps(self) -> bytes:
        """Return the decision as JSON, readable by people too."""
        return to_json(self, indent=1).encode()

    @classmethod
    def loads(cls, content: bytes) -> "Decision":
        """Return the decision that `dumps` wrote.

        Raises:
            ModelError: It is not a decision.
        """
        try:
            return from_json(cls, content)
        except Damaged as fault:
            raise ModelError(f"{DECISION} does not hold a decision of the gate ({fault}). Train again.") from fault
