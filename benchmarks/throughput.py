"""Measure images per second through the queue, and on the same cores without a queue, in the same run.

    python benchmarks/throughput.py [--cores 2] [--repeat 20] [--rounds 3] [--peer mosec] [--peer ray]

Each round measures each line once, one after the other, so that a slow moment of the machine affects all. The table
shows medians. Ratios are computed within a round.

- queue, raw: MNIST's 10,000 test images × `repeat` through a real server and a worker per core, from the first packed
  image to the last answer on disk.
- queue, PNG: A folder of 10,000 PNG files of 28×28, submitted in the same way. The workers decode them.
- ceiling: The same int8 model on the same cores, one process per core, without a queue.
- peers: With `--peer`, the same arrays and the same int8 model in another program: a server over HTTP with bodies of
  512 images, a few at a time, or Ray Data. It keeps nothing on disk, and does nothing again after a fault.
- Keras: `model.predict` of the float network on the same cores, with its default threads.
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
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
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
BODY = 512
"""Number of images in a body for a peer."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--repeat", type=int, default=20, help="times that MNIST's test images are sent (default 20)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (default 3)")
    parser.add_argument("--peer", choices=[*SERVERS, RAY], action="append", default=[], help="peer to measure beside")
    parser.add_argument("--without-keras", action="store_true", help="skip the line that needs TensorFlow")
    arguments = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.sched_setaffinity(0, cores)  # all processes started here inherit it
    settings = Settings.from_environment()
    test = read_digits_or_samples()
    images, labels = test.images, test.labels
    rows: dict[str, list[float]] = {"ceiling": [], "queue, raw": [], "queue, PNG": []}
    if not arguments.without_keras:
        rows["Keras"] = []
    rows |= {peer: [] for peer in arguments.peer}

    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        folder = Path(private) / "png"
        _write_folder(folder, images, labels)
        settings = replace(settings, data=Path(private), redis_url=None)
        with contextlib.ExitStack() as running, Stack(Path(private) / "mill", len(cores)) as stack:
            connection = open_mill(stack.url, settings)
            if not await_workers(connection, stack):
                sys.exit("the workers are not ready, so the figures would mean nothing")
            peers = {peer: _peer(peer, Path(private), images, arguments, running) for peer in arguments.peer}
            for _ in range(arguments.rounds):
                rows["ceiling"].append(_ceiling(images, len(cores)))
                raw = mnist_source(images, labels, repeat=arguments.repeat)
                rows["queue, raw"].append(_through_queue(connection, raw, settings))
                rows["queue, PNG"].append(_through_queue(connection, open_source(folder), settings))
                if "Keras" in rows:
                    rows["Keras"].append(_keras(private, images))
                for peer, measure in peers.items():
                    rows[peer].append(measure())

    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(cores)} cores")
    print(f"{' '.join(sys.argv)}  ({len(images):,} images × {arguments.repeat}, {arguments.rounds} rounds)\n")
    bases = {"the ceiling": rows["ceiling"], **{peer: rows[peer] for peer in arguments.peer}}
    print(f"{'':<12}{'images/s':>10}" + "".join(f"{f'of {base}':>16}" for base in bases))
    for name, rates in rows.items():
        ratios = (statistics.median(map(operator.truediv, rates, base)) for base in bases.values())
        print(f"{name:<12}{statistics.median(rates):>10,.0f}" + "".join(f"{ratio:>16.2f}" for ratio in ratios))


def _write_folder(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / str(label) / f"{index:05d}.png")


def _through_queue(connection: Connection, source: Source, settings: Settings) -> float:
    """Return the images per second of one job. Exit if any image fails."""
    options = SubmitOptions(path="benchmark")
    job = create_job(connection, options, source.description, settings, detached=False)
    finished = gather_job(connection, job, options, source, settings)
    if finished.results.failures or len(finished.results) != source.total:
        sys.exit(f"{len(finished.results.failures)} images failed, so the figures would mean nothing")
    return len(finished.results) / finished.info.seconds


def _peer(
    peer: str, private: Path, images: NDArray[np.uint8], arguments: argparse.Namespace, running: contextlib.ExitStack
) -> Callable[[], float]:
    """Start a peer, and return what measures its images per second."""
    log, cores = private / f"{peer}.log", len(os.sched_getaffinity(0))
    if peer == RAY:
        np.save(private / "peer.npy", images)
        return running.enter_context(running_ray(private / "peer.npy", arguments.repeat, cores, log))
    bodies = [images[start : start + BODY].tobytes() for start in range(0, len(images) - BODY + 1, BODY)]
    posted = http(running.enter_context(running_peer(peer, cores, log)), "application/octet-stream")

    def measure() -> float:
        return BODY * len(asyncio.run(load(posted, bodies, 2 * cores, PEER_SECONDS))) / PEER_SECONDS

    return measure


def _ceiling(images: NDArray[np.uint8], processes: int) -> float:
    """Return the total images per second of several processes that only classify."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(processes), context.Queue()
    running = [context.Process(target=_classify_for_a_while, args=(images, barrier, queue)) for _ in range(processes)]
    for process in running:
        process.start()
    rates = [queue.get(timeout=60) for _ in running]
    for process in running:
        process.join()
    return float(sum(rates))


def _classify_for_a_while(images: NDArray[np.uint8], barrier, queue) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  multiprocessing's proxies have no public type
    from model.inference.classifier import Classifier

    classifier = Classifier.baseline()
    barrier.wait(timeout=60)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < CEILING_SECONDS:
        done += len(classifier.classify(images[:1024]))
    queue.put(done / (time.perf_counter() - started))


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
