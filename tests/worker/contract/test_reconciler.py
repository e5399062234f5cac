"""Facts about the reconciler: it rings again for overdue parts, and does not ring too often."""

import time

import pytest

from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.ledger import JobRecord, Part, Window, keys
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.reconciler import INTERVAL_SECONDS, LONG_OVERDUE_SECONDS, Reconciler
from worker.contract.wire import Batch, Manifest

JOB = "261123-142501-k7q"


@pytest.fixture
def now():
    """The time of the reconciler's clock, in a list so that a test can change it."""
    return [1000.0]


@pytest.fixture
def reconciler(server, client, ledger, now):
    """A reconciler of a job with two batches."""
    ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
    for sequence in range(2):
        manifest = Manifest((str(sequence),), (None,), {})
        part = Part(JOB, sequence, 0, 1)
        ledger.submit(part, Batch((b"file",)), manifest, Window(10, 10**6), detached=False)
    doorbell = Doorbell(connect(server.url))
    return Reconciler(client, ledger, doorbell, clock=lambda: now[0])


def make_overdue(client, sequence, seconds=1.0):
    """Make a batch overdue by a number of seconds."""
    client.zadd(keys.OPEN, {Part(JOB, sequence, 0, 1).member: (time.time() - seconds) * 1000})


def test_it_rings_once_an_interval_for_what_is_overdue(reconciler, client, now):
    """A batch that is not overdue is left alone, and a second tick within the interval does nothing."""
    assert reconciler.tick() == 0
    make_overdue(client, 1)
    assert reconciler.tick() == 0, "too early"
    now[0] += INTERVAL_SECONDS
    assert reconciler.tick() == 1
    assert client.llen(CLASSIFY_QUEUE) == 1


def test_while_doorbells_wait_it_rings_only_for_what_is_long_overdue(reconciler, client):
    """Workers are busy then, and more doorbells would only lengthen their queue."""
    client.lpush(CLASSIFY_QUEUE, "a doorbell")
    make_overdue(client, 0)
    make_overdue(client, 1, LONG_OVERDUE_SECONDS + 1)
    assert reconciler.tick() == 1
    assert client.llen(CLASSIFY_QUEUE) == 2


@pytest.mark.parametrize("key", [keys.OPEN, Part(JOB, 0, 0, 1).key, CLASSIFY_QUEUE])
def test_a_key_of_another_type_does_not_end_it(reconciler, client, now, key):
    """It runs in a thread that also renews leases. It goes on with what is left."""
    client.delete(key)
    client.set(key, "somebody else's")
    reconciler.tick()
    client.delete(CLASSIFY_QUEUE)
    now[0] += INTERVAL_SECONDS
    make_overdue(client, 1)
    assert reconciler.tick() == 1


def test_what_is_not_a_part_neither_ends_it_nor_rings(reconciler, client, now):
    """Somebody may have written anything into the queue."""
    client.zadd(keys.OPEN, {"x": 0, "a/0.5.1": 0, b"\xff": 0, "../../x/0.0.1": 0})
    make_overdue(client, 1)
    assert reconciler.tick() == 1
    now[0] += INTERVAL_SECONDS
    assert client.zcard(keys.OPEN) == 2
