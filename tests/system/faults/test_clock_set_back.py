"""A dead worker, and the clock of Redis set back."""

import time

import pytest

from tests.support.dead_worker import NAME, claim_in_the_future
from tests.system.faults.injected.marks import MARK_SLOW
from worker.contract.ledger import Part
from worker.contract.ledger import keys as ledger_keys

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
        claim_in_the_future(client, part, lease_seconds=LEASE_SECONDS)
        before = time.monotonic()
        eventually(
            lambda: client.hget(part.key, "holder") != NAME.encode(), seconds=60.0, what="another claim of the batch"
        )
        assert time.monotonic() - before < LEASE_SECONDS + 10
        check(job.result(timeout=60), undisturbed[:4])
        assert [worker.name for worker in mill.connection.ledger.workers()] != [NAME]
