"""The mill, as `status`, `up`, `serve` and `redis-users` print it: workers, trainings, the schedule."""

from typing import TYPE_CHECKING, Any

from model.records import as_plain
from producer.public.body import Body, Damaged, Document, Share, Time, time_if, time_of
from producer.public.jobs import Job
from producer.public.models import Drift

if TYPE_CHECKING:
    from worker.contract.ledger import WorkerStatus
    from worker.contract.teaching import Summary
    from worker.contract.training import ScheduleStatus, TrainingStatus


class Worker(Body, kw_only=True, frozen=True):
    """What a worker reports about itself.

    Attributes:
        worker: Name of the worker.
        ready: Whether it can classify already.
        model: Version that it serves as the live one.
        model_problem: Why that is not the live version, or null.
        images: Number of images answered since its start.
        started: Time of its start.
        seen: Time of its last heartbeat.
        pid: Id of its classifying process on its host.
        startup_seconds: Seconds from the start of its process until it was ready, or null while it is not.
        doorbell_format: Format of the messages about batches that it reads.
        lane_format: Format of the calls that it answers, or null if it answers none.
    """

    worker: str
    ready: bool
    model: str
    model_problem: str | None
    images: int
    started: Time
    seen: Time
    pid: int
    startup_seconds: float | None
    doorbell_format: int
    lane_format: int | None


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


class Taught(Body, kw_only=True, frozen=True):
    """The taught images in figures.

    Attributes:
        images: Number of images that the trainer keeps.
        waiting: Number of changes that wait for the trainer.
        new: Number of changes that no training has seen.
        held_back: Number of images that no training uses, because their labels are suspicious.
    """

    images: int
    waiting: int
    new: int
    held_back: int


class Status(Document, kw_only=True, frozen=True):
    """What `status` prints.

    Attributes:
        redis: URL of Redis, without its password.
        warnings: What is wrong with this Redis, and what to do.
        workers: Workers that are alive.
        live: Version that serves.
        drift: How its answers of the last day differ from those of the days before, or null.
        jobs: Jobs that have not ended.
        trainers: Names of the trainers that are alive.
        trainer_problems: What hinders a trainer, by its name.
        training: Training that was requested last, or null.
        schedule: Schedule, or null without a scheduler.
        taught: Taught images.
        damaged: Records that cannot be read.
    """

    redis: str
    warnings: list[str]
    workers: list[Worker]
    live: str
    drift: Drift | None
    jobs: list[Job]
    trainers: list[str]
    trainer_problems: dict[str, str]
    training: Training | None
    schedule: Schedule | None
    taught: Taught
    damaged: list[Damaged]


class Started(Document, kw_only=True, frozen=True):
    """What `up` prints when the mill runs.

    Attributes:
        redis: URL of Redis, without its password.
        workers: Number of workers.
        others: Other roles that run: `trainer`, `scheduler`.
        logs: Folder of the logs.
    """

    redis: str
    workers: int
    others: list[str]
    logs: str


class Serving(Document, kw_only=True, frozen=True):
    """What `serve` prints when it listens.

    Attributes:
        url: URL of the server.
        token: Whether clients must send a token.
    """

    url: str
    token: bool


class Exchange(Document, kw_only=True, frozen=True):
    """What `serve` prints for each request.

    Attributes:
        time: Time of the end of the response.
        client: Address of the client.
        method: Method of the request.
        path: Path of the request, without its query.
        status: Status of the response.
        seconds: Time from the header of the request to the end of the response.
    """

    time: Time
    client: str
    method: str
    path: str
    status: int
    seconds: float


class RedisUsers(Document, kw_only=True, frozen=True):
    """What `redis-users` prints.

    Attributes:
        users: Rules of Redis' ACL in one line, by the name of the user.
    """

    users: dict[str, str]


def worker(status: "WorkerStatus") -> Worker:
    """Return a worker."""
    return Worker(
        worker=status.name,
        ready=status.ready,
        model=status.model,
        model_problem=status.model_fault or None,
        images=status.images,
        started=time_of(status.started),
        seen=time_of(status.seen),
        pid=status.process,
        startup_seconds=status.startup_seconds if status.ready else None,
        doorbell_format=status.doorbell,
        lane_format=status.lane or None,
    )


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


def taught(summary: "Summary") -> Taught:
    """Return the figures of the taught images."""
    return Taught(images=summary.images, waiting=summary.waiting, new=summary.new, held_back=summary.held)
