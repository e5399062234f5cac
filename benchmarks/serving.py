"""Measure `digitmill serve`: single images at one connection and at many, beside the same images without HTTP.

    python benchmarks/serving.py [--cores 2] [--connections 64] [--seconds 5] [--rounds 3] [--peer mosec] [--url URL]

Each round measures each line once, one after the other, so that a slow moment of the machine affects all. The table
shows medians, and ratios that are computed within a round. A second table shows the CPU time of a request over many
connections by kind of process, which other programs disturb less.

- http: A real server beside a real mill with a worker per core. This process sends MNIST's test images as PNG files,
  one to a request, over connections that stay open: over one for the times, over `connections` for the images/s.
- lane: The same images through `AsyncClient` in this process, as many at a time.
- peers: With `--peer`, the same requests to a server of another kind, which has the same model, the same
  preprocessing and as many cores, but not a queue. `peers/` has their programs; the first use installs them.
- other: With `--url`, the same requests to any other server.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import uvloop
from costs import KINDS, SERVING, cpu_seconds
from http_load import Ask, Open, http, load
from inputs import options, read_digits_or_samples
from machine import commit, processor
from numpy.typing import NDArray
from peers.environment import BATCHING, running_peer
from PIL import Image

from producer.calls.asynchronous import AsyncClient
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.settings import Settings

IMAGES = 1000


class Measured(NamedTuple):
    """One line in one round."""

    p50: float  # with one connection, ms
    p99: float
    rate: float  # images/s with many connections
    costs: dict[str, float]  # CPU time of a request over many connections, s, by kind of process


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--connections", type=int, default=64, help="connections for the images/s (default 64)")
    parser.add_argument("--seconds", type=float, default=5.0, help="time of each measurement (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (default 3)")
    parser.add_argument("--peer", choices=BATCHING, action="append", default=[], help="peer to measure beside")
    parser.add_argument("--url", help="URL of the requests to any other server to measure beside")
    arguments = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.sched_setaffinity(0, cores)  # all processes started here inherit it
    images = [_png(image) for image in read_digits_or_samples().images[:IMAGES]]
    with (
        tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private,
        Stack(Path(private) / "mill", len(cores)) as stack,
    ):
        if not await_workers(open_mill(stack.url, Settings.from_environment()), stack):
            sys.exit("the workers are not ready, so the figures would mean nothing")
        with contextlib.ExitStack() as running:
            url = running.enter_context(_server(stack.url, Path(private) / "serve.log"))
            lines = {"lane": _lane(stack.url), "http": http(f"{url}/v1/classify")}
            for peer in arguments.peer:
                log = Path(private) / f"{peer}.log"
                lines[peer] = http(running.enter_context(running_peer(peer, len(cores), log)))
            if arguments.url:
                lines["other"] = http(arguments.url)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                measured = runner.run(_measure(lines, images, arguments))
    others = [name for name in lines if name != "http"]
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(cores)} cores")
    print(f"{' '.join(sys.argv)}\n")
    columns = "".join(f"{f'of {name}':>13}" for name in others)
    print(f"{'':<9}{'p50':>9}{'p99':>9}{'images/s':>10}{columns}")
    for name, rounds in measured.items():
        p50, p99, rate = (statistics.median(column) for column in zip(*(one[:3] for one in rounds), strict=True))
        ratios = "".join(f"{_ratio(rounds, measured[base]):>13.2f}" for base in others)
        print(f"{name:<9}{p50:>6.2f} ms{p99:>6.2f} ms{rate:>10,.0f}{ratios}")
    kinds = (*KINDS, *SERVING)
    print(f"\n{'µs':<9}" + "".join(f"{kind:>13}" for kind in (*kinds, "all")))
    for name, rounds in measured.items():
        medians = [1e6 * statistics.median(one.costs[kind] for one in rounds) for kind in kinds]
        print(f"{name:<9}" + "".join(f"{median:>13.1f}" for median in (*medians, sum(medians))))


async def _measure(
    lines: dict[str, Open], images: list[bytes], arguments: argparse.Namespace
) -> dict[str, list[Measured]]:
    """Return what each round finds, by line."""
    found: dict[str, list[Measured]] = {name: [] for name in lines}
    for _ in range(arguments.rounds):
        for name, opened in lines.items():
            times = sorted(await load(opened, images, 1, arguments.seconds))
            before = cpu_seconds()
            many = await load(opened, images, arguments.connections, arguments.seconds)
            costs = {kind: (after - before[kind]) / len(many) for kind, after in cpu_seconds().items()}
            p50, p99 = (1000 * times[int(share * len(times))] for share in (0.5, 0.99))
            found[name].append(Measured(p50, p99, len(many) / arguments.seconds, costs))
    return found


def _lane(url: str) -> Open:
    """Return what sends images without HTTP. All share one client."""
    clients: list[AsyncClient] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        if not clients:
            clients.append(await AsyncClient(url).__aenter__())

        async def ask(image: bytes) -> None:
            await clients[0].classify(image)

        yield ask

    return opened


@contextlib.contextmanager
def _server(redis: str, log: Path) -> Iterator[str]:
    """Run `digitmill serve` with its log in a file, and yield its URL."""
    command = [sys.executable, "-m", "digitmill", "serve", "--port", "0", "--json"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, env={**os.environ, "DIGITMILL_REDIS_URL": redis})
    try:
        while not (lines := log.read_bytes().splitlines()):
            time.sleep(0.05)
        yield str(json.loads(lines[0])["url"])
    finally:
        process.kill()
        process.wait()


def _png(image: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _ratio(rounds: list[Measured], base: list[Measured]) -> float:
    """Return how many images/s a line has for each of another."""
    return statistics.median(one.rate / other.rate for one, other in zip(rounds, base, strict=True))


if __name__ == "__main__":
    main()
