"""What Celery's own tools cost a worker: the events of a batch, as a share of classifying that batch.

    python benchmarks/celery_tools.py
    python benchmarks/celery_tools.py --mills [--pairs 30] [--repeat 6] [--same]

A worker with DIGITMILL_CELERY_TOOLS sends three events for each batch to a real server, which passes them on to a
subscriber. What counts is the CPU time of the worker and of the server. Celery's own dispatcher is measured beside it.

With `--mills`, two whole mills with a worker each stand side by side, one with DIGITMILL_CELERY_TOOLS and one without,
and somebody listens to the events, as Flower does. They answer the same jobs in turn, and each pair of jobs gives a
ratio of their images per second and of the CPU time of their workers and servers. With `--same`, neither mill has the
setting: what the ratios are then is noise.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import psutil
from celery.events.dispatcher import EventDispatcher
from inputs import read_digits_or_samples
from machine import commit, processor
from redis.exceptions import RedisError

from model.inference.classifier import Classifier
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from producer.sources import Source, mnist_source
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
    with contextlib.suppress(RedisError, ValueError):  # the server ends first, and redis-py may then read on
        for _ in subscriber.listen():
            pass


def _listen(server: Any) -> None:
    """Subscribe to the events of a mill, and read them in a thread."""
    subscriber = server.pubsub()
    subscriber.psubscribe("/0.celeryev/*")
    threading.Thread(target=_read, args=[subscriber], daemon=True).start()


class Measured(NamedTuple):
    """What one job of a mill took."""

    rate: float  # images per second
    seconds: float  # CPU time of an image, of worker and server together


class MeasuredMill(AbstractContextManager["MeasuredMill"]):
    """A mill with one worker.

    Args:
        folder: Folder of all that it keeps.
        tools: Whether Celery's tools see its worker, and somebody listens to its events.
    """

    def __init__(self, folder: Path, *, tools: bool) -> None:
        self._settings = replace(Settings.from_environment(), data=folder, redis_url=None)
        self._stack = Stack(folder / "mill", 1, environment={"DIGITMILL_CELERY_TOOLS": str(int(tools))})
        self._tools = tools

    def __enter__(self) -> Self:
        self._stack.__enter__()
        self._connection = open_mill(self._stack.url, self._settings)
        if not await_workers(self._connection, self._stack):
            sys.exit("the worker is not ready, so the figures would mean nothing")
        if self._tools:
            _listen(connect(self._stack.url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def measure(self, source: Source) -> Measured:
        """Answer a job. Exit if any image fails."""
        before, options = self._cpu_seconds(), SubmitOptions(path="benchmark")
        job = create_job(self._connection, options, source.description, self._settings, detached=False)
        finished = gather_job(self._connection, job, options, source, self._settings)
        if finished.results.failures:
            sys.exit(f"{len(finished.results.failures)} images failed, so the figures would mean nothing")
        count = len(finished.results)
        return Measured(count / finished.info.seconds, (self._cpu_seconds() - before) / count)

    def _cpu_seconds(self) -> float:
        programs = [psutil.Process(number) for number in self._stack.supervisor.processes().values()]
        processes = [each for program in programs for each in (program, *program.children(recursive=True))]
        return sum(sum(process.cpu_times()[:2]) for process in processes)


def compare_mills(pairs: int, repeat: int, *, same: bool) -> None:
    """Print the medians of both mills, and those of the ratios of each pair of jobs with their middle halves."""
    test = read_digits_or_samples()
    source = mnist_source(test.images, test.labels, repeat=repeat)
    found: dict[bool, list[Measured]] = {False: [], True: []}
    with (
        tempfile.TemporaryDirectory(prefix="digitmill-bench-") as folder,
        MeasuredMill(Path(folder) / "without", tools=False) as without,
        MeasuredMill(Path(folder) / "with", tools=not same) as with_tools,
    ):
        mills = {False: without, True: with_tools}
        for mill in mills.values():
            mill.measure(source)  # the first job of a worker takes longer
        for pair in range(pairs):
            for tools in (False, True) if pair % 2 else (True, False):
                found[tools].append(mills[tools].measure(source))
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {pairs} pairs of {source.total:,} images\n")
    print("                     without       with   with/without (middle half)")
    units: tuple[tuple[str, Callable[[Measured], float]], ...] = (
        ("images/s", lambda each: each.rate),
        ("CPU µs of an image", lambda each: 1e6 * each.seconds),
    )
    for unit, read in units:
        off, on = ([read(each) for each in found[tools]] for tools in (False, True))
        low, middle, high = statistics.quantiles([b / a for a, b in zip(off, on, strict=True)], n=4)
        medians = f"{statistics.median(off):>10,.1f} {statistics.median(on):>10,.1f}"
        print(f"{unit:<18}{medians}   {middle:.4f} ({low:.4f} to {high:.4f})")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mills", action="store_true", help="compare two whole mills")
    parser.add_argument("--pairs", type=int, default=30, help="pairs of jobs of the two mills (default 30)")
    parser.add_argument("--repeat", type=int, default=6, help="times that a job has MNIST's test images (default 6)")
    parser.add_argument("--same", action="store_true", help="let neither mill have the setting, to measure the noise")
    arguments = parser.parse_args()
    if arguments.mills:
        compare_mills(arguments.pairs, arguments.repeat, same=arguments.same)
    else:
        compare_events()


def compare_events() -> None:
    """Print a row for each size of a batch: medians of rounds in which each is measured once."""
    classifier, digits = Classifier.baseline(), read_digits_or_samples().images
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as folder, Stack(Path(folder), 0) as stack:
        server, app = connect(stack.url), make_app(stack.url, Settings.from_environment({}))
        serve_tools(app)
        _listen(server)
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
