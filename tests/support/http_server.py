"""A running `digitmill serve`, for tests that ask it as programs do."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from tests.support.command import CommandLine
from tests.support.waiting import eventually

SECONDS = 60.0
"""Time after which an answer is missing, also on a busy machine."""


class HttpServer:
    """A process that serves.

    Attributes:
        process: The process.
        address: Its host and port.
        url: Its URL.
        log: Lines of its log, which are added as it writes them.
        client: HTTP client for it.
    """

    def __init__(self, process: Any) -> None:
        self.process = process
        first = process.stdout.readline()
        assert first, process.stderr.read()
        self.url: str = json.loads(first)["url"]
        self.address = ("127.0.0.1", int(self.url.rpartition(":")[2]))
        self.log: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.client = httpx.Client(base_url=self.url, timeout=SECONDS)

    def _read(self) -> None:
        with suppress(ValueError):  # the file is closed at the end
            for line in self.process.stdout:
                self.log.append(json.loads(line))

    def post(self, content: bytes, content_type: str = "image/png", **options: Any) -> httpx.Response:
        """Ask for the prediction of one image."""
        headers = {"Content-Type": content_type, **options.pop("headers", {})}
        return self.client.post("/v1/classify", content=content, headers=headers, **options)

    def connect(self) -> socket.socket:
        """Open a connection to send anything."""
        connection = socket.create_connection(self.address, timeout=SECONDS)
        connection.settimeout(SECONDS)
        return connection

    def raw(self, data: bytes) -> bytes:
        """Send bytes, and return everything that comes until the server ends the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)

    def await_ready(self) -> None:
        """Wait until it can answer."""
        eventually(lambda: self.client.get("/readyz").status_code == 200, what="the server is ready")

    def stop(self) -> int:
        """End it in order, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return int(self.process.wait(SECONDS))


def read_all(connection: socket.socket) -> bytes:
    """Return everything that comes until the other side ends the connection."""
    pieces = []
    while piece := connection.recv(2**16):
        pieces.append(piece)
    return b"".join(pieces)


def request(head: str, *headers: str, body: bytes = b"", close: bool = True) -> bytes:
    """Return a request as bytes.

    Args:
        head: Method and path.
        headers: Further headers.
        body: Body, whose length is not added.
        close: Whether it asks to end the connection.
    """
    lines = [f"{head} HTTP/1.1", "Host: localhost", *(["Connection: close"] if close else []), *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def serving(command_line: CommandLine, *arguments: object, **options: Any) -> Iterator[HttpServer]:
    """Run `digitmill serve` on a free port until the end of the context."""
    with command_line.start("serve", "--port", "0", "--json", *arguments, **options) as process:
        try:
            server = HttpServer(process)
            yield server
            server.client.close()
        finally:
            process.kill()
