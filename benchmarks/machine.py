"""What every benchmark needs: real digits, and on what it ran."""

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
    """MNIST's test images, or scikit-learn's digits where it cannot be had."""
    try:
        return load_test(settings.mnist, cache=settings.cache, download=not settings.offline)
    except DataError as fault:
        print(f"{fault} Using scikit-learn's digits.", file=sys.stderr)
        return sample_digits.load().test


def commit() -> str:
    """The commit that is measured."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607  git, wherever it is
    return done.stdout.strip() or "unknown"


def processor() -> str:
    """The name of the processor, as the system tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
