"""A dead worker, and the clock of Redis set back."""

import time

import pytest

from tests.system.faults.injected.marks import MARK_SLOW
from worker.contract.ledger import Part
from worker.contract.ledger import keys as ledger_keys

HOUR_MS = 3_600_000
LEASE_SECONDS = 2.0


@pytest.mark.slow
def test_the_batch_of_a_dead_worker_is_taken_although_its_lease_ends_in_an_hour(
    start_mill, folder_of, begin_job, undisturbed, check, eventually
):
    """Redis' clock was an hour ahead when the worker claimed the batch. It is taken within lease + 10 s."""
    with start_mill(1, DIGITMILL_LEASE_SECONDS=str(LEASE_SECONDS)) as mill:
        client = mill.connection.client
        mill.stack.supervisor.processes()
        source = folder_of(4, all_marked=MARK_SLOW)
        job = begin_job(mill, source)
        [member] = eventually(lambda: client.zrange(ledger_keys.OPEN, 0, -1), what="a batch")
        part = Part.from_member(member.decode())
        eventually(lambda: client.hget(part.key, "token"), what="a claim")
        # What a Redis an hour ahead has written: a claim of a worker that is dead by now, and its heartbeat.
        with client.pipeline() as pipeline:
            ahead = int(time.time() * 1000) + HOUR_MS
            pipeline.hset(part.key, mapping={"holder": "dead-1", "token": "dead", "granted": ahead})
            pipeline.hset(part.key, "lease", ahead + int(LEASE_SECONDS * 1000))
            pipeline.zadd(ledger_keys.OPEN, {part.member: ahead + int(LEASE_SECONDS * 1000)})
            pipeline.zadd(ledger_keys.WORKERS, {"dead-1": ahead})
            pipeline.hset(ledger_keys.worker("dead-1"), mapping={"seen": ahead / 1000, "ready": 1})
            pipeline.execute()
        before = time.monotonic()
        eventually(
            lambda: client.hget(part.key, "holder") != b"dead-1", seconds=60.0, what="another claim of the batch"
        )
        assert time.monotonic() - before < LEASE_SECONDS + 10
        check(job.result(timeout=60), undisturbed[:4])
        assert [worker.name for worker in mill.connection.ledger.workers()] != ["dead-1"]
