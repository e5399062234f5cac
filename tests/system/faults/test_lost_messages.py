"""Messages that are lost, garbled or hostile. The ledger is the truth, and a reconciler rings again."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import redis

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job
from producer.sources import mnist_source
from tests.support.garbage import doorbell, harmless, refused
from worker.contract.ledger import Part, Submitted, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.reconciler import INTERVAL_SECONDS, Reconciler
from worker.contract.wire import Batch, Manifest, Result


def lose_a_doorbell(mill, digits, eventually) -> Part:
    """Lose the doorbell of a batch, and make the batch overdue.

    An idle worker is frozen while Redis hands it the message, and then killed. Its message is lost with it.

    Returns:
        The part that nobody knows of, except the ledger.
    """
    connection = mill.connection
    job = create_job(connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    part = Part(job, 0, 0, 8)
    worker = mill.stack.supervisor.processes()["worker-1"]
    time.sleep(0.3)  # idle, in the middle of a BRPOP
    os.kill(worker, signal.SIGSTOP)
    manifest = Manifest(tuple(map(str, range(8))), (None,) * 8, {})
    stored = connection.ledger.submit(part, Batch(digits.images[:8]), manifest, Window(8, 1 << 20), detached=False)
    assert stored is Submitted.STORED
    assert connection.doorbell.ring(part)
    eventually(lambda: connection.client.llen(CLASSIFY_QUEUE) == 0, what="the message to be popped")
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: mill.stack.supervisor.processes().get("worker-1", worker) != worker, what="another worker")
    connection.client.zadd(ledger_keys.OPEN, {part.member: 0})
    return part


@pytest.mark.slow
def test_a_message_lost_with_an_idle_worker_is_rung_again(start_mill, digits, undisturbed, eventually):
    """Celery on Redis loses messages at this moment. That costs a few seconds and nothing else."""
    with start_mill(1) as mill:
        part = lose_a_doorbell(mill, digits, eventually)
        ledger = mill.connection.ledger
        eventually(lambda: part in ledger.answered_parts(part.job), seconds=15, what="the answer")
        np.testing.assert_array_equal(Result.from_wire(ledger.results([part])[part]).digits, undisturbed[:8])


@pytest.mark.slow
def test_without_a_reconciler_the_same_message_is_lost(start_mill, digits, eventually):
    """The negative control: only the reconciler rings again. One tick of it is enough."""
    with start_mill(1, DIGITMILL_RECONCILE="0") as mill:
        part = lose_a_doorbell(mill, digits, eventually)
        connection = mill.connection
        ready = eventually(lambda: [worker for worker in connection.ledger.workers() if worker.ready])
        assert ready
        time.sleep(3 * INTERVAL_SECONDS)  # a reconciler would have rung several times
        assert connection.ledger.answered_parts(part.job) == set()
        assert Reconciler(connection.client, connection.ledger, connection.doorbell).tick() == 1
        eventually(lambda: part in connection.ledger.answered_parts(part.job), what="the answer")


def peak_memory(process: int) -> int:
    """Return the peak memory of a process in bytes, or 0 if the process has ended."""
    try:
        [line] = [
            line
            for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
            if line.startswith("VmHWM")
        ]
    except (OSError, ValueError):
        return 0
    return 1024 * int(line.split()[1])


@pytest.mark.slow
def test_garbage_in_the_queue_costs_no_image_and_no_process(
    start_mill, digits, begin_job, undisturbed, check, eventually
):
    """Hundreds of kinds of it, and what kombu would believe. Nothing of it is sent on, executed or kept in memory."""
    with start_mill(1, installed=True) as mill:
        client, [before] = mill.connection.client, mill.connection.ledger.workers()
        planted = {"1": "garbage", "2": json.dumps([doorbell(), "elsewhere", "elsewhere"])}
        client.hset("unacked", mapping=planted)
        client.zadd("unacked_index", dict.fromkeys(planted, 0))
        client.set("_kombu.binding.digitmill", "garbage")
        keys = set(client.scan_iter())
        for raw in (*refused().values(), *harmless().values()):
            client.lpush(CLASSIFY_QUEUE, raw)
        # A busy machine needs a while to take this.
        redis.Redis.from_url(mill.stack.url, socket_timeout=60).lpush(CLASSIFY_QUEUE, bytes(100 * 2**20))
        job = begin_job(mill, mnist_source(digits.images[:360], digits.labels[:360], repeat=10))
        check(job.result(timeout=60), np.tile(undisturbed[:360], 10))
        eventually(lambda: client.llen(CLASSIFY_QUEUE) == 0, what="an empty queue")
        client.hset(CLASSIFY_QUEUE, "a", "hash")
        eventually(lambda: not client.exists(CLASSIFY_QUEUE), what="the removal of what is not a queue")
        after = begin_job(mill, mnist_source(digits.images[:360], digits.labels[:360]))
        check(after.result(timeout=60), undisturbed[:360])
        [now] = mill.connection.ledger.workers()
        assert (now.name, now.process, now.started) == (before.name, before.process, before.started)
        assert 0 < peak_memory(int(now.name.rpartition("-")[2])) < 2e8
        assert 0 < peak_memory(now.process) < 2e8
        new = {key for key in client.scan_iter() if not key.startswith(b"digitmill:")} - keys
        assert new == set(), "nothing may be sent elsewhere"
        assert client.hlen("unacked") == 2
        assert not Path("/tmp/digitmill-was-executed").exists()  # noqa: S108  see `Mischief`
        logs = mill.worker_logs()
        assert 1 <= logs.count("that digitmill did not send") < 20
        assert "removed a hash from Redis" in logs
        assert "Traceback" not in logs
