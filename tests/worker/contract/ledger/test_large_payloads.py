"""Facts about payloads that do not pass through scripts: whatever is refused or repeated, none stays or is lost."""

import pytest
import redis
from redis.exceptions import OutOfMemoryError, RedisError

from worker.contract.connection import is_transient
from worker.contract.doorbell import Doorbell
from worker.contract.errors import Unreachable
from worker.contract.ledger import JobRecord, Ledger, Part, Submitted, Verdict, Window, keys
from worker.contract.ledger.ledger import LARGE_BYTES
from worker.contract.ledger.owned import Owner
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.wire import Batch, Manifest

JOB = "261123-142501-k7q"
TOKEN = "a"  # noqa: S105  not a password
PART = Part(JOB, 0, 0, 2)
WIDE = Window(batches=1000, bytes=10**9)
FILES = (bytes(LARGE_BYTES), b"\x01" * LARGE_BYTES)
OTHERS = (b"\x02" * LARGE_BYTES, b"\x03" * LARGE_BYTES)


@pytest.fixture(autouse=True)
def job(ledger: Ledger) -> str:
    """A job that takes batches."""
    ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    return JOB


def submit(
    ledger: Ledger,
    part: Part = PART,
    files: tuple[bytes, ...] = FILES,
    window: Window = WIDE,
    *,
    owner: str = "",
    ask: bool = False,
    doorbell: tuple[str, str] = ("", ""),
) -> Submitted:
    """Submit a batch with a large payload."""
    manifest = Manifest(("a", "b"), (None, None), {})
    return ledger.submit(part, Batch(files), manifest, window, detached=False, owner=owner, ask=ask, doorbell=doorbell)


def claimed(ledger: Ledger, part: Part = PART) -> tuple[bytes, ...]:
    """Claim a part, and return its files."""
    claim = ledger.claim(part, token=TOKEN, holder="w", lease_seconds=60)
    assert claim.verdict is Verdict.WORK
    files = Batch.from_wire(claim.payload).images
    assert isinstance(files, tuple)
    return files


def test_a_large_payload_arrives_and_expires_with_its_batch(client: "redis.Redis", ledger: Ledger) -> None:
    """Its record looks like that of any other batch, so programs of another version read it."""
    assert submit(ledger) is Submitted.STORED
    record = client.hgetall(PART.key)
    assert record[b"payload"] == Batch(FILES).to_wire()
    assert int(record[b"bytes"]) == len(record[b"payload"]) == int(client.hget(keys.job(JOB), "open_bytes") or 0)
    assert 0 < client.pttl(PART.key) <= 3_600_000
    assert claimed(ledger) == FILES


@pytest.mark.parametrize("files", [FILES, (b"a", b"b")], ids=["large", "small"])
def test_the_doorbell_rings_once_for_what_is_stored(
    client: "redis.Redis", ledger: Ledger, files: tuple[bytes, ...]
) -> None:
    """It does not ring for what is refused, is there already, or was only asked about."""
    doorbell = Doorbell.message(PART)
    assert submit(ledger, files=files, owner="b", doorbell=doorbell) is Submitted.FENCED
    assert submit(ledger, files=files, window=Window(0, 10**9), ask=True, doorbell=doorbell) is Submitted.WINDOW_FULL
    assert client.llen(CLASSIFY_QUEUE) == 0
    assert submit(ledger, files=files, doorbell=doorbell) is Submitted.STORED
    assert submit(ledger, files=files, doorbell=doorbell) is Submitted.ALREADY_THERE
    assert client.lrange(CLASSIFY_QUEUE, 0, -1) == [doorbell[1].encode()]
    assert claimed(ledger) == files


def test_a_batch_is_stored_also_where_the_doorbell_cannot_ring(client: "redis.Redis", ledger: Ledger) -> None:
    """Somebody has put something else in the place of its list, which a worker removes."""
    client.set(CLASSIFY_QUEUE, "x")
    assert submit(ledger, doorbell=Doorbell.message(PART)) is Submitted.SILENT
    assert submit(ledger) is Submitted.ALREADY_THERE
    assert client.get(CLASSIFY_QUEUE) == b"x"
    assert claimed(ledger) == FILES


def test_what_is_there_stays_as_it_is(client: "redis.Redis", ledger: Ledger) -> None:
    """Repeating changes nothing, also while a worker has the batch and after it was split or answered."""
    submit(ledger)
    claimed(ledger)
    before = client.hgetall(PART.key)
    assert submit(ledger, files=OTHERS) is Submitted.ALREADY_THERE
    assert client.hgetall(PART.key) == before
    client.delete(PART.key)  # as after an answer or a split
    assert submit(ledger) is Submitted.ALREADY_THERE
    assert not client.exists(PART.key)


@pytest.mark.parametrize(
    ("state", "window", "owner", "outcome"),
    [
        ("submitting", Window(1, 10**9), "", Submitted.WINDOW_FULL),
        ("submitting", Window(1000, 3 * LARGE_BYTES), "", Submitted.WINDOW_FULL),
        ("submitting", WIDE, "a stale token", Submitted.FENCED),
        ("running", WIDE, "", Submitted.NO_SUCH_JOB),
        ("cancelled", WIDE, "", Submitted.NO_SUCH_JOB),
    ],
)
@pytest.mark.parametrize("ask", [False, True])
def test_what_is_refused_leaves_nothing(
    client: "redis.Redis", ledger: Ledger, state: str, window: Window, owner: str, outcome: Submitted, *, ask: bool
) -> None:
    """Neither Redis nor the counters of the job have anything of it."""
    submit(ledger)
    client.hset(keys.job(JOB), "state", state)
    before = client.hgetall(keys.job(JOB))
    second = Part(JOB, 1, 0, 2)
    assert submit(ledger, second, window=window, owner=owner, ask=ask) is outcome
    assert not client.exists(second.key)
    assert client.hgetall(keys.job(JOB)) == before


def test_who_asks_sends_only_what_fits(client: "redis.Redis", ledger: Ledger) -> None:
    """A refused batch costs a few hundred bytes then."""
    window = Window(1, 10**9)
    assert submit(ledger, window=window, ask=True) is Submitted.STORED
    before = client.info("stats")["total_net_input_bytes"]
    assert submit(ledger, Part(JOB, 1, 0, 2), window=window, ask=True) is Submitted.WINDOW_FULL
    assert client.info("stats")["total_net_input_bytes"] - before < 2_000


def test_a_record_in_the_way_is_written_over(client: "redis.Redis", ledger: Ledger) -> None:
    """Redis has lost the manifest, or somebody else wrote the record. The images that are sent count."""
    for harm in (
        lambda: client.hset(PART.key, mapping={"payload": b"?", "lease": 0, "attempts": 3}),
        lambda: client.hset(PART.key, "payload", b"?"),
        lambda: client.set(PART.key, "somebody else's"),
    ):
        client.delete(PART.key, keys.manifest(JOB))
        harm()
        assert submit(ledger) is Submitted.STORED
        assert claimed(ledger) == FILES


def test_redis_need_not_know_the_script(client: "redis.Redis", ledger: Ledger) -> None:
    """It has forgotten all scripts after a restart."""
    client.script_flush()
    assert submit(ledger) is Submitted.STORED
    assert claimed(ledger) == FILES


def test_what_a_client_that_ended_in_the_middle_has_left_is_lost(client: "redis.Redis", ledger: Ledger) -> None:
    """Redis did not know the script, so it has the payload alone. A resumed job stores the batch again."""
    client.hset(PART.key, "payload", Batch(FILES).to_wire())
    owned = ledger.owned(JOB, Owner("", "host-1", "folder"))
    checked = owned.check({0: 2}, sealed=False, rows=2, answered=0, failed=0)
    assert checked.lost == (PART,)
    manifest = Manifest(("a", "b"), (None, None), {}).to_wire()
    assert owned.restore(PART, Batch(FILES), manifest, due_seconds=0, attempts=3)
    assert claimed(ledger) == FILES


def test_a_full_redis_refuses_it_for_now(client: "redis.Redis", ledger: Ledger) -> None:
    """The client tries again, and the message names the remedy."""
    client.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError) as refused:
        submit(ledger)
    assert is_transient(refused.value)
    client.config_set("maxmemory", "1gb")
    assert not client.exists(PART.key)
    assert submit(ledger) is Submitted.STORED


def test_what_redis_refuses_in_a_transaction_is_told_as_it_says_it(client: "redis.Redis", ledger: Ledger) -> None:
    """A retry depends on the words of Redis, which redis-py puts behind the command."""
    client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(RedisError, match=r"^NOREPLICAS") as refused:
            submit(ledger)
    finally:
        client.config_set("min-replicas-to-write", 0)
    assert is_transient(refused.value)
    assert not isinstance(refused.value, Unreachable)


def test_a_payload_that_has_gone_before_it_is_fetched_needs_no_answer(client: "redis.Redis", ledger: Ledger) -> None:
    """Its job was cancelled in between."""

    class Late:
        """A connection on which the record goes before anything is fetched."""

        def __getattr__(self, name: str) -> object:
            if name == "hget":
                client.delete(PART.key)
            return getattr(client, name)

    submit(ledger)
    late = Ledger(Late(), ttl_seconds=3600)  # type: ignore[arg-type]
    assert late.claim(PART, token=TOKEN, holder="w", lease_seconds=60).verdict is Verdict.GONE
