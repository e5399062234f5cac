"""Facts about what somebody sees who looks at a mill."""

import logging

import pytest

from model.errors import Failure, FailureCode
from tests.support.users import add_users, url_for
from worker.contract.connection import connect
from worker.contract.errors import WireError
from worker.contract.lane import CallKind, Lane
from worker.contract.ledger import JobRecord, Part, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.liveness import ALIVE_SECONDS, GONE_SECONDS
from worker.contract.observation import (
    ErrorLog,
    Incident,
    Incidents,
    ProcessReports,
    RecentAnswers,
    RecentCounts,
    ServerState,
    depth,
    keys,
    observe,
    queue_depth,
)
from worker.contract.observation.recent import SPAN_SECONDS, SPANS_KEPT
from worker.contract.users import RedisUser
from worker.contract.wire import Batch, Manifest, Result

BROKEN = Failure(FailureCode.BROKEN, "The file is cut off.")
WINDOW = Window(99, 10**6)


def submit(ledger, number, *, images=3):
    """Submit a job with so many batches, and return its parts."""
    ledger.create("job", JobRecord("scans/", "live", "host-1", {}, ""))
    parts = [Part("job", sequence, 0, images) for sequence in range(number)]
    for part in parts:
        ledger.submit(
            part, Batch((b"x",) * images), Manifest(("a",) * images, (None,) * images, {}), WINDOW, detached=True
        )
    return parts


def claim(ledger, part):
    """Claim a part as a worker does."""
    return ledger.claim(part, token=part.field, holder="w1", lease_seconds=60)


def test_batches_are_counted_by_state(client, ledger):
    """A batch waits, then a worker has it in hand, then its answers wait for a client."""
    parts = submit(ledger, 4)
    claims = [claim(ledger, part) for part in parts[:2]]
    ledger.finish(claims[0], Result.failed(3, BROKEN, worker="w1"))
    client.hincrby(parts[2].key, "submitted", -90_000)
    Lane(client).send(CallKind.FILES, b"a call")
    found = queue_depth(client)
    assert (found.waiting, found.waiting_images) == (2, 6)
    assert (found.leased, found.leased_images) == (1, 3)
    assert (found.unacknowledged, found.running_jobs, found.jobs) == (1, 1, 1)
    assert 90 <= found.oldest_seconds < 150
    assert found.calls == {"arrays": 0, "files": 1}
    assert found.complete


def test_a_part_is_as_old_as_the_batch_that_it_was_split_from(client, ledger):
    """So splitting does not hide how long images have waited."""
    [part] = submit(ledger, 1)
    client.hincrby(part.key, "submitted", -90_000)
    assert len(ledger.split(claim(ledger, part), Batch((b"x",) * 3))) == 2
    assert queue_depth(client).oldest_seconds >= 90


def test_a_batch_of_an_older_client_has_no_age(client, ledger):
    """Clients before this version did not record when they submitted it."""
    [part] = submit(ledger, 1)
    client.hdel(part.key, "submitted")
    found = queue_depth(client)
    assert (found.waiting, found.oldest_seconds) == (1, 0)


def test_a_look_at_a_huge_queue_is_bounded(client, ledger, monkeypatch):
    """It examines the most overdue batches and those that workers have in hand, and extrapolates."""
    monkeypatch.setattr(depth, "MAX_PARTS", 4)
    parts = submit(ledger, 10)
    client.hincrby(parts[0].key, "submitted", -90_000)
    claim(ledger, parts[5])
    found = queue_depth(client)
    assert (found.waiting, found.waiting_images, found.leased) == (9, 27, 1)
    assert found.oldest_seconds >= 90
    assert not found.complete


def test_answers_are_counted_by_the_minute_and_the_hour(client):
    """Rates and failures are those of the last minute and hour. What is older is dropped when somebody counts."""
    counts, answers = RecentCounts(client), RecentAnswers()
    seconds, _ = client.time()
    span = seconds // SPAN_SECONDS
    client.hset(keys.RECENT, mapping={f"{span - 60}:images": 500, f"{span - SPANS_KEPT}:images": 7, "damaged": 1})
    answers.add(100, [])
    answers.add(20, [BROKEN, BROKEN, Failure(FailureCode.QUARANTINED, "…")])
    answers.report(counts)
    answers.report(counts)
    minute, hour = counts.read(client.time()[0])
    assert (minute.images, minute.failed, hour.images) == (120, 3, 620)
    assert minute.failures == {"broken": 2, "quarantined": 1}
    assert 60 <= minute.seconds < 60 + 2 * SPAN_SECONDS
    assert minute.rate == 120 / minute.seconds
    assert {field.decode().partition(":")[2] for field in client.hkeys(keys.RECENT)} == {
        "images",
        "broken",
        "quarantined",
    }
    assert client.hget(keys.RECENT, f"{span - SPANS_KEPT}:images") is None
    assert client.ttl(keys.RECENT) <= SPANS_KEPT * SPAN_SECONDS


def test_the_last_error_of_a_process_becomes_an_incident(client):
    """Not more than one a second, however many are logged, and none of the parent's in a forked process."""
    errors, now = ErrorLog(), [0.0]
    log = logging.getLogger("tests.observation")
    log.addHandler(errors)
    log.propagate = False
    log.error("from the parent")
    reports = ProcessReports(client, RecentAnswers(), errors, name="w-1", clock=lambda: now[0])
    for text in ("first", "second\nline\x1b[2J"):
        log.error(text)
    log.warning("not an error")
    reports.send()
    log.error("too soon")
    reports.send()
    [found] = Incidents(client).latest()
    assert (found.process, found.what) == ("w-1", "second\\nline\\x1b[2J")
    now[0] = 2.0
    reports.send()
    assert [each.what for each in Incidents(client).latest(1)] == ["too soon"]


def test_damaged_records_are_named_and_hide_nothing(client, ledger):
    """Somebody wrote over each key that a look reads. The rest is still there."""
    ledger.announce("healthy-1", {"ready": 1}, ttl_seconds=9)
    Incidents(client).record(Incident(1.0, "w-1", "It failed.", ended=True))
    client.lpush(keys.INCIDENTS, "{", '{"at": 1e999, "process": "w-1", "what": ""}')
    client.set(keys.RECENT, "somebody else's")
    client.set(ledger_keys.OPEN, "somebody else's")
    found = observe(client)
    assert [worker.name for worker in found.workers] == ["healthy-1"]
    assert [each.what for each in found.incidents] == ["It failed."]
    assert (found.queue, found.minute, found.hour) == (None, None, None)
    said = " ".join(each.problem for each in found.damaged)
    assert f"redis-cli DEL {keys.RECENT}" in said
    assert f"redis-cli DEL {ledger_keys.OPEN}" in said
    assert f"redis-cli DEL {keys.INCIDENTS}" in said
    client.delete(keys.RECENT)
    client.hset(keys.RECENT, f"{client.time()[0] // SPAN_SECONDS}:images", "-1")
    with pytest.raises(WireError, match="clears it"):
        RecentCounts(client).read(client.time()[0])


def test_redis_says_how_it_stands(client):
    """The figures are those of the server itself."""
    client.config_set("maxmemory", "1gb")
    state = observe(client).server
    assert state.version == str(client.info("server").get("valkey_version") or client.info("server")["redis_version"])
    assert 0 < state.memory_share < 0.1
    assert (state.policy, state.append_only, state.append_only_ok, state.snapshot_ok) == (
        "noeviction",
        True,
        True,
        True,
    )
    assert (state.role, state.replicas, state.replication_lag_seconds) == ("master", 0, None)
    broken = ServerState.from_info(
        {"aof_last_bgrewrite_status": "err", "connected_slaves": 2, "slave0": {"lag": 1}, "slave1": {"lag": 7}}, now=1.0
    )
    assert not broken.append_only_ok
    assert broken.replication_lag_seconds == 7


def test_a_submitter_may_look(server, client, ledger):
    """Whoever may submit may see all of it; only workers count and report."""
    submit(ledger, 1)
    add_users(client)
    submitter, worker = (connect(url_for(server.url, user)) for user in (RedisUser.SUBMITTER, RedisUser.WORKER))
    answers = RecentAnswers()
    answers.add(5, [BROKEN])
    answers.report(RecentCounts(worker))
    Incidents(worker).record(Incident(1.0, "w-1", "It failed."))
    found = observe(submitter)
    assert found.queue
    assert found.minute
    assert (found.queue.waiting, found.minute.images, len(found.incidents)) == (1, 5, 1)
    assert found.damaged == ()


def test_a_worker_that_says_nothing_is_silent_and_then_gone(client, ledger):
    """After ten seconds nobody shows it, and after five nobody counts on it."""
    ledger.announce("w-1", {"ready": 1}, ttl_seconds=ALIVE_SECONDS)
    assert ALIVE_SECONDS < client.pttl(ledger_keys.worker("w-1")) / 1000 <= GONE_SECONDS
    client.hincrbyfloat(ledger_keys.worker("w-1"), "alive_until", -6)
    assert ledger.workers() == []
    assert [worker.name for worker in ledger.workers(silent=True)] == ["w-1"]
