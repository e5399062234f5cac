"""Measure folders of files: the first answer of a huge one, the time of a small one, and scans and photographs.

    python benchmarks/folders.py [--files 1000000] [--place FOLDER] [--rounds 3] [--against FOLDER]

- first answer: Seconds from the start of `digitmill submit FOLDER` until an answer is in its journal, for one folder
  of so many PNG files without labels, and the CPU time of the command until then. The files are hard links in
  `--place`; in /dev/shm they are made fastest. Then the command is interrupted; `benchmarks/client_memory.py --kind
  files` reads such a job to its end.
- 100 files: Seconds that the job takes, as its report says: from its first batch to its last answer.
- scans, photographs: PNG scans of 184×136 and JPEG photographs of 12 megapixels through the queue, images/s as the
  report says, and the CPU time of an image in all processes, which other programs disturb less.

With --against, the last three lines are also measured with another checkout, with its environment in `.venv`, on a
mill of its own. Each round measures each once, one after the other, and the table shows medians.
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import psutil
from checkouts import Checkout, checkouts, running_mill
from inputs import options, read_digits_or_samples
from machine import commit, processor
from preprocess import PHOTOGRAPH, encoded, photograph

from tests.support.images import as_png

SCANS, PHOTOGRAPHS, SMALL = 3000, 150, 100
LINKS = 30_000
"""Number of hard links to one file. File systems allow some more."""

POLL_SECONDS = 0.002
FIRST_SECONDS = 120.0
"""Time that the first answer may take before this program gives up."""


class Measured(NamedTuple):
    """What one command took."""

    seconds: float  # of the job, as its report says
    rate: float  # images per second, as its report says
    cpu: float  # CPU time of an image in the command and in the mill, s


def main() -> None:
    """Write the folders, measure, and print the figures."""
    parser: argparse.ArgumentParser = options(__doc__)
    parser.add_argument("--files", type=int, default=1_000_000, help="files of the huge folder (default 1,000,000)")
    parser.add_argument(
        "--place", type=Path, metavar="FOLDER", help="where the huge folder is made (default: as others)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="times that everything is measured (default 3)")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="folder of another checkout")
    arguments = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}\n{' '.join(sys.argv)}\n", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private,
        tempfile.TemporaryDirectory(prefix="digitmill-bench-", dir=arguments.place) as place,
        contextlib.ExitStack() as stack,
    ):
        digits = [as_png(image) for image in read_digits_or_samples().images[:1000]]
        scan = encoded(cv2.extractChannel(photograph(136, 184), 1), "PNG")
        taken = encoded(photograph(*PHOTOGRAPH), "JPEG", quality=85)
        folders = {
            f"{SMALL} files": _write(Path(private) / "small", digits[:SMALL], SMALL),
            "scans": _write(Path(private) / "scans", [scan], SCANS),
            "photographs": _write(Path(private) / "photographs", [taken], PHOTOGRAPHS, "jpg"),
        }
        measured = checkouts(Path(private), arguments.against)
        mills = [stack.enter_context(running_mill(checkout)) for checkout in measured]
        if arguments.files:
            huge = _write(Path(place) / "huge", digits, arguments.files)
            first = [_first_answer(measured[0], huge) for _ in range(arguments.rounds)]
            clock, cpu = (statistics.median(each) for each in zip(*first, strict=True))
            print(
                f"first answer of {arguments.files:,} files: after {clock:.2f} s, {cpu:.2f} s of CPU time\n", flush=True
            )
        print(f"{'':<14}{'':<9}{'job':>10}{'images/s':>12}{'CPU of an image':>18}")
        for name, folder in folders.items():
            rounds = [
                [_submit(*each, folder) for each in zip(measured, mills, strict=True)] for _ in range(arguments.rounds)
            ]
            for index, checkout in enumerate(measured):
                seconds, rate, cpu = (statistics.median(each[index][field] for each in rounds) for field in range(3))
                print(f"{name:<14}{checkout.name:<9}{seconds:>8.3f} s{rate:>12,.0f}{1e6 * cpu:>15,.0f} µs")
            if arguments.against:
                faster = statistics.median(here.rate / other.rate for here, other in rounds)
                cheaper = statistics.median(other.cpu / here.cpu for here, other in rounds)
                print(f"{name:<14}{'ratio':<9}{'':>10}{faster:>12.2f}{cheaper:>18.2f}", flush=True)


def _write(folder: Path, contents: list[bytes], count: int, suffix: str = "png") -> Path:
    """Write a folder of files that are hard links to files with these contents."""
    folder.mkdir()
    sources = folder.with_name(folder.name + "-sources")
    sources.mkdir()
    per_file = min(LINKS, -(-count // len(contents)))
    for number in range(count):
        source = sources / str(number // per_file)
        if number % per_file == 0:
            source.write_bytes(contents[number // per_file % len(contents)])
        os.link(source, folder / f"{number:08}.{suffix}")
    return folder


def _first_answer(checkout: Checkout, folder: Path) -> tuple[float, float]:
    """Return the seconds from the start of a command until the first answer is on disk, and its CPU time until then."""
    jobs = checkout.data / "jobs"
    known = set(jobs.glob("*.journal"))
    started = time.perf_counter()
    with _start(checkout, folder) as process:
        while not any(path.stat().st_size for path in set(jobs.glob("*.journal")) - known):
            if process.poll() is not None or time.perf_counter() - started > FIRST_SECONDS:
                sys.exit(f"no answer came: {process.returncode}")
            time.sleep(POLL_SECONDS)
        seconds, used = time.perf_counter() - started, sum(psutil.Process(process.pid).cpu_times()[:2])
        process.send_signal(signal.SIGINT)
        process.communicate()
    return seconds, used


def _submit(checkout: Checkout, mill: "subprocess.Popen[bytes]", folder: Path) -> Measured:
    before = _mill_seconds(mill), _ended_seconds()
    with _start(checkout, folder) as process:
        printed, _ = process.communicate()
    used = _mill_seconds(mill) - before[0] + _ended_seconds() - before[1]
    figures: dict[str, Any] = json.loads(printed)
    if figures["failed"] or figures["state"] != "done":
        sys.exit(f"{figures['failed']} images failed with {checkout.name}, so the figures would mean nothing")
    return Measured(figures["seconds"], figures["images_per_second"], used / figures["images"])


def _start(checkout: Checkout, folder: Path) -> "subprocess.Popen[bytes]":
    out = tempfile.mkdtemp(dir=checkout.cwd)
    return subprocess.Popen(
        checkout.command("submit", str(folder), "--json", "--out", f"{out}/report"),
        env=checkout.environment,
        cwd=checkout.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _mill_seconds(mill: "subprocess.Popen[bytes]") -> float:
    """Return the CPU time so far of all processes of a mill."""
    return sum(sum(process.cpu_times()[:2]) for process in psutil.Process(mill.pid).children(recursive=True))


def _ended_seconds() -> float:
    """Return the CPU time of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
