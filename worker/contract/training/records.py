"""The values that describe a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from model.records import from_json, to_json
from model.training.options import TrainingOptions
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import MAX_TEXT
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import count, finite, moment, reading

FORMAT = 1

_REMEDY = "`digitmill train --cancel` ends it; then ask for another training."


class TrainingState(StrEnum):
    """Where a training is in its life."""

    ASKED = "asked"  # it waits for a trainer
    RUNNING = "running"
    DONE = "done"  # its model is live
    REFUSED = "refused"  # the gate refused its model, which stays a candidate
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self not in (TrainingState.ASKED, TrainingState.RUNNING)


def options_to_json(options: TrainingOptions) -> str:
    """Return the options as JSON, as a training's record holds them."""
    return to_json(options, format=FORMAT)


def options_from_json(text: bytes | str) -> TrainingOptions:
    """Decode the options of a training's record. Fields that a newer client added are ignored.

    Raises:
        WireError: The options are damaged, or have a format that this program does not read.
    """
    with reading("This training's record", remedy=_REMEDY):
        return from_json(TrainingOptions, text, format=FORMAT)


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """A training as it stands.

    Attributes:
        identifier: Id of the training.
        options: Options that the client asked for.
        state: Where it is in its life.
        held: Whether a trainer works on it now. A training that runs and is not held waits for another trainer.
        asked: Time at which it was asked for: unix time, seconds.
        begun: Time at which its first attempt began: unix time, seconds, or None.
        ended: Time of its end: unix time, seconds, or None.
        attempts: Number of attempts begun.
        holder: Trainer that began the last attempt, or "".
        stage: Stage that runs: `starting`, `teacher 1`, `network`, `judging`; "" before the first.
        epoch: Number of the last epoch of this stage that has ended, from 1; 0 before the first.
        epochs: Number of epochs of this stage.
        accuracy: Accuracy, 0 to 1, on the validation images after that epoch; 0 before the first.
        seconds_left: Seconds until the training ends, as estimated about a second ago; None while nothing is known.
        version: Version of its model, or "" while there is none.
        reason: Why it was refused, failed or cancelled; or why its model is live.
    """

    identifier: str
    options: TrainingOptions
    state: TrainingState
    held: bool
    asked: float
    begun: float | None
    ended: float | None
    attempts: int
    holder: str
    stage: str
    epoch: int
    epochs: int
    accuracy: float
    seconds_left: float | None
    version: str
    reason: str

    @classmethod
    def from_hash(cls, identifier: str, body: Mapping[bytes, bytes], *, held: bool) -> Self:
        """Return the status that Redis keeps as a hash.

        Args:
            identifier: Id of the training.
            body: The hash.
            held: Whether the lease on it holds.

        Raises:
            WireError: The hash is damaged.
        """
        with reading(f"The record of training {identifier}", remedy=_REMEDY):
            text = {name.decode(): value.decode("utf-8", "replace") for name, value in body.items()}
            state = TrainingState(text["state"])
            version = text.get("version", "")
            return cls(
                identifier=identifier,
                options=options_from_json(text["order"]),
                state=state,
                held=held and state is TrainingState.RUNNING,
                asked=moment(int(text["asked"]) / 1000),
                begun=moment(int(text["begun"]) / 1000) if "begun" in text else None,
                ended=moment(int(text["ended"]) / 1000) if "ended" in text else None,
                attempts=count(text["attempts"]),
                holder=text.get("holder", "")[:MAX_TEXT],
                stage=text.get("stage", "")[:MAX_TEXT],
                epoch=count(text.get("epoch")),
                epochs=count(text.get("epochs")),
                accuracy=finite(text.get("accuracy", "0")),
                seconds_left=finite(text["seconds_left"]) if "seconds_left" in text else None,
                version=version and identifiers.read(Kind.VERSION, version),
                reason=text.get("reason", "")[:MAX_TEXT],
            )
