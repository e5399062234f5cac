"""The embedded server: its private folder, its address and its settings."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
import zlib
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from model.errors import UsageError
from model.private_files import make_private_folder, open_private
from producer.mill.server_binary import find_server_binary

MAX_SOCKET_PATH_BYTES = 100
"""Longest path of a socket. The address of a Unix socket holds 104 bytes on macOS and 108 on Linux."""

LOCK_SECONDS = 0.25
"""Longest wait for the lock of a folder. A command that only checks whether it is held has the lock for far less."""

MAX_MEMORY = "1gb"
"""Memory limit of the server, far above the windows of all jobs that run at once.

At the limit, clients wait and the server evicts nothing.
"""

KEPT_BYTES = 32 * 2**20
"""Free memory that the C library of the server keeps instead of giving it back: the most that glibc allows.

Payloads come and go, and the kernel clears each page that is taken again. That was a third of the server's work.
"""

ENVIRONMENT = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(KEPT_BYTES))
"""Environment variables of the server, which glibc reads (mallopt(3)), unless the user has set them."""


class ServerFolder:
    """The private folder of one embedded server. One process at a time can hold it.

    Args:
        folder: Folder to use; created with mode 0700 if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: BinaryIO | None = None

    @property
    def socket(self) -> Path:
        """Path of the Unix socket that the server listens on."""
        direct = self.folder / "redis.sock"
        if len(os.fsencode(direct)) <= MAX_SOCKET_PATH_BYTES:
            return direct
        # Private like the folder, and every process that knows the folder finds it.
        short = Path(tempfile.gettempdir()) / f"digitmill-{os.getuid()}-{_stable_hash(direct):08x}"
        return short / "redis.sock"

    @property
    def url(self) -> str:
        """URL of the server that runs, or will run, in the folder."""
        return f"unix://{quote(os.fsencode(self.socket))}"

    def acquire(self) -> bool:
        """Try to hold the folder; return True, or False if another process holds it.

        Raises:
            UsageError: The folder belongs to another user, or cannot be written.
        """
        try:
            make_private_folder(self.folder.parent)
            _make_private(self.folder)
            lock = open_private(self.folder / "lock", "ab")
        except OSError as fault:
            raise UsageError(
                f"{self.folder} cannot be used ({fault.strerror}). Set DIGITMILL_DATA to a folder of your own."
            ) from fault
        try:
            if not _lock(lock):
                lock.close()
                return False
            # Under the lock, because the process that holds it also deletes the socket's folder.
            _make_private(self.socket.parent)
        except BaseException:
            lock.close()
            raise
        self._lock = lock
        return True

    def held(self) -> bool:
        """Return whether a process holds the folder. A server then runs in it, or is about to start."""
        path = self.folder / "lock"
        if not path.exists():
            return False
        with open_private(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def release(self) -> None:
        """Stop holding the folder. Do nothing if this object does not hold it."""
        if self._lock:
            if self.socket.parent != self.folder:
                shutil.rmtree(self.socket.parent, ignore_errors=True)  # a killed server leaves its socket in it
            self._lock.close()
            self._lock = None

    def command(self) -> list[str]:
        """Return the command line of a server that is durable, never evicts, and serves this user alone.

        Raises:
            UsageError: This machine has no server program.
        """
        return [
            str(find_server_binary()),
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--logfile", str(self.folder / "server.log"), "--loglevel", "notice"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # Payloads pass through the log and are then deleted. Rewriting the log often would cost more than it saves.
            *("--auto-aof-rewrite-min-size", "256mb"),
            *("--maxmemory", MAX_MEMORY, "--maxmemory-policy", "noeviction"),
            *("--daemonize", "no"),
        ]


def _lock(file: BinaryIO) -> bool:
    """Try to lock a file for this process; return True, or False if another process keeps it locked."""
    deadline = time.monotonic() + LOCK_SECONDS
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
    """Create a folder that only this user can change, or check that an existing one is such a folder.

    Raises:
        OSError: The folder cannot be created.
        UsageError: The folder belongs to another user, or other users can change it.
    """
    make_private_folder(folder)
    # Every user can write to the folder for temporary files. Do not use what another user has put there.
    if {folder.stat().st_uid, folder.lstat().st_uid} != {os.getuid()}:
        raise UsageError(f"{folder} belongs to another user. Set DIGITMILL_DATA to a folder of your own.")
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            f"Other users can change {folder}, and not all of its files are digitmill's. Set DIGITMILL_DATA to a "
            "folder of your own."
        )


def _stable_hash(path: Path) -> int:
    """Return a number for a path that is the same in every process."""
    return zlib.crc32(os.fsencode(path))
