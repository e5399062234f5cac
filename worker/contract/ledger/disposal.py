"""What jobs take in Redis, and forgetting a job before its time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from worker.contract.ledger import keys
from worker.contract.scripts import load_scripts

if TYPE_CHECKING:
    import redis


def job_bytes(client: "redis.Redis", jobs: Sequence[str]) -> list[int | None]:
    """Return the memory of each job, in bytes: its record and counters, manifests, answers and notifications.

    Redis estimates the size of a large hash from some of its fields.

    Args:
        client: Connection of `connection.connect`.
        jobs: Identifiers of jobs.

    Returns:
        Bytes of each job, or None where the Redis user may not ask.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
    """
    kinds = (keys.job, keys.manifest, keys.results, keys.notifications)
    with client.pipeline(transaction=False) as pipeline:
        for job in jobs:
            for key in kinds:
                pipeline.memory_usage(key(job))
        sizes: list[Any] = pipeline.execute(raise_on_error=False)
    found: list[int | None] = []
    for start in range(0, len(sizes), len(kinds)):
        some = sizes[start : start + len(kinds)]
        found.append(None if any(isinstance(size, RedisError) for size in some) else sum(size or 0 for size in some))
    return found


def forget_job(client: "redis.Redis", job: str) -> bool:
    """Delete all that Redis keeps of a job. Return False, and change nothing, if the job has not ended.

    Args:
        client: Connection of `connection.connect`.
        job: Identifier of the job.
    """
    script = load_scripts(client, "worker.contract.ledger", ("forget",))["forget"]
    named = [kind(job) for kind in (keys.job, keys.manifest, keys.results, keys.notifications)]
    return bool(script(keys=[*named, keys.OPEN, keys.JOBS], args=[job]))
