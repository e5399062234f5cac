"""Measure how long a small job takes alone, and beside jobs that are much larger.

    python benchmarks/fairness.py [--cores 2] [--jobs 3] [--rounds 3]

The small job is a folder of 687 PNG files of 28×28. The huge jobs are arrays of 28×28, or folders of scans of 184×136;
each has a client of its own, as if somebody else had submitted it. The time of the small job is that of the whole
command `digitmill submit`, from its start to its end.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from inputs import read_digits_or_samples, spread
from machine import commit, processor
from preprocess import photograph

from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.settings import Settings

SMALL = 687
RAW = 500_000
SCANS = 20_000
WAIT_SECONDS = 120.0


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--jobs", type=int, default=3, help="huge jobs that run at the same time (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="times that each line is measured (default 3)")
    arguments = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.sched_setaffinity(0, cores)  # all processes started here inherit it
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private:
        folder = Path(private)
        small, raw, scans = folder / "small", folder / "raw.npy", folder / "scans"
        _write(small, raw, scans)
        settings = replace(Settings.from_environment(), data=folder, redis_url=None)
        with Stack(folder / "mill", len(cores)) as stack:
            connection = open_mill(stack.url, settings)
            if not await_workers(connection, stack):
                sys.exit("the workers are not ready, so the figures would mean nothing")
            environment = {**os.environ, "DIGITMILL_REDIS_URL": stack.url, "DIGITMILL_DATA": str(folder / "data")}
            print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}, {len(cores)} cores")
            print(f"{' '.join(sys.argv)}\n\n{'a folder of 687 PNG':36}{'median':>8}{'worst':>8}")
            for name, huge in (
                ("alone", None),
                (f"beside {arguments.jobs} arrays of 500,000", raw),
                (f"beside {arguments.jobs} folders of scans", scans),
            ):
                seconds = []
                for _ in range(arguments.rounds):
                    with _beside(connection, huge, arguments.jobs, environment):
                        started = time.perf_counter()
                        _submit(small, environment).wait()
                        seconds.append(time.perf_counter() - started)
                print(f"{name:36}{statistics.median(seconds):>6.2f} s{max(seconds):>6.2f} s", flush=True)


def _write(small: Path, raw: Path, scans: Path) -> None:
    digits = spread(read_digits_or_samples(), SMALL)
    small.mkdir()
    for index, image in enumerate(digits.images):
        cv2.imwrite(str(small / f"{index:03d}.png"), image)
    np.save(raw, np.resize(digits.images, (RAW, 28, 28)))
    scans.mkdir()
    scan = cv2.imencode(".png", cv2.extractChannel(photograph(136, 184), 1))[1].tobytes()
    for index in range(SCANS):
        (scans / f"{index:06d}.png").write_bytes(scan)


def _submit(path: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a command that submits a path. It writes its report beside that path."""
    command = [sys.executable, "-m", "digitmill", "submit", str(path)]
    return subprocess.Popen(
        command, env=environment, cwd=path.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@contextlib.contextmanager
def _beside(connection: Connection, huge: Path | None, jobs: int, environment: dict[str, str]) -> Iterator[None]:
    """Keep the workers busy with huge jobs. Afterwards, cancel them and wait until nothing is left of them."""
    clients = [_submit(huge, environment) for _ in range(jobs)] if huge else []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while clients and _busy(connection) < jobs and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2.0 if clients else 0.0)  # until each has its share
        yield
    finally:
        for job in connection.ledger.jobs():
            connection.ledger.cancel(job.identifier)
        for client in clients:
            client.wait()


def _busy(connection: Connection) -> int:
    return sum(job.answered > 0 for job in connection.ledger.jobs() if not job.state.ended)


if __name__ == "__main__":
    main()
