"""Workers of another version beside those of this one."""

import time

import pytest

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job, open_submitted
from producer.mill.doorbell_formats import unreached_workers
from producer.sources import mnist_source
from tests.support.command import CommandLine
from tests.support.images import number_picture
from worker.contract.errors import NoWorkers
from worker.contract.queues import CLASSIFY_QUEUE
from worker.roles import Role


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

        status = CommandLine(mill.settings.data, mill.stack.url)("status")
        assert "Run the same version" in status.output


@pytest.mark.slow
def test_a_doorbell_that_nobody_reads_does_not_go_round_for_ever(start_mill, eventually):
    """While doorbells wait, reconcilers ring less. So a stray one must leave the queue."""
    with start_mill(2) as mill:
        connection = mill.connection
        doorbell = connection.doorbell
        assert doorbell.put_back(99, {"some": "thing"})
        eventually(lambda: "of format 99" in mill.worker_logs(), what="a worker that has seen it")
        empty = [False]

        def stays_empty():
            time.sleep(0.25)  # longer than a worker holds it before it puts it back
            empty.append(not connection.client.llen(CLASSIFY_QUEUE))
            return all(empty[-8:])

        eventually(stays_empty, seconds=90, what="an empty queue")


@pytest.mark.slow
def test_workers_that_do_not_know_numbers_refuse_them_until_one_that_does_has_started(
    start_mill, digits, png, tmp_path, monkeypatch
):
    """The client names the formats and the remedy. No image is lost, and none is answered as a single digit."""
    numbers = ["42", "7", "190"]
    for number in numbers:
        (tmp_path / "numbers" / number).mkdir(parents=True)
        (tmp_path / "numbers" / number / "a.png").write_bytes(png(number_picture(digits, number)))
    options = SubmitOptions(path=str(tmp_path / "numbers"), several="read", batch_size=1)
    with start_mill(1, WITHOUT_NUMBERS="1") as mill:
        source = open_submitted(options, mill.settings)
        job = create_job(mill.connection, options, "numbers", mill.settings, detached=False)
        reason = "batch record has format 2, and this program reads format 1. Run the same version of digitmill everywh"
        with pytest.raises(NoWorkers, match=f"because of this problem: This {reason}.*digitmill resume {job}"):
            gather_job(mill.connection, job, options, source, mill.settings, timeout=2)
        assert reason in mill.connection.ledger.job(job).problem
        monkeypatch.delitem(mill.stack._environment, "WITHOUT_NUMBERS")
        mill.stack.run(Role.WORKER, "worker-new")
        results = gather_job(mill.connection, job, options, source, mill.settings, timeout=60).results
        assert sorted(map(str, map(results.answer, range(3)))) == sorted(numbers)
        assert int(results.right.sum()) == 3
