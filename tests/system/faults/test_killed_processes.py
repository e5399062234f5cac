"""Workers and servers are killed at the worst moments. Each image still has exactly one answer."""

import os
import signal
import time

import numpy as np
import psutil
import pytest
from redis.exceptions import RedisError

from model.errors import DigitmillError
from producer.sources import mnist_source
from tests.support.processes import frozen
from tests.system.faults.injected.marks import MARK_SLOW


def main_process(mill, name: str) -> int:
    """Return the process id of a supervised program."""
    process: int = mill.stack.supervisor.processes()[name]
    return process


def busy(mill):
    """Return whether a worker has claimed a batch."""
    return any(
        mill.connection.client.hget(key, "holder") for key in mill.connection.client.scan_iter("digitmill:batch:*")
    )


@pytest.mark.slow
def test_a_worker_killed_in_mid_batch_loses_nothing(start_mill, folder_of, begin_job, undisturbed, check, eventually):
    """Its lease expires, the reconciler rings again, and another worker answers the batch."""
    with start_mill(2, DIGITMILL_LEASE_SECONDS="2") as mill:
        job = begin_job(mill, folder_of(24, all_marked=MARK_SLOW), batch_size=4)
        for name in ("worker-1", "worker-2", "worker-1"):
            eventually(lambda: busy(mill), what="a claimed batch")
            time.sleep(0.4)
            os.kill(eventually(lambda n=name: mill.stack.supervisor.processes().get(n)), signal.SIGKILL)
        check(job.result(timeout=60), undisturbed[:24])
        assert sum(mill.stack.supervisor.restarts().values()) >= 3


@pytest.mark.slow
def test_a_classifying_process_killed_in_mid_batch_is_replaced_and_its_batch_given_back_at_once(
    start_mill, folder_of, begin_job, undisturbed, check, eventually
):
    """The main process releases the batch without waiting for the lease, and forks another process."""
    with start_mill(1, DIGITMILL_LEASE_SECONDS="30") as mill:
        before = mill.connection.ledger.workers()[0]
        job = begin_job(mill, folder_of(16, all_marked=MARK_SLOW), batch_size=4)
        eventually(lambda: busy(mill), what="a claimed batch")
        time.sleep(0.4)
        os.kill(before.process, signal.SIGKILL)
        check(job.result(timeout=25), undisturbed[:16])  # less than a lease
        after = mill.connection.ledger.workers()
        assert [worker.name for worker in after] == [before.name]
        assert after[0].process != before.process


@pytest.mark.slow
def test_redis_killed_again_and_again_under_load_loses_nothing(
    start_mill, digits, begin_job, undisturbed, check, eventually
):
    """The server restores its data from its log. Client, workers and doorbells reconnect."""
    repeat = max(1, 24_000 // len(digits.images))
    source = mnist_source(digits.images, digits.labels, repeat=repeat)
    with start_mill(2) as mill:
        ledger = mill.connection.ledger
        job = begin_job(mill, source, batch_size=200)
        [begun] = ledger.jobs()

        def answered() -> int:
            try:
                return int(ledger.job(begun.identifier).answered)
            except (DigitmillError, RedisError):  # the server is away, or has lost the job for a moment
                return 0

        for kill in range(1, 4):
            eventually(lambda kill=kill: answered() >= kill * len(undisturbed) * repeat / 5, seconds=60)
            os.kill(main_process(mill, "server"), signal.SIGKILL)
        results = job.result(timeout=90)
        check(results, np.tile(undisturbed, repeat))
        assert mill.stack.supervisor.restarts()["server"] == 3


@pytest.mark.slow
def test_redis_and_a_worker_killed_together_lose_nothing(
    start_mill, folder_of, begin_job, undisturbed, check, eventually
):
    """Both come back. The batch that was in work is answered once."""
    with start_mill(2, DIGITMILL_LEASE_SECONDS="2") as mill:
        job = begin_job(mill, folder_of(16, all_marked=MARK_SLOW), batch_size=4)
        eventually(lambda: busy(mill), what="a claimed batch")
        time.sleep(0.4)
        os.kill(main_process(mill, "server"), signal.SIGKILL)
        os.kill(main_process(mill, "worker-1"), signal.SIGKILL)
        check(job.result(timeout=60), undisturbed[:16])


@pytest.mark.slow
def test_a_late_answer_changes_nothing(start_mill, folder_of, begin_job, undisturbed, check, eventually):
    """A worker is frozen until its lease has expired and another worker has answered. Its token is stale then."""
    with start_mill(2, DIGITMILL_LEASE_SECONDS="1") as mill:
        classifying = {worker.name: worker.process for worker in mill.connection.ledger.workers()}
        job = begin_job(mill, folder_of(4, all_marked=MARK_SLOW), batch_size=4)
        key = eventually(lambda: next(iter(mill.connection.client.scan_iter("digitmill:batch:*")), None))
        holder = eventually(lambda: mill.connection.client.hget(key, "holder")).decode()
        main = int(holder.rpartition("-")[2])
        with frozen(psutil.Process(main), psutil.Process(classifying[holder])):
            check(job.result(timeout=30), undisturbed[:4])
        eventually(lambda: "answered by another" in mill.worker_logs(), what="the late worker's remark")


@pytest.mark.slow
def test_a_batch_that_takes_longer_than_its_lease_is_done_once(start_mill, folder_of, begin_job, undisturbed, check):
    """The heartbeat renews the lease while the worker is busy, so no other worker takes the batch."""
    with start_mill(2, DIGITMILL_LEASE_SECONDS="1.5") as mill:
        job = begin_job(mill, folder_of(12, all_marked=MARK_SLOW), batch_size=12)  # 3.6 s
        attempts = set()
        while not job.done():
            keys = mill.connection.client.scan_iter("digitmill:batch:*")
            attempts |= {mill.connection.client.hget(key, "attempts") for key in keys}
            time.sleep(0.05)
        check(job.result(), undisturbed[:12])
        assert b"1" in attempts
        assert attempts <= {None, b"0", b"1"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_worker_told_to_stop_in_mid_batch_loses_nothing(
    start_mill, folder_of, begin_job, undisturbed, check, eventually, number
):
    """It finishes or hands back the batch in hand. The other worker does the rest."""
    with start_mill(2, DIGITMILL_LEASE_SECONDS="2") as mill:
        job = begin_job(mill, folder_of(16, all_marked=MARK_SLOW), batch_size=4)
        eventually(lambda: busy(mill), what="a claimed batch")
        time.sleep(0.4)
        os.kill(main_process(mill, "worker-1"), number)
        check(job.result(timeout=60), undisturbed[:16])


@pytest.mark.slow
def test_a_worker_told_to_stop_hands_back_a_batch_that_takes_too_long(
    start_mill, folder_of, begin_job, undisturbed, check, eventually
):
    """Its successor gets the batch at once, and the first attempt does not count."""
    with start_mill(1, DIGITMILL_LEASE_SECONDS="1") as mill:
        job = begin_job(mill, folder_of(20, all_marked=MARK_SLOW), batch_size=20)  # 6 s
        eventually(lambda: busy(mill), what="a claimed batch")
        first = main_process(mill, "worker-1")
        os.kill(first, signal.SIGTERM)
        processes = mill.stack.supervisor.processes
        eventually(lambda: processes().get("worker-1") != first, what="the end of the first worker")
        assert "handed back" in mill.worker_logs()
        [key] = mill.connection.client.scan_iter("digitmill:batch:*")
        eventually(lambda: mill.connection.client.hget(key, "holder"), what="the second claim")
        assert mill.connection.client.hget(key, "attempts") == b"1"
        check(job.result(timeout=60), undisturbed[:20])


@pytest.mark.slow
def test_a_classifying_process_does_not_outlive_its_worker(start_mill, eventually):
    """No orphan goes on claiming batches after the main process was killed."""
    with start_mill(1) as mill:
        child = mill.connection.ledger.workers()[0].process
        os.kill(main_process(mill, "worker-1"), signal.SIGKILL)

        def gone() -> bool:
            try:
                os.kill(child, 0)
            except ProcessLookupError:
                return True
            return False

        eventually(gone, what="the end of the orphan")
