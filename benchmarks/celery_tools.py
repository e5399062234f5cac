"""What Celery's own tools cost a worker: the events of a batch, as a share of classifying that batch.

    python benchmarks/celery_tools.py

A worker with DIGITMILL_CELERY_TOOLS sends three events for each batch to a real server, which passes them on to a
subscriber. What counts is the CPU time of the worker and of the server. Celery's own dispatcher is measured beside it.
"""

import contextlib
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from celery.events.dispatcher import EventDispatcher
from inputs import read_digits_or_samples
from redis.exceptions import RedisError

from model.inference.classifier import Classifier
from producer.mill.stack import Stack
from worker.contract.broker.application import make_app
from worker.contract.broker.tools import serve_tools
from worker.contract.connection import connect
from worker.contract.queues import CLASSIFY
from worker.settings import Settings

ROUNDS = 7
BATCHES = 300


def send_events(dispatcher: Any) -> None:
    """Send the events of one batch, with the fields that Celery gives them."""
    identifier = str(uuid.uuid4())
    words = "{'version': 1, 'part': '261126-130910-fe3gg8sy/14.0.16'}"
    dispatcher.send(
        "task-received",
        uuid=identifier,
        name=CLASSIFY,
        args="()",
        kwargs=words,
        root_id=identifier,
        parent_id=None,
        retries=0,
        eta=None,
        expires=None,
    )
    dispatcher.send("task-started", uuid=identifier)
    dispatcher.send("task-succeeded", uuid=identifier, result="None", runtime=0.0073)


def send_at_once(dispatcher: Any) -> None:
    """Send the events of one batch as Celery's own dispatcher does: those of each turn of its loop together."""
    send_events(dispatcher)
    dispatcher.flush()


def cpu_seconds(act: Callable[[], object], number: int, server: Any) -> float:
    """Return the CPU time that one call takes in this thread and in the server, in seconds."""
    began, before = time.thread_time(), _server_seconds(server)
    for _ in range(number):
        act()
    return (time.thread_time() - began + _server_seconds(server) - before) / number


def _server_seconds(server: Any) -> float:
    used = server.info("cpu")
    return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])


def _read(subscriber: Any) -> None:
    with contextlib.suppress(RedisError):  # the server ends first
        for _ in subscriber.listen():
            pass


def main() -> None:
    """Print a row for each size of a batch: medians of rounds in which each is measured once."""
    classifier, digits = Classifier.baseline(), read_digits_or_samples().images
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as folder, Stack(Path(folder), 0) as stack:
        server, app = connect(stack.url), make_app(stack.url, Settings.from_environment({}))
        serve_tools(app)
        subscriber: Any = server.pubsub()  # type: ignore[no-untyped-call]
        subscriber.psubscribe("/0.celeryev/*")
        threading.Thread(target=_read, args=[subscriber], daemon=True).start()
        print("images  classify µs   sending µs  share  by Celery µs  share")
        for size in (256, 1000):
            images = np.resize(digits, (size, 28, 28))
            ours, theirs = (
                make(app.connection_for_write(), hostname="digitmill@host-1", buffer_group=["task"])
                for make in (app.events.Dispatcher, partial(EventDispatcher, app=app))
            )
            acts: dict[str, tuple[Callable[[], object], int]] = {
                "classify": (partial(classifier.classify, images), 30_000 // size),
                "ours": (partial(send_events, ours), BATCHES),
                "Celery's": (partial(send_at_once, theirs), BATCHES),
            }
            found: dict[str, list[float]] = {name: [] for name in acts}
            for _ in range(ROUNDS):
                for name, (act, number) in acts.items():
                    found[name].append(1e6 * cpu_seconds(act, number, server))
            work, mine, celery = (statistics.median(found[name]) for name in acts)
            print(f"{size:6} {work:12.0f} {mine:11.1f} {mine / work:6.2%} {celery:12.1f} {celery / work:6.2%}")


if __name__ == "__main__":
    main()
