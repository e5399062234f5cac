"""What a worker leaves in Redis when it dies while the clock of Redis is ahead."""

import time
from typing import Any

from worker.contract.ledger import Part, keys

NAME = "dead-1"
HOUR_MS = 3_600_000


def claim_in_the_future(client: Any, part: Part, *, lease_seconds: float, ahead_ms: int = HOUR_MS) -> None:
    """Write a claim on a part, and a heartbeat, by a worker that is dead by now.

    Args:
        client: Connection of `connection.connect`.
        part: A part that waits or is in work.
        lease_seconds: Length of the lease.
        ahead_ms: Time, in ms, by which the clock was ahead.
    """
    ahead = int(time.time() * 1000) + ahead_ms
    with client.pipeline() as pipeline:
        pipeline.hset(part.key, mapping={"holder": NAME, "token": "dead", "granted": ahead})
        pipeline.hset(part.key, "lease", ahead + int(lease_seconds * 1000))
        pipeline.zadd(keys.OPEN, {part.member: ahead + int(lease_seconds * 1000)})
        pipeline.zadd(keys.WORKERS, {NAME: ahead})
        pipeline.hset(keys.worker(NAME), mapping={"seen": ahead / 1000, "ready": 1})
        pipeline.execute()
