"""Measure what many workers and clients would cost Redis, with workers whose computing is simulated.

    python benchmarks/scaling.py [--workers 1 2 4 8 16 32 64] [--clients 1 2 4 8] [--kind raw|files] [--batch-size N]

Real clients send real jobs through a real server to simulated workers (`simulated.py`), which sleep as long as decoding
and classifying would take. So a machine of two cores can run 64 workers, and the figures are of the transport.

Of each number of workers and clients, the table shows images/s, and their share of what the workers could do; the
commands of Redis for each batch; the bytes that Redis receives and sends for each image; and the CPU time of an image
in Redis' main thread, in a client, and in a simulated worker. CPU times hold on a busy machine, images/s do not. The
last column names what was busy: the main thread of Redis or a client for 80 % of the time, or all cores; or else the
workers.

At the end come the figures of `docs/scaling.md`: how many images/s one Redis and one client carry, if nothing else
hinders them, and what a real worker without work costs Redis.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import psutil
from inputs import read_digits_or_samples
from machine import commit, processor

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from producer.sources import Source, array_source, open_source
from worker.settings import Settings

MICROSECONDS = {"raw": 85.0, "files": 195.0}
"""CPU time of a raw image and of a PNG file of 28×28 in a real worker (throughput.py, AVX2 without VNNI)."""

THREADS = 8
"""Number of simulated workers in a process."""

BUSY = 0.8
"""Share of the time for which something must work to count as busy."""

IDLE_SECONDS = 10.0


class Cost(NamedTuple):
    """What one run cost.

    Attributes:
        images: Number of images.
        seconds: Time from the start of the first client to the end of the last, s.
        redis: CPU time of Redis' main thread, s.
        clients: CPU time of each client, s.
        workers: CPU time of all simulated workers, s.
        commands: Number of commands of Redis, with those in scripts.
        received: Bytes that Redis received.
        sent: Bytes that Redis sent.
    """

    images: int
    seconds: float
    redis: float
    clients: list[float]
    workers: float
    commands: int
    received: int
    sent: int


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64], help="numbers of workers")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of clients")
    parser.add_argument("--kind", choices=list(MICROSECONDS), default="raw", help="what is submitted (default raw)")
    parser.add_argument("--batch-size", type=int, help="images in a batch (default: as for `submit`)")
    parser.add_argument("--images", type=int, default=100_000, help="images of each run (default 100,000)")
    parser.add_argument("--microseconds", type=float, help="time of an image in a worker (default: as measured)")
    parser.add_argument("--client", nargs=3, metavar=("URL", "DATA", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        url, data, count = arguments.client
        _client(url, Path(data), int(count), arguments.kind, arguments.batch_size)
        return
    microseconds = arguments.microseconds or MICROSECONDS[arguments.kind]
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(os.sched_getaffinity(0))} cores")
    print(f"{' '.join(sys.argv)}  (load {os.getloadavg()[0]:.1f}, {microseconds:.0f} µs for each image)\n")
    print("workers clients  images/s  of theirs  commands/batch  B in, out/image  µs: Redis client worker  busy")
    costs = []
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        folder = Path(private)
        _write(folder / "files")
        for workers in arguments.workers:
            for clients in arguments.clients:
                cost, batches = _measure(folder, workers, clients, microseconds, arguments)
                _print(cost, batches, workers, clients, microseconds)
                costs.append(cost)
        idle = _idle(folder)
    redis, client = (
        statistics.median(each / cost.images for cost, each in pairs)
        for pairs in ([(cost, cost.redis) for cost in costs], [(cost, sum(cost.clients)) for cost in costs])
    )
    print(f"\none Redis carries {1 / redis:,.0f} images/s, and one client {1 / client:,.0f} images/s")
    print(f"an idle worker: {idle[0]:.1f} commands/s, and {1e6 * idle[1]:.0f} µs/s of Redis' main thread")


def _write(folder: Path) -> None:
    folder.mkdir()
    for index, image in enumerate(read_digits_or_samples().images[:1000]):
        cv2.imwrite(str(folder / f"{index:04d}.png"), image)


def _measure(
    folder: Path, workers: int, clients: int, microseconds: float, arguments: argparse.Namespace
) -> tuple[Cost, int]:
    """Run a job for each client, and return what they cost together, and the number of batches."""
    count = arguments.images // clients
    with Stack(folder / f"mill-{workers}-{clients}", 0) as stack, contextlib.ExitStack() as running:
        connection = open_mill(stack.url, replace(Settings.from_environment(), data=folder))
        simulated = [running.enter_context(_simulated(stack.url, some, microseconds)) for some in _shares(workers)]
        while len(connection.ledger.workers()) < workers:
            time.sleep(0.1)
        command = [sys.executable, __file__, "--kind", arguments.kind]
        command += ["--batch-size", str(arguments.batch_size)] if arguments.batch_size else []
        processes = [
            subprocess.Popen(
                [*command, "--client", stack.url, str(folder), str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
            for _ in range(clients)
        ]
        for process in processes:
            _line(process)  # it is ready
        before, cpu = _figures(connection), _cpu(simulated)
        started = time.perf_counter()
        for process in processes:
            print("go", file=process.stdin, flush=True)
        spent = [float(_line(process)) for process in processes]
        seconds = time.perf_counter() - started
        after = _figures(connection)
        redis, commands, received, sent = (there - here for here, there in zip(before, after, strict=True))
        batches = sum(job.batches for job in connection.ledger.jobs())
        for process in processes:
            process.wait()
        workers_cpu = _cpu(simulated) - cpu
        return (
            Cost(count * clients, seconds, redis, spent, workers_cpu, int(commands), int(received), int(sent)),
            batches,
        )


def _shares(workers: int) -> list[int]:
    return [min(THREADS, workers - start) for start in range(0, workers, THREADS)]


@contextlib.contextmanager
def _simulated(url: str, workers: int, microseconds: float) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("simulated.py")), url, str(workers), str(microseconds)]
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _cpu(processes: Sequence["subprocess.Popen[bytes]"]) -> float:
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


def _line(process: "subprocess.Popen[str]") -> str:
    if process.stdout is None or not (line := process.stdout.readline()):
        sys.exit("a client failed, so the figures would mean nothing")
    return line


def _figures(connection: Connection) -> tuple[float, int, int, int]:
    """Return the CPU time of the main thread of Redis, s, its commands, and the bytes that it received and sent."""
    info: Any = connection.client.info("everything")
    cpu = info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"]
    commands = sum(each["calls"] for name, each in info.items() if name.startswith("cmdstat_"))
    return cpu, commands, info["total_net_input_bytes"], info["total_net_output_bytes"]


def _print(cost: Cost, batches: int, workers: int, clients: int, microseconds: float) -> None:
    rate = cost.images / cost.seconds
    cores = len(os.sched_getaffinity(0))
    uses = {
        "Redis": cost.redis / cost.seconds,
        "client": max(cost.clients) / cost.seconds,
        "cores": (cost.redis + sum(cost.clients) + cost.workers) / cost.seconds / cores,
    }
    busy = ", ".join(f"{name} {use:.2f}" for name, use in uses.items() if use >= BUSY) or "workers"
    each = [1e6 * seconds / cost.images for seconds in (cost.redis, sum(cost.clients), cost.workers)]
    print(
        f"{workers:>7} {clients:>7} {rate:>9,.0f} {rate * microseconds / 1e6 / workers:>10.2f} "
        f"{cost.commands / batches:>15.1f}  {cost.received / cost.images:>7.0f} {cost.sent / cost.images:>7.0f}"
        f"  {each[0]:>9.2f} {each[1]:>6.2f} {each[2]:>6.2f}  {busy}",
        flush=True,
    )


def _client(url: str, data: Path, count: int, kind: str, batch_size: int | None) -> None:
    """Submit a job when told to, and print the CPU time that it took."""
    settings = replace(Settings.from_environment(), data=data / f"client-{os.getpid()}")
    connection = open_mill(url, settings)
    source: Source
    if kind == "raw":
        source = array_source(np.resize(read_digits_or_samples().images, (count, 28, 28)), "numbers")
    else:
        folder = data / f"files-{count}"
        _link(data / "files", folder, count)
        source = open_source(folder, labels="none")
    options = SubmitOptions(path="benchmark", batch_size=batch_size)
    job = create_job(connection, options, "benchmark", settings, detached=False)
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    finished = gather_job(connection, job, options, source, settings)
    spent = time.process_time() - before
    if len(finished.results) != count or finished.results.failures:
        sys.exit("images failed, so the figures would mean nothing")
    print(spent, flush=True)


def _link(files: Path, folder: Path, count: int) -> None:
    """Make a folder with a number of files, many of which are the same."""
    folder.mkdir(exist_ok=True)
    given = sorted(files.iterdir())
    for index in range(count):
        with contextlib.suppress(FileExistsError):  # another client makes the same folder
            (folder / f"{index:07d}.png").hardlink_to(given[index % len(given)])


def _idle(folder: Path) -> tuple[float, float]:
    """Return the commands of Redis for each second of an idle real worker, and the CPU time of its main thread, s."""
    with Stack(folder / "idle", 2) as stack:
        connection = open_mill(stack.url, replace(Settings.from_environment(), data=folder))
        if not await_workers(connection, stack):
            sys.exit("the workers are not ready, so the figures would mean nothing")
        time.sleep(1.0)
        started, before = time.perf_counter(), _figures(connection)
        time.sleep(IDLE_SECONDS)
        after, seconds = _figures(connection), time.perf_counter() - started
    return (after[1] - before[1]) / seconds / 2, (after[0] - before[0]) / seconds / 2


if __name__ == "__main__":
    main()
