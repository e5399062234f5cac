"""Every wait has an end or a reason, and a job that makes progress is never given up."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from model.errors import UsageError
from producer.jobs import patience as module
from producer.jobs.collecting import collect_job
from producer.jobs.finding import find_resumable
from producer.jobs.kept.order import job_file, jobs_folder, this_host
from producer.jobs.patience import Patience
from producer.jobs.recovery import find_loss
from producer.jobs.sending import JobProgress
from producer.jobs.waiting import JobWatch
from producer.mill.connection import RetryingCaller
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from tests.producer.jobs.conftest import BATCH, Workless, numbered
from tests.support.answering import NAME, answering
from tests.support.clock import Clock
from tests.support.processes import frozen
from worker.contract.connection import SOCKET_TIMEOUT
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobState, JobStatus, Part, Queue, keys
from worker.settings import Settings

COUNT = 20
LONG = 600.0
SHORT = 2.0


def watch(
    workless: Workless, job: str, *, timeout: float = 0.5, settings: Settings | None = None
) -> tuple[JobStatus, list[str]]:
    """Wait for the end of a job. Return its status, and the problems that were shown."""
    problems: list[str] = []

    def note(_: JobStatus, progress: JobProgress) -> None:
        problems.append(progress.problem)

    watched = JobWatch(workless.connection, job, settings or workless.settings, timeout=timeout, on_progress=note)
    return watched.await_end(), problems


def refusal(workless: Workless, job: str, kind: type[Exception] = JobFailed, **options: Any) -> str:
    """Return what a wait says that ends without the job."""
    with pytest.raises(kind) as said:
        watch(workless, job, **options)
    return str(said.value)


# Patience ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def patience(workless: Workless, clock: Clock) -> Patience:
    """Patience of ten minutes, with a worker that lives."""
    workless.announce()
    return Patience(RetryingCaller(workless.connection, LONG), clock=clock)


WAITS, IN_WORK, LOST = Queue(queued=True, held=False), Queue(queued=True, held=True), Queue(queued=False, held=True)


def answers(workless: Workless, count: int) -> None:
    """Let the worker have answered so many images of other jobs."""
    workless.client.hset(keys.worker(NAME), "images", count)


def test_a_client_looks_for_the_reason_at_intervals_and_when_its_time_is_up(patience: Patience, clock: Clock) -> None:
    """Each look costs Redis time, and a client may ask many times a second. One at the end gives the latest reason."""
    looks = 0
    for _ in range(100):
        clock.now += module.LOOK_SECONDS / 10
        looks += patience.is_look_due()
    assert 9 <= looks <= 11
    clock.now = 1.1 * LONG
    assert patience.is_look_due()
    assert patience.is_look_due()


def test_a_part_that_takes_longer_than_the_timeout_is_waited_for(patience: Patience, clock: Clock) -> None:
    """A worker holds it. When none does, the time begins."""
    for _ in range(5):
        clock.now += 0.9 * LONG
        patience.look("", IN_WORK)
    patience.check()
    clock.now += 1.1 * LONG
    patience.look("", WAITS)
    with pytest.raises(NoWorkers, match=r"for 600 s, although workers are alive \(1\).*Restart the workers"):
        patience.check()


def test_a_job_behind_others_in_the_queue_is_waited_for(workless: Workless, patience: Patience, clock: Clock) -> None:
    """Workers answer images of other jobs, which is progress."""
    for count in range(5):
        clock.now += 0.9 * LONG
        answers(workless, 1000 * count)
        patience.look("", WAITS)
        if count:
            patience.check()
    clock.now += 1.1 * LONG
    patience.look("", WAITS)
    assert patience.exhausted


@pytest.mark.parametrize(("problem", "queue"), [("The model cannot be loaded.", IN_WORK), ("", LOST)])
def test_others_do_not_help_a_job_with_a_problem_or_without_parts(
    workless: Workless, patience: Patience, clock: Clock, problem: str, queue: Queue
) -> None:
    """Other jobs go on for ever, and this one never would."""
    for count in range(5):
        clock.now += 0.3 * LONG
        answers(workless, 1000 * count)
        patience.look(problem, queue)
    with pytest.raises(NoWorkers, match=problem or "although"):
        patience.check()


def test_an_attached_client_gives_up_when_its_model_cannot_be_loaded(
    workless: Workless, eventually: Callable[..., Any]
) -> None:
    """The message has the worker's reason and the command that resumes the job. The job is kept."""
    workless.announce()
    job = workless.create()
    running = workless.begin(job, numbered(COUNT), timeout=1.0)
    eventually(lambda: workless.progress and workless.progress.sent == COUNT, what="the end of sending")
    workless.connection.ledger.record_problem(job, "Its tensor has a wrong shape.")
    said = str(running.exception(timeout=20))
    assert isinstance(running.exception(), NoWorkers)
    assert "Its tensor has a wrong shape." in said
    assert f"digitmill resume {job}" in said
    assert not workless.status(job).state.ended


# Waiting for a job of others ----------------------------------------------------------------------------------------


def interrupt(workless: Workless, job: str) -> None:
    """Send a job from a client that is interrupted before its end."""

    def stop(progress: JobProgress) -> None:
        if progress.sent >= 2 * BATCH:
            raise KeyboardInterrupt

    workless._note = stop  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        workless.gather(job, numbered(COUNT))


def test_a_wait_for_a_job_whose_client_has_ended_names_its_place(workless: Workless) -> None:
    """It ends after the timeout, with the host, the folder and the command that continues the job."""
    job = workless.create()
    interrupt(workless, job)
    workless.announce()
    said = refusal(workless, job)
    assert f"because its client has ended, on {this_host()} with the folder {jobs_folder(workless.settings)}" in said
    assert f"digitmill resume {job}" in said


def test_a_wait_for_a_job_of_version_0_1_0_ends_too(workless: Workless, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client does not report to Redis, so it counts as dead after some seconds without a new image."""
    monkeypatch.setattr("producer.jobs.waiting.SILENT_SECONDS", 0.1)
    job = workless.create()
    said = refusal(workless, job)
    assert f"because its client has ended, on {this_host()}" in said


def test_a_wait_for_a_job_with_progress_does_not_end(workless: Workless) -> None:
    """Each answer comes before the timeout, and the last one long after it."""
    job = workless.create(detached=True)
    workless.send(job, numbered(COUNT))
    with answering(workless.client, workless.connection.ledger):
        status, _ = watch(workless, job, timeout=5.0)
    assert (status.state, status.answered) == (JobState.DONE, COUNT)


def test_a_wait_without_workers_ends(workless: Workless) -> None:
    """It says so while it waits, and at its end."""
    job = workless.create(detached=True)
    workless.send(job, numbered(COUNT))
    assert "Start workers with `digitmill up`" in refusal(workless, job, NoWorkers)


def test_a_wait_for_a_job_that_redis_has_lost_ends(workless: Workless) -> None:
    """Its client may make it again until the timeout."""
    job = workless.create(detached=True)
    workless.client.flushall()
    assert f"digitmill resume {job}" in refusal(workless, job, UsageError)


# Lost batches of a detached job -------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(workless: Workless, tmp_path: Path) -> Settings:
    """Another data folder, as on another machine."""
    return replace(workless.settings, data=tmp_path / "elsewhere")


@pytest.fixture
def harmed(workless: Workless) -> str:
    """A detached job of five batches. The first is answered, and Redis has lost the third."""
    job = workless.create(detached=True)
    workless.send(job, numbered(COUNT))
    workless.answer(1)
    workless.client.delete(Part(job, 2, 0, BATCH).key)
    workless.announce()
    return job


def test_the_sender_of_a_detached_job_names_what_redis_has_lost(
    workless: Workless, harmed: str, elsewhere: Settings
) -> None:
    """Elsewhere the number is known, and the names as long as Redis has the manifests."""
    status = workless.status(harmed)
    here = find_loss(workless.connection, status, workless.settings)
    assert (here.batches, here.images, here.names) == (
        1,
        BATCH,
        tuple(f"test/000{row}" for row in ("08", "09", "10", "11")),
    )
    assert here.describe() == "4 images in 1 batch (test/00008, test/00009, test/00010 and 1 more)"
    there = find_loss(workless.connection, status, elsewhere)
    assert (there.batches, there.images, there.resumable) == (1, BATCH, False)
    workless.client.hdel(keys.manifest(harmed), "2", "3")
    there = find_loss(workless.connection, status, elsewhere)
    assert (there.batches, there.images, there.names) == (2, 2 * BATCH, ())


def test_a_wait_for_lost_images_ends_with_their_names(workless: Workless, harmed: str, elsewhere: Settings) -> None:
    """On the machine that sent them it names them, and elsewhere it names that machine."""
    workless.answer(3)
    said = refusal(workless, harmed)
    assert "Redis has lost 4 images in 1 batch (test/00008, test/00009, test/00010 and 1 more)" in said
    assert f"Run `digitmill resume {harmed}`, which sends it again" in said
    said = refusal(workless, harmed, settings=elsewhere)
    assert f"On {this_host()} with the folder {jobs_folder(workless.settings)}, run `digitmill resume {harmed}`" in said


@pytest.mark.parametrize("what", ["a batch", "the manifests", "the answers", "all batches", "everything"])
def test_a_resumed_detached_job_has_all_rows(workless: Workless, harmed: str, what: str) -> None:
    """`resume` sends again what is lost, and nothing else. Any client then gathers the answers."""
    match what:
        case "the manifests":
            workless.client.delete(keys.manifest(harmed))
        case "the answers":
            workless.client.delete(keys.results(harmed))
        case "all batches":
            workless.client.delete(*workless.client.scan_iter(f"digitmill:batch:{harmed}/*"), keys.OPEN)
        case "everything":
            workless.client.flushall()
    assert find_resumable(workless.connection, harmed, workless.settings).detached
    workless.send(harmed, numbered(COUNT))
    assert workless.status(harmed).open == (5 if what in ("the answers", "everything") else 4)
    with answering(workless.client, workless.connection.ledger):
        status, _ = watch(workless, harmed, timeout=20.0)
    assert (status.state, status.images, status.answered) == (JobState.DONE, COUNT, COUNT)
    assert collect_job(workless.connection, status, workless.settings).results.digits.tolist() == [
        row % 10 for row in range(COUNT)
    ]
    with pytest.raises(UsageError, match="nothing is left to do"):
        find_resumable(workless.connection, harmed, workless.settings)


def test_a_detached_job_is_not_resumed_with_other_pixels(workless: Workless, harmed: str) -> None:
    """The digests in the sender's folder tell, although all names are the same."""
    with pytest.raises(JobFailed, match="its source has changed"):
        workless.send(harmed, numbered(COUNT, shift=1))


def test_a_detached_job_is_not_resumed_with_more_images(workless: Workless, harmed: str) -> None:
    """Its source was sent to the end, so what comes after that is new."""
    with pytest.raises(JobFailed, match="its source has changed"):
        workless.send(harmed, numbered(COUNT + BATCH))
    assert workless.status(harmed).images == COUNT


def test_a_report_without_lost_answers_names_them(workless: Workless, elsewhere: Settings) -> None:
    """The job is done, and then Redis loses its answers."""
    job = workless.create(detached=True)
    workless.send(job, numbered(COUNT))
    workless.answer(5)
    workless.client.hdel(keys.results(job), f"1.0.{BATCH}")
    status = workless.status(job)
    assert status.state is JobState.DONE
    with pytest.raises(Exception, match=r"only 16 are here.*lost 4 images in 1 batch \(test/00004.*digitmill resume"):
        collect_job(workless.connection, status, workless.settings)
    with pytest.raises(Exception, match=rf"digitmill resume {job}` on {this_host()}"):
        collect_job(workless.connection, status, elsewhere)
    workless.send(job, numbered(COUNT))
    workless.answer(1)
    status = workless.status(job)
    assert status.state is JobState.DONE
    assert len(collect_job(workless.connection, status, elsewhere).results) == COUNT


def test_the_names_of_a_finished_job_are_restored(workless: Workless) -> None:
    """Its answers are all there, but nobody knows of which images. Its sender does."""
    job = workless.create(detached=True)
    workless.send(job, numbered(COUNT))
    workless.answer(5)
    workless.client.delete(keys.manifest(job))
    status = workless.status(job)
    with pytest.raises(Exception, match=rf"lost 20 images in 5 batches \(test/00000.*digitmill resume {job}"):
        collect_job(workless.connection, status, workless.settings)
    assert find_resumable(workless.connection, job, workless.settings).job == job
    workless.send(job, numbered(COUNT))
    status = workless.status(job)
    assert status.state is JobState.DONE
    assert collect_job(workless.connection, status, workless.settings).results.names[:2] == ["test/00000", "test/00001"]


def test_a_damaged_answer_is_asked_for_again(workless: Workless) -> None:
    """The report without its sender has error rows. The sender sends those images again."""
    job = workless.create(detached=True)
    workless.send(job, numbered(COUNT))
    workless.answer(5)
    workless.client.hset(keys.results(job), f"3.0.{BATCH}", b"garbage")
    status = workless.status(job)
    assert len(collect_job(workless.connection, status, workless.settings).results.failures) == BATCH
    assert find_resumable(workless.connection, job, workless.settings).job == job
    workless.send(job, numbered(COUNT))
    workless.answer(1)
    status = workless.status(job)
    assert (status.state, status.answered, status.failed) == (JobState.DONE, COUNT, 0)
    assert not collect_job(workless.connection, status, workless.settings).results.failures
    with pytest.raises(UsageError, match="nothing is left to do"):
        find_resumable(workless.connection, job, workless.settings)


def test_a_damaged_log_of_what_was_sent_is_refused(workless: Workless, harmed: str) -> None:
    """Its batches could be mistaken for others."""
    job_file(workless.settings, harmed, "sent").write_bytes(b"\x01\x02")
    with pytest.raises(Exception, match="Move it away"):
        find_loss(workless.connection, workless.status(harmed), workless.settings)


def test_a_client_gives_up_a_frozen_redis_when_its_timeout_is_over(
    workless: Workless, workless_server: Stack, eventually: Callable[..., Any]
) -> None:
    """No single call waits longer than the whole command, and neither does the way out."""
    impatient = replace(
        workless, connection=open_mill(workless_server.url, workless.settings, command_timeout=SHORT), progress=None
    )
    job = impatient.create()
    running = impatient.begin(job, numbered(COUNT), timeout=SHORT)
    eventually(lambda: impatient.progress and impatient.progress.sent == COUNT, what="the end of sending")
    with frozen(psutil.Process(workless_server.supervisor.processes()["server"])):
        began = time.monotonic()
        fault = running.exception(timeout=60)
        assert time.monotonic() - began < 2 * SOCKET_TIMEOUT
    assert isinstance(fault, Unreachable)
    assert f"digitmill resume {job}" in str(fault)
