"""Helpers that benchmarks share: real digits, and the names of commit and processor."""

import platform
import subprocess
import sys
from pathlib import Path

from model.data import sample_digits
from model.data.digits import Digits
from model.data.mnist import load_test
from model.errors import DataError
from worker.settings import Settings


def digits(settings: Settings) -> Digits:
    """Return MNIST's test images, or the sample digits if MNIST is not available."""
    try:
        return load_test(settings.mnist, cache=settings.cache, download=not settings.offline)
    except DataError as fault:
        print(f"{fault} Using the sample digits instead.", file=sys.stderr)
        return sample_digits.load().test


def commit() -> str:
    """Return the short name of the measured commit, or "unknown"."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, encoding="utf-8", check=False)  # noqa: S607  git, wherever it is installed
    return done.stdout.strip() or "unknown"


def processor() -> str:
    """Return the name of the processor, as the system reports it."""
    for line in (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    ):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
