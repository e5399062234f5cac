"""What waits in the queue, what workers have in hand, and what nobody has taken out yet."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from worker.contract.errors import WireError
from worker.contract.lane import CallKind, Lane
from worker.contract.ledger import keys as ledger
from worker.contract.queues import CLASSIFY_QUEUE, TRAIN_QUEUE
from worker.contract.scripts import load_scripts
from worker.contract.validation.reading import CheckedRedis, wrong_type

if TYPE_CHECKING:
    import redis

MAX_PARTS = 1000
"""Maximum number of batches that one look examines, because Redis does nothing else meanwhile."""

MAX_JOBS = 1000
"""Maximum number of jobs, the newest, that one look examines."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What is in the queue. Batches are parts of batches, if workers have split one.

    Attributes:
        waiting: Batches that wait for a worker.
        waiting_images: Images in them.
        leased: Batches that a worker has in hand.
        leased_images: Images in them.
        unacknowledged: Answered batches that no client has taken out; of a detached job, all of them.
        oldest_seconds: Time since the oldest waiting batch was submitted; 0 if none waits, or none says when.
        running_jobs: Jobs that have not ended.
        jobs: Jobs that Redis knows.
        calls: Calls of the lane that wait for a worker, by kind. A call has up to 256 images.
        doorbells: Messages in Celery's queue of batches. A batch may wait without one until a reconciler rings again.
        training_doorbells: Messages in Celery's queue of trainings.
        complete: Whether all batches and jobs were looked at. Otherwise, figures of batches are extrapolated to all
            of them, and those of jobs are about the newest `MAX_JOBS`.
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


def queue_depth(client: "redis.Redis") -> QueueDepth:
    """Look at the queue.

    Args:
        client: Connection of `connection.connect`.

    Raises:
        WireError: A key holds another type than digitmill stores there.
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    script: Any = load_scripts(client, "worker.contract.observation", ("depth",))["depth"]
    try:
        parts, leased, leased_images, waiting, waiting_images, oldest, looked, jobs, unread, running, seen = script(
            keys=[ledger.OPEN, ledger.JOBS], args=[MAX_PARTS, MAX_JOBS]
        )
    except ResponseError as fault:
        if "WRONGTYPE" not in str(fault):
            raise
        raise _wrong_type(client, ledger.OPEN, ledger.JOBS) from None
    lane = Lane(client)
    checked = CheckedRedis(client)
    hidden = parts - looked  # between the most overdue ones and those with a lease, so nearly all of them wait
    return QueueDepth(
        waiting=waiting + hidden,
        waiting_images=waiting_images + (hidden * waiting_images // waiting if waiting else 0),
        leased=leased,
        leased_images=leased_images,
        unacknowledged=unread,
        oldest_seconds=max(oldest, 0) / 1000,
        running_jobs=running,
        jobs=jobs,
        calls={kind.value: lane.standing(kind).waiting for kind in CallKind},
        doorbells=checked.llen(CLASSIFY_QUEUE),
        training_doorbells=checked.llen(TRAIN_QUEUE),
        complete=not hidden and jobs == seen,
    )


def _wrong_type(client: "redis.Redis", *names: str) -> WireError:
    found: Any = client
    return wrong_type(next((name for name in names if found.type(name) not in (b"zset", b"none")), names[0]))
