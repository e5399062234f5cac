"""Facts about a clock of Redis that is set back: what it says of the future holds nobody up.

Redis' clock cannot be moved here, so each test writes what a Redis an hour ahead would have written.
"""

from collections.abc import Callable

import numpy as np
import pytest
import redis

from tests.support.answering import seal
from worker.contract.ledger import Claim, JobRecord, JobState, Ledger, Part, Verdict, Window, keys
from worker.contract.ledger.ledger import RING_AGAIN_SECONDS
from worker.contract.liveness import alive
from worker.contract.wire import Batch, Manifest, Result

JOB = "261125-142501-k7q"
HOUR_MS = 3_600_000
LEASE = 10.0
PART = Part(JOB, 0, 0, 2)


@pytest.fixture
def batch(ledger: Ledger) -> None:
    """A job with one batch of two images."""
    ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    ledger.submit(PART, Batch((b"a", b"b")), Manifest(("a", "b"), (None, None), {}), Window(10, 10**6), detached=False)


def claim(ledger: Ledger, token: str, *, holder: str) -> Claim:
    """Claim the batch."""
    return ledger.claim(PART, token=token, holder=holder, lease_seconds=LEASE)


def set_clock_back(client: "redis.Redis", milliseconds: int = HOUR_MS) -> None:
    """Make what the ledger knows of its batch as old as if the clock was set back since."""
    for field in ("lease", "granted"):
        if client.hget(PART.key, field) not in (None, b"0"):
            client.hincrby(PART.key, field, milliseconds)
    client.zincrby(keys.OPEN, milliseconds, PART.member)


def make_due(client: "redis.Redis", ledger: Ledger) -> list[Part]:
    """Ask for overdue parts twice, as a reconciler does: once now, and once when what is due soon is due."""
    now = ledger.due()
    later = float(client.zscore(keys.OPEN, PART.member) or 0) - RING_AGAIN_SECONDS * 1000 - 1
    if later <= ledger.now() * 1000:
        client.zadd(keys.OPEN, {PART.member: later})
    return now + ledger.due()


@pytest.mark.usefixtures("batch")
def test_the_batch_of_a_dead_worker_is_found_within_seconds_after_the_clock_went_back(
    client: "redis.Redis", ledger: Ledger
) -> None:
    """Its lease ends in an hour, and so does its place in the queue. Neither is believed."""
    claim(ledger, "a", holder="dead-1")
    set_clock_back(client)
    assert make_due(client, ledger) == [PART]
    assert claim(ledger, "b", holder="w-2").verdict is Verdict.WORK


@pytest.mark.usefixtures("batch")
def test_a_batch_that_nobody_claimed_is_found_after_the_clock_went_back(client: "redis.Redis", ledger: Ledger) -> None:
    """Its doorbell may be lost, and it would be due in an hour."""
    set_clock_back(client)
    assert make_due(client, ledger) == [PART]


@pytest.mark.usefixtures("batch")
def test_a_live_worker_keeps_its_batch_when_the_clock_goes_back(client: "redis.Redis", ledger: Ledger) -> None:
    """It renews its lease within a second. By then nobody has been told of the batch."""
    held = claim(ledger, "a", holder="w-1")
    set_clock_back(client)
    assert ledger.due() == [], "it is due soon, and not at once"
    assert ledger.renew(PART, holder="w-1", lease_seconds=LEASE)
    assert make_due(client, ledger) == []
    assert claim(ledger, "b", holder="w-2").verdict is Verdict.BUSY
    digits = np.zeros(2, np.uint8)
    assert ledger.finish(held, Result("m", "w-1", digits, digits.astype(np.float32), None, {}))
    assert seal(ledger, JOB) is JobState.DONE


@pytest.mark.usefixtures("batch")
def test_a_small_step_of_the_clock_changes_nothing(client: "redis.Redis", ledger: Ledger) -> None:
    """Clocks are corrected by fractions of a second all the time."""
    claim(ledger, "a", holder="w-1")
    set_clock_back(client, 500)
    assert claim(ledger, "b", holder="w-2").verdict is Verdict.BUSY


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize(("ahead_ms", "verdict"), [(60_000, Verdict.BUSY), (HOUR_MS + 60_000, Verdict.WORK)])
def test_a_lease_of_version_0_1_0_holds_for_an_hour_at_most(
    client: "redis.Redis", ledger: Ledger, ahead_ms: int, verdict: Verdict
) -> None:
    """That version did not record when it granted a lease."""
    claim(ledger, "a", holder="old-1")
    client.hdel(PART.key, "granted")
    client.hset(PART.key, "lease", int(ledger.now() * 1000) + ahead_ms)
    assert claim(ledger, "b", holder="w-2").verdict is verdict


@pytest.mark.usefixtures("batch")
def test_a_lease_of_version_0_1_0_over_one_of_this_version_holds(client: "redis.Redis", ledger: Ledger) -> None:
    """The old worker leaves the time of an earlier grant as it is, which says nothing about its own."""
    claim(ledger, "a", holder="w-1")
    client.hincrby(PART.key, "granted", -120_000)
    client.hset(PART.key, "lease", int(ledger.now() * 1000) + 60_000)
    assert claim(ledger, "b", holder="w-2").verdict is Verdict.BUSY


def test_many_long_leases_do_not_hide_the_one_from_the_future(
    client: "redis.Redis", ledger: Ledger, eventually: Callable[..., object]
) -> None:
    """Each call looks at some of the parts that are due late, and the next call at others."""
    ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    for sequence in range(30):
        part = Part(JOB, sequence, 0, 1)
        manifest = Manifest(("a",), (None,), {})
        ledger.submit(part, Batch((b"a",)), manifest, Window(100, 10**6), detached=False)
        ledger.claim(part, token=str(sequence), holder="w-1", lease_seconds=600 + sequence)
    stale = Part(JOB, 7, 0, 1)
    client.hincrby(stale.key, "granted", HOUR_MS)

    def is_found() -> bool:
        ledger.due(at_most=10)
        return float(client.zscore(keys.OPEN, stale.member) or 0) < ledger.now() * 1000 + 10_000

    eventually(is_found, what="the part is due soon")


def test_a_heartbeat_from_the_future_is_that_of_a_dead_process(client: "redis.Redis", ledger: Ledger) -> None:
    """It was sent before the clock went back, and its record would stay for an hour."""
    ledger.announce("w-1", {"ready": 1}, ttl_seconds=60)
    ledger.announce("w-2", {"ready": 1}, ttl_seconds=60)
    ahead = ledger.now() * 1000 + HOUR_MS
    client.hset(keys.worker("w-1"), "seen", ahead / 1000)
    client.zadd(keys.WORKERS, {"w-1": ahead})
    assert [worker.name for worker in ledger.workers()] == ["w-2"]
    assert alive(client, keys.WORKERS) == ["w-2"]
    ledger.announce("w-2", {"ready": 1}, ttl_seconds=60)
    assert client.zrange(keys.WORKERS, 0, -1) == [b"w-2"], "the name of the dead one is forgotten"
