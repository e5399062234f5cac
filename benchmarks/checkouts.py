"""Other checkouts of digitmill whose commands are measured beside those of this one, each with a mill of its own."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
START_SECONDS = 180


class Checkout(NamedTuple):
    """A checkout whose commands are measured."""

    name: str
    python: Path
    environment: dict[str, str]
    cwd: Path  # without modules, because an older version may import those of the current folder

    def command(self, *words: str) -> list[str]:
        """Return the command line of a command of digitmill."""
        return [str(self.python.with_name("digitmill")), *words]

    @property
    def data(self) -> Path:
        """Its folder for data."""
        return Path(self.environment["DIGITMILL_DATA"])


def checkouts(private: Path, against: Path | None) -> list[Checkout]:
    """Return this checkout and perhaps another one, whose environment is in its folder `.venv`.

    Args:
        private: Folder for what they keep.
        against: Folder of the other checkout, or None.
    """
    found = [_checkout("here", ROOT, Path(sys.executable), private)]
    if against:
        against = against.resolve()
        found.append(_checkout("against", against, against / ".venv" / "bin" / "python", private))
    return found


def _checkout(name: str, folder: Path, python: Path, private: Path) -> Checkout:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DIGITMILL_", "PYTHON"))}
    # Measured as installed: from the folder of the checkout on the module path, without that of the benchmarks.
    environment = {**kept, "PYTHONPATH": str(folder), "DIGITMILL_DATA": str(private / name)}
    return Checkout(name, python, environment, private)


@contextlib.contextmanager
def running_mill(checkout: Checkout) -> Iterator["subprocess.Popen[bytes]"]:
    """Keep a mill of a checkout running, with two workers, and yield its process."""
    with subprocess.Popen(
        checkout.command("up", "--workers", "2"),
        env=checkout.environment,
        cwd=checkout.cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as mill:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_ready(checkout):
                if time.monotonic() > deadline:
                    sys.exit(f"the mill of {checkout.name} does not start")
            yield mill
        finally:
            mill.terminate()


def _is_ready(checkout: Checkout) -> bool:
    status = subprocess.run(
        checkout.command("status", "--json"),
        env=checkout.environment,
        cwd=checkout.cwd,
        capture_output=True,
        check=False,
    )
    return b'"ready": true' in status.stdout
