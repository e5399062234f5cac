"""The names of commit, processor and instructions, which benchmarks print."""

import platform
import subprocess
from pathlib import Path


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


def integer_instructions() -> str:
    """Return the widest instructions for products of bytes that the processor has, or "" where Linux does not say."""
    file = Path("/proc/cpuinfo")
    flags = file.read_text(encoding="utf-8").split() if file.exists() else []
    return next((name for name in ("amx_int8", "avx512_vnni", "avx_vnni", "avx512bw", "avx2") if name in flags), "")
