"""Facts about the lines that a worker logs about each job."""

import logging

import numpy as np
import pytest

from model.errors import Failure, FailureCode
from tests.support.waiting import eventually
from worker.contract.ledger import JobRecord, JobState, Part, Window
from worker.contract.wire import Batch, Manifest, Result
from worker.job_log import JobLog

BROKEN = Failure(FailureCode.BROKEN, "It is broken.")


def answers() -> Result:
    """Return the answers to two images."""
    return Result("v1-00000000", "w", np.zeros(2, np.uint8), np.ones(2, np.float32), None, {})


@pytest.fixture
def submit(ledger):
    """Submit a job of two batches, and return their parts."""

    def run(job):
        ledger.create(job, JobRecord("scans/", "v1-00000000", "host-1", {}, ""))
        parts = [Part(job, sequence, 0, 2) for sequence in range(2)]
        for part in parts:
            manifest = Manifest(("a",) * 2, (None,) * 2, {})
            ledger.submit(part, Batch((b"x",) * 2), manifest, Window(9, 10**6), detached=True)
        return parts

    return run


def claim(ledger, part):
    """Claim a part."""
    return ledger.claim(part, token=part.field, holder="w", lease_seconds=60)


def test_a_job_has_a_line_when_it_begins_and_one_with_its_counts_when_it_has_ended(ledger, submit, caplog):
    """The worker that gets its first batch says both, whoever answers the last one."""
    caplog.set_level(logging.INFO, "worker.job_log")
    jobs, parts = JobLog(ledger), submit("job")
    claims = [claim(ledger, part) for part in parts]
    jobs.claimed(claims[1])
    jobs.look()
    assert caplog.messages == []
    jobs.claimed(claims[0])
    for _ in range(2):
        jobs.look()
    assert caplog.messages == ["job job has begun: scans/, from host-1, with model v1-00000000"]
    for claimed in claims:
        ledger.finish(claimed, Result.failed(2, BROKEN) if claimed.part.sequence else answers())
    ledger.cancel("job")
    for _ in range(2):
        jobs.look()
    [_, ended] = caplog.messages
    said = f"job job has ended ({JobState.CANCELLED}): 4 images, 2 of them with errors, in 2 batches and "
    assert ended.startswith(said)


def test_a_job_that_expires_is_forgotten(ledger, submit, client, caplog):
    """And one whose record is damaged."""
    caplog.set_level(logging.INFO, "worker.job_log")
    jobs = JobLog(ledger)
    for name in ("gone", "bad"):
        jobs.claimed(claim(ledger, submit(name)[0]))
    client.delete("digitmill:job:gone")
    client.hset("digitmill:job:bad", "record", "nonsense")
    jobs.look()
    assert "record is damaged" in caplog.text
    caplog.clear()
    jobs.look()
    assert not caplog.messages


def test_the_thread_sleeps_without_jobs_and_follows_those_that_come(ledger, submit, caplog):
    """It asks Redis only while it follows a job."""
    caplog.set_level(logging.INFO, "worker.job_log")
    jobs = JobLog(ledger)
    jobs.start()
    jobs.claimed(claim(ledger, submit("job")[0]))
    eventually(lambda: any("has begun" in message for message in caplog.messages))
    ledger.cancel("job")
    eventually(lambda: any("has ended (cancelled)" in message for message in caplog.messages))
