"""A job from its order to its results: what is kept of it, and what becomes of it when something goes wrong."""

import os
import time
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data.sample_digits import write_folder
from model.errors import DataError, UsageError
from model.images.preprocess import preprocess
from model.inference.classifier import Classifier
from producer.jobs.submission import (
    MNIST,
    SubmitOptions,
    collect_job,
    create_job,
    gather_job,
    journal_path,
    open_order,
    prune_journals,
    send_job,
)
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from producer.sources import mnist_source
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobRecord, JobState

orders = st.builds(
    SubmitOptions,
    path=st.text(),
    labels=st.text(),
    include=st.lists(st.text()).map(tuple),
    exclude=st.lists(st.text()).map(tuple),
    batch_size=st.none() | st.integers(1, 8192),
    probabilities=st.booleans(),
    model=st.none() | st.text(),
    min_confidence=st.none() | st.floats(0, 1),
)


@settings(deadline=None)
@given(orders)
def test_an_order_is_read_back_from_its_jobs_record_as_it_was(order):
    """So that any client can go on with it; paths are any text, also what is no UTF-8."""
    record = JobRecord(source="", model="", client="", options=asdict(order), folder="")
    assert SubmitOptions.from_record(JobRecord.from_json(record.to_json().encode())) == order


@pytest.fixture
def twenty(digits):
    """Twenty labelled digits."""
    return mnist_source(digits.images[:20], digits.labels[:20])


def gather(mill, source, order, **options):
    """Run a job to its end."""
    job = create_job(mill.connection, order, source.description, mill.settings, detached=False)
    return gather_job(mill.connection, job, order, source, mill.settings, **options)


def test_a_test_set_has_the_same_accuracy_through_the_queue_as_in_this_process(mill, digits):
    """All of it, as arrays: every single digit is the same, hence the accuracy."""
    results = gather(mill, mnist_source(digits.images, digits.labels), SubmitOptions(path=MNIST)).results
    expected = Classifier.baseline().classify(digits.images).digits
    np.testing.assert_array_equal(results.digits, expected)
    np.testing.assert_array_equal(results.labels, digits.labels)
    assert (results.digits == results.labels).mean() == (expected == digits.labels).mean() > 0.95


def test_a_folder_of_files_has_the_same_accuracy_through_the_queue_as_in_this_process(mill, tmp_path):
    """Labels come from the folders' names, and workers decode as we do here."""
    write_folder(tmp_path / "digits")
    order = SubmitOptions(path=str(tmp_path / "digits"))
    source = open_order(order, mill.settings)
    results = gather(mill, source, order).results
    images = list(source)
    expected = Classifier.baseline().classify(np.stack([preprocess(image.content) for image in images])).digits
    assert results.names == [image.name for image in images]
    np.testing.assert_array_equal(results.digits, expected)
    np.testing.assert_array_equal(results.labels, [int(image.name[0]) for image in images])
    assert (results.digits == results.labels).mean() > 0.95


def test_a_job_whose_journal_cannot_be_written_is_refused_before_it_is_made(mill, tmp_path):
    """And names the variable that says where journals are."""
    (tmp_path / "file").touch()
    elsewhere = replace(mill.settings, data=tmp_path / "file")
    before = mill.connection.ledger.jobs()
    with pytest.raises(UsageError, match="DIGITMILL_DATA"):
        create_job(mill.connection, SubmitOptions(path="test"), "test", elsewhere, detached=False)
    assert mill.connection.ledger.jobs() == before


@pytest.mark.parametrize("detached", [True, False])
def test_an_interruption_cancels_the_job_and_says_so(mill, twenty, detached):
    """Whether its client gathers or only sends."""
    order = SubmitOptions(path="test", batch_size=1)
    job = create_job(mill.connection, order, "test", mill.settings, detached=detached)

    def interrupt(situation):
        if situation.sent >= 5:
            raise KeyboardInterrupt

    run = send_job if detached else partial(gather_job, settings=mill.settings)
    with pytest.raises(KeyboardInterrupt, match=f"job {job} is cancelled"):
        run(mill.connection, job, order, twenty, on_progress=interrupt)
    assert mill.connection.ledger.job(job).state is JobState.CANCELLED


def test_a_job_that_lost_redis_says_how_it_goes_on(mill, tmp_path, twenty):
    """It does when Redis is back: here, with a worker for the first time."""
    settings = replace(mill.settings, data=tmp_path)
    order = SubmitOptions(path="test", batch_size=5)
    with Stack(tmp_path / "mill", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, order, "test", settings, detached=False)

        def lose(_):
            stack.supervisor.stop()

        with pytest.raises(Unreachable, match=f"Cannot reach .*digitmill up.*digitmill resume {job}"):
            gather_job(connection, job, order, twenty, settings, timeout=0.5, on_progress=lose)
    with Stack(tmp_path / "mill", 1) as stack:
        connection = open_mill(stack.url, settings, timeout=10)
        assert len(gather_job(connection, job, order, twenty, settings).results) == 20


def test_images_given_one_by_one_are_not_promised_to_be_resumed(tmp_path, mill, twenty):
    """Nobody knows where they are: without workers their job is cancelled, and nothing waits for ever."""
    settings, order = replace(mill.settings, data=tmp_path), SubmitOptions(path="")
    with Stack(tmp_path / "mill", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, order, "test", settings, detached=False)
        with pytest.raises(NoWorkers, match=r"No worker answered for 0 s\. Start some with `digitmill up`\.$"):
            gather_job(connection, job, order, twenty, settings, timeout=0.1)
        assert connection.ledger.job(job).state is JobState.CANCELLED
    with pytest.raises(UsageError, match="Classify them again"):
        open_order(order, settings)


class Died(Exception):
    """A client ends here."""


def test_the_time_of_a_resumed_job_is_that_of_the_job(mill, twenty):
    """Otherwise its images per second would be those of a mill that does not exist."""
    order = SubmitOptions(path="test", batch_size=1)
    job = create_job(mill.connection, order, "test", mill.settings, detached=False)

    def die(situation):
        if situation.answered >= 5:
            raise Died

    with pytest.raises(Died):
        gather_job(mill.connection, job, order, twenty, mill.settings, on_progress=die)
    time.sleep(1.0)
    run = gather_job(mill.connection, job, order, twenty, mill.settings).run
    status = mill.connection.ledger.job(job)
    assert run.seconds == status.ended - status.created >= 1.0
    assert run.started == status.created
    assert sum(run.workers.values()) == 20


def test_answers_that_another_machine_has_kept_are_not_passed_over(mill, tmp_path, twenty):
    """Who asks for the report elsewhere is told where they are."""
    order = SubmitOptions(path="test", batch_size=5)
    job = create_job(mill.connection, order, "test", mill.settings, detached=False)
    gather_job(mill.connection, job, order, twenty, mill.settings)
    status = mill.connection.ledger.job(job)
    with pytest.raises(DataError, match=f"Of the 20 answers .* only 0 are here.*kept.*{job}.journal.*there"):
        collect_job(mill.connection, status, replace(mill.settings, data=tmp_path))
    assert len(collect_job(mill.connection, status, mill.settings).results) == 20


def test_a_job_that_runs_has_no_report_yet(mill):
    """The remedy is to wait."""
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=True)
    with pytest.raises(JobFailed, match=f"digitmill wait {job}"):
        collect_job(mill.connection, mill.connection.ledger.job(job), mill.settings)


def test_journals_live_as_long_as_what_redis_knows_of_their_jobs(mill, tmp_path):
    """A new job clears away those that are older; other files of the user's are left."""
    settings = replace(mill.settings, data=tmp_path, result_days=2.0)
    jobs = journal_path(settings, "old").parent
    jobs.mkdir()
    for name, days in (("old.journal", 3), ("new.journal", 1), ("notes.txt", 3)):
        (jobs / name).touch()
        os.utime(jobs / name, (time.time() - days * 86400,) * 2)
    prune_journals(settings)
    assert {path.name for path in jobs.iterdir()} == {"new.journal", "notes.txt"}
