"""How a mill stands, as `status` and `queue` print it."""

from typing import TYPE_CHECKING

from producer.public.body import Body, Damaged, Document, Time, time_if, time_of
from producer.public.jobs import Job
from producer.public.models import Drift
from producer.public.teaching import Taught
from producer.public.training import Schedule, Training

if TYPE_CHECKING:
    from worker.contract.gate import Gate as GateRecord
    from worker.contract.ledger import WorkerStatus


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
        silent: Whether its heartbeat has been missing for some seconds.
        restarts: Number of its processes that have ended and were started again.
        memory_bytes: Memory that its processes take, or null if it does not say.
        version: Version of digitmill that it runs, or null if it does not say.
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
    silent: bool
    restarts: int
    memory_bytes: int | None
    version: str | None
    pid: int
    startup_seconds: float | None
    doorbell_format: int
    lane_format: int | None


class Problem(Body, kw_only=True, frozen=True):
    """Something that is wrong with the mill.

    Attributes:
        problem: What is wrong, and the remedy.
        urgent: Whether the mill does not do its work, or may lose some soon.
    """

    problem: str
    urgent: bool


class Gate(Body, kw_only=True, frozen=True):
    """Whether the queue as a whole is open.

    Attributes:
        state: `open`, `paused` or `drained`.
        who: User and machine that changed it last, or null.
        reason: Why, or null.
        since: Time of that, or null.
    """

    state: str
    who: str | None
    reason: str | None
    since: Time | None


class TurnedGate(Document, kw_only=True, frozen=True):
    """What `queue pause`, `queue drain` and `queue resume` print.

    Attributes:
        gate: Whether the queue is open now.
    """

    gate: Gate


class Server(Body, kw_only=True, frozen=True):
    """Redis as it stands. What it does not say is empty, 0 or null.

    Attributes:
        software: `redis` or `valkey`.
        version: Version of that software.
        uptime_seconds: Time since its start.
        clients: Number of connections.
        memory_bytes: Memory that its data takes.
        memory_limit_bytes: Limit of that memory; 0 for none.
        policy: What it does at that limit.
        append_only: Whether it keeps an append-only file, or null if it does not say.
        append_only_ok: Whether its last write to that file, and its last rewrite, succeeded.
        snapshot_ok: Whether its last snapshot succeeded.
        snapshot_age_seconds: Time since the last snapshot that succeeded, or null.
        changes_since_snapshot: Number of changes since then.
        saving: Whether it writes a snapshot or a new append-only file now.
        last_fork_seconds: Time for which the last fork stopped everything else.
        role: `master`, or `slave` for a replica.
        replicas: Number of replicas that are connected.
        replication_lag_seconds: Time since the slowest of them last reported, or null.
    """

    software: str
    version: str
    uptime_seconds: int
    clients: int
    memory_bytes: int
    memory_limit_bytes: int
    policy: str
    append_only: bool | None
    append_only_ok: bool
    snapshot_ok: bool
    snapshot_age_seconds: float | None
    changes_since_snapshot: int
    saving: bool
    last_fork_seconds: float
    role: str
    replicas: int
    replication_lag_seconds: float | None


class Queue(Body, kw_only=True, frozen=True):
    """What is in the queue. Batches are parts of batches, if workers have split one.

    Attributes:
        waiting: Batches that wait for a worker.
        waiting_images: Images in them.
        leased: Batches that a worker has in hand.
        leased_images: Images in them.
        unacknowledged: Answered batches that no client has taken out.
        oldest_seconds: Time since the oldest waiting batch was submitted; 0 if none waits.
        running_jobs: Jobs that have not ended.
        jobs: Jobs that Redis knows.
        calls: Calls of single images that wait, by kind.
        doorbells: Messages in Celery's queue of batches.
        training_doorbells: Messages in Celery's queue of trainings.
        complete: Whether all batches and jobs were looked at. Otherwise the figures are estimates.
    """

    waiting: int
    waiting_images: int
    leased: int
    leased_images: int
    unacknowledged: int
    oldest_seconds: float
    running_jobs: int
    jobs: int
    calls: dict[str, int]
    doorbells: int
    training_doorbells: int
    complete: bool


class Recent(Body, kw_only=True, frozen=True):
    """What workers answered in a time that has just passed.

    Attributes:
        seconds: Length of that time.
        images: Number of images that were answered, with a digit or with an error.
        images_per_second: Number of these images per second.
        failed: Number of those with an error.
        failures: Number of those with each error.
    """

    seconds: float
    images: int
    images_per_second: float
    failed: int
    failures: dict[str, int]


class Incident(Body, kw_only=True, frozen=True):
    """Something that went wrong in one process, and that the mill has survived.

    Attributes:
        at: Time, by the clock of that process.
        process: Name of the process.
        problem: What happened.
        ended: Whether a process has ended by it.
    """

    at: Time
    process: str
    problem: str
    ended: bool


class Disk(Body, kw_only=True, frozen=True):
    """The disk of the data folder on this machine.

    Attributes:
        folder: Data folder.
        bytes: Size of the disk.
        free_bytes: Free space.
    """

    folder: str
    bytes: int
    free_bytes: int


class Status(Document, kw_only=True, frozen=True):
    """What `status` prints. What could not be read is null, and `damaged` says why.

    Attributes:
        problems: What is wrong, the most urgent first.
        redis: URL of Redis, without its password.
        warnings: What is wrong with this Redis, and what to do.
        server: Redis as it stands.
        gate: Whether the queue is open.
        queue: What is in the queue.
        minute: What was answered in the last minute.
        hour: What was answered in the last hour.
        workers: Workers that are alive, and those that fell silent just now.
        incidents: What went wrong lately, and has been survived.
        live: Version that serves.
        previous: Version that served before, or null.
        drift: How its answers of the last day differ from those of the days before, or null.
        jobs: Those of the newest 1,000 jobs that have not ended.
        trainers: Names of the trainers that are alive.
        trainer_problems: What hinders a trainer, by its name.
        training: Training that was requested last, or null.
        schedule: Schedule, or null without a scheduler.
        taught: Taught images.
        disk: Disk of the data folder on this machine.
        damaged: Records that cannot be read.
    """

    problems: list[Problem]
    redis: str
    warnings: list[str]
    server: Server
    gate: Gate
    queue: Queue | None
    minute: Recent | None
    hour: Recent | None
    workers: list[Worker]
    incidents: list[Incident]
    live: str | None
    previous: str | None
    drift: Drift | None
    jobs: list[Job]
    trainers: list[str]
    trainer_problems: dict[str, str]
    training: Training | None
    schedule: Schedule | None
    taught: Taught | None
    disk: Disk | None
    damaged: list[Damaged]


def gate(found: "GateRecord") -> Gate:
    """Return the gate of the queue."""
    return Gate(state=str(found.state), who=found.who or None, reason=found.reason or None, since=time_if(found.since))


def worker(status: "WorkerStatus", *, silent: bool) -> Worker:
    """Return a worker, which may have fallen silent."""
    return Worker(
        worker=status.name,
        ready=status.ready,
        model=status.model,
        model_problem=status.model_fault or None,
        images=status.images,
        started=time_of(status.started),
        seen=time_of(status.seen),
        silent=silent,
        restarts=status.restarts,
        memory_bytes=status.memory or None,
        version=status.version or None,
        pid=status.process,
        startup_seconds=status.startup_seconds if status.ready else None,
        doorbell_format=status.doorbell,
        lane_format=status.lane or None,
    )
