"""Measure what a change of the live model costs under load: time until it serves, slower batches, failures, memory.

    python benchmarks/reload.py [--cores 2] [--moves 50] [--reloads 200] [--rounds 5]

One client keeps two batches for each worker in flight all the time, as a job with `--model live` does. It checks every
answer against the version that the answer names. Meanwhile:

- Quiet rounds and rounds of changes alternate, so that a slow moment of the machine affects both. A change promotes a
  version that no worker has loaded, or rolls back from it. The time to live begins with that write, and ends when every
  worker reports that it serves the version. The time of a batch begins when the client sends it, and ends when the
  client hears of its answer.
- Then changes go on until the workers have loaded `reloads` versions. Memory is that of the classifying processes' own
  pages, after the first five loads and at the end.

The mill's server is the first `redis-server` on PATH or, without one, the first `valkey-server`. The second
line says which one it was, so `PATH=FOLDER:$PATH` compares servers.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from inputs import read_digits_or_samples
from machine import commit, processor

from model.cards.card import BASELINE, MODEL, Card, read_file
from model.inference.calibration import softmax
from model.inference.classifier import Classifier
from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.classifying.models import MAX_LOADED
from worker.contract.ledger import JobRecord, Part, Window, new_job_identifier
from worker.contract.observation.server import ServerState
from worker.contract.registry import LIVE
from worker.contract.wire import Batch, Manifest, Result
from worker.settings import Settings

BATCH = 512
BLOCKS = 16  # different batches, which the client sends in turn
WARM_BATCHES = 50
IN_FLIGHT = 2  # batches for each worker
QUIET_SECONDS = 5.0
BETWEEN_MOVES_SECONDS = 0.25
FIRST_LOADS = 5  # loads after which memory is measured for the first time
TIMEOUT_SECONDS = 30.0


Span = tuple[float, float]
"""Start and end, in unix time."""


class AnsweredBatch(NamedTuple):
    """One batch, as its client saw it."""

    at: float  # unix time
    seconds: float
    wrong: bool  # whether it failed, or its answer differs from that of the version that it names


class Turns(NamedTuple):
    """The measurements of all rounds."""

    quiet: list[Span]
    moving: list[Span]
    live_seconds: list[float]  # of each move


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--moves", type=int, default=50, help="changes of the live model that are timed (default 50)")
    parser.add_argument("--reloads", type=int, default=200, help="loads after which memory is measured (default 200)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of quiet and of changes (default 5)")
    arguments = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.sched_setaffinity(0, cores)  # all processes started here inherit it
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        settings = replace(Settings.from_environment(), data=Path(private), redis_url=None)
        with Stack(Path(private) / "mill", len(cores)) as stack:
            connection = open_mill(stack.url, settings)
            server = ServerState.from_info(connection.client.info(), now=time.time())
            await_workers(connection, stack)
            mover = Mover(connection, _publish(connection))
            context = multiprocessing.get_context("spawn")
            started, stop, answers = context.Event(), context.Event(), context.Queue()
            load = context.Process(target=_load, args=(stack.url, settings, len(cores), started, stop, answers))
            load.start()
            try:
                if not started.wait(TIMEOUT_SECONDS):
                    sys.exit("the load did not start")
                few = _memory(connection, mover, FIRST_LOADS)
                turns = _take_turns(mover, arguments.moves, arguments.rounds)
                many = _memory(connection, mover, arguments.reloads)
            finally:
                stop.set()
            answered = answers.get(timeout=TIMEOUT_SECONDS)
            load.join()

    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(cores)} cores")
    print(f"{server.software} {server.version}")
    print(f"{' '.join(sys.argv)}\n")
    _print(answered, turns)
    for name in few:
        growth = 100 * (many[name] / few[name] - 1)
        print(
            f"memory           {name}: {few[name] / 1e6:.1f} MB after {FIRST_LOADS} loads, {many[name] / 1e6:.1f} MB "
            f"after {mover.loads} ({growth:+.1f} %)"
        )


class Mover:
    """Changes the live version, in turn to one that no worker has loaded, and back."""

    def __init__(self, connection: Connection, versions: list[str]) -> None:
        self._connection = connection
        self._versions = cycle(versions)
        self._promoted = False
        self.loads = 0

    def move(self) -> float:
        """Change the live version. Return the seconds until all workers report that they serve it."""
        registry = self._connection.registry
        if self._promoted:
            version = registry.rollback(reason="benchmark")
        else:
            version = next(self._versions)
            registry.promote(version, reason="benchmark")
            self.loads += 1
        self._promoted = not self._promoted
        began = time.perf_counter()
        while {worker.model for worker in self._connection.ledger.workers()} != {version}:
            if time.perf_counter() - began > TIMEOUT_SECONDS:
                sys.exit(f"not all workers serve {version} after {TIMEOUT_SECONDS:.0f} s")
            time.sleep(0.002)
        return time.perf_counter() - began


def _publish(connection: Connection) -> list[str]:
    """Publish more versions than stay loaded: the baseline's weights, each with another temperature."""
    baseline = Card.read(BASELINE)
    files = {name: read_file(BASELINE, baseline, name) for name in baseline.files}
    versions = []
    for number in range(MAX_LOADED + 2):
        version = f"reload{number}-{baseline.files[MODEL][:8]}"
        card = replace(baseline, version=version, temperature=baseline.temperature + 0.02 * (number + 1))
        connection.registry.publish(card, files)
        versions.append(version)
    return versions


def _take_turns(mover: Mover, moves: int, rounds: int) -> Turns:
    turns = Turns([], [], [])
    for turn in range(rounds):
        began = time.time()
        time.sleep(QUIET_SECONDS)
        middle = time.time()
        for _ in range(moves // rounds + (turn < moves % rounds)):
            turns.live_seconds.append(mover.move())
            time.sleep(BETWEEN_MOVES_SECONDS)
        turns.quiet.append((began, middle))
        turns.moving.append((middle, time.time()))
    return turns


def _memory(connection: Connection, mover: Mover, loads: int) -> dict[str, int]:
    """Change models until `loads` were loaded. Return the bytes of each classifying process's own pages."""
    while mover.loads < loads:
        mover.move()
    workers = connection.ledger.workers()
    return {worker.name: psutil.Process(worker.process).memory_full_info().uss for worker in workers}


def _load(url: str, settings: Settings, workers: int, started: Any, stop: Any, answers: Any) -> None:
    """Keep batches in flight until `stop` is set. Then put the list of `AnsweredBatch` into the queue `answers`."""
    connection = open_mill(url, settings)
    ledger, images = connection.ledger, read_digits_or_samples().images[: BATCH * BLOCKS]
    blocks = np.array_split(images, BLOCKS)
    logits = Classifier.baseline().logits(images)
    cards = [each.card for each in connection.registry.versions() if each.card]
    expected = {card.version: np.array_split(softmax(logits, card.temperature).max(axis=1), BLOCKS) for card in cards}

    job = new_job_identifier()
    ledger.create(job, JobRecord("benchmark", LIVE, "benchmark", {}, "benchmark"))
    sent: dict[int, float] = {}
    answered: list[AnsweredBatch] = []
    sequence = 0
    while sent or not stop.is_set():
        while len(sent) < IN_FLIGHT * workers and not stop.is_set():
            block = blocks[sequence % BLOCKS]
            part = Part(job, sequence, 0, len(block))
            manifest = Manifest(("",) * len(block), (None,) * len(block), {})
            sent[sequence] = time.perf_counter()
            ledger.submit(part, Batch(block), manifest, Window(1000, 10**9), detached=False)
            connection.doorbell.ring(part)
            sequence += 1
        parts = sorted(ledger.wait_for_notifications(job, 1.0))
        now = time.perf_counter()
        for part, encoded in ledger.results(parts).items():
            result = Result.from_wire(encoded)
            right = np.allclose(result.confidences, expected[result.model][part.sequence % BLOCKS], atol=1e-5)
            answered.append(
                AnsweredBatch(time.time(), now - sent.pop(part.sequence), bool(result.failures) or not right)
            )
            ledger.acknowledge([part])
        connection.reconciler.tick()
        if len(answered) > WARM_BATCHES:
            started.set()
    answers.put(answered)


def _print(answered: list[AnsweredBatch], turns: Turns) -> None:
    def within(spans: list[Span]) -> list[list[float]]:
        return [[each.seconds for each in answered if begin <= each.at < end] for begin, end in spans]

    quiet, moving = within(turns.quiet), within(turns.moving)
    rate = BATCH * sum(map(len, moving)) / sum(end - begin for begin, end in turns.moving)
    ratio = statistics.median(_p99(some) / _p99(others) for some, others in zip(moving, quiet, strict=True))
    p99s = [1000 * _p99([*chain(*rounds)]) for rounds in (quiet, moving)]
    median, worst = statistics.median(turns.live_seconds), max(turns.live_seconds)
    print(f"load             {rate:,.0f} images/s while the model changed; {len(answered):,} batches of {BATCH} in all")
    print(f"moves            {len(turns.live_seconds)}; live in all workers after {median:.2f} s (worst {worst:.2f} s)")
    print(
        f"batch, p99       {p99s[0]:.0f} ms quiet, {p99s[1]:.0f} ms while it changed; ratio within a round {ratio:.2f}"
    )
    print(f"wrong or failed  {sum(each.wrong for each in answered)}")


def _p99(values: list[float]) -> float:
    return float(np.percentile(values, 99))


if __name__ == "__main__":
    main()
