"""Measure how long commands take from start to end, with a running mill, beside a Python that does nothing.

    python benchmarks/startup.py [--rounds 20] [--against FOLDER]

Each round runs each line once, one after the other, so that a slow moment of the machine affects all. The table shows
medians of the time by the clock and of the CPU time, and their ratios to `python -c pass` within a round. With
--against, it also runs the commands of another checkout, with its environment in `.venv`, on a mill of that checkout.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from inputs import options, read_digits_or_samples
from machine import commit, processor
from PIL import Image

ROOT = Path(__file__).parent.parent
NOTHING = "python -c pass"


class Seconds(NamedTuple):
    """What one run of a command took."""

    clock: float
    cpu: float


class Checkout(NamedTuple):
    """A checkout whose commands are measured."""

    name: str
    python: Path
    environment: dict[str, str]

    def command(self, *words: str) -> list[str]:
        """Return the command line of a command of digitmill."""
        return [str(self.python.with_name("digitmill")), *words]


def main() -> None:
    """Measure and print a table."""
    parser: argparse.ArgumentParser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="times that each command is run (default 20)")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="folder of another checkout")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="digitmill-bench-") as private, contextlib.ExitStack() as stack:
        image = Path(private) / "one.png"
        Image.fromarray(read_digits_or_samples().images[0]).save(image)
        checkouts = [_checkout("here", ROOT, Path(sys.executable), Path(private))]
        if arguments.against:
            python = arguments.against / ".venv" / "bin" / "python"
            checkouts.append(_checkout("against", arguments.against, python, Path(private)))
        for checkout in checkouts:
            stack.enter_context(_mill(checkout))
        lines = {NOTHING: ([sys.executable, "-c", "pass"], checkouts[0].environment)}
        for words in (("--help",), ("classify", str(image))):
            for checkout in checkouts:
                lines[f"{words[0]}, {checkout.name}"] = (checkout.command(*words), checkout.environment)
        rounds = [{name: _run(*line) for name, line in lines.items()} for _ in range(arguments.rounds)]

    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {processor()}")
    print(f"{' '.join(sys.argv)}\n")
    print(f"{'':<20}{'clock':>10}{'CPU':>10}{'clock / pass':>15}{'CPU / pass':>13}")
    for name in lines:
        clock, cpu = (statistics.median(each[name][index] for each in rounds) for index in (0, 1))
        ratios = [statistics.median(each[name][index] / each[NOTHING][index] for each in rounds) for index in (0, 1)]
        print(f"{name:<20}{1000 * clock:>7,.0f} ms{1000 * cpu:>7,.0f} ms{ratios[0]:>15.1f}{ratios[1]:>13.1f}")


def _checkout(name: str, folder: Path, python: Path, private: Path) -> Checkout:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DIGITMILL_", "PYTHON"))}
    # Measured as installed: from the folder of the checkout on the module path, without that of the benchmarks.
    return Checkout(name, python, {**kept, "PYTHONPATH": str(folder), "DIGITMILL_DATA": str(private / name)})


@contextlib.contextmanager
def _mill(checkout: Checkout) -> Iterator[None]:
    """Keep a mill of a checkout running."""
    with subprocess.Popen(
        checkout.command("up", "--workers", "2"),
        env=checkout.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as mill:
        try:
            deadline = time.monotonic() + 180
            status = checkout.command("status", "--json")
            while (
                b'"ready": true'
                not in subprocess.run(status, env=checkout.environment, capture_output=True, check=False).stdout
            ):
                if time.monotonic() > deadline:
                    sys.exit(f"the mill of {checkout.name} does not start")
            yield
        finally:
            mill.terminate()


def _run(command: list[str], environment: dict[str, str]) -> Seconds:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    clock = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
