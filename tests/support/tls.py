"""Redis over TLS for tests: authorities and certificates, and a proxy that speaks TLS in front of a server.

The packaged server speaks no TLS. For its clients, the proxy is a Redis with TLS; and it remembers what they send.
"""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


class Authority:
    """An authority that signs certificates.

    Args:
        folder: Empty folder for its files.
    """

    def __init__(self, folder: Path) -> None:
        if not shutil.which("openssl"):
            pytest.skip("there is no openssl to make certificates with")
        folder.mkdir(parents=True)
        self._folder = folder
        self.file = folder / "ca.crt"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # Python 3.13 asks for it, as RFC 5280 does
        _openssl(folder, "req", "-x509", *_KEY, "-subj", "/CN=test", *usage, "-keyout", "ca.key", "-out", "ca.crt")

    def context(self, host: str) -> ssl.SSLContext:
        """Return what a server needs to speak TLS, with a certificate of a host."""
        folder = self._folder
        (folder / "san").write_text(f"subjectAltName=DNS:{host}")
        _openssl(folder, "req", *_KEY, "-subj", f"/CN={host}", "-keyout", "server.key", "-out", "server.csr")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san"]
        _openssl(folder, "x509", "-req", "-in", "server.csr", *signing, "-out", "server.crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        return context


@dataclass
class TlsProxy:
    """A server that speaks TLS and passes everything on to a Unix socket.

    Attributes:
        socket: Path of the Unix socket.
        port: Its port on this host.
        received: What clients have sent after the handshake.
    """

    socket: Path
    port: int = 0
    received: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        redis_reader, redis_writer = await asyncio.open_unix_connection(self.socket)
        await asyncio.gather(self._pump(reader, redis_writer, self.received), self._pump(redis_reader, writer))

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None = None) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(1 << 16):
                if kept is not None:
                    kept.extend(data)
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def tls_proxy(socket: Path, context: ssl.SSLContext) -> Iterator[TlsProxy]:
    """Run a proxy that speaks TLS in front of a server.

    Args:
        socket: Unix socket of the server.
        context: Context of `Authority.context`.
    """
    proxy, loop, ready = TlsProxy(socket), asyncio.new_event_loop(), threading.Event()
    loop.set_exception_handler(lambda *_: None)  # clients that refuse the certificate are what some tests are about

    async def start() -> None:
        server = await asyncio.start_server(proxy.serve, "localhost", 0, ssl=context)
        proxy.port = server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    yield proxy
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
