"""Facts about the ledger on a real server: nothing is lost or counts twice, whatever is repeated or late."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import redis
from redis.exceptions import OutOfMemoryError

from model.errors import Failure, FailureCode, UsageError
from tests.support.answering import seal
from worker.contract.errors import WireError
from worker.contract.ledger import Claim, JobRecord, JobState, Ledger, Part, Submitted, Verdict, Window, keys
from worker.contract.ledger.ledger import ATTEMPTS
from worker.contract.liveness import ALIVE_SECONDS, GONE_SECONDS
from worker.contract.wire import Batch, Manifest, Result

JOB = "261123-142501-k7q"
WIDE = Window(batches=1000, bytes=10**9)
LEASE = 60.0


@pytest.fixture
def job(ledger: Ledger) -> str:
    """A job that takes batches."""
    return open_job(ledger, JOB)


@pytest.fixture
def full(client: "redis.Redis", job: str, ledger: Ledger) -> Iterator["redis.Redis"]:
    """A server at its memory limit, with six batches of the job in it."""
    for sequence in range(6):
        submit(ledger, job, sequence, size=20_000)
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]))
    yield client
    client.config_set("maxmemory", "1gb")


def open_job(ledger: Ledger, identifier: str) -> str:
    """Open a job."""
    ledger.create(identifier, JobRecord("scans/", "baseline-1", "host-1", {"labels": "folder"}, "/journal"))
    return identifier


def submit(
    ledger: Ledger,
    job: str,
    sequence: int = 0,
    *,
    images: int = 4,
    unreadable: int = 0,
    size: int = 10,
    window: Window = WIDE,
    detached: bool = False,
) -> Submitted:
    """Submit one batch of `images` files of `size` bytes each, and of `unreadable` images that could not be read."""
    failures = {images + index: Failure(FailureCode.UNREADABLE, "Gone.") for index in range(unreadable)}
    rows = images + unreadable
    manifest = Manifest(tuple(f"{sequence}-{row}" for row in range(rows)), (None,) * rows, failures)
    part = Part(job, sequence, 0, images)
    return ledger.submit(part, Batch((bytes(size),) * images), manifest, window, detached=detached)


def claim(ledger: Ledger, part: Part, token: str = "a", *, holder: str = "w1", lease: float = LEASE) -> Claim:  # noqa: S107  not a password
    """Claim a part."""
    return ledger.claim(part, token=token, holder=holder, lease_seconds=lease)


def answer(count: int, *, failed: int = 0, worker: str = "w1") -> Result:
    """Return answers to `count` images. The first `failed` of them are error rows."""
    failures = {index: Failure(FailureCode.BLANK, "Blank.") for index in range(failed)}
    return Result("baseline-1", worker, np.zeros(count, np.uint8), np.ones(count, np.float32), None, failures)


def counters(client: "redis.Redis", job: str) -> dict[str, int]:
    """Return the counters of a job."""
    names = ("images", "answered", "failed", "open", "unread", "open_bytes")
    return {name: int(value or 0) for name, value in zip(names, client.hmget(keys.job(job), names), strict=True)}


# Harmless to repeat -----------------------------------------------------------------------------------------------


def test_a_batch_submitted_twice_is_there_once(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """A client submits a batch again if it gets no reply. The second time changes no counter."""
    assert submit(ledger, job, unreadable=2) is Submitted.STORED
    before = counters(client, job)
    assert submit(ledger, job, unreadable=2) is Submitted.ALREADY_THERE
    assert counters(client, job) == before
    assert (before["images"], before["answered"], before["failed"], before["open"]) == (6, 2, 2, 1)


def test_a_batch_submitted_again_after_its_answer_is_not_done_again(ledger: Ledger, job: str) -> None:
    """The ledger still knows the batch after it was answered, and after the job has ended."""
    submit(ledger, job)
    ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4))
    assert submit(ledger, job) is Submitted.ALREADY_THERE
    assert seal(ledger, job) is JobState.DONE
    assert submit(ledger, job) is Submitted.ALREADY_THERE
    assert claim(ledger, Part(job, 0, 0, 4), "b").verdict is Verdict.GONE


def test_a_claim_with_the_same_token_gets_the_same_answer(ledger: Ledger, job: str) -> None:
    """A worker repeats its claim if it gets no reply. That costs no attempt."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    first = claim(ledger, part)
    assert (first.verdict, first.attempts, first.model) == (Verdict.WORK, 1, "baseline-1")
    assert Batch.from_wire(first.payload).images == (bytes(10),) * 4
    assert claim(ledger, part) == first


def test_a_part_finished_twice_counts_once(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """The second is too late and changes nothing."""
    submit(ledger, job)
    claimed = claim(ledger, Part(job, 0, 0, 4))
    assert ledger.finish(claimed, answer(4, failed=1))
    before = counters(client, job)
    assert not ledger.finish(claimed, answer(4))
    assert counters(client, job) == before
    assert before == {"images": 4, "answered": 4, "failed": 1, "open": 0, "unread": 1, "open_bytes": 0}
    assert len(Result.from_wire(ledger.results([claimed.part])[claimed.part]).failures) == 1


def test_a_part_split_twice_has_two_halves(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """The second is too late and changes nothing, whatever has become of the halves."""
    submit(ledger, job)
    claimed = exhausted(ledger, Part(job, 0, 0, 4))
    batch = Batch.from_wire(claimed.payload)
    assert ledger.split(claimed, batch) == [Part(job, 0, 0, 2), Part(job, 0, 2, 4)]
    ledger.finish(claim(ledger, Part(job, 0, 0, 2)), answer(2))
    before = counters(client, job)
    assert ledger.split(claimed, batch) == []
    assert counters(client, job) == before
    assert before["open"] == 1


def test_release_refunds_once(ledger: Ledger, job: str) -> None:
    """Giving a part back twice refunds one attempt. Only its holder can give it back."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    assert claim(ledger, part).attempts == 1
    assert ledger.release(part, holder="w1", refund=False)
    assert claim(ledger, part, "b").attempts == 2
    assert not ledger.release(part, holder="w2", refund=True), "it is not the other's to give"
    assert ledger.release(part, holder="w1", refund=True)
    assert not ledger.release(part, holder="w1", refund=True)
    assert claim(ledger, part, "c").attempts == 2


def test_giving_back_a_part_that_is_to_be_split_gives_it_no_more_attempts(ledger: Ledger, job: str) -> None:
    """The claim for a split counted no attempt, so giving it back refunds none."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    assert exhausted(ledger, part).verdict is Verdict.SPLIT
    assert ledger.release(part, holder="w1", refund=True)
    assert claim(ledger, part, "again").verdict is Verdict.SPLIT


def test_answers_acknowledged_twice_count_once(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """The first time deletes names and answers. The second time changes nothing."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    ledger.finish(claim(ledger, part), answer(4))
    assert ledger.answered_parts(job) == {part}
    assert set(ledger.manifests(job)) == {0}
    for _ in range(2):
        ledger.acknowledge([part])
        assert counters(client, job)["unread"] == 0
    assert ledger.answered_parts(job) == set()
    assert ledger.results([part]) == {}
    assert ledger.manifest(job, 0) is None


def test_a_job_created_or_sealed_twice_is_one_job(ledger: Ledger, job: str) -> None:
    """Creating it again neither reopens it nor changes its times."""
    created = ledger.job(job).created
    assert seal(ledger, job) is JobState.DONE, "a job without images is done"
    ended = ledger.job(job).ended
    assert open_job(ledger, job)
    assert seal(ledger, job) is JobState.DONE
    assert (ledger.job(job).created, ledger.job(job).ended) == (created, ended)
    assert [status.identifier for status in ledger.jobs()] == [job]


def test_a_batch_of_nothing_but_unreadable_images_is_answered_like_any_other(ledger: Ledger, job: str) -> None:
    """A worker answers it with nothing. Its job ends as done with errors."""
    assert submit(ledger, job, images=0, unreadable=3) is Submitted.STORED
    part = Part(job, 0, 0, 0)
    assert Part.from_member(part.member) == part
    assert seal(ledger, job) is JobState.DONE_WITH_ERRORS, "every image has its error row already"
    assert ledger.finish(claim(ledger, part), answer(0))
    assert ledger.job(job).state is JobState.DONE_WITH_ERRORS
    assert ledger.job(job).open == 0


# Leases -----------------------------------------------------------------------------------------------------------


def end_lease(client: "redis.Redis", part: Part) -> None:
    """Let the lease on a part end."""
    client.hset(part.key, "lease", 1)
    make_due(client, part)


def test_a_part_is_busy_while_it_is_leased_and_free_after(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Only its holder can renew the lease. After its end, another worker gets the part."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    claim(ledger, part)
    assert claim(ledger, part, "b", holder="w2").verdict is Verdict.BUSY
    end_lease(client, part)
    assert not ledger.renew(part, holder="w2", lease_seconds=LEASE)
    assert ledger.renew(part, holder="w1", lease_seconds=LEASE)
    assert claim(ledger, part, "b", holder="w2").verdict is Verdict.BUSY, "renewed"
    end_lease(client, part)
    assert claim(ledger, part, "b", holder="w2").verdict is Verdict.WORK
    assert not ledger.renew(part, holder="w1", lease_seconds=LEASE)


def lease_end(client: "redis.Redis", part: Part) -> float:
    """Return the unix time, seconds, at which the lease on a part ends."""
    return int(client.hget(part.key, "lease") or 0) / 1000


def test_a_lease_ends_when_its_holder_said(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Both claiming and renewing set its end, by the clock of Redis."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    before = ledger.now()
    claim(ledger, part, lease=60)
    claimed = lease_end(client, part)
    assert before + 60 - 0.001 <= claimed <= ledger.now() + 60
    ledger.renew(part, holder="w1", lease_seconds=90)
    renewed = lease_end(client, part)
    assert before + 90 - 0.001 <= renewed <= ledger.now() + 90
    assert client.zscore(keys.OPEN, part.member) == renewed * 1000


def test_a_stale_token_changes_nothing(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """A worker that comes back after its lease cannot finish, split or release the part."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    stale = claim(ledger, part)
    end_lease(client, part)
    fresh = claim(ledger, part, "b", holder="w2")
    assert fresh.attempts == 2
    before = (counters(client, job), client.hgetall(part.key), client.zscore(keys.OPEN, part.member))
    batch = Batch.from_wire(stale.payload)
    assert not ledger.finish(stale, answer(4, failed=4))
    assert ledger.split(stale, batch) == []
    assert not ledger.release(part, holder="w1", refund=True)
    assert before == (counters(client, job), client.hgetall(part.key), client.zscore(keys.OPEN, part.member))
    assert ledger.finish(fresh, answer(4, worker="w2"))
    assert Result.from_wire(ledger.results([part])[part]).worker == "w2"


def test_a_finish_after_the_lease_counts_if_nobody_else_took_the_part(
    client: "redis.Redis", ledger: Ledger, job: str
) -> None:
    """The answer is late, but it is the only one."""
    submit(ledger, job)
    claimed = claim(ledger, Part(job, 0, 0, 4))
    end_lease(client, claimed.part)
    assert ledger.finish(claimed, answer(4))


def exhausted(ledger: Ledger, part: Part, limit: int = ATTEMPTS) -> Claim:
    """Claim a part until its attempts are used up. Return the next claim."""
    for attempt in range(limit):
        begun = claim(ledger, part, f"{part.field}-{attempt}")
        assert (begun.verdict, begun.attempts) == (Verdict.WORK, attempt + 1)
        assert ledger.release(part, holder="w1", refund=False)
    return claim(ledger, part, f"{part.field}-last")


def test_a_batch_that_keeps_failing_is_cut_down_to_the_one_image_that_is_to_blame(
    client: "redis.Redis", ledger: Ledger, job: str
) -> None:
    """A batch has three attempts, each half one, and a single image two. Then that image is quarantined."""
    submit(ledger, job, images=4)
    whole = exhausted(ledger, Part(job, 0, 0, 4))
    assert whole.verdict is Verdict.SPLIT
    batch = Batch.from_wire(whole.payload)
    left, right = ledger.split(whole, batch)
    assert claim(ledger, whole.part, "z").verdict is Verdict.GONE
    assert set(ledger.due()) == {left, right}, "halves are due at once"
    assert ledger.finish(claim(ledger, left), answer(2))
    half = exhausted(ledger, right, 1)
    assert half.verdict is Verdict.SPLIT
    batch = Batch.from_wire(half.payload)
    good, bad = ledger.split(half, batch)
    assert ledger.finish(claim(ledger, good), answer(1))
    last = exhausted(ledger, bad, 2)
    assert last.verdict is Verdict.QUARANTINE
    assert seal(ledger, job) is JobState.RUNNING
    assert ledger.finish(last, answer(1, failed=1))
    assert ledger.job(job).state is JobState.DONE_WITH_ERRORS
    assert counters(client, job) == {
        "images": 4,
        "answered": 4,
        "failed": 1,
        "open": 0,
        "unread": 3,
        "open_bytes": 0,
    }
    assert ledger.answered_parts(job) == {left, good, bad}
    assert client.zcard(keys.OPEN) == 0


# The window -------------------------------------------------------------------------------------------------------


def test_the_window_counts_batches_until_they_are_acknowledged(ledger: Ledger, job: str) -> None:
    """Open and unacknowledged batches fill it. An acknowledged batch makes room."""
    window = Window(batches=2, bytes=10**9)
    assert [submit(ledger, job, sequence, window=window) for sequence in range(3)] == [
        Submitted.STORED,
        Submitted.STORED,
        Submitted.WINDOW_FULL,
    ]
    part = Part(job, 0, 0, 4)
    ledger.finish(claim(ledger, part), answer(4))
    assert submit(ledger, job, 2, window=window) is Submitted.WINDOW_FULL
    ledger.acknowledge([part])
    assert submit(ledger, job, 2, window=window) is Submitted.STORED


def fill(ledger: Ledger, job: str, *, first: int = 0, window: int = 12) -> int:
    """Submit batches until the window is full, and return how many were stored."""
    for sequence in range(first, first + 2 * window):
        if submit(ledger, job, sequence, window=Window(window, 10**9)) is Submitted.WINDOW_FULL:
            return sequence - first
    raise AssertionError("the window is never full")


def answer_all(ledger: Ledger, job: str, count: int) -> None:
    """Answer and acknowledge the first batches of a job."""
    for sequence in range(count):
        part = Part(job, sequence, 0, 4)
        ledger.finish(claim(ledger, part), answer(4))
        ledger.acknowledge([part])


def test_jobs_that_send_at_the_same_time_share_one_window(client: "redis.Redis", ledger: Ledger) -> None:
    """So a small job waits behind one window, and not behind one for each huge job."""
    huge, other, small = (open_job(ledger, name) for name in ("huge", "other", "small"))
    assert fill(ledger, huge) == 12, "alone, a job has the whole window"
    assert fill(ledger, other) == 6
    assert fill(ledger, small) == 4
    answer_all(ledger, huge, 12)
    assert fill(ledger, huge, first=12) == 4
    assert client.pttl(keys.SENDING) > 0, "nothing of it stays"


def test_a_job_that_sends_no_more_leaves_its_share_to_the_others(client: "redis.Redis", ledger: Ledger) -> None:
    """Neither a job that stopped sending a second ago counts, nor one that a clock ahead has recorded."""
    job = open_job(ledger, "job")
    now = ledger.now()
    client.zadd(keys.SENDING, {"sent": int((now - 2) * 1000), "of an hour ahead": int((now + 3600) * 1000)})
    assert fill(ledger, job) == 12
    assert client.zrange(keys.SENDING, 0, -1) == [b"job"]


def test_a_share_is_never_less_than_two_batches(client: "redis.Redis", ledger: Ledger) -> None:
    """With one batch, workers would wait for the client after each. A smaller window stays as small as it is."""
    many = {f"job-{number}": int((ledger.now() + 0.9) * 1000) for number in range(50)}
    client.zadd(keys.SENDING, many)
    assert fill(ledger, open_job(ledger, "small")) == 2
    client.zadd(keys.SENDING, many)
    assert fill(ledger, open_job(ledger, "smaller"), window=1) == 1


@pytest.mark.parametrize("kind", ["string", "list"])
def test_a_share_is_found_although_its_key_has_another_type(client: "redis.Redis", ledger: Ledger, kind: str) -> None:
    """Whoever wrote it cannot keep a job from being sent."""
    client.set(keys.SENDING, "x") if kind == "string" else client.rpush(keys.SENDING, "x")
    assert fill(ledger, open_job(ledger, "job")) == 12


def test_the_window_of_a_detached_job_counts_only_what_is_open(ledger: Ledger, job: str) -> None:
    """No client acknowledges answers while such a job runs."""
    window = Window(batches=1, bytes=10**9)
    assert submit(ledger, job, 0, window=window, detached=True) is Submitted.STORED
    assert submit(ledger, job, 1, window=window, detached=True) is Submitted.WINDOW_FULL
    ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4))
    assert submit(ledger, job, 1, window=window) is Submitted.WINDOW_FULL
    assert submit(ledger, job, 1, window=window, detached=True) is Submitted.STORED


def test_the_window_counts_bytes_and_lets_a_larger_batch_pass_alone(ledger: Ledger, job: str) -> None:
    """A batch that is larger than the window passes if nothing else is open, so that its job can end."""
    window = Window(batches=100, bytes=10_000)
    assert submit(ledger, job, 0, size=10_000, window=window) is Submitted.STORED, "larger than the window, but alone"
    assert submit(ledger, job, 1, window=window) is Submitted.WINDOW_FULL
    ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4))
    assert submit(ledger, job, 1, size=1_000, window=window) is Submitted.STORED
    assert submit(ledger, job, 2, size=1_000, window=window) is Submitted.STORED
    assert submit(ledger, job, 3, size=1_000, window=window) is Submitted.WINDOW_FULL


# Overdue parts ----------------------------------------------------------------------------------------------------


def make_due(client: "redis.Redis", part: Part, seconds: float = 0.0) -> None:
    """Make a part overdue by a number of seconds."""
    client.zadd(keys.OPEN, {part.member: (time.time() - seconds) * 1000 - 1})


def test_due_returns_what_is_overdue_once(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """A second call at once returns nothing. Parts that are not overdue enough stay as they are."""
    for sequence in range(3):
        submit(ledger, job, sequence)
    assert ledger.due() == [], "their doorbells have only just been rung"
    first, second = Part(job, 0, 0, 4), Part(job, 1, 0, 4)
    make_due(client, first)
    make_due(client, second, seconds=100)
    assert ledger.due(overdue_seconds=60) == [second]
    assert ledger.due() == [first]
    assert ledger.due() == []


def test_due_returns_no_more_than_asked_for(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Those that are overdue for longest come first."""
    for sequence in range(5):
        submit(ledger, job, sequence)
        make_due(client, Part(job, sequence, 0, 4), seconds=sequence)
    assert [part.sequence for part in ledger.due(at_most=2)] == [4, 3]


def test_due_forgets_parts_whose_record_has_expired(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """It still returns the others."""
    submit(ledger, job, 0)
    submit(ledger, job, 1)
    expired, alive = Part(job, 0, 0, 4), Part(job, 1, 0, 4)
    for part in (expired, alive):
        make_due(client, part)
    client.delete(expired.key)
    assert ledger.due() == [alive]
    assert client.zscore(keys.OPEN, expired.member) is None


def test_a_leased_part_is_due_when_its_lease_ends(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """So a reconciler finds the batch of a dead worker. A part that was given back is due at once."""
    submit(ledger, job)
    part = Part(job, 0, 0, 4)
    claim(ledger, part)
    assert ledger.due() == []
    end_lease(client, part)
    assert ledger.due() == [part]
    assert ledger.release(part, holder="w1", refund=False)
    assert ledger.due() == [part]


# States -----------------------------------------------------------------------------------------------------------


def test_a_job_is_done_when_sealed_and_answered_in_either_order(ledger: Ledger) -> None:
    """Its state says whether an image failed. After its end it takes no more batches."""
    for identifier, failed, unreadable, state in (
        ("a", 0, 0, JobState.DONE),
        ("b", 1, 0, JobState.DONE_WITH_ERRORS),
        ("c", 0, 1, JobState.DONE_WITH_ERRORS),
    ):
        for sealed_first in (True, False):
            job = open_job(ledger, f"{identifier}-{sealed_first}")
            submit(ledger, job, unreadable=unreadable)
            if sealed_first:
                assert seal(ledger, job) is JobState.RUNNING
            ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4, failed=failed))
            if not sealed_first:
                assert ledger.job(job).state is JobState.SUBMITTING
                assert ledger.job(job).ended is None
                assert seal(ledger, job) is state
            status = ledger.job(job)
            assert status.state is state
            assert status.ended is not None
            assert status.images == status.answered == 4 + unreadable
            assert submit(ledger, job, 1) is Submitted.NO_SUCH_JOB, "it takes no more"


def test_a_cancelled_job_is_forgotten_by_workers(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Its batches are dropped, and a late answer does not count. The batches of other jobs stay."""
    other = open_job(ledger, JOB + "x")
    for identifier in (job, other):
        submit(ledger, identifier, 0)
        submit(ledger, identifier, 1)
    in_work = claim(ledger, Part(job, 0, 0, 4))
    assert ledger.cancel(job)
    assert not ledger.cancel(job), "it has ended"
    assert ledger.job(job).state is JobState.CANCELLED
    assert seal(ledger, job) is JobState.CANCELLED
    assert not ledger.finish(in_work, answer(4))
    assert claim(ledger, Part(job, 1, 0, 4), "b").verdict is Verdict.GONE
    assert submit(ledger, job, 2) is Submitted.NO_SUCH_JOB
    assert counters(client, job)["open"] == counters(client, job)["open_bytes"] == 0
    assert sorted(client.zrange(keys.OPEN, 0, -1)) == [f"{other}/{n}.0.4".encode() for n in range(2)]
    with pytest.raises(UsageError, match="does not have job nothing"):
        ledger.cancel("nothing")


def test_an_unknown_job_or_part_is_not_created_by_asking(client: "redis.Redis", ledger: Ledger) -> None:
    """Every call reports that there is nothing, and Redis stays empty."""
    assert submit(ledger, "nothing") is Submitted.NO_SUCH_JOB
    part = Part("nothing", 0, 0, 4)
    assert claim(ledger, part).verdict is Verdict.GONE
    assert not ledger.renew(part, holder="w1", lease_seconds=9)
    assert not ledger.release(part, holder="w1", refund=True)
    ledger.record_problem("nothing", "x")
    ledger.acknowledge([part])
    with pytest.raises(UsageError, match="`digitmill jobs` lists those"):
        ledger.job("nothing")
    assert client.dbsize() == 0


def test_a_problem_stands_on_the_job_until_one_of_its_batches_is_answered(ledger: Ledger, job: str) -> None:
    """An answer shows that the problem is over."""
    submit(ledger, job)
    ledger.record_problem(job, "Run the same version everywhere.")
    assert ledger.job(job).problem == "Run the same version everywhere."
    ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4))
    assert ledger.job(job).problem == ""


def test_notifications_wake_the_client(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Each answered part wakes the client once, and so does cancelling. Without a notification the wait times out."""
    submit(ledger, job, 0)
    submit(ledger, job, 1)
    assert ledger.wait_for_notifications(job, 0) == set()
    assert ledger.wait_for_notifications(job, 0.02) == set()
    parts = [Part(job, sequence, 0, 4) for sequence in range(2)]
    for part in parts:
        ledger.finish(claim(ledger, part), answer(4))
    assert ledger.wait_for_notifications(job, 1) == set(parts)
    ledger.cancel(job)
    assert client.llen(keys.notifications(job)) == 1
    assert ledger.wait_for_notifications(job, 1) == set()
    assert client.llen(keys.notifications(job)) == 0


# Finding jobs and workers -----------------------------------------------------------------------------------------


def test_jobs_are_found_by_the_beginning_of_their_name(ledger: Ledger) -> None:
    """A whole name means that job, even if other names begin with it. An ambiguous beginning is refused."""
    with pytest.raises(UsageError, match="This mill has no jobs"):
        ledger.find_job("last")
    for identifier in ("261123-1", "261123-2", "261123-22"):
        open_job(ledger, identifier)
        with pytest.raises(UsageError, match="does not have job"):
            ledger.find_job("")
    assert ledger.find_job("last") == "261123-22"
    assert ledger.find_job("261123-1") == "261123-1"
    assert ledger.find_job("261123-2") == "261123-2"
    with pytest.raises(UsageError, match="may mean 261123-22, 261123-2, 261123-1"):
        ledger.find_job("2611")
    with pytest.raises(UsageError, match="does not have job 27"):
        ledger.find_job("27")
    assert [job.identifier for job in ledger.jobs(latest=2)] == ["261123-22", "261123-2"]


def test_expired_jobs_are_neither_listed_nor_found(client: "redis.Redis", ledger: Ledger) -> None:
    """`last` means the latest job that has not expired."""
    open_job(ledger, "261123-1")
    open_job(ledger, "261123-2")
    client.delete(keys.job("261123-2"))
    assert ledger.find_job("last") == "261123-1"
    assert ledger.find_job("2611") == "261123-1"
    assert [job.identifier for job in ledger.jobs()] == ["261123-1"]


def test_a_little_job_is_not_the_last_one_and_is_listed_only_on_request(ledger: Ledger) -> None:
    """A list from standard input has no path either, but its job is what somebody submitted."""
    options = {"261123-1": {"path": "/scans"}, "261123-2": {"path": "", "listed": "lines"}}
    little = {f"261123-{number}": {"path": ""} for number in range(3, 33)}
    for identifier, submitted in {**options, **little}.items():
        ledger.create(identifier, JobRecord("scans/", "baseline-1", "host-1", dict(submitted), ""))
    assert ledger.find_job("last") == "261123-2"
    assert ledger.find_job("261123-31") == "261123-31"
    assert [status.identifier for status in ledger.jobs(latest=5, little=False)] == ["261123-2", "261123-1"]
    assert len(ledger.jobs(latest=5)) == 5
    assert len(ledger.jobs()) == 32


def test_a_worker_without_a_heartbeat_is_forgotten(client: "redis.Redis", ledger: Ledger) -> None:
    """Its report expires. A worker that stops removes itself."""
    facts: dict[str, str | int | float] = {
        "ready": 1,
        "model": "baseline-1",
        "started": 12.5,
        "process": 7,
        "startup_seconds": 0.5,
    }
    ledger.announce("w1", facts, ttl_seconds=60)
    ledger.announce("w2", {"ready": 0}, ttl_seconds=60)
    first, second = ledger.workers()
    assert (first.name, first.ready, first.model, first.started, first.process) == ("w1", True, "baseline-1", 12.5, 7)
    assert (second.name, second.ready, second.images) == ("w2", False, 0)
    assert 0 < client.pttl(keys.worker("w1")) <= 60_000 + 1000 * (GONE_SECONDS - ALIVE_SECONDS)
    client.delete(keys.worker("w1"))  # Redis does this when the time is up
    assert [worker.name for worker in ledger.workers()] == ["w2"]
    ledger.remove_worker("w2")
    assert ledger.workers() == []


def test_a_worker_counts_its_images(ledger: Ledger, job: str) -> None:
    """A late answer does not put a removed worker back on the list."""
    submit(ledger, job, 0)
    submit(ledger, job, 1)
    ledger.announce("w1", {"ready": 1}, ttl_seconds=60)
    ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4))
    assert ledger.workers()[0].images == 4
    ledger.remove_worker("w1")
    ledger.finish(claim(ledger, Part(job, 1, 0, 4)), answer(4))
    assert ledger.workers() == []


def test_everything_expires(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """If a client never comes back, only the two indexes stay in Redis."""
    submit(ledger, job, 0)
    submit(ledger, job, 1)
    ledger.finish(claim(ledger, Part(job, 0, 0, 4)), answer(4))
    whole = exhausted(ledger, Part(job, 1, 0, 4))
    batch = Batch.from_wire(whole.payload)
    ledger.split(whole, batch)
    eternal = {key.decode() for key in client.scan_iter() if client.pttl(key) < 0}
    assert eternal == {keys.JOBS, keys.OPEN}


# Names ------------------------------------------------------------------------------------------------------------


def test_part_names_are_read_as_they_are_written() -> None:
    """Any other text is refused."""
    part = Part("a.b", 3, 10, 21)
    assert Part.from_member(part.member) == part
    left, right = part.halves()
    assert (left.start, left.stop, right.start, right.stop) == (10, 15, 15, 21)
    assert replace(left, stop=right.stop) == part
    for wrong in (
        "",
        "a",
        "a/1",
        "a/1.2",
        "a/1.2.3.4",
        "a/1.2.x",
        "a/1..2",
        "a/1.3.2",
        "a/-1.0.2",
        "/1.0.2",
        "a/1.0. 2",
        "a/1.0.1_0",
    ):
        with pytest.raises(WireError):
            Part.from_member(wrong)


# Out of memory ----------------------------------------------------------------------------------------------------


def test_a_full_server_refuses_batches_and_still_takes_answers(full: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Only answers free memory, so everything that leads to answers must still work."""
    before = counters(full, job)
    with pytest.raises(OutOfMemoryError):
        submit(ledger, job, 6, size=1_000_000)
    assert counters(full, job) == before
    assert set(ledger.manifests(job)) == set(range(6)), "a refused batch leaves nothing behind"
    part = Part(job, 0, 0, 4)
    claimed = claim(ledger, part)
    assert claimed.verdict is Verdict.WORK
    assert ledger.renew(part, holder="w1", lease_seconds=60)
    assert ledger.release(part, holder="w1", refund=True)
    parts = [Part(job, sequence, 0, 4) for sequence in range(6)]
    full.config_set("maxmemory", "1gb")
    make_due(full, parts[1])
    full.config_set("maxmemory", int(full.info("memory")["used_memory"]))
    assert parts[1] in ledger.due()
    whole = exhausted(ledger, parts[2])
    batch = Batch.from_wire(whole.payload)
    halves = ledger.split(whole, batch)
    assert len(halves) == 2
    assert seal(ledger, job) is JobState.RUNNING
    for part in [parts[0], parts[1], *halves, *parts[3:]]:
        assert ledger.finish(claim(ledger, part, "z"), answer(len(part)))
        ledger.acknowledge([part])
    assert ledger.job(job).state is JobState.DONE


def test_a_full_server_lets_a_job_be_cancelled(full: "redis.Redis", ledger: Ledger, job: str) -> None:
    """Cancelling frees memory at once."""
    used = int(full.info("memory")["used_memory"])
    assert ledger.cancel(job)
    assert int(full.info("memory")["used_memory"]) < used
