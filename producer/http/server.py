"""The process that serves: it listens, watches its mill, and stops in order."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from starlette.routing import Route

from model.errors import UsageError
from producer.http.app import CLASSIFY, make_router
from producer.http.classifying import Classifying
from producer.http.guard import LOCAL_NAMES, Access, Exchange, Guard, host_name
from producer.http.limits import Outstanding
from producer.http.mill import MillWatch, SharedClient
from producer.http.protocol import GuardedProtocol, sweep
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.exposition import Exposition, make_registry
from worker.contract.telemetry.metrics import REQUESTS
from worker.contract.validation import identifiers
from worker.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MIN_TOKEN, MAX_TOKEN = 16, 512
"""Minimum and maximum number of characters of a token."""

STOP_SECONDS = 20.0
"""Time that open requests have when the server is told to stop."""

_CLOSE_SECONDS = 5.0  # then until the clients of the mill are closed, and the process ends
_LOG_SECONDS = 0.05  # lines of the log are written together, because writing one costs as much as answering
_BACKLOG = 512
_INTERRUPTED = 130
_OTHER_PATH = "other"  # of jobs, or unknown: clients choose such a path, so it must not become a label


@dataclass(frozen=True, slots=True)
class Options:
    """How the server serves.

    Attributes:
        host: Address on which it listens.
        port: Port, or 0 for a free one.
        token: What a client must present, or None.
        hosts: Names under which clients may ask, beside those of this machine.
        origins: Origins of the pages that may ask.
        behind_proxy: Whether a proxy hands all requests on.
        timeout: Seconds within which an image is answered.
    """

    host: str
    port: int
    token: str | None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    behind_proxy: bool = False
    timeout: float = 10.0

    def check(self) -> None:
        """Check that only those can reach the server who may.

        Raises:
            UsageError: It would listen on other addresses than this machine's own, and has no token; or the token can
                be guessed or cannot be sent.
        """
        if self.token is None:
            if not _is_local(self.host):
                raise UsageError(
                    f"Without a token, the server listens only on this machine, and not on {self.host}. Name a file "
                    "with `--token-file`, or set DIGITMILL_HTTP_TOKEN."
                )
        elif not (MIN_TOKEN <= len(self.token) <= MAX_TOKEN and self.token.isascii() and self.token.isprintable()):
            raise UsageError(
                f"A token must have {MIN_TOKEN} to {MAX_TOKEN} ASCII characters. Make one: `openssl rand -hex 24`."
            )
        elif " " in self.token:
            raise UsageError("The token has a space in it. Make one without: `openssl rand -hex 24`.")

    def access(self) -> Access:
        """Return who may ask."""
        given = (f"[{name}]" if name.count(":") > 1 and name[0] != "[" else name for name in (*self.hosts, self.host))
        names = {*LOCAL_NAMES, *map(host_name, given)} - {""}
        token = None if self.token is None else self.token.encode()
        return Access(
            token, frozenset(names), frozenset(origin.rstrip("/") for origin in self.origins), self.behind_proxy
        )


def read_token(file: Path) -> str:
    """Return the token in a file, without the white space around it.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(2 * MAX_TOKEN).decode("ascii", errors="replace").strip()
    except OSError as fault:
        raise UsageError(f"The file of the token cannot be read: {fault.strerror or fault} ({file}).") from None


def serve(
    options: Options,
    settings: Settings,
    *,
    on_ready: Callable[[str], None],
    on_exchanges: Callable[[Sequence[Exchange]], None],
) -> None:
    """Serve until a signal ends it. The first one lets open requests end, and a second one ends the process at once.

    Args:
        options: How it serves.
        settings: Settings of this process.
        on_ready: Called with the URL of the server when it listens.
        on_exchanges: Called after some requests, at most a moment later.

    Raises:
        NotPermitted: The Redis user may not send images.
        UnsuitableServer: Redis can never do the work.
        UsageError: It cannot listen there, or nobody but this machine's users may be let in.
    """
    options.check()
    # What they log is either logged here as well, or means nothing to a user.
    for library in ("uvicorn", "python_multipart"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    counts, name = Counts(), identifiers.this_process()
    registry = make_registry([counts], role="serve", name=name, version=metadata.version("digitmill"))
    with contextlib.closing(_listen(options.host, options.port)) as listener:
        if settings.metrics_port:
            Exposition(settings, registry).start()
        watch = MillWatch(settings)
        watch.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(listener, options, settings, watch, on_ready, on_exchanges, counts, registry))
        finally:
            watch.stop()


async def _serve(
    listener: socket.socket,
    options: Options,
    settings: Settings,
    watch: MillWatch,
    on_ready: Callable[[str], None],
    on_exchanges: Callable[[Sequence[Exchange]], None],
    counts: Counts,
    registry: "CollectorRegistry",
) -> None:
    loop, log = asyncio.get_running_loop(), list[Exchange]()

    def write_log() -> None:
        on_exchanges(log)
        log.clear()

    def on_exchange(exchange: Exchange) -> None:
        path = exchange.path if exchange.path in paths else _OTHER_PATH
        counts.observe(REQUESTS, exchange.seconds, path, str(exchange.status))
        if not log:
            loop.call_later(_LOG_SECONDS, write_log)
        log.append(exchange)

    client = SharedClient(watch, options.timeout)
    classifying = Classifying(client, watch, Outstanding())
    needs_token = options.token is not None
    router = make_router(
        settings, watch, classifying, registry, needs_token=needs_token, is_draining=lambda: guard.draining
    )
    paths = {route.path for route in router.routes if isinstance(route, Route)}
    guard = Guard(router, options.access(), on_exchange, swift={CLASSIFY: classifying.begin})

    class Protocol(GuardedProtocol):
        by_address = None if options.behind_proxy else Counter()
        log = staticmethod(on_exchange)
        begin = staticmethod(guard.begin)

    server = _Server(
        uvicorn.Config(
            guard,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            backlog=_BACKLOG,
        )
    )
    asked = asyncio.Event()

    async def drain() -> None:
        await asked.wait()
        guard.draining = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(guard.drained(), STOP_SECONDS)
        server.should_exit = True

    with _until_signal(loop, asked):
        beside = [asyncio.create_task(sweep(server.server_state)), asyncio.create_task(drain())]
        on_ready(_url(listener))
        await server.serve(sockets=[listener])
        for task in beside:
            task.cancel()
        await client.close()
        write_log()


class _Server(uvicorn.Server):
    """A server that leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle no signal."""
        yield


@contextlib.contextmanager
def _until_signal(loop: asyncio.AbstractEventLoop, asked: asyncio.Event) -> Iterator[None]:
    """Set an event on the first signal. End the process on the second one, or if it takes too long to end."""
    heard = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            os._exit(_INTERRUPTED)
        heard = True
        watchdog = threading.Timer(STOP_SECONDS + _CLOSE_SECONDS, os._exit, [_INTERRUPTED])
        watchdog.daemon = True
        watchdog.start()
        loop.call_soon_threadsafe(asked.set)

    before = {
        number: signal.signal(number, handle)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        # A name may have several addresses, and the first one counts.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as fault:
        raise UsageError(f"{host} is not an address of this machine: {fault.strerror or fault}.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # a client that reads the URL may connect before uvicorn accepts
    except OSError as fault:
        listener.close()
        raise UsageError(
            f"The server cannot listen on {host}, port {port}: {fault.strerror or fault}. Choose another with `--host` "
            "and `--port`."
        ) from None
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_local(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return False
