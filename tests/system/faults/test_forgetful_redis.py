"""Redis loses what it was told: the end of its log, or everything. Each image still has exactly one answer."""

import csv

import numpy as np
import psutil
import pytest

from producer.sources import mnist_source
from tests.support.command import CommandLine
from tests.support.processes import frozen
from tests.support.server import Server
from tests.system.faults.injected.marks import MARK_SLOW
from worker.contract.ledger import JobState, keys

REPEAT = 6


@pytest.fixture
def forgetful(tmp_path, start_mill):
    """A server that a test stops and harms, with a mill of two workers."""
    (tmp_path / "server").mkdir()
    with Server(tmp_path / "server") as server, start_mill(2, redis_url=server.url) as mill:
        yield server, mill


@pytest.mark.slow
def test_a_lost_end_of_the_log_costs_no_answer_and_no_command(forgetful, digits, begin_job, undisturbed, eventually):
    """The client goes on by itself, while it sends and after it has sent everything, however much is lost.

    The workers stand still until the client has sent everything, or all that it may, and again during the loss. So the
    job cannot end before it.
    """
    server, mill = forgetful
    images, labels = digits.images[:2000], digits.labels[:2000]
    ledger = mill.connection.ledger
    for size, state, batch_size, repeat in (
        (3000, JobState.RUNNING, 4000, 30),
        (1_000_000, JobState.SUBMITTING, 50, 6),
    ):
        workers = [psutil.Process(worker.process) for worker in ledger.workers()]
        with frozen(*workers):
            running = begin_job(mill, mnist_source(images, labels, repeat=repeat), batch_size=batch_size)
            job = ledger.jobs(latest=1)[0].identifier
            eventually(lambda job=job, state=state: ledger.job(job).state is state, what=f"a job that is {state}")
        eventually(lambda job=job: ledger.job(job).answered > 500, what="answers")
        with frozen(*workers):
            assert not ledger.job(job).state.ended
            assert server.lose_tail(size) == size
        results = running.result(timeout=90)
        np.testing.assert_array_equal(results.digits, np.tile(undisturbed[:2000], repeat))
        status = ledger.job(job)
        assert (status.state, status.images, status.answered) == (JobState.DONE, len(results), len(results))
        assert {key.decode() for key in mill.connection.client.scan_iter(f"*{job}*")} == {keys.job(job)}


@pytest.mark.slow
def test_a_job_goes_on_when_redis_has_lost_everything(start_mill, folder_of, begin_job, undisturbed, check, eventually):
    """Workers report again, and the client makes the job again and sends what is not in its journal."""
    with start_mill(2) as mill:
        running = begin_job(mill, folder_of(32, all_marked=MARK_SLOW), batch_size=2)
        [job] = mill.connection.ledger.jobs()
        eventually(lambda: mill.connection.ledger.job(job.identifier).answered >= 6, what="some answers")
        mill.connection.client.flushall()
        check(running.result(timeout=60), undisturbed[:32])
        assert mill.connection.ledger.job(job.identifier).created == pytest.approx(job.created, abs=0.01)


@pytest.mark.slow
def test_a_job_whose_client_and_redis_both_fail_is_resumed(forgetful, digits, undisturbed, eventually, tmp_path):
    """The client is killed, and then the server loses the end of its log. `resume` gives the rows of a quiet run."""
    server, mill = forgetful
    np.save(tmp_path / "images.npy", np.tile(digits.images[:2000], (REPEAT, 1, 1)))
    digitmill = CommandLine(tmp_path, server.url)
    digitmill.environment |= {"DIGITMILL_DATA": str(mill.settings.data)}
    with digitmill.start("submit", "images.npy", "--batch-size", "20", "--json") as client:
        journals = mill.settings.data / "jobs"
        eventually(
            lambda: [path for path in journals.glob("*.journal") if path.stat().st_size > 50_000], what="kept answers"
        )
        client.kill()
    server.lose_tail(300_000)
    digitmill.run("resume", "last", "--out", "out", seconds=90)
    with (tmp_path / "out" / "predictions.csv").open(newline="", encoding="utf-8-sig") as file:
        found = [int(row["digit"]) for row in csv.DictReader(file)]
    assert found == np.tile(undisturbed[:2000], REPEAT).tolist()
    assert mill.connection.ledger.jobs(latest=1)[0].state is JobState.DONE
