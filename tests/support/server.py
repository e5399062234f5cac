"""A server for tests that stop it, kill it, harm its files, and start it again."""

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from producer.mill.server import ServerFolder
from worker.contract.connection import connect


class Server:
    """A context manager for a server that runs only while a test wants it to run.

    Args:
        folder: Folder of its files.

    Attributes:
        url: Its URL.
        socket: Path of its Unix socket.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = ServerFolder(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._folder.url
        self.socket = self._folder.socket

    def __enter__(self) -> Self:
        assert self._folder.acquire()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.release()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """Its process, which may have ended."""
        assert self._process
        return self._process

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # As Python does, it ignores SIGXFSZ. So a test can limit the size of its files, which is a full disk to it.
        self._process = subprocess.Popen(self._folder.command(), restore_signals=False)
        client, deadline = connect(self.url), time.monotonic() + 30
        while True:
            try:
                client.ping()
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                client.close()
                return

    def stop(self) -> None:
        """Stop it. It writes its log to the disk first."""
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def lose_tail(self, size: int) -> int:
        """Stop it, cut `size` bytes off the end of its log, and start it again. Return the number of bytes cut."""
        self.stop()
        [log] = self._folder.folder.glob("appendonlydir/*.incr.aof")
        before = log.stat().st_size
        with log.open("r+b") as file:
            file.truncate(max(before - size, 0))
        self.start()
        return min(size, before)
