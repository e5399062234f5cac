"""Measure `digitmill serve`: single images at one connection and at many, beside the same images without HTTP.

    python benchmarks/serving.py [--cores 2] [--connections 64] [--seconds 5] [--rounds 3] [--url URL --path PATH]

Each round measures each line once, one after the other, so that a slow moment of the machine affects all. The table
shows medians, and ratios that are computed within a round.

- http: A real server beside a real mill with a worker per core. This process sends MNIST's test images as PNG files,
  one to a request, over connections that stay open: over one for the times, over `connections` for the images/s.
- lane: The same images through `AsyncClient` in this process, as many at a time.
- other: With `--url` and `--path`, the same requests to another server, such as mosec.
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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import uvloop
from inputs import options, read_digits_or_samples
from machine import commit, processor
from numpy.typing import NDArray
from PIL import Image

from producer.calls.asynchronous import AsyncClient
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.settings import Settings

IMAGES = 1000

Ask = Callable[[bytes], Awaitable[None]]
Open = Callable[[], contextlib.AbstractAsyncContextManager[Ask]]


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--connections", type=int, default=64, help="connections for the images/s (default 64)")
    parser.add_argument("--seconds", type=float, default=5.0, help="time of each measurement (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (default 3)")
    parser.add_argument("--url", help="another server to measure beside")
    parser.add_argument("--path", default="/inference", help="path of its requests (default /inference)")
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
        with _server(stack.url, Path(private) / "serve.log") as url:
            lines = {"lane": _lane(stack.url), "http": _http(url, "/v1/classify")}
            if arguments.url:
                lines["other"] = _http(arguments.url, arguments.path)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                measured = runner.run(_measure(lines, images, arguments))
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(cores)} cores")
    print(f"{' '.join(sys.argv)}\n")
    print(f"{'':<8}{'p50':>9}{'p99':>9}{'images/s':>10}{'  of the lane':>14}{'  of other':>12}")
    for name, rounds in measured.items():
        p50, p99, rate = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [_ratio(rounds, measured.get(base)) for base in ("lane", "other")]
        print(f"{name:<8}{p50:>6.2f} ms{p99:>6.2f} ms{rate:>10,.0f}{ratios[0]:>14}{ratios[1]:>12}")


async def _measure(
    lines: dict[str, Open], images: list[bytes], arguments: argparse.Namespace
) -> dict[str, list[tuple[float, float, float]]]:
    """Return p50 and p99 in ms with one connection, and images/s with many, of each round."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in lines}
    for _ in range(arguments.rounds):
        for name, opened in lines.items():
            times = sorted(await _load(opened, images, 1, arguments.seconds))
            many = await _load(opened, images, arguments.connections, arguments.seconds)
            p50, p99 = (1000 * times[int(share * len(times))] for share in (0.5, 0.99))
            found[name].append((p50, p99, len(many) / arguments.seconds))
    return found


async def _load(opened: Open, images: list[bytes], connections: int, seconds: float) -> list[float]:
    """Send images one after the other over each of some connections. Return the times of those answered in time."""
    times: list[float] = []

    async def ask_on(first: int) -> None:
        async with opened() as ask:
            await ask(images[first % len(images)])  # what comes first takes longer
            ready.release()
            await begin.wait()
            end = time.perf_counter() + seconds
            number = first
            while (before := time.perf_counter()) < end:
                await ask(images[number % len(images)])
                number += 1
                now = time.perf_counter()
                if now < end:
                    times.append(now - before)

    ready, begin = asyncio.Semaphore(0), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for connection in range(connections):
            group.create_task(ask_on(connection * 7))
        for _ in range(connections):
            await ready.acquire()
        begin.set()
    return times


def _http(url: str, path: str) -> Open:
    """Return what opens a connection to a server."""
    address = urlsplit(url)
    head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: image/png\r\nContent-Length: "

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)

        async def ask(image: bytes) -> None:
            writer.write(f"{head}{len(image)}\r\n\r\n".encode() + image)
            header = await reader.readuntil(b"\r\n\r\n")
            if not header.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"the server answers {header.decode()}")
            length = header.lower().partition(b"content-length:")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))

        yield ask
        writer.close()

    return opened


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


def _ratio(rounds: list[tuple[float, float, float]], base: list[tuple[float, float, float]] | None) -> str:
    if base is None:
        return "-"
    return f"{statistics.median(one[2] / other[2] for one, other in zip(rounds, base, strict=True)):.2f}"


if __name__ == "__main__":
    main()
