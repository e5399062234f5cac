"""Messages that are lost, garbled or hostile. The ledger is the truth, and a reconciler rings again."""

import base64
import json
import os
import pickle
import signal
import time
import uuid
import zlib
from pathlib import Path

import numpy as np
import pytest

from producer.jobs.order import SubmitOptions
from producer.jobs.submission import create_job
from producer.sources import mnist_source
from worker.contract.doorbell import CLASSIFY, CLASSIFY_QUEUE
from worker.contract.ledger import Part, Submitted, Window
from worker.contract.ledger import keys as ledger_keys
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


def message(body: object, *, task: str = CLASSIFY, raw: bytes | None = None, **headers: str) -> bytes:
    """Return a message as kombu stores it in Redis."""
    content = raw if raw is not None else json.dumps(body).encode()
    return json.dumps(
        {
            "body": base64.b64encode(content).decode(),
            "content-encoding": headers.pop("encoding", "utf-8"),
            "content-type": headers.pop("type", "application/json"),
            "headers": {"lang": "py", "task": task, "id": str(uuid.uuid4()), "argsrepr": "()", "kwargsrepr": "{}"}
            | headers,
            "properties": {
                "delivery_mode": 2,
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": {"exchange": "digitmill", "routing_key": CLASSIFY_QUEUE},
                "body_encoding": "base64",
                "priority": 0,
            },
        }
    ).encode()


def peak_memory(process: int) -> int:
    """Return the peak memory of a process in bytes, or 0 if the process has ended."""
    try:
        [line] = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM")]
    except (OSError, ValueError):
        return 0
    return 1024 * int(line.split()[1])


class Mischief:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.slow
def test_garbage_in_the_queue_costs_no_image_and_executes_nothing(
    start_mill, digits, begin_job, undisturbed, check, tmp_path, eventually
):
    """The queue holds unknown tasks, pickles, compression bombs and plain garbage. A job beside them is answered."""
    bomb = zlib.compress(bytes(400_000_000), 1)
    traces = tmp_path / "executed"
    hostile = [
        message([[], {"version": 99, "part": "x/0.0.1"}, {}]),
        message([[], {"version": 1, "part": "no part"}, {}]),
        message([[], {"version": 1}, {}]),
        message([["surplus"], {"version": 1, "part": "x/0.0.1", "more": 1}, {}]),
        message([[], {}, {}], task="no.such.task"),
        message("not a task's body"),
        message(
            None,
            raw=pickle.dumps(([], {"part": Mischief(str(traces))}, {})),
            type="application/x-python-serialize",
            encoding="binary",
        ),
        message(None, raw=bomb, compression="application/x-gzip"),
        b"garbage",
        b"{}",
    ]
    with start_mill(2) as mill:
        peak = 0
        for one in hostile:
            mill.connection.client.lpush(CLASSIFY_QUEUE, one)
            time.sleep(0.2)
            peak = max(peak, *(peak_memory(process) for process in mill.stack.supervisor.processes().values()))
        job = begin_job(mill, mnist_source(digits.images[:360], digits.labels[:360], repeat=10))
        check(job.result(timeout=60), np.tile(undisturbed[:360], 10))
        eventually(lambda: mill.connection.client.llen(CLASSIFY_QUEUE) == 0, what="an empty queue")
        assert not traces.exists()
        assert "Its body is not that of a doorbell" in mill.worker_logs(), "no worker may end because of such a message"
        assert 0 < peak < 200 * 2**20
        # The mill goes on: it answers another job after all that.
        after = begin_job(mill, mnist_source(digits.images[:360], digits.labels[:360]))
        check(after.result(timeout=60), undisturbed[:360])
