"""Trainings and their schedule, as `train` and `status` print them."""

from typing import TYPE_CHECKING, Any

from model.records import as_plain
from producer.public.body import Body, Document, Share, Time, time_if, time_of

if TYPE_CHECKING:
    from worker.contract.training import ScheduleStatus, TrainingStatus


class Training(Body, kw_only=True, frozen=True):
    """A training as it stands.

    Attributes:
        training: Name of the training.
        options: Options by name.
        state: `asked`, `running`, `done`, `refused`, `failed` or `cancelled`.
        requested: Time at which it was requested.
        started: Time at which its first attempt began, or null.
        ended: Time of its end, or null.
        attempts: Number of attempts.
        trainer: Trainer that began the last attempt, or null.
        has_trainer: Whether that trainer works on it now.
        stage: Stage that runs, such as `network`, or null before the first.
        epoch: Number of the last epoch of this stage that has ended, from 1, or null before the first.
        epochs: Number of epochs of this stage, or null before the first stage.
        accuracy: Accuracy on the validation images after that epoch, or null before the first.
        seconds_left: Seconds until it ends, as estimated, or null.
        model: Version that it has made, or null.
        reason: Why it was refused, failed or cancelled, or why its model is live; or null.
    """

    training: str
    options: dict[str, Any]
    state: str
    requested: Time
    started: Time | None
    ended: Time | None
    attempts: int
    trainer: str | None
    has_trainer: bool
    stage: str | None
    epoch: int | None
    epochs: int | None
    accuracy: Share | None
    seconds_left: float | None
    model: str | None
    reason: str | None


class OneTraining(Document, kw_only=True, frozen=True):
    """What `train` prints.

    Attributes:
        training: The training, or null if none was requested yet.
        joined: Whether someone had requested it before.
    """

    training: Training | None
    joined: bool


class Schedule(Body, kw_only=True, frozen=True):
    """The schedule of trainings.

    Attributes:
        schedulers: Names of the schedulers that are alive.
        cron: Five cron fields, in UTC, or null if only users request trainings.
        next: Time at which the next training is due, or null.
        last: Time at which the last one was requested or skipped, or null.
        last_outcome: What became of that one, and why, or null.
    """

    schedulers: list[str]
    cron: str | None
    next: Time | None
    last: Time | None
    last_outcome: str | None


def training(status: "TrainingStatus") -> Training:
    """Return a training."""
    return Training(
        training=status.identifier,
        options=as_plain(status.options),
        state=str(status.state),
        requested=time_of(status.asked),
        started=time_if(status.begun),
        ended=time_if(status.ended),
        attempts=status.attempts,
        trainer=status.holder or None,
        has_trainer=status.held,
        stage=status.stage or None,
        epoch=status.epoch or None,
        epochs=status.epochs or None,
        accuracy=status.accuracy if status.epoch else None,
        seconds_left=status.seconds_left,
        model=status.version or None,
        reason=status.reason or None,
    )


def schedule(status: "ScheduleStatus") -> Schedule | None:
    """Return the schedule, or None without a scheduler."""
    if not status.schedulers:
        return None
    return Schedule(
        schedulers=status.schedulers,
        cron=status.cron or None,
        next=time_if(status.next),
        last=time_if(status.handled),
        last_outcome=status.outcome or None,
    )
