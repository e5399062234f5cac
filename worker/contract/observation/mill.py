"""Everything that somebody can see of a mill, read in one look. Damaged records are named, and hide no others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from worker.contract.drift import AnswerDays, DayCounts, Drift, find_drift
from worker.contract.errors import WireError
from worker.contract.gate import Gate, QueueGate
from worker.contract.ledger import Ledger, WorkerStatus
from worker.contract.observation.depth import QueueDepth, queue_depth
from worker.contract.observation.incidents import Incident, Incidents
from worker.contract.observation.recent import Recent, RecentCounts
from worker.contract.observation.server import ServerState
from worker.contract.registry import Aliases, LiveChange, Registry
from worker.contract.server_check import read_facts
from worker.contract.teaching import Summary, Teaching
from worker.contract.training import Schedule, ScheduleStatus, Trainings, TrainingStatus
from worker.contract.validation.reading import DamagedRecord, Listed

if TYPE_CHECKING:
    import redis

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Observation:
    """A mill as it stands. A part whose record is damaged is None, or leaves out what cannot be read.

    Attributes:
        now: Time of Redis: unix time, seconds.
        server: Redis itself.
        gate: Whether the queue is open, paused or drained.
        queue: What waits and what is in work.
        minute: What was answered in the last minute.
        hour: What was answered in the last hour.
        workers: Workers, also those that have been silent for less than `GONE_SECONDS`, sorted by name.
        incidents: What went wrong lately, newest first.
        aliases: Which versions are live, previous, candidate and best.
        last_change: The last change of the live version, or None.
        last_day: What the live version answered on the last day (UTC) with answers, or None without any.
        drift: How that day differs from the ones before, or None.
        training: The training that was asked for last, or None.
        trainers: Names of the trainers that are alive.
        trainer_faults: What hinders trainers, by name.
        schedule: The schedule.
        taught: Figures of the taught images.
        damaged: Records that could not be read.
    """

    now: float
    server: ServerState
    gate: Gate
    queue: QueueDepth | None
    minute: Recent | None
    hour: Recent | None
    workers: list[WorkerStatus]
    incidents: list[Incident]
    aliases: Aliases | None
    last_change: LiveChange | None
    last_day: DayCounts | None
    drift: Drift | None
    training: TrainingStatus | None
    trainers: list[str]
    trainer_faults: dict[str, str]
    schedule: ScheduleStatus | None
    taught: Summary | None
    damaged: tuple[DamagedRecord, ...]


def observe(client: "redis.Redis") -> Observation:
    """Look at a mill. This changes nothing, and takes the same time whatever is in Redis.

    Args:
        client: Connection of `connection.connect`.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    damaged: list[DamagedRecord] = []

    def read(what: str, reader: Callable[[], _Value]) -> _Value | None:
        try:
            found = reader()
        except WireError as fault:
            damaged.append(DamagedRecord(what, str(fault)))
            return None
        if isinstance(found, Listed):
            damaged.extend(found.damaged)
        return found

    ledger, registry, trainings = Ledger(client), Registry(client), Trainings(client)
    now = ledger.now()
    recent = read("the counts of recent answers", lambda: RecentCounts(client).read(now))
    aliases = read("the live version", registry.aliases)
    history: list[LiveChange] = read("the history of promotions", lambda: registry.history(latest=1)) or []
    days = read("the answers of each day", lambda: AnswerDays(client).read(aliases.live)) if aliases else None
    trainers = read("the list of trainers", trainings.trainers) or []
    return Observation(
        now=now,
        server=ServerState.from_info(read_facts(client), now=now),
        gate=read("the queue's gate", QueueGate(client).read) or Gate(),
        queue=read("the queue", lambda: queue_depth(client)),
        minute=recent and recent[0],
        hour=recent and recent[1],
        workers=read("the list of workers", lambda: ledger.workers(silent=True)) or [],
        incidents=read("the list of incidents", Incidents(client).latest) or [],
        aliases=aliases,
        last_change=history[0] if history else None,
        last_day=days[max(days)] if days else None,
        drift=find_drift(days) if days else None,
        training=read("the training", trainings.latest),
        trainers=trainers,
        trainer_faults=read("the faults of trainers", lambda: trainings.faults(trainers)) or {},
        schedule=read("the schedule", Schedule(client).status),
        taught=read("the taught images", Teaching(client).summary),
        damaged=tuple(damaged),
    )
