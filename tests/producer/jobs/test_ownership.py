"""A job that is gathered has one client at a time. Another one is refused, or takes over, and the first one ends."""

import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import UsageError
from producer.jobs import ownership, submission
from producer.jobs.finding import find_job, find_resumable
from producer.jobs.kept.order import SubmitOptions, find_order, job_file, jobs_folder, order_of, read_order, this_host
from producer.jobs.ownership import JobClient
from producer.jobs.submission import create_job, open_submitted
from producer.mill.connection import RetryingCaller
from producer.sources import array_source
from tests.producer.jobs.conftest import BATCH, Workless, numbered
from tests.support.answering import answering
from worker.contract.errors import JobFailed, Unreachable
from worker.contract.ledger import JobState, Owner, Part, keys
from worker.settings import Settings

COUNT = 20


@pytest.fixture
def elsewhere(workless: Workless, tmp_path: Path) -> Settings:
    """Another data folder, as on another machine."""
    return replace(workless.settings, data=tmp_path / "elsewhere")


def copy_job(job: str, source: Settings, target: Settings) -> None:
    """Copy the files of a job into another data folder."""
    jobs_folder(target).mkdir(parents=True)
    for path in jobs_folder(source).glob(f"{job}.*"):
        shutil.copy2(path, jobs_folder(target))


def sent(workless: Workless, eventually: Callable[..., Any]) -> None:
    """Wait until the client has sent all batches."""
    eventually(lambda: workless.progress and workless.progress.sent == COUNT, what="the end of sending")


def forget(workless: Workless, job: str) -> None:
    """Make the owner of a job look dead: it was seen long ago, and does not report again."""
    workless.client.hset(keys.job(job), "owner_seen", 1)


def test_the_files_of_a_job_are_private(workless: Workless) -> None:
    """They hold names of files and answers."""
    job = workless.create()
    workless.gather(job, array_source(np.zeros((0, 28, 28), np.uint8), "nothing"))
    files = list(jobs_folder(workless.settings).glob(f"{job}.*"))
    assert {path.suffix for path in files} == {".order", ".journal", ".sent"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(jobs_folder(workless.settings).stat().st_mode) == 0o700


@pytest.mark.parametrize(("fault", "says"), [(Unreachable, False), (JobFailed, True)])
def test_a_client_says_that_it_leaves_unless_it_gave_up_redis(
    workless: Workless, fault: type[Exception], says: bool
) -> None:
    """That would wait for Redis once more. Without it the client counts as dead some seconds later."""
    job, connection = workless.create(), workless.connection
    order, call = order_of(workless.settings, job), RetryingCaller(connection, 5.0)
    with pytest.raises(fault), JobClient(connection, order, str(jobs_folder(workless.settings)), lock="", call=call):
        raise fault("It ends.")
    assert (workless.status(job).owner_seen == 0) is says


def test_a_job_of_a_client_that_runs_is_refused_to_a_second_one(
    workless: Workless, elsewhere: Settings, eventually: Callable[..., Any]
) -> None:
    """The message names the host, the folder and the remedy, and the first client loses nothing."""
    job, source = workless.create(), numbered(COUNT)
    running = workless.begin(job, source)
    sent(workless, eventually)
    workless.answer(2)
    copy_job(job, workless.settings, elsewhere)
    for take_over in (False, True):
        with pytest.raises(UsageError) as refused:
            workless.gather(job, source, settings=elsewhere, take_over=take_over)
        assert f"running on {this_host()} with the folder {jobs_folder(workless.settings)}" in str(refused.value)
        assert "Ctrl-C, which keeps the job" in str(refused.value)
    with pytest.raises(UsageError, match="Another process on this machine"):
        workless.gather(job, source)
    with answering(workless.client, workless.connection.ledger):
        np.testing.assert_array_equal(running.result(timeout=20).results.digits, np.arange(COUNT) % 10)
    assert workless.keys(job) == {keys.job(job)}


def test_a_job_whose_client_is_dead_is_resumed_where_its_journal_is_or_taken_over(
    workless: Workless, elsewhere: Settings, eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder it is refused, unless it is taken over. The first client then ends when it wakes up."""
    monkeypatch.setattr(ownership, "HEARTBEAT_SECONDS", 3600.0)  # the first client is frozen
    job, source = workless.create(), numbered(COUNT)
    first = workless.begin(job, source)
    sent(workless, eventually)
    workless.answer(2)
    eventually(lambda: workless.progress and workless.progress.answered == 2 * BATCH, what="two kept batches")
    copy_job(job, workless.settings, elsewhere)
    forget(workless, job)
    with pytest.raises(UsageError, match=f"are on {this_host()} in .*digitmill resume {job}.*--take-over"):
        workless.gather(job, source, settings=elsewhere)
    assert not first.done()
    monkeypatch.setattr(ownership, "HEARTBEAT_SECONDS", 1.0)
    second = workless.begin(job, source, settings=elsewhere, take_over=True)
    with pytest.raises(JobFailed, match=f"taken over by another client, on {this_host()} .*elsewhere"):
        first.result(timeout=20)
    with answering(workless.client, workless.connection.ledger):
        np.testing.assert_array_equal(second.result(timeout=20).results.digits, np.arange(COUNT) % 10)
    assert workless.status(job).state is JobState.DONE
    assert workless.keys(job) == {keys.job(job)}


def test_a_client_that_was_fenced_changes_nothing(workless: Workless, eventually: Callable[..., Any]) -> None:
    """Neither sending nor acknowledging nor ending with its token does anything."""
    job = workless.create()
    running = workless.begin(job, numbered(COUNT))
    sent(workless, eventually)
    workless.answer(1)
    stale = workless.connection.ledger.owned(job, Owner("stale", "host", "folder"))
    assert stale.own().outcome == "alive"
    assert not stale.hold()
    assert stale.settle(rows=1, failed=0) == "fenced"
    assert stale.check({}, sealed=True, rows=0, answered=0, failed=0).presence == "fenced"
    part = Part(job, 0, 0, BATCH)
    assert not stale.restore(part, None, b"", due_seconds=1, attempts=3)
    workless.connection.ledger.acknowledge([part], owner="stale")
    workless.connection.ledger.acknowledge([part])
    with answering(workless.client, workless.connection.ledger):
        np.testing.assert_array_equal(running.result(timeout=20).results.digits, np.arange(COUNT) % 10)


def test_a_job_that_was_submitted_elsewhere_is_not_resumed(workless: Workless, elsewhere: Settings) -> None:
    """The message names the place. Nothing in the record of Redis makes this client open a path."""
    job = workless.create(path="/etc/passwd")
    with pytest.raises(UsageError) as refused:
        find_resumable(workless.connection, job, elsewhere)
    assert f"submitted on {this_host()} with the folder {jobs_folder(workless.settings)}" in str(refused.value)
    assert f"digitmill resume {job}" in str(refused.value)
    order = find_resumable(workless.connection, job, workless.settings)
    workless.client.hset(keys.job(job), "record", order.record().to_json().replace("/etc/passwd", "/etc/shadow"))
    assert find_resumable(workless.connection, job, workless.settings).options.path == "/etc/passwd"


@pytest.mark.parametrize("name", ["../../x", "a/b", "", ".", "a\x1bb", "x" * 100])
def test_an_identifier_cannot_lead_out_of_the_folder_of_jobs(workless: Workless, name: str) -> None:
    """It may come from Redis."""
    for kind in ("order", "journal", "sent"):
        with pytest.raises(UsageError, match="not the identifier of a job"):
            job_file(workless.settings, name, kind)


def test_two_jobs_never_share_an_identifier(workless: Workless, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose new identifier is taken, here or on another machine, takes another one."""
    here, there = workless.create(), "261125-101112-aaaaaaaa"
    workless.client.hset(keys.job(there), mapping={"record": "another client's", "state": "submitting"})
    names = iter([here, there, "261125-101112-bbbbbbbb"])
    monkeypatch.setattr(submission, "new_job_identifier", lambda: next(names))
    options = SubmitOptions(path="test")
    job = create_job(workless.connection, options, "test", workless.settings, detached=False)
    assert job == "261125-101112-bbbbbbbb"
    assert workless.client.hget(keys.job(there), "record") == b"another client's"
    assert read_order(workless.settings, there) is None
    assert read_order(workless.settings, here) is not None


def test_an_interrupt_while_a_job_is_created_names_it(workless: Workless, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its order is written by then, so it can be resumed, whether Redis has it or not."""
    create = workless.connection.ledger.create

    def interrupted(*arguments: Any, **options: Any) -> bool:
        create(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(workless.connection.ledger, "create", interrupted)
    with pytest.raises(KeyboardInterrupt, match="is kept: `digitmill resume"):
        workless.create()
    [order] = jobs_folder(workless.settings).glob("*.order")
    assert find_resumable(workless.connection, "last", workless.settings).job == order.stem


def test_a_job_that_redis_has_lost_is_found_by_its_order(workless: Workless, elsewhere: Settings) -> None:
    """`resume` sends it again, and other commands say so. Elsewhere there is no such job."""
    job = workless.create()
    workless.client.flushall()
    for query in (job, job[:9], "last"):
        assert find_order(workless.settings, query) is not None
        with pytest.raises(UsageError, match=f"digitmill resume {job}"):
            find_job(workless.connection, query, workless.settings)
        with pytest.raises(UsageError, match=r"not have job|has no jobs"):
            find_job(workless.connection, query, elsewhere)
    assert find_resumable(workless.connection, job, workless.settings).job == job
    with answering(workless.client, workless.connection.ledger):
        assert len(workless.gather(job, numbered(COUNT)).results) == COUNT
    with pytest.raises(UsageError, match="nothing is left to do"):
        find_resumable(workless.connection, job, workless.settings)


def test_images_that_were_given_one_by_one_cannot_be_read_again(workless: Workless) -> None:
    """Their order names no path."""
    order = find_resumable(workless.connection, workless.create(path=""), workless.settings)
    with pytest.raises(UsageError, match="cannot be resumed"):
        open_submitted(order.options, workless.settings)
