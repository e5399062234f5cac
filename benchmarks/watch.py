"""Measure `digitmill watch`: files per second, and the time from a file that is closed to the row that is written.

    python benchmarks/watch.py [--rate 500] [--seconds 20] [--burst 20000] [--kills 50] [--workers 2]

The files are MNIST's test digits as PNG files of 28×28. All processes share the cores that this one may use.

- one at a time: The next file is written when the former one has its row.
- sustained: A process writes files at a steady rate. The time of a row is that in its field `written`.
- burst: Files are written as fast as possible, more than the kernel's queue of events holds.
- kills: A process writes files, while the watcher is killed and started again at random moments. Counts files without a
  row and versions with two.
- calls: The same bytes through one client, without files. It bounds what a watcher can do on this machine.
"""

import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from inputs import options, read_digits_or_samples
from machine import commit, processor
from PIL import Image

from producer.calls.client import Client
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.settings import Settings

WAIT_SECONDS = 600.0
"""Time after which rows that are missing count as lost."""


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--rate", type=float, default=500.0, help="files written per second (default 500)")
    parser.add_argument("--seconds", type=float, default=20.0, help="time for which they are written (default 20)")
    parser.add_argument("--burst", type=int, default=20_000, help="files of the burst (default 20000)")
    parser.add_argument("--kills", type=int, default=50, help="times that the watcher is killed (default 50)")
    parser.add_argument("--workers", type=int, default=2, help="workers of the mill (default 2)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        home = Path(private)
        pictures = _pictures(home)
        with Stack(home / "mill", arguments.workers) as stack:
            if not await_workers(open_mill(stack.url, Settings.from_environment()), stack):
                sys.exit("the workers are not ready, so the figures would mean nothing")
            print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, load {os.getloadavg()[0]:.1f}")
            print(f"{' '.join(sys.argv)}\n")
            _print_calls(stack.url, pictures)
            with _watching(stack.url, home / "single") as watched:
                _print_single(watched, pictures)
            with _watching(stack.url, home / "steady") as watched:
                _print_sustained(watched, pictures, arguments.rate, arguments.seconds)
            with _watching(stack.url, home / "burst") as watched:
                _print_burst(watched, pictures, arguments.burst)
            if arguments.kills:
                _print_kills(stack.url, home / "kills", pictures, arguments.kills)


class Watched:
    """A watched folder and its output."""

    def __init__(self, home: Path) -> None:
        self.inbox, self.out = home / "inbox", home / "results.jsonl"
        self.inbox.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, picture: bytes) -> float:
        """Write a file, and return the unix time at which it is closed."""
        with (self.inbox / name).open("wb", buffering=0) as file:
            file.write(picture)
        return time.time()

    def rows(self) -> list[dict[str, object]]:
        """Return all whole rows."""
        text = self.out.read_text(encoding="utf-8") if self.out.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def await_rows(self, count: int) -> list[dict[str, object]]:
        """Return the rows when there are so many lines, or when that takes too long."""
        deadline, size = time.monotonic() + WAIT_SECONDS, -1
        while time.monotonic() < deadline:
            now = self.out.stat().st_size if self.out.exists() else 0
            if now != size and self.out.exists() and self.out.read_bytes().count(b"\n") >= count:
                break
            size = now
            time.sleep(0.1)
        return self.rows()


@contextmanager
def _watching(url: str, home: Path) -> Iterator[Watched]:
    """Run `digitmill watch` until the end of the context."""
    watched = Watched(home)
    with _started(url, watched) as process:
        watched.write("first.png", b"")  # its row tells that the watcher is ready
        watched.await_rows(1)
        yield watched
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def _started(url: str, watched: Watched) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-P", "-m", "digitmill", "watch", str(watched.inbox), "--out", str(watched.out)]
    environment = {**os.environ, "DIGITMILL_REDIS_URL": url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _pictures(home: Path) -> list[bytes]:
    found = []
    for image in read_digits_or_samples().images[:1000]:
        Image.fromarray(image).save(home / "digit.png")
        found.append((home / "digit.png").read_bytes())
    return found


def _print_calls(url: str, pictures: list[bytes]) -> None:
    with Client(url) as client:
        client.classify(pictures[0])
        times = []
        for picture in pictures[:200]:
            began = time.perf_counter()
            client.classify(picture)
            times.append(time.perf_counter() - began)
        began = time.perf_counter()
        count = sum(1 for _ in client.classify_many(pictures * 5))
        rate = count / (time.perf_counter() - began)
    print(f"calls          {rate:,.0f}/s; one at a time {_spread(times)}")


def _print_single(watched: Watched, pictures: list[bytes]) -> None:
    times = []
    for number, picture in enumerate(pictures[:100]):
        closed = watched.write(f"{number}.png", picture)
        times.append(_written(watched.await_rows(number + 2)[-1]) - closed)
    print(f"one at a time  {_spread(times)}")


def _print_sustained(watched: Watched, pictures: list[bytes], rate: float, seconds: float) -> None:
    closed: dict[str, float] = {}
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        name = f"{number:06}.png"
        closed[name] = watched.write(name, pictures[number % len(pictures)])
        time.sleep(max(began + (number + 1) / rate - time.monotonic(), 0))
    offered = len(closed) / (time.monotonic() - began)
    rows = [row for row in watched.await_rows(len(closed) + 1) if row["name"] in closed]
    times = [_written(row) - closed[str(row["name"])] for row in rows]
    span = max(map(_written, rows)) - min(closed.values())
    print(f"sustained      {offered:,.0f}/s written, {len(rows) / span:,.0f}/s classified; {_spread(times)}")
    _check(closed, rows)


def _print_burst(watched: Watched, pictures: list[bytes], count: int) -> None:
    began = time.time()
    names = [f"{number:06}.png" for number in range(count)]
    for name, picture in zip(names, itertools.cycle(pictures), strict=False):
        watched.write(name, picture)
    written = time.time() - began
    rows = [row for row in watched.await_rows(count + 1) if row["name"] != "first.png"]
    span = max(map(_written, rows)) - began
    print(f"burst          {count:,} files in {written:.1f} s; all rows after {span:.1f} s: {len(rows) / span:,.0f}/s")
    _check(names, rows)


def _print_kills(url: str, home: Path, pictures: list[bytes], kills: int) -> None:
    chance, stop, watched, names = random.Random(0), Event(), Watched(home), list[str]()

    def write() -> None:
        for number in itertools.count():
            if stop.wait(0.01):
                return
            name = f"{number:06}.png"
            watched.write(name, pictures[number % len(pictures)])
            names.append(name)

    writer = Thread(target=write)
    writer.start()
    starts = 0.3  # so that half of the kills come while it starts
    for _ in range(kills):
        with _started(url, watched):
            time.sleep(chance.uniform(starts, 2.5))
    stop.set()
    writer.join()
    with _started(url, watched) as process:
        rows = watched.await_rows(len(names))
        time.sleep(2.5)  # would there be more?
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    print(f"kills          {kills}, while {len(names):,} files came")
    _check(names, watched.rows() or rows)


def _check(names: "list[str] | dict[str, float]", rows: list[dict[str, object]]) -> None:
    """Print how many files have no row, or several."""
    counts = Counter(row["name"] for row in rows)
    missed, twice = sum(name not in counts for name in names), sum(count > 1 for count in counts.values())
    print(f"               missed {missed}, twice {twice}")


def _written(row: dict[str, object]) -> float:
    return datetime.fromisoformat(str(row["written"])).timestamp()


def _spread(times: list[float]) -> str:
    p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
    return f"median {1000 * statistics.median(times):.0f} ms, p99 {1000 * p99:.0f} ms"


if __name__ == "__main__":
    main()
