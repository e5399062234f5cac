"""Measure the time and the memory of the report of a large job, without classifying its images.

    python benchmarks/report.py [--images 1000000] [--kind files|array] [--repeat 1]

The job is invented: a journal with answers to so many images, of which 1 % are wrong, 2 % are for review and 0.1 %
failed, as a client keeps it. A process of its own reads the journal and writes the report, as `digitmill report` does.
It prints the processor time of each step, without that of the process that draws the charts, and the peak of the memory
that no file backs (RssAnon in `/proc/self/status`).

- files: names are paths of 40 characters, as those of a folder.
- array: names are the numbers 0, 1, 2 …, as those of a .npy file.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from machine import commit, processor

from model.errors import Failure, FailureCode
from producer.jobs.kept.columns import merge
from producer.jobs.kept.journal import Journal, ReceivedBatch, read_journal
from producer.jobs.results import JobInfo
from producer.report.write import write_report
from worker.contract.wire import Manifest, Result

BATCH = 512
SAMPLE_SECONDS = 0.02


def main() -> None:
    """Invent a job, measure its report in a process of its own, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000, help="number of images (default 1,000,000)")
    parser.add_argument("--kind", choices=["files", "array"], default="files", help="what was submitted")
    parser.add_argument("--repeat", type=int, default=1, help="number of measurements (default 1)")
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)  # for the process that is measured
    arguments = parser.parse_args()
    if arguments.journal:
        _measure(arguments.journal)
        return
    print(f"digitmill {commit()}, {processor()}: {arguments.images:,} images, {arguments.kind}")
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "job.journal"
        invent(journal, arguments.images, is_array=arguments.kind == "array")
        for _ in range(arguments.repeat):
            subprocess.run([sys.executable, __file__, "--journal", journal], check=True)


def invent(path: Path, images: int, *, is_array: bool) -> None:
    """Write the journal of a job of so many images.

    Args:
        path: File of the journal.
        images: Number of images.
        is_array: Whether their names are numbers. Otherwise they are paths.
    """
    random = np.random.default_rng(1)
    with Journal(path) as journal:
        for sequence, start in enumerate(range(0, images, BATCH)):
            count = min(BATCH, images - start)
            labels = random.integers(0, 10, count)
            digits = np.where(random.random(count) < 0.01, (labels + 1) % 10, labels).astype(np.uint8)
            confidences = np.where(random.random(count) < 0.02, 0.6, 0.999).astype(np.float32)
            failures = {row: Failure(FailureCode.BLANK, "It is blank.") for row in range(0, count, 1000)}
            names = [
                str(row) if is_array else f"scans/2026-11/{row:011}/image.png" for row in range(start, start + count)
            ]
            manifest = Manifest(tuple(names), tuple(labels.tolist()), {})
            result = Result("baseline-1", "host-1", digits, confidences, None, failures)
            journal.keep([ReceivedBatch(sequence, manifest, [result.to_wire()])])


def _measure(path: Path) -> None:
    """Read a journal and write the report of its job. Print the time of each step, and the peak of the memory."""
    before, peak = _anonymous(), [0]
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], _anonymous())

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    steps = {}
    began = time.process_time()
    results = merge(read_journal(path))
    steps["read"] = time.process_time() - began
    began = time.process_time()
    info = JobInfo("260101-000000-abc", "invented", "done", time.time() - 60, 60.0, [], {"host-1": len(results)})
    write_report(path.with_name("report"), results, info, card=None, read_pictures=lambda _: {}, min_confidence=0.8)
    steps["write"] = time.process_time() - began
    over.set()
    watcher.join()
    said = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in steps.items())
    print(f"{said}; {1e6 * sum(steps.values()) / len(results):.2f} µs of processor time for each image")
    print(f"RssAnon {peak[0] / 2**20:.0f} MiB at most, {before / 2**20:.0f} MiB before")


def _anonymous() -> int:
    """Return the anonymous memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
