"""What is known of a training, as values."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from worker.contract.errors import UnknownFormat, WireError

FORMAT = 1


class TrainingState(StrEnum):
    """Where a training is in its life."""

    ASKED = "asked"  # it waits for a trainer
    RUNNING = "running"
    DONE = "done"  # its model is live
    REFUSED = "refused"  # by the gate: its model is no better than what is live, and stays a candidate
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self not in (TrainingState.ASKED, TrainingState.RUNNING)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What is asked for.

    Attributes:
        data: `mnist`, or `samples` for scikit-learn's digits; what was taught is added to either.
        quick: refine the live model, in about a minute, instead of training a new one.
        epochs: instead of the recipe's, or None.
        seed: of every random number.
    """

    data: str = "mnist"
    quick: bool = False
    epochs: int | None = None
    seed: int = 1

    def to_json(self) -> str:
        """Encode."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Decode; fields that a newer client added are passed over.

        Raises:
            WireError: no order, or of a format that this program does not read.
        """
        try:
            body = json.loads(text)
            known = {field.name: body[field.name] for field in fields(cls)}
        except (ValueError, KeyError, TypeError):
            raise WireError("This training's record is damaged. Ask for another training.") from None
        if body.get("format") != FORMAT:
            raise UnknownFormat(
                f"This training's record has format {body.get('format')!r}, this program reads {FORMAT}. "
                "Run the same version of digitmill everywhere."
            )
        return cls(**known)


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """A training as it stands.

    Attributes:
        identifier: its id.
        order: what was asked for.
        state: where it is.
        held: whether a trainer works on it at this moment; one that runs and is not held waits for another trainer.
        asked: unix time, seconds.
        begun: unix time, seconds, of its first attempt, or None.
        ended: unix time, seconds, or None.
        attempts: how often a trainer has begun it.
        holder: the trainer that began it last, or "".
        stage: what of it runs: `starting`, `teacher 1`, `network`, `judging`; "" before.
        epoch: of this stage, the last that has ended.
        epochs: of this stage.
        accuracy: on the validation images after that epoch; 0 before the first.
        seconds_left: of the whole training, as estimated after that epoch; None before the first.
        version: of its model, once there is one, or "".
        reason: why it was refused, failed or cancelled; or why its model is live.
    """

    identifier: str
    order: TrainingOptions
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
        """Read a record as Redis keeps it.

        Raises:
            WireError: it is damaged.
        """
        try:
            said: dict[str, Any] = {name.decode(): value.decode("utf-8", "replace") for name, value in body.items()}
            state = TrainingState(said["state"])
            return cls(
                identifier=identifier,
                order=TrainingOptions.from_json(said["order"]),
                state=state,
                held=held and state is TrainingState.RUNNING,
                asked=int(said["asked"]) / 1000,
                begun=int(said["begun"]) / 1000 if "begun" in said else None,
                ended=int(said["ended"]) / 1000 if "ended" in said else None,
                attempts=int(said["attempts"]),
                holder=said.get("holder", ""),
                stage=said.get("stage", ""),
                epoch=int(said.get("epoch", 0)),
                epochs=int(said.get("epochs", 0)),
                accuracy=float(said.get("accuracy", 0)),
                seconds_left=float(said["seconds_left"]) if "seconds_left" in said else None,
                version=said.get("version", ""),
                reason=said.get("reason", ""),
            )
        except (KeyError, ValueError):
            raise WireError(f"The record of training {identifier} is damaged. Ask for another training.") from None
