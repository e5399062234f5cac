"""Measure how long commands take from start to end, with a running mill, beside a Python that does nothing.

    python benchmarks/startup.py [--rounds 20] [--against FOLDER]

Each round runs each line once, one after the other, so that a slow moment of the machine affects all. The table shows
medians of the time by the clock and of the CPU time, and their ratios to `python -c pass` within a round. With
--against, it also runs the commands of another checkout, with its environment in `.venv`, on a mill of that checkout.
"""

import argparse
import contextlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from checkouts import checkouts, running_mill
from inputs import options, read_digits_or_samples
from machine import commit, processor
from PIL import Image

NOTHING = "python -c pass"


class Seconds(NamedTuple):
    """What one run of a command took."""

    clock: float
    cpu: float


def main() -> None:
    """Measure and print a table."""
    parser: argparse.ArgumentParser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="times that each command is run (default 20)")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="folder of another checkout")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private, contextlib.ExitStack() as stack:
        image = Path(private) / "one.png"
        Image.fromarray(read_digits_or_samples().images[0]).save(image)
        measured = checkouts(Path(private), arguments.against)
        for checkout in measured:
            stack.enter_context(running_mill(checkout))
        lines = {NOTHING: ([sys.executable, "-c", "pass"], measured[0].environment)}
        for words in (("--help",), ("classify", str(image))):
            for checkout in measured:
                lines[f"{words[0]}, {checkout.name}"] = (checkout.command(*words), checkout.environment)
        rounds = [{name: _run(*line) for name, line in lines.items()} for _ in range(arguments.rounds)]

    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}")
    print(f"{' '.join(sys.argv)}\n")
    print(f"{'':<20}{'clock':>10}{'CPU':>10}{'clock / pass':>15}{'CPU / pass':>13}")
    for name in lines:
        clock, cpu = (statistics.median(each[name][index] for each in rounds) for index in (0, 1))
        ratios = [statistics.median(each[name][index] / each[NOTHING][index] for each in rounds) for index in (0, 1)]
        print(f"{name:<20}{1000 * clock:>7,.0f} ms{1000 * cpu:>7,.0f} ms{ratios[0]:>15.1f}{ratios[1]:>13.1f}")


def _run(command: list[str], environment: dict[str, str]) -> Seconds:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    clock = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
