"""Measure the memory of `digitmill submit` while it lists, sends and reports, and what share the report takes.

    python benchmarks/client_memory.py [--images 500000] [--kind array|files] [--workers 2]

A mill of its own answers a job of so many images. The command runs in a process of its own, with --verbose. This
program reads the memory of that process that no file backs (RssAnon in `/proc/PID/status`) every 50 ms, and the lines
of the command say in which step it is. On a busy machine, look at the share by processor time: the mill keeps all cores
busy while the client sends, and the report is the work of one process.

- array: a .npy file of digits.
- files: PNG files in folders of 1,000, which are hard links to a few.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

import numpy as np
import psutil
from machine import commit, processor

from model.data import sample_digits
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from tests.support.images import as_png
from worker.settings import Settings

SAMPLE_SECONDS = 0.05
STEPS = {" is created, for model": "sending", "Writing the report": "reporting"}
"""Beginnings of steps in what the command says, and their names."""

_LINKS = 30_000  # to one file; file systems allow some more
_FOLDER = 1000


def main() -> None:
    """Write the images, submit them, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500_000, help="number of images (default 500,000)")
    parser.add_argument("--kind", choices=["array", "files"], default="array", help="what is submitted")
    parser.add_argument("--workers", type=int, default=2, help="number of workers (default 2)")
    arguments = parser.parse_args()
    print(f"digitmill {commit()}, {processor()}: {arguments.images:,} images, {arguments.kind}", flush=True)
    with tempfile.TemporaryDirectory() as name, Stack(Path(name) / "data" / "mill", arguments.workers) as stack:
        folder = Path(name)
        source = (_write_array if arguments.kind == "array" else _write_files)(folder, arguments.images)
        await_workers(open_mill(stack.url, Settings.from_environment()), stack)
        _measure(source, folder, stack.url)


def _write_array(folder: Path, images: int) -> Path:
    digits = sample_digits.load().train.images
    path = folder / "digits.npy"
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (images, 28, 28))
    for start in range(0, images, len(digits)):
        array[start : start + len(digits)] = digits[: images - start]
    array.flush()
    return path


def _write_files(folder: Path, images: int) -> Path:
    digits = sample_digits.load().train.images
    for number in range(images):
        place = folder / "scans" / f"{number // _FOLDER:06}"
        if number % _FOLDER == 0:
            place.mkdir(parents=True)
        first = folder / f"{number // _LINKS}.png"
        if not first.exists():
            first.write_bytes(as_png(digits[number // _LINKS % len(digits)]))
        os.link(first, place / f"{number:08}.png")
    return folder / "scans"


def _measure(source: Path, folder: Path, url: str) -> None:
    command = [sys.executable, "-P", "-m", "digitmill", "submit", str(source), "-v", "--json", "--out", "report"]
    environment = {**os.environ, "DIGITMILL_REDIS_URL": url, "DIGITMILL_DATA": str(folder / "data")}
    peaks: dict[str, int] = {}
    begins: dict[str, float] = {"listing": time.monotonic()}
    mill = psutil.Process().children(recursive=True)
    worked: dict[str, float] = {}  # processor time of the client up to the end of each step
    before = _processor_seconds(mill)
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=-1, stderr=-1, text=True, encoding="utf-8"
    ) as process:
        lines, printed = cast("IO[str]", process.stderr), cast("IO[str]", process.stdout)
        client = psutil.Process(process.pid)

        def sample() -> None:
            while process.poll() is None:
                step = list(begins)[-1]
                peaks[step] = max(peaks.get(step, 0), _anonymous(process.pid))
                worked[step] = _processor_seconds([client]) or worked.get(step, 0.0)
                time.sleep(SAMPLE_SECONDS)

        threading.Thread(target=sample, daemon=True).start()
        for line in lines:
            for words, step in STEPS.items():
                if words in line:
                    begins[step] = time.monotonic()
        figures = json.loads(printed.read())
    ended = time.monotonic()
    whole = ended - begins["listing"]
    for step, peak in peaks.items():
        print(f"{step:<10} RssAnon {peak / 2**20:.0f} MiB at most")
    share = (ended - begins["reporting"]) / whole
    print(
        f"{whole:.0f} s, of which {100 * share:.1f} % for the report; {figures['images_per_second']:,.0f} images/s in"
    )
    print(f"the mill, {figures['command_images_per_second']:,.0f} images/s with listing and report")
    report = worked["reporting"] - worked["sending"]
    others = worked["sending"] + _processor_seconds(mill) - before
    cores = len(os.sched_getaffinity(0))
    share = report / (report + others / cores)
    print(
        f"processor time: {report:.1f} s for the report, and {others:.1f} s on {cores} cores for all before it, which"
    )
    print(f"makes {100 * share:.1f} % for the report, whatever else the machine does")


def _processor_seconds(processes: Iterable[psutil.Process]) -> float:
    """Return the processor time that processes have taken, without those that have ended, in seconds."""
    seconds = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def _anonymous(pid: int) -> int:
    """Return the anonymous memory of a process, in bytes, or 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


if __name__ == "__main__":
    main()
