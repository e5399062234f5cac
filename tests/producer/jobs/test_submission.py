"""A job from its submit options to its results, and what happens to it when something fails."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.data.digits import Digits
from model.data.sample_digits import write_folder
from model.errors import DataError, UsageError
from model.images.preprocess import preprocess
from model.inference.classifier import Classifier
from producer.jobs.collecting import collect_job
from producer.jobs.kept.order import (
    Listed,
    SubmitOptions,
    find_order,
    journal_path,
    new_order,
    order_of,
    prune_jobs,
    read_order,
    write_order,
)
from producer.jobs.patience import TIMEOUT_SECONDS
from producer.jobs.results import FinishedJob
from producer.jobs.sending import JobProgress
from producer.jobs.submission import MNIST, create_job, gather_job, open_submitted, reopen_submitted, send_job
from producer.jobs.waiting import JobWatch
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from producer.sources import Form, Source, mnist_source
from tests.support.mill import Mill
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobState, JobStatus, keys
from worker.settings import Settings

submit_options = st.builds(
    SubmitOptions,
    path=st.text(),
    labels=st.text(),
    include=st.lists(st.text()).map(tuple),
    exclude=st.lists(st.text()).map(tuple),
    batch_size=st.none() | st.integers(1, 8192),
    probabilities=st.booleans(),
    model=st.none() | st.text(),
    min_confidence=st.none() | st.floats(0, 1),
    more=st.lists(st.text()).map(tuple),
    listed=st.sampled_from(["", "lines", "null"]),
    folder=st.text(),
    several=st.sampled_from(["refuse", "read"]),
    as_is=st.booleans(),
    form=st.none() | st.builds(Form, background=st.floats(-1e9, 1e9), ink=st.floats(-1e9, 1e9), sentence=st.text()),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(submit_options, st.booleans())
def test_an_order_gives_back_the_submit_options_unchanged(
    tmp_path_factory: pytest.TempPathFactory, options: SubmitOptions, detached: bool
) -> None:
    """The job can therefore be resumed. Paths may be any text, even text that is not valid UTF-8."""
    here = replace(Settings.from_environment({}), data=tmp_path_factory.mktemp("data"))
    order = new_order(here, "261125-101112-abcdefgh", options, "scans/", "baseline-1", detached=detached, created=7.25)
    write_order(here, order)
    assert read_order(here, order.job) == order
    with pytest.raises(FileExistsError):
        write_order(here, order)


@pytest.fixture
def twenty(digits: Digits) -> Source:
    """Twenty labelled digits."""
    return mnist_source(digits.images[:20], digits.labels[:20])


def gather(mill: Mill, source: Source, options: SubmitOptions) -> FinishedJob:
    """Run a job to its end, and return it."""
    job = create_job(mill.connection, options, source.description, mill.settings, detached=False)
    return gather_job(mill.connection, job, options, source, mill.settings)


def test_a_test_set_gets_the_same_digits_through_the_queue_as_in_this_process(mill: Mill, digits: Digits) -> None:
    """All predictions are the same, so the accuracy is the same too."""
    results = gather(mill, mnist_source(digits.images, digits.labels), SubmitOptions(path=MNIST)).results
    expected = Classifier.baseline().classify(digits.images).digits
    np.testing.assert_array_equal(results.digits, expected)
    np.testing.assert_array_equal(results.labels, digits.labels)
    assert (results.digits == results.labels).mean() > 0.95


def test_the_word_mnist_obeys_the_options_of_every_source(mnist_folder: Path) -> None:
    """Also when its job is opened again."""
    here = replace(Settings.from_environment({}), mnist=mnist_folder)
    options = SubmitOptions(path=MNIST, labels="none", include=("0000?",), exclude=("00003",))
    for source in (open_submitted(options, here), reopen_submitted(options, here)):
        assert {image.label for image in source} == {None}
        assert source.total == 9


def test_a_folder_of_files_gets_the_same_digits_through_the_queue_as_in_this_process(
    mill: Mill, tmp_path: Path
) -> None:
    """Workers decode files as this process does, and labels come from the names of folders."""
    write_folder(tmp_path / "digits")
    options = SubmitOptions(path=str(tmp_path / "digits"))
    source = open_submitted(options, mill.settings)
    results = gather(mill, source, options).results
    names = [image.name for image in source]
    pixels = [preprocess((tmp_path / "digits" / name).read_bytes()) for name in names]
    expected = Classifier.baseline().classify(np.stack(pixels)).digits
    assert results.names == names
    np.testing.assert_array_equal(results.digits, expected)
    np.testing.assert_array_equal(results.labels, [int(name[0]) for name in names])
    assert (results.digits == results.labels).mean() > 0.95


def test_a_job_whose_journal_cannot_be_written_is_not_created(mill: Mill, tmp_path: Path) -> None:
    """The message names the variable that moves the journals, and the ledger has no new job."""
    (tmp_path / "file").touch()
    elsewhere = replace(mill.settings, data=tmp_path / "file")
    before = mill.connection.ledger.jobs()
    with pytest.raises(UsageError, match="DIGITMILL_DATA"):
        create_job(mill.connection, SubmitOptions(path="test"), "test", elsewhere, detached=False)
    assert mill.connection.ledger.jobs() == before


def interrupted(mill: Mill, job: str, options: SubmitOptions, source: Source, *, detached: bool, keep: bool) -> str:
    """Interrupt the client of a job after it has sent five images. Return what it says."""

    def interrupt(progress: JobProgress) -> None:
        if progress.sent >= 5:
            raise KeyboardInterrupt

    run: Callable[..., Any] = send_job if detached else partial(gather_job, keep=keep)
    with pytest.raises(KeyboardInterrupt) as said:
        run(mill.connection, job, options, source, mill.settings, on_progress=interrupt)
    return str(said.value)


@pytest.mark.parametrize("detached", [True, False])
def test_an_interrupt_keeps_the_job_and_says_how_it_goes_on(mill: Mill, twenty: Source, detached: bool) -> None:
    """This holds for a client that gathers, and for one that only sends. Both are resumed to all rows."""
    options = SubmitOptions(path="test", batch_size=1)
    job = create_job(mill.connection, options, "test", mill.settings, detached=detached)
    said = interrupted(mill, job, options, twenty, detached=detached, keep=True)
    for command in ("resume", "cancel", *(["wait"] if detached else [])):
        assert f"digitmill {command} {job}" in said
    status = mill.connection.ledger.job(job)
    assert status.state is JobState.SUBMITTING
    assert status.owner_seen == 0, "it has left, so its successor need not wait"
    if detached:
        send_job(mill.connection, job, options, twenty, mill.settings)
        status = watch(mill, job)
        assert len(collect_job(mill.connection, status, mill.settings).results) == 20
    else:
        assert len(gather_job(mill.connection, job, options, twenty, mill.settings).results) == 20


@pytest.mark.parametrize(("path", "keep"), [("", True), ("test", False)])
def test_an_interrupt_cancels_a_job_that_cannot_be_resumed(mill: Mill, twenty: Source, path: str, keep: bool) -> None:
    """Its images were given one by one, or its mill and its data folder end with the command."""
    options = SubmitOptions(path=path, batch_size=1)
    job = create_job(mill.connection, options, "test", mill.settings, detached=False)
    assert interrupted(mill, job, options, twenty, detached=False, keep=keep) == f"job {job} is cancelled"
    assert mill.connection.ledger.job(job).state is JobState.CANCELLED


def watch(mill: Mill, job: str, *, timeout: float = 30.0, settings: Settings | None = None) -> JobStatus:
    """Wait for the end of a job."""
    seen: list[JobProgress] = []
    watched = JobWatch(
        mill.connection, job, settings or mill.settings, timeout=timeout, on_progress=lambda _, now: seen.append(now)
    )
    return watched.await_end()


def test_a_client_that_loses_redis_names_the_command_that_resumes_its_job(
    mill: Mill, start_mill_in: Callable[..., AbstractContextManager[Mill]], tmp_path: Path, twenty: Source
) -> None:
    """When Redis is back and has a worker, the job is resumed to all its rows."""
    settings = replace(mill.settings, data=tmp_path)
    options = SubmitOptions(path="test", batch_size=5)
    with Stack(tmp_path / "mill", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, options, "test", settings, detached=False)

        def lose_redis(_: JobProgress) -> None:
            stack.supervisor.stop()

        with pytest.raises(Unreachable, match=f"Cannot reach .*digitmill up.*digitmill resume {job}"):
            gather_job(connection, job, options, twenty, settings, timeout=0.5, on_progress=lose_redis)
        began = time.monotonic()
        with pytest.raises(Unreachable):
            create_job(connection, options, "test", settings, detached=False, timeout=0.1)
        assert time.monotonic() - began < TIMEOUT_SECONDS / 2
    with start_mill_in(tmp_path, 1) as again:
        assert len(gather_job(again.connection, job, options, twenty, settings).results) == 20


def test_a_job_of_images_given_one_by_one_cannot_be_resumed(tmp_path: Path, mill: Mill, twenty: Source) -> None:
    """Nothing can read its images again, so a client without workers cancels the job."""
    settings, options = replace(mill.settings, data=tmp_path), SubmitOptions(path="")
    with Stack(tmp_path / "mill", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, options, "test", settings, detached=False)
        with pytest.raises(NoWorkers, match=r"No worker answered for 0 s\. Start workers with `digitmill up`\.$"):
            gather_job(connection, job, options, twenty, settings, timeout=0.1)
        assert connection.ledger.job(job).state is JobState.CANCELLED
    with pytest.raises(UsageError, match=r"cannot be resumed.*Classify the images again"):
        open_submitted(options, settings)


class Died(Exception):
    """A client ends here."""


def test_the_time_of_a_resumed_job_is_that_of_the_whole_job(mill: Mill, twenty: Source) -> None:
    """The time of the second client alone would give a rate that no mill reaches."""
    options = SubmitOptions(path="test", batch_size=1)
    job = create_job(mill.connection, options, "test", mill.settings, detached=False)

    def die(progress: JobProgress) -> None:
        if progress.answered >= 5:
            raise Died

    with pytest.raises(Died):
        gather_job(mill.connection, job, options, twenty, mill.settings, on_progress=die)
    mill.connection.client.zincrby(keys.JOBS, -3_600_000, job)  # the job was created an hour earlier
    info = gather_job(mill.connection, job, options, twenty, mill.settings).info
    status = mill.connection.ledger.job(job)
    assert status.ended is not None
    assert info.seconds == status.ended - status.created >= 3600
    assert info.started == status.created
    assert sum(info.workers.values()) == 20


def test_a_report_without_the_answers_of_another_machine_is_refused(mill: Mill, tmp_path: Path, twenty: Source) -> None:
    """The message names the journal that has the answers. With that journal, the report has all rows."""
    options = SubmitOptions(path="test", batch_size=5)
    job = create_job(mill.connection, options, "test", mill.settings, detached=False)
    gather_job(mill.connection, job, options, twenty, mill.settings)
    status = mill.connection.ledger.job(job)
    with pytest.raises(DataError, match=f"Of the 20 answers .* only 0 are here.*kept.*{job}.journal.*there"):
        collect_job(mill.connection, status, replace(mill.settings, data=tmp_path))
    assert len(collect_job(mill.connection, status, mill.settings).results) == 20


def test_a_running_job_has_no_report(mill: Mill) -> None:
    """The message names the command that waits for the end of the job."""
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=True)
    with pytest.raises(JobFailed, match=f"digitmill wait {job}"):
        collect_job(mill.connection, mill.connection.ledger.job(job), mill.settings)


def test_files_of_jobs_are_kept_as_long_as_redis_keeps_their_records(mill: Mill, tmp_path: Path) -> None:
    """Pruning deletes jobs whose newest file is older than this, and no other file."""
    settings = replace(mill.settings, data=tmp_path, result_days=2.0)
    jobs = journal_path(settings, "old").parent
    jobs.mkdir()
    ages = {"old.journal": 3, "old.order": 4, "new.journal": 1, "new.order": 3, "sent.sent": 3, "notes.txt": 3}
    for name, days in ages.items():
        (jobs / name).touch()
        os.utime(jobs / name, (time.time() - days * 86400,) * 2)
    prune_jobs(settings)
    assert {path.name for path in jobs.iterdir()} == {"new.journal", "new.order", "notes.txt"}


@pytest.mark.parametrize("listed", ["", "lines", "null"])
def test_several_paths_and_a_list_are_opened_again_from_anywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mill: Mill,
    png: Callable[[NDArray[np.uint8]], bytes],
    digits: Digits,
    listed: Listed,
) -> None:
    """A resumed job may run in another folder, and the paths of a list are relative to that of the first time."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(png(digits.images[0]))
    if listed:
        end = "\0" if listed == "null" else "\n"
        (tmp_path / "list").write_text("".join(f"{name}/x.png{end}" for name in ("a", "b")))
        options = SubmitOptions(path=str(tmp_path / "list"), listed=listed, folder=str(tmp_path))
    else:
        options = SubmitOptions(path=str(tmp_path / "a"), more=(str(tmp_path / "b"),))
    monkeypatch.chdir("/")
    source = open_submitted(options, mill.settings)
    assert [image.name for image in source] == ["a/x.png", "b/x.png"]
    assert [image.content for image in source] == [image.content for image in reopen_submitted(options, mill.settings)]
    job = create_job(mill.connection, options, source.description, mill.settings, detached=False)
    assert order_of(mill.settings, job).options == options


def test_the_last_order_is_not_that_of_a_little_job(tmp_path: Path) -> None:
    """The files of a job find it when Redis has lost it."""
    settings = Settings.from_environment({"DIGITMILL_DATA": str(tmp_path)})
    for job, path in (("261123-1", "/scans"), ("261123-2", "")):
        write_order(settings, new_order(settings, job, SubmitOptions(path), "", "m", detached=False, created=1.0))
    last = find_order(settings, "last")
    assert last
    assert last.job == "261123-1"
