"""Workers of another version beside those of this one."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from producer.mill.doorbell_formats import unreached_workers
from producer.sources import mnist_source
from worker.contract.doorbell import CLASSIFY_QUEUE
from worker.roles import Role

DIGITMILL = Path(sys.executable).with_name("digitmill")


@pytest.mark.slow
def test_a_worker_of_another_version_is_named_and_does_not_make_a_job_slow(
    start_mill, digits, begin_job, undisturbed, check, eventually, monkeypatch
):
    """It puts the doorbells back that it does not read, and the others answer them. Each would wait 5 s otherwise."""
    with start_mill(1) as mill:
        monkeypatch.setitem(mill.stack._environment, "OTHER_DOORBELL_VERSION", "7")
        mill.stack.run(Role.WORKER, "worker-other")
        workers = eventually(
            lambda: len(found := mill.connection.ledger.workers()) == 2 and all(each.ready for each in found) and found,
            seconds=30,
        )
        [other] = [worker for worker in workers if worker.doorbell == 7]
        assert f"1 of 2 workers ({other.name}) read doorbells of format 7" in unreached_workers(workers)
        began = time.monotonic()
        job = begin_job(mill, mnist_source(digits.images[:1000], digits.labels[:1000]), batch_size=20)
        check(job.result(timeout=60), undisturbed[:1000])
        assert time.monotonic() - began < 25, "50 batches, and every second doorbell would cost 5 s"
        assert "of format 1, because this program reads format 7" in mill.worker_logs()

        status = subprocess.run(
            [DIGITMILL, "status"],
            env={**mill.stack._environment, "DIGITMILL_DATA": str(mill.settings.data)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Run the same version" in status.stdout


@pytest.mark.slow
def test_a_doorbell_that_nobody_reads_does_not_go_round_for_ever(start_mill, eventually):
    """While doorbells wait, reconcilers ring less. So a stray one must leave the queue."""
    with start_mill(2) as mill:
        connection = mill.connection
        doorbell = connection.doorbell
        doorbell._app.send_task("digitmill.classify", kwargs={"version": 99, "some": "thing"}, ignore_result=True)
        eventually(lambda: "of format 99" in mill.worker_logs(), what="a worker that has seen it")
        empty = [False]

        def stays_empty():
            time.sleep(0.25)  # longer than a worker holds it before it puts it back
            empty.append(not connection.client.llen(CLASSIFY_QUEUE))
            return all(empty[-8:])

        eventually(stays_empty, seconds=90, what="an empty queue")
