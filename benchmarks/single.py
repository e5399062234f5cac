"""Measure single images through a running mill: one at a time, a thousand outstanding, and beside jobs.

    python benchmarks/single.py [--cores 2] [--calls 2000] [--seconds 20] [--without-jobs] [--costs] [--peer mosec]

All lines are of one run on the same cores. The ceilings are of the same model without a queue, in this process.

- one at a time: The time from `Client.classify` to its return, of arrays and of PNG files of 28×28.
- outstanding: Answers per second of one client process, while 1,000 images are outstanding.
- peers: With `--peer`, arrays through a server of another kind that has the same model, over HTTP: one at a time over
  one connection, and over 64 connections. Peer and client are measured in turn. A peer does not have a queue.
- a call takes: Processor time of client, workers and Redis for each of 200 images a second, beyond what they take
  without any; alone, and as it is while workers classify jobs, because images then share messages. And what an idle
  worker takes.
- beside jobs: 200 images a second, at times that do not depend on the answers, beside three jobs. The time of each runs
  from when it was due. What the jobs lose is measured in turn: their images/s for some seconds with these images, and
  for as long without. The jobs are raw (MNIST's test images again and again), or scans (A4, 150 dots per inch).
"""

import argparse
import asyncio
import contextlib
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from http_load import http, load
from inputs import options, read_digits_or_samples
from machine import commit, processor
from numpy.typing import NDArray
from peers.environment import BATCHING, running_peer
from PIL import Image
from preprocess import drawing

from model.inference.classifier import Classifier
from producer.calls.client import Client
from producer.calls.images import InputImage
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from producer.sources import Source, mnist_source, open_source
from worker.settings import Settings

OUTSTANDING = 1000
ROUNDS = 3
JOBS = 3
CONNECTIONS, PEER_SECONDS = 64, 3.0
RATE = 200
"""Images a second beside jobs."""

ROUND_SECONDS = 4.0
"""Time for which the images are sent beside jobs, before it is measured for as long how fast the jobs are without."""

COST_SECONDS = 6.0
"""Time for which the processor time of calls is measured."""

RAW_REPEAT = 50
SCANS = 400
SCAN = (1754, 1240)
"""Rows and columns of a scan of A4 with 150 dots per inch."""


def main() -> None:
    """Measure and print."""
    parser: argparse.ArgumentParser = options(__doc__)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--calls", type=int, default=2000, help="images that are sent one at a time (default 2000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="time beside the jobs of each kind (default 20)")
    parser.add_argument("--without-jobs", action="store_true", help="skip the lines beside jobs")
    parser.add_argument("--costs", action="store_true", help="print only what a call and an idle worker take")
    parser.add_argument("--peer", choices=BATCHING, action="append", default=[], help="peer to measure beside")
    parser.add_argument("--job", choices=["raw", "scans"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = Settings.from_environment()
    if arguments.job:
        _submit_for_ever(arguments.job, arguments.folder, settings)
        return

    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.sched_setaffinity(0, cores)  # all processes started here inherit it
    images = read_digits_or_samples().images
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(cores)} cores")
    print(f"{' '.join(sys.argv)}\n")
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        folder = Path(private)
        settings = replace(settings, data=folder, redis_url=None)
        with Stack(folder / "mill", len(cores)) as stack:
            connection = open_mill(stack.url, settings)
            if not await_workers(connection, stack):
                sys.exit("the workers are not ready, so the figures would mean nothing")
            with Client(stack.url) as client:
                if arguments.costs:
                    _print_costs(connection, client, images, len(cores))
                    return
                rate, one = _ceilings(images)
                print(f"ceiling, one at a time     {_shown(one)}")
                files = [_png(image) for image in images[: arguments.calls]]
                kinds: dict[str, list[InputImage]] = {"arrays": [*images[: arguments.calls]], "PNG files": [*files]}
                for name, given in kinds.items():
                    print(f"one at a time, {name:<12}{_shown(_one_at_a_time(client, given))}")
                if arguments.peer:
                    _beside_peers(arguments.peer, client, images, len(cores), folder)
                answers = statistics.median(_outstanding(client, images) for _ in range(ROUNDS))
                print(f"{OUTSTANDING:,} outstanding          {answers:,.0f} answers/s")
                print(f"ceiling, {len(cores)} cores           {rate * len(cores):,.0f} images/s")
                _print_costs(connection, client, images, len(cores))
                if not arguments.without_jobs:
                    _write_scans(folder / "scans")
                    for kind in ("raw", "scans"):
                        with _jobs(kind, folder, stack.url):
                            _beside_jobs(kind, connection, client, images, arguments.seconds)


def _shown(seconds: NDArray[np.float64]) -> str:
    """Return the usual figures about times, in seconds (n,)."""
    median, p99, worst = (1000 * np.quantile(seconds, share) for share in (0.5, 0.99, 1.0))
    return f"p50 {median:6.2f} ms   p99 {p99:7.2f} ms   worst {worst:7.1f} ms   ({len(seconds):,} images)"


def _ceilings(images: NDArray[np.uint8]) -> tuple[float, NDArray[np.float64]]:
    """Return the images/s of one core without a queue, and the seconds for single images (n,)."""
    classifier, one = Classifier.baseline(), []
    for image in images[:500, np.newaxis]:
        started = time.perf_counter()
        classifier.classify(image)
        one.append(time.perf_counter() - started)
    started = time.perf_counter()
    classifier.classify(images[:4096])
    return min(len(images), 4096) / (time.perf_counter() - started), np.array(one)


def _one_at_a_time(client: Client, images: list[InputImage]) -> NDArray[np.float64]:
    for image in images[:50]:
        client.classify(image)
    seconds = []
    for image in images:
        started = time.perf_counter()
        client.classify(image)
        seconds.append(time.perf_counter() - started)
    return np.array(seconds)


def _outstanding(client: Client, images: NDArray[np.uint8]) -> float:
    """Return the answers per second while `OUTSTANDING` images are outstanding."""
    waiting = deque(client.submit(image) for image in images[:OUTSTANDING])
    started, count = time.perf_counter(), 0
    for image in images:
        waiting.popleft().result()
        waiting.append(client.submit(image))
        count += 1
    seconds = time.perf_counter() - started
    for future in waiting:
        future.result()
    return count / seconds


def _beside_peers(peers: list[str], client: Client, images: NDArray[np.uint8], cores: int, folder: Path) -> None:
    """Print how fast peers are, and the client in turn with them."""
    bodies = [image.tobytes() for image in images[:OUTSTANDING]]
    for peer in peers:
        ratios, ours, theirs, rates = [], [], [], []
        with running_peer(peer, cores, folder / f"{peer}.log") as url:
            posted = http(url, "application/octet-stream")
            for _ in range(ROUNDS):
                alone = asyncio.run(load(posted, bodies, 1, PEER_SECONDS))
                rates.append(len(asyncio.run(load(posted, bodies, CONNECTIONS, PEER_SECONDS))) / PEER_SECONDS)
                theirs.append(np.array(alone))
                ours.append(_one_at_a_time(client, [*images[:OUTSTANDING]]))
                ratios.append(_outstanding(client, images) / rates[-1])
        print(f"{peer}, one at a time{'':<7}{_shown(np.concatenate(theirs))}")
        print(f"   the client in turn      {_shown(np.concatenate(ours))}")
        print(f"{peer}, {CONNECTIONS} connections      {statistics.median(rates):,.0f} answers/s")
        print(f"   {OUTSTANDING:,} outstanding are {statistics.median(ratios):.2f} times that")


def _print_costs(connection: Connection, client: Client, images: NDArray[np.uint8], workers: int) -> None:
    """Print what a call takes of the processor, and what an idle worker takes."""
    idle, seconds, commands = _processor_time(connection, lambda: time.sleep(COST_SECONDS))
    print(f"an idle worker sends       {commands / seconds / workers:,.0f} commands/s")
    for name, beside in (("alone", False), ("beside jobs", True)):
        if beside:
            client._outstanding.note_jobs(math.inf)  # noqa: SLF001  no program says this, but the answers of workers
        waits: list[float] = []
        taken, seconds, _ = _processor_time(connection, lambda: _send_at_times(client, images, waits, COST_SECONDS))  # noqa: B023
        each = {part: 1000 * (taken[part] - idle[part] * seconds / COST_SECONDS) / len(waits) for part in taken}
        print(f"a call takes, {name:<13}{sum(each.values()):.2f} ms of processor time: {_listed(each)}")
    client._outstanding.note_jobs(-math.inf)  # noqa: SLF001
    print()


def _listed(each: dict[str, float]) -> str:
    return ", ".join(f"{part} {milliseconds:.2f}" for part, milliseconds in each.items())


def _processor_time(connection: Connection, work: Callable[[], None]) -> tuple[dict[str, float], float, int]:
    """Return the processor time in seconds of each part of the mill while a function works, its time, and commands."""

    def look() -> tuple[dict[str, float], float, int]:
        used = {"client": time.process_time(), "Redis": 0.0, "workers": 0.0}
        for process in psutil.Process().children(recursive=True):
            part = "Redis" if "server" in process.name() else "workers"
            used[part] += sum(process.cpu_times()[:2])
        stats: Any = connection.client.info("stats")
        return used, time.perf_counter(), stats["total_commands_processed"]

    before, began, commands = look()
    work()
    after, ended, commands_after = look()
    return {part: after[part] - before[part] for part in after}, ended - began, commands_after - commands


def _beside_jobs(kind: str, connection: Connection, client: Client, images: NDArray[np.uint8], seconds: float) -> None:
    """Print the times of single images beside jobs, and what these cost the jobs."""
    _await(lambda: _answered(connection) > 0, "the jobs begin")
    waits: list[float] = []
    shares = []
    for _ in range(max(1, round(seconds / ROUND_SECONDS))):
        with_calls = _rate(connection, lambda: _send_at_times(client, images, waits))
        without = _rate(connection, lambda: time.sleep(ROUND_SECONDS))
        shares.append(with_calls / without if without else 0.0)
    print(f"beside {JOBS} jobs of {kind:<9}{_shown(np.array(waits))}")
    print(f"   the jobs keep {100 * statistics.median(shares):.0f} % of {without:,.0f} images/s")


def _send_at_times(
    client: Client, images: NDArray[np.uint8], waits: list[float], seconds: float = ROUND_SECONDS
) -> None:
    """Send `RATE` images a second for some seconds, and add the time of each from when it was due."""
    count = int(RATE * seconds)
    done = threading.Semaphore(0)
    started = time.perf_counter()
    for number in range(count):
        due = started + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))

        def note(_future: object, due: float = due) -> None:
            waits.append(time.perf_counter() - due)
            done.release()

        client.submit(images[number % len(images)]).add_done_callback(note)
    for _ in range(count):
        done.acquire()


def _rate(connection: Connection, work: Callable[[], None]) -> float:
    """Return the images/s that jobs answer while a function works."""
    before, started = _answered(connection), time.perf_counter()
    work()
    return (_answered(connection) - before) / (time.perf_counter() - started)


def _answered(connection: Connection) -> int:
    return sum(status.answered for status in connection.ledger.jobs())


@contextlib.contextmanager
def _jobs(kind: str, folder: Path, url: str) -> Iterator[None]:
    """Keep jobs of one kind running, each of a process of its own."""
    command = [sys.executable, __file__, "--job", kind, "--folder", str(folder)]
    environment = {**os.environ, "DIGITMILL_REDIS_URL": url, "DIGITMILL_DATA": str(folder / "clients")}
    running = [subprocess.Popen(command, env=environment) for _ in range(JOBS)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
        for each in running:
            each.wait()


def _submit_for_ever(kind: str, folder: Path, settings: Settings) -> None:
    """Submit one job after the other, until killed."""
    connection = open_mill(settings.server_url, settings)
    test = read_digits_or_samples()
    while True:
        source: Source = (
            mnist_source(test.images, test.labels, repeat=RAW_REPEAT)
            if kind == "raw"
            else open_source(folder / "scans", labels="none")
        )
        order = SubmitOptions(path="benchmark")
        job = create_job(connection, order, source.description, settings, detached=False)
        gather_job(connection, job, order, source, settings)


def _write_scans(folder: Path) -> None:
    folder.mkdir()
    Image.fromarray(drawing(*SCAN)).save(folder / "0.jpg", quality=85)
    for number in range(1, SCANS):
        os.link(folder / "0.jpg", folder / f"{number}.jpg")


def _png(image: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"it takes too long until {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
