"""A TCP proxy in front of a server, which cuts, freezes and slows down its connections."""

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 65536
LOOK_SECONDS = 0.05


class Proxy:
    """A context manager that listens on a TCP port of this machine, and passes everything on to a Unix socket.

    Args:
        target: Path of the Unix socket.

    Attributes:
        url: URL of Redis behind the proxy.
        delay: Seconds by which each chunk is delayed.
        refusing: Whether new connections are cut at once.
    """

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self.flowing = threading.Event()
        self.flowing.set()
        self.delay = 0.0
        self.refusing = False
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.flowing.set()
        self.reset()

    def reset(self) -> None:
        """Reset all connections."""
        for link in self._taken():
            link.cut()

    def freeze(self) -> None:
        """Let all present connections fall silent for ever. Neither end hears that they are dead. New ones work."""
        with self._lock:
            for link in self._links:
                link.dead.set()

    def stop_flow(self) -> None:
        """Let nothing through, also on new connections, until `start_flow`. Then all of them go on."""
        self.flowing.clear()

    def start_flow(self) -> None:
        """Let everything through again."""
        self.flowing.set()

    def forget(self, link: "_Link") -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._links.discard(link)

    def _taken(self) -> "set[_Link]":
        with self._lock:
            links, self._links = self._links, set()
        return links

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                far.connect(self._target)
            except OSError:
                _cut(near)
                far.close()
                continue
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(self, near, far)
            with self._lock:
                self._links.add(link)
            link.start()


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self._proxy, self._near, self._far = proxy, near, far
        self._ends = threading.Lock()
        self._open = 2
        self.dead = threading.Event()

    def start(self) -> None:
        for source, target in ((self._near, self._far), (self._far, self._near)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def cut(self) -> None:
        """Reset both ends."""
        for end in (self._near, self._far):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if self._proxy.delay:
                    time.sleep(self._proxy.delay)
                while not self._proxy.flowing.wait(LOOK_SECONDS):
                    if self.dead.is_set():
                        break
                if not self.dead.is_set():
                    target.sendall(data)
        if self.dead.is_set() and source is self._far:
            return self._leave()  # the near end hears nothing of it
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        return self._leave()

    def _leave(self) -> None:
        """Close both ends when nobody uses them any more. Closed earlier, their numbers could mean other files."""
        with self._ends:
            self._open -= 1
            if self._open:
                return
        self._near.close()
        self._far.close()
        self._proxy.forget(self)


def _cut(end: socket.socket) -> None:
    """Reset a connection."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
