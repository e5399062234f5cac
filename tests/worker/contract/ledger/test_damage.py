"""Facts about a ledger that somebody else has written to: every script still works, and every batch still ends."""

from dataclasses import replace

import msgpack
import numpy as np
import pytest
import redis
from redis.exceptions import ResponseError

from model.errors import FailureCode, UsageError
from tests.support.answering import seal
from tests.support.harms import WRITERS
from worker.contract.errors import WireError
from worker.contract.ledger import (
    Claim,
    JobRecord,
    JobState,
    Ledger,
    Owner,
    Part,
    Presence,
    Submitted,
    Verdict,
    Window,
    keys,
)
from worker.contract.ledger.ledger import ATTEMPTS, SPLIT_ATTEMPTS
from worker.contract.validation import bounds
from worker.contract.wire import VERSION, Batch, Manifest, Result

JOB = "261125-142501-k7q"
PART = Part(JOB, 0, 0, 4)
WIDE = Window(100, 10**9)

GARBAGE = ["", "x", "-7", "-999999999999999", "999999999999999", "1e999", "nan", "9" * 400, "\x1b[31m", b"\xff\xfe"]


@pytest.fixture
def job(ledger: Ledger) -> str:
    """A job with one batch of four images."""
    open_job(ledger)
    return JOB


def open_job(ledger: Ledger) -> Submitted:
    """Create the job and submit its batch."""
    ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    manifest = Manifest(tuple("abcd"), (None,) * 4, {})
    return ledger.submit(PART, Batch((b"file",) * 4), manifest, WIDE, detached=False)


def claim(ledger: Ledger, token: str = "t") -> Claim:  # noqa: S107  not a password
    """Claim the batch."""
    return ledger.claim(PART, token=token, holder="w-1", lease_seconds=60)


def answer(count: int = 4) -> Result:
    """Return answers."""
    return Result("m", "w-1", np.zeros(count, np.uint8), np.ones(count, np.float32), None, {})


# Keys of another type ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "key", [keys.OPEN, keys.WORKERS, keys.notifications(JOB), keys.results(JOB), keys.worker("w-1")]
)
@pytest.mark.usefixtures("job")
def test_a_job_ends_although_a_key_that_it_needs_has_another_type(
    client: "redis.Redis", ledger: Ledger, key: str, kind: str
) -> None:
    """Scripts delete what is not theirs, because what was there before is lost anyway."""
    ledger.announce("w-1", {"ready": 1}, ttl_seconds=60)
    client.delete(key)
    WRITERS[kind](client, key)
    claimed = claim(ledger)
    assert claimed.verdict is Verdict.WORK
    assert ledger.renew(PART, holder="w-1", lease_seconds=60)
    assert ledger.due() == []
    ledger.announce("w-1", {"ready": 1}, ttl_seconds=60)
    assert ledger.finish(claimed, answer())
    assert seal(ledger, JOB) is JobState.DONE
    assert ledger.answered_parts(JOB) == {PART}
    assert [worker.name for worker in ledger.workers()] == ["w-1"]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.usefixtures("job")
def test_what_is_not_a_batch_is_gone(client: "redis.Redis", ledger: Ledger, kind: str) -> None:
    """No worker fails on it again and again, and a client that asks finds that the batch is lost."""
    client.delete(PART.key)
    WRITERS[kind](client, PART.key)
    assert not ledger.renew(PART, holder="w-1", lease_seconds=60)
    assert not ledger.release(PART, holder="w-1", refund=True)
    client.zadd(keys.OPEN, {PART.member: 1})
    assert ledger.due() == []
    assert claim(ledger).verdict is Verdict.GONE
    assert not client.exists(PART.key)
    assert client.zscore(keys.OPEN, PART.member) is None


@pytest.mark.parametrize("kind", sorted(WRITERS.keys() - {"hash"}))
@pytest.mark.parametrize("key", [keys.job(JOB), keys.results(JOB), keys.manifest(JOB)])
@pytest.mark.usefixtures("job")
def test_a_key_of_another_type_is_named_with_a_remedy(
    client: "redis.Redis", ledger: Ledger, key: str, kind: str
) -> None:
    """No read fails with redis-py's own error."""
    client.delete(key)
    WRITERS[kind](client, key)
    with pytest.raises(WireError, match=f"{key} in Redis .* `redis-cli DEL {key}`"):
        (ledger.job(JOB), ledger.answered_parts(JOB), ledger.manifests(JOB))


@pytest.mark.parametrize("field", ["state", "model", "creator"])
def test_a_lost_field_of_a_job_is_put_back(client: "redis.Redis", ledger: Ledger, field: str) -> None:
    """Its client creates it again. Another client, with another record, is refused."""
    record = JobRecord("scans/", "baseline-1", "host-1", {}, "")
    assert ledger.create(JOB, record, creator="host-1:1")
    client.hset(keys.job(JOB), "images", 7)
    client.hdel(keys.job(JOB), field)
    client.delete(keys.JOBS)
    assert ledger.create(JOB, record, creator="host-1:1")
    assert not ledger.create(JOB, replace(record, client="host-2"), creator="host-2:1")
    status = ledger.job(JOB)
    assert (status.state, status.images, ledger.find_job("last")) == (JobState.SUBMITTING, 7, JOB)
    assert client.hget(keys.job(JOB), "model") == b"baseline-1"


# Values of another kind -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("field", ["lease", "granted", "attempts", "limit", "splits", "images", "bytes", "verdict"])
@pytest.mark.usefixtures("job")
def test_a_batch_with_a_damaged_field_still_ends(
    client: "redis.Redis", ledger: Ledger, field: str, value: str | bytes
) -> None:
    """Each claim brings it nearer to its end, whatever its record says."""
    client.hset(PART.key, field, value)
    for attempt in range(ATTEMPTS + SPLIT_ATTEMPTS + 1):
        claimed = claim(ledger, f"t-{attempt}")
        assert claimed.verdict is not Verdict.BUSY
        if claimed.verdict is Verdict.QUARANTINE:
            break
        assert ledger.release(PART, holder="w-1", refund=False)
    assert claimed.verdict is Verdict.QUARANTINE
    assert ledger.finish(claimed, answer())
    assert seal(ledger, JOB) is JobState.DONE


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("field", ["images", "answered", "failed", "open", "open_bytes", "unread", "batches"])
@pytest.mark.usefixtures("job")
def test_a_damaged_counter_of_a_job_loses_no_answer(
    client: "redis.Redis", ledger: Ledger, field: str, value: str | bytes
) -> None:
    """The answer is stored, and the client can acknowledge it and end the job."""
    client.hset(keys.job(JOB), field, value)
    assert ledger.finish(claim(ledger), answer())
    assert ledger.answered_parts(JOB) == {PART}
    ledger.acknowledge([PART])
    assert ledger.answered_parts(JOB) == set()
    checked = ledger.owned(JOB, Owner("", "", "")).check({}, sealed=True, rows=4, answered=4, failed=0)
    assert checked.presence is Presence.HERE
    assert ledger.cancel(JOB) in (True, False)


def test_what_is_not_a_part_is_dropped_from_the_queue(client: "redis.Redis", ledger: Ledger, job: str) -> None:
    """It hides no part that is overdue, however much of it there is."""
    members = [f"../{number}" for number in range(250)] + ["", "a/0.0.5000000", "a/1", "\x1b", "a" * 100 + "/0.0.1"]
    client.zadd(keys.OPEN, dict.fromkeys(members, 1.0))
    for member in members[-3:]:
        client.hset(f"digitmill:batch:{member}", "lease", 0)
    client.zadd(keys.OPEN, {PART.member: 2})
    found = [part for _ in range(4) for part in ledger.due()]
    assert found == [Part(job, 0, 0, 4)]
    assert client.zrange(keys.OPEN, 0, -1) == [PART.member.encode()]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"nonsense",
        answer(3).to_wire(),
        answer(5).to_wire(),
        msgpack.packb({"v": VERSION}),
        bytes(bounds.MAX_RESULT_BYTES + 1),
    ],
)
@pytest.mark.usefixtures("job")
def test_a_damaged_answer_is_an_error_row_for_each_image(client: "redis.Redis", ledger: Ledger, value: bytes) -> None:
    """So the job ends, and the user knows which images to submit again."""
    ledger.finish(claim(ledger), answer())
    client.hset(keys.results(JOB), mapping={PART.field: value, "nonsense": value, b"\xff": value, "0.0.99999": value})
    client.rpush(keys.notifications(JOB), "nonsense", b"\xff", "../../x")
    assert ledger.answered_parts(JOB) == {PART}
    assert ledger.wait_for_notifications(JOB, 1) <= {PART}
    result = Result.from_wire(ledger.results([PART], with_damaged=False)[PART])
    assert len(result) == 4
    assert {failure.code for failure in result.failures.values()} == {FailureCode.INTERNAL}
    assert len(result.failures) == 4


# Bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("job")
def test_a_payload_beyond_the_bound_is_not_fetched(client: "redis.Redis", ledger: Ledger) -> None:
    """A worker that fetched it might die of it, and so might the next."""
    client.hset(PART.key, "payload", bytes(bounds.MAX_BATCH_BYTES + 1))
    claimed = claim(ledger)
    assert (claimed.verdict, claimed.payload) == (Verdict.OVERSIZED, b"")
    assert ledger.finish(claimed, answer())
    assert not client.exists(PART.key)


def test_a_batch_beyond_a_bound_is_not_submitted(ledger: Ledger) -> None:
    """The client says what to do, and nothing is stored."""
    ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    many = bounds.MAX_IMAGES + 1
    for batch, names in (
        (Batch((b"",) * many), ("a",) * many),
        (Batch((bytes(bounds.MAX_BATCH_BYTES),)), ("a",)),
        (Batch((b"a",)), ("a" * bounds.MAX_MANIFEST_BYTES,)),
    ):
        with pytest.raises(UsageError, match="--batch-size"):
            ledger.submit(
                Part(JOB, 0, 0, len(batch)), batch, Manifest(names, (None,) * len(names), {}), WIDE, detached=False
            )
    assert ledger.job(JOB).images == 0


@pytest.mark.usefixtures("job")
def test_a_batch_that_cannot_be_split_is_quarantined_as_a_whole(ledger: Ledger) -> None:
    """The worker may die each time that it splits the batch, for example of its size."""
    verdicts = []
    for attempt in range(ATTEMPTS + SPLIT_ATTEMPTS + 1):
        verdicts.append(claim(ledger, f"t-{attempt}").verdict)
        assert ledger.release(PART, holder="w-1", refund=False)
    assert verdicts == [Verdict.WORK] * ATTEMPTS + [Verdict.SPLIT] * SPLIT_ATTEMPTS + [Verdict.QUARANTINE]


@pytest.mark.usefixtures("job")
def test_handing_a_batch_back_before_it_is_split_counts_no_attempt_to_split(ledger: Ledger) -> None:
    """A worker that is told to stop says nothing about the batch."""
    for attempt in range(ATTEMPTS):
        claim(ledger, f"t-{attempt}")
        ledger.release(PART, holder="w-1", refund=False)
    for attempt in range(2 * SPLIT_ATTEMPTS):
        assert claim(ledger, f"s-{attempt}").verdict is Verdict.SPLIT
        assert ledger.release(PART, holder="w-1", refund=True)


# Nothing without an expiry ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("job")
def test_no_script_makes_a_job_that_has_expired_again(client: "redis.Redis", ledger: Ledger) -> None:
    """It would have no expiry and no record, and stay forever."""
    claimed = claim(ledger)
    client.delete(keys.job(JOB))
    ledger.record_problem(JOB, "x")
    assert not ledger.finish(claimed, answer())
    client.hset(keys.results(JOB), PART.field, "x")
    ledger.acknowledge([PART])
    assert not client.exists(keys.job(JOB), PART.key, keys.results(JOB))


def test_a_fault_of_another_kind_keeps_redis_own_error(client: "redis.Redis", ledger: Ledger) -> None:
    """Only a wrong type says that a key is damaged."""
    client.set("text", "x")
    with pytest.raises(ResponseError, match="not an integer"):
        ledger._redis.incr("text")


@pytest.mark.parametrize("field", ["garbage", "", "-1", "1.5", "\u0661", "9" * 5000, b"\xff"])
def test_what_is_not_a_manifest_of_a_batch_is_left_out(
    ledger: Ledger, client: "redis.Redis", job: str, field: str | bytes
) -> None:
    """The manifests of the job's batches are read all the same."""
    client.hset(keys.manifest(job), field, "x")
    assert list(ledger.manifests(job)) == [0]


def test_a_name_of_a_model_that_is_too_long_is_not_fetched(ledger: Ledger, client: "redis.Redis", job: str) -> None:
    """A worker takes none for it, and does not read it with each claim."""
    client.hset(keys.job(job), "model", b"m" * 2**20)
    assert claim(ledger).model == ""


@pytest.mark.parametrize("fields", [{"more": b"x" * 2**22}, {"x" * 2**22: "more"}, {str(n): n for n in range(200)}])
def test_a_record_that_is_too_large_is_named_and_not_fetched(ledger: Ledger, client, job: str, fields) -> None:
    """The other jobs are listed, and no memory is taken."""
    other = "261125-142502-k7q"
    ledger.create(other, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    client.hset(keys.job(job), mapping=fields)
    client.config_resetstat()
    with pytest.raises(WireError, match="too large"):
        ledger.job(job)
    found = ledger.jobs()
    assert [each.identifier for each in found] == [other]
    assert [each.name for each in found.damaged] == [job]
    assert client.info("stats")["total_net_output_bytes"] < 2**17
