"""Redis forgets or changes what it was told, and the client puts that right: each image has one row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from producer.jobs.kept.journal import read_journal
from producer.jobs.kept.order import SubmitOptions, journal_path
from producer.jobs.submission import gather_job
from tests.producer.jobs.conftest import BATCH, Workless, numbered
from tests.support.answering import answering, open_parts
from tests.support.harms import HARMS
from worker.contract.ledger import JobState, Part, cover, keys
from worker.contract.wire import Batch, Result

COUNT = 40
WAITING = 7
"""A batch that is not answered when Redis forgets something."""


@pytest.mark.parametrize("what", HARMS)
def test_what_redis_forgets_of_a_job_is_sent_again(
    workless: Workless, eventually: Callable[..., Any], what: str
) -> None:
    """The client of the job notices it by itself. Afterwards Redis holds the record of the job, and nothing else."""
    job = workless.create()
    running = workless.begin(job, numbered(COUNT))
    eventually(lambda: workless.progress and workless.progress.sent == COUNT, what="the end of sending")
    workless.answer(3)
    HARMS[what](workless.client, Part(job, WAITING, 0, BATCH))
    with answering(workless.client, workless.connection.ledger):
        results = running.result(timeout=20).results
    np.testing.assert_array_equal(results.digits, np.arange(COUNT) % 10)
    status = workless.status(job)
    assert (status.state, status.images, status.answered, status.open, status.unacknowledged) == (
        JobState.DONE,
        COUNT,
        COUNT,
        0,
        0,
    )
    assert workless.keys(job) == {keys.job(job)}
    assert workless.connection.ledger.find_job("last") == job
    assert workless.client.hget(keys.job(job), "model") == status.record.model.encode()
    assert open_parts(workless.client) == []


def test_a_cancelled_job_is_not_sent_again(workless: Workless, eventually: Callable[..., Any]) -> None:
    """Its batches are gone because it was cancelled, and not because Redis forgot them."""
    job = workless.create()
    running = workless.begin(job, numbered(COUNT))
    eventually(lambda: workless.progress and workless.progress.sent == COUNT, what="the end of sending")
    assert workless.connection.ledger.cancel(job)
    assert "was cancelled" in str(running.exception(timeout=20))
    assert open_parts(workless.client) == []
    assert workless.status(job).state is JobState.CANCELLED


def test_answers_that_come_back_after_they_were_acknowledged_are_dropped(
    workless: Workless, eventually: Callable[..., Any]
) -> None:
    """A server that loses the end of its log has again what it had deleted. It counts no image twice."""
    job = workless.create()
    running = workless.begin(job, numbered(COUNT))
    eventually(lambda: workless.progress and workless.progress.sent == COUNT, what="the end of sending")
    client = workless.client
    names, counts = client.hgetall(keys.manifest(job)), client.hgetall(keys.job(job))
    first = client.hgetall(Part(job, 0, 0, BATCH).key)
    workless.answer(3)
    eventually(lambda: len(read_journal(journal_path(workless.settings, job))) == 3, what="three kept batches")
    client.hset(keys.manifest(job), mapping=names)
    client.hset(keys.job(job), mapping=counts)
    client.hset(Part(job, 0, 0, BATCH).key, mapping=first)
    client.zadd(keys.OPEN, {Part(job, 0, 0, BATCH).member: 0})

    def right() -> bool:
        status = workless.status(job)
        return (status.answered, status.open, status.unacknowledged) == (3 * BATCH, COUNT // BATCH - 3, 0)

    eventually(right, what="the right counters")
    assert client.exists(Part(job, 0, 0, BATCH).key) == 0
    with answering(client, workless.connection.ledger):
        np.testing.assert_array_equal(running.result(timeout=20).results.digits, np.arange(COUNT) % 10)
    assert workless.keys(job) == {keys.job(job)}


def test_a_half_of_a_batch_that_is_lost_is_sent_again_alone(workless: Workless, eventually: Callable[..., Any]) -> None:
    """The other half is not, and neither is done twice."""
    job = workless.create()
    running = workless.begin(job, numbered(BATCH))
    eventually(lambda: workless.progress and workless.progress.sent == BATCH, what="the end of sending")
    ledger, whole = workless.connection.ledger, Part(job, 0, 0, BATCH)
    left, right = whole.halves()
    claimed = ledger.claim(whole, token="a", holder="w", lease_seconds=60)  # noqa: S106  not a password
    batch = Batch.from_wire(claimed.payload)
    assert ledger.split(claimed, batch) == [left, right]
    workless.client.delete(right.key)
    workless.client.zrem(keys.OPEN, right.member)
    eventually(lambda: workless.client.hget(right.key, "payload"), what="the lost half")
    assert set(open_parts(workless.client)) == {left, right}
    assert not workless.client.exists(whole.key)
    with answering(workless.client, ledger):
        np.testing.assert_array_equal(running.result(timeout=20).results.digits, np.arange(BATCH))


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([(0, 8)], [(0, 8)]),
        ([(0, 4), (4, 8)], [(0, 4), (4, 8)]),
        ([(0, 4), (4, 6), (6, 7), (7, 8)], [(0, 4), (4, 6), (6, 7), (7, 8)]),
        ([(0, 8), (0, 4), (4, 6)], [(0, 8)]),  # Redis forgot that it was answered whole, or that it was split
        ([(0, 4), (0, 2), (4, 8)], [(0, 4), (4, 8)]),
        ([(0, 4), (4, 6)], None),
        ([(0, 3), (3, 8)], None),  # these are not halves
        ([], None),
    ],
)
def test_chosen_parts_have_each_image_once(found: list[tuple[int, int]], chosen: list[tuple[int, int]] | None) -> None:
    """Of parts that overlap, the larger one counts."""
    parts = cover([Part("job", 0, *bounds) for bounds in found], Part("job", 0, 0, 8))
    assert (None if parts is None else [(part.start, part.stop) for part in parts]) == chosen


def test_an_answer_of_the_wrong_length_is_asked_for_again(workless: Workless, eventually: Callable[..., Any]) -> None:
    """Otherwise every later image of the batch would have the answer of another one."""
    job = workless.create()
    running = workless.begin(job, numbered(BATCH))
    eventually(lambda: workless.progress and workless.progress.sent == BATCH, what="the end of sending")
    part = Part(job, 0, 0, BATCH)
    short = Result("m", "w", np.zeros(1, np.uint8), np.ones(1, np.float32), None, {})
    claimed = workless.connection.ledger.claim(part, token="a", holder="w", lease_seconds=60)  # noqa: S106  as above
    assert workless.connection.ledger.finish(claimed, short)
    eventually(lambda: part in open_parts(workless.client), what="the batch, sent again")
    with answering(workless.client, workless.connection.ledger):
        np.testing.assert_array_equal(running.result(timeout=20).results.digits, np.arange(BATCH))


def test_answers_that_came_while_no_client_ran_are_kept(workless: Workless, eventually: Callable[..., Any]) -> None:
    """A resumed client takes them in, whatever has become of their names in Redis, and asks again for damaged ones."""
    job = workless.create()

    def stop(progress: Any) -> None:
        if progress.sent >= 5 * BATCH:
            raise KeyboardInterrupt

    options = SubmitOptions(path="test", batch_size=BATCH)
    with pytest.raises(KeyboardInterrupt):
        gather_job(workless.connection, job, options, numbered(COUNT), workless.settings, on_progress=stop)
    workless.answer(4)
    workless.client.hset(keys.manifest(job), "0", b"?")
    workless.client.hset(keys.results(job), f"1.0.{BATCH}", b"?")
    running = workless.begin(job, numbered(COUNT))
    eventually(lambda: workless.progress and workless.progress.sent == COUNT, what="the end of sending")
    kept = set(read_journal(journal_path(workless.settings, job)))
    assert len(kept) == 3
    assert 1 not in kept
    with answering(workless.client, workless.connection.ledger):
        np.testing.assert_array_equal(running.result(timeout=20).results.digits, np.arange(COUNT) % 10)
    assert workless.keys(job) == {keys.job(job)}
