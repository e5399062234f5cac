"""Measure images per second through the queue, and on the same cores without a queue, in the same run.

    python benchmarks/throughput.py [--cores 2] [--repeat 20] [--rounds 3] [--peer mosec] [--peer ray]

Each round measures each line once, one after the other, so that a slow moment of the machine affects all. The table
shows medians. Ratios are computed within a round.

- queue, raw: MNIST's 10,000 test images × `repeat` through a real server and a worker per core, from the first packed
  image to the last answer on disk.
- queue, PNG: A folder of 10,000 PNG files of 28×28, submitted in the same way. The workers decode them.
- ceiling: The same int8 model on the same cores, one process per core, without a queue.
- peers: With `--peer`, the same arrays and the same int8 model in another program: a server over HTTP with bodies of
  512 images, a few at a time, or Ray Data. Peers keep nothing on disk, and repeat nothing after a fault.
- Keras: `model.predict` of the float network on the same cores, with its default threads.

A second table shows what an image costs: CPU time by kind of process, which other programs disturb less than images/s,
and for all of them the core-seconds of a million images. Below it are the memory of a worker (its proportional set
size) and of the server, right after jobs that filled the window, and when the workers have been idle for two seconds.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from costs import KINDS, Memory, cpu_seconds, memory
from http_load import http, load
from inputs import read_digits_or_samples
from machine import commit, processor
from numpy.typing import NDArray
from peers.environment import RAY, SERVERS, running_peer, running_ray
from PIL import Image

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from producer.sources import Source, mnist_source, open_source
from worker.settings import Settings

CEILING_SECONDS = 3.0
PEER_SECONDS = 5.0
IDLE_SECONDS = 2.0
"""Seconds without a job after which the memory is measured again."""

BODY = 512
"""Number of images in a body for a peer."""

CEILING, RAW, PNG = "ceiling", "queue, raw", "queue, PNG"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--repeat", type=int, default=20, help="times that MNIST's test images are sent (default 20)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (default 3)")
    parser.add_argument("--peer", choices=[*SERVERS, RAY], action="append", default=[], help="peer to measure beside")
    parser.add_argument("--without-keras", action="store_true", help="skip the line that needs TensorFlow")
    arguments = parser.parse_args()

    measured = measure(
        arguments.cores,
        arguments.rounds,
        repeat=arguments.repeat,
        with_keras=not arguments.without_keras,
        peers=arguments.peer,
    )
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {arguments.cores} cores")
    print(f"{' '.join(sys.argv)}  ({arguments.rounds} rounds)\n")
    bases = {"the ceiling": measured.rates[CEILING], **{peer: measured.rates[peer] for peer in arguments.peer}}
    print(f"{'':<12}{'images/s':>10}" + "".join(f"{f'of {base}':>16}" for base in bases))
    for name, rates in measured.rates.items():
        ratios = (statistics.median(map(operator.truediv, rates, base)) for base in bases.values())
        print(f"{name:<12}{statistics.median(rates):>10,.0f}" + "".join(f"{ratio:>16.2f}" for ratio in ratios))
    print(f"\n{'µs of an image':<16}" + "".join(f"{kind:>13}" for kind in KINDS) + "   core-s of a million images")
    for name, each in measured.costs.items():
        medians = [statistics.median(cost[kind] for cost in each) * 1e6 for kind in KINDS]
        print(f"{name:<16}" + "".join(f"{median:>13.1f}" for median in medians) + f"{sum(medians):>10.0f}")
    busy, idle = measured.memory, measured.idle_memory
    print(
        f"\nmemory: {busy.worker / 2**20:.0f} MiB for each worker, {busy.server / 2**20:.0f} MiB for the server; "
        f"idle {idle.worker / 2**20:.0f} and {idle.server / 2**20:.0f} MiB"
    )


class Measured(NamedTuple):
    """What the rounds measured, by the names of the lines."""

    rates: dict[str, list[float]]  # images per second
    costs: dict[str, list[dict[str, float]]]  # CPU time of an image, s, by kind of process
    memory: Memory  # right after the last job
    idle_memory: Memory


def measure(core_count: int, rounds: int, *, repeat: int, with_keras: bool, peers: Sequence[str] = ()) -> Measured:
    """Measure all lines in turn, on the first cores of this process."""
    cores = sorted(os.sched_getaffinity(0))[:core_count]
    os.sched_setaffinity(0, cores)  # all processes started here inherit it
    settings = Settings.from_environment()
    test = read_digits_or_samples()
    images, labels = test.images, test.labels
    rates: dict[str, list[float]] = {
        name: [] for name in (CEILING, RAW, PNG, *(["Keras"] if with_keras else []), *peers)
    }
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in (CEILING, RAW, PNG)}

    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        folder = Path(private) / "png"
        _write_folder(folder, images, labels)
        settings = replace(settings, data=Path(private), redis_url=None)
        with contextlib.ExitStack() as running, Stack(Path(private) / "mill", len(cores)) as stack:
            connection = open_mill(stack.url, settings)
            if not await_workers(connection, stack):
                sys.exit("the workers are not ready, so the figures would mean nothing")
            others = {peer: _peer(peer, Path(private), images, repeat, running) for peer in peers}
            for _ in range(rounds):
                rate, seconds = _ceiling(images, len(cores))
                rates[CEILING].append(rate)
                costs[CEILING].append({**dict.fromkeys(KINDS, 0.0), "classifying": seconds})
                raw = mnist_source(images, labels, repeat=repeat)
                for name, source in ((RAW, raw), (PNG, open_source(folder))):
                    rate, cost = _through_queue(connection, source, settings)
                    rates[name].append(rate)
                    costs[name].append(cost)
                if with_keras:
                    rates["Keras"].append(_keras(private, images))
                for peer, images_per_second in others.items():
                    rates[peer].append(images_per_second())
            busy = memory()
            time.sleep(IDLE_SECONDS)
            return Measured(rates, costs, busy, memory())


def _write_folder(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / str(label) / f"{index:05d}.png")


def _through_queue(connection: Connection, source: Source, settings: Settings) -> tuple[float, dict[str, float]]:
    """Return the images per second of one job, and the CPU time of an image, s, by kind. Exit if any image fails."""
    before = cpu_seconds()
    options = SubmitOptions(path="benchmark")
    job = create_job(connection, options, source.description, settings, detached=False)
    finished = gather_job(connection, job, options, source, settings)
    if finished.results.failures or len(finished.results) != source.total:
        sys.exit(f"{len(finished.results.failures)} images failed, so the figures would mean nothing")
    count, after = len(finished.results), cpu_seconds()
    return count / finished.info.seconds, {kind: (after[kind] - before[kind]) / count for kind in KINDS}


def _peer(
    peer: str, private: Path, images: NDArray[np.uint8], repeat: int, running: contextlib.ExitStack
) -> Callable[[], float]:
    """Start a peer, and return what measures its images per second."""
    log, cores = private / f"{peer}.log", len(os.sched_getaffinity(0))
    if peer == RAY:
        np.save(private / "peer.npy", images)
        return running.enter_context(running_ray(private / "peer.npy", repeat, cores, log))
    bodies = [images[start : start + BODY].tobytes() for start in range(0, len(images) - BODY + 1, BODY)]
    posted = http(running.enter_context(running_peer(peer, cores, log)), "application/octet-stream")

    def images_per_second() -> float:
        return BODY * len(asyncio.run(load(posted, bodies, 2 * cores, PEER_SECONDS))) / PEER_SECONDS

    return images_per_second


def _ceiling(images: NDArray[np.uint8], processes: int) -> tuple[float, float]:
    """Return the total images per second of several processes that only classify, and the CPU time of an image, s."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(processes), context.Queue()
    running = [context.Process(target=_classify_for_a_while, args=(images, barrier, queue)) for _ in range(processes)]
    for process in running:
        process.start()
    found = [queue.get(timeout=60) for _ in running]
    for process in running:
        process.join()
    return sum(rate for rate, _ in found), statistics.mean(seconds for _, seconds in found)


def _classify_for_a_while(images: NDArray[np.uint8], barrier, queue) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  multiprocessing's proxies have no public type
    from model.inference.classifier import Classifier

    classifier = Classifier.baseline()
    barrier.wait(timeout=60)
    started, busy, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < CEILING_SECONDS:
        done += len(classifier.classify(images[:1024]))
    queue.put((done / (time.perf_counter() - started), (time.process_time() - busy) / done))


def _keras(private: str, images: NDArray[np.uint8]) -> float:
    """Return the images per second of Keras' `predict`, in a process of its own. The second call counts."""
    np.save(Path(private) / "images.npy", images)
    code = """
import sys, time
import numpy as np
from model.cards.card import BASELINE, WEIGHTS
from model.network.network import load_weights
network = load_weights(BASELINE / WEIGHTS)
images = np.load(sys.argv[1])[..., np.newaxis]
network.predict(images, batch_size=1024, verbose=0)
started = time.perf_counter()
network.predict(images, batch_size=1024, verbose=0)
print(len(images) / (time.perf_counter() - started))
"""
    command = [sys.executable, "-c", code, str(Path(private) / "images.npy")]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=environment)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
