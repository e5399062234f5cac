"""HTTP/1.1 on one connection: uvicorn's protocol, with limits for slow and hostile clients.

uvicorn itself waits for ever for the end of a header or a body, and takes any number of headers and pipelined requests.
It also gives each request a task and several messages, which take more time than all other work on a small image. So a
small request that has arrived as a whole is first offered to `begin`, which can answer it without them.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import httptools
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from producer.http.errors import JSON, HttpError, unavailable
from producer.http.guard import Exchange, Headers, Respond

MAX_CONNECTIONS, MAX_CONNECTIONS_EACH = 512, 384
"""Maximum number of connections: in all, and from one address if no proxy is in front."""

MAX_REFUSED = 128
"""Maximum number of further connections that are told why they are refused."""

MAX_HEADER_BYTES, MAX_HEADERS = 16 * 2**10, 64
"""Maximum size of the first line and all headers of a request, in bytes, and maximum number of headers."""

MAX_PIPELINED = 16
"""Maximum number of requests that wait on one connection for the answer to another."""

MAX_WHOLE_BYTES = 64 * 2**10
"""Maximum size of the body of a request that may be answered without a task, in bytes."""

HEADER_SECONDS = 10.0
"""Time within which a header must arrive."""

BODY_SECONDS, BODY_BYTES_PER_SECOND = 20.0, 16 * 2**10
"""Time within which a body must arrive, and the speed, in bytes/s, that earns it more time."""

WRITE_SECONDS = 20.0
"""Time for which a client may not read its answer."""

LINGER_SECONDS = 2.0
"""Time for which a refused body is read and dropped, so that its client can read why."""

IDLE_SECONDS = 30.0
"""Time after which a connection without a request is closed."""

SWEEP_SECONDS = 0.5
"""Time between two looks at all connections."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_NEVER = math.inf
_LATE_HEADER = HttpError(408, "timeout", "The header did not arrive in time. Send it at once.")
_LATE_BODY = HttpError(408, "timeout", "The body did not arrive in time. Use a faster connection, or send less.")
_LARGE_HEADER = HttpError(
    431, "header_too_large", "The header of the request is too large. Send fewer and shorter headers."
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        by_address: Number of connections by address, of all protocols. None if a proxy is in front.
        log: Receives what is refused before it is a request.
        begin: Begins to answer a POST request that has arrived as a whole, and returns whether it does (`Guard.begin`).
    """

    by_address: Counter[str] | None = None
    log: Callable[[Exchange], None]
    begin: Callable[[Scope, bytes, Respond], bool]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline = self._write_deadline = self._idle_until = _NEVER
        self._refusal: HttpError | None = None
        self._running: RequestResponseCycle | _Answering | None = None
        self._whole: bytes | None = None  # the body so far of a request that may be answered without a cycle
        self._target = ("", b"")  # the path and the query of that request
        self._deaf = False  # whether everything that still arrives is dropped
        self._in_header = True
        self._header_bytes = 0
        self._complete = 0  # number of requests that have arrived
        self._keep_alive = True  # whether the client of the last request wants to send more

    # Connections ------------------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether the connection has answered a request and waits for another."""
        return self._idle_until != _NEVER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it if there are too many."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + HEADER_SECONDS
        counts, address = self.by_address, self._address()
        if counts is not None:
            counts[address] += 1
        if len(self.connections) > MAX_CONNECTIONS + MAX_REFUSED:
            transport.abort()
            return
        alone = counts is not None and counts[address] > MAX_CONNECTIONS_EACH
        if alone or (len(self.connections) > MAX_CONNECTIONS and not self._close_an_idle_one()):
            self._refuse(unavailable("too_many_connections", "There are too many connections. Reuse or close some."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        counts, address = self.by_address, self._address()
        if counts is not None:
            counts[address] -= 1
            if not counts[address]:
                del counts[address]
        if self._running is not None:  # uvicorn tells only the last request, which may be one that was sent ahead
            self._disconnect(self._running)
        super().connection_lost(exc)

    def sweep(self, now: float) -> None:
        """End what has taken too long.

        Args:
            now: Time of the event loop.
        """
        if now > self._write_deadline or (now > self._deadline and (self._deaf or self.transport.is_closing())):
            self.transport.abort()
        elif now > self._deadline:
            self._refuse(_LATE_HEADER if self._in_header else _LATE_BODY)
        elif now > self._idle_until:
            self._idle_until = _NEVER
            self.transport.close()
        elif self.transport.is_closing() and self._deadline == _NEVER:  # what was sent is not read
            self._deadline = now + LINGER_SECONDS

    # What arrives -----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Handle data, unless the connection is ending."""
        if self._deaf:
            return
        self._idle_until = _NEVER
        if self._in_header and self._deadline == _NEVER:
            self._deadline = self.loop.time() + HEADER_SECONDS
        began_in_header, before = self._in_header, self._complete
        super().data_received(data)
        if self._whole is not None and not self._deaf:
            self._start_cycle()  # which waits for the rest
        if began_in_header and self._in_header and self._complete == before and not self._deaf:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:  # a header without an end is not reported by the parser
                self._refuse(_LARGE_HEADER)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._in_header, self._header_bytes = True, 0
        self._deadline = self.loop.time() + HEADER_SECONDS

    def on_url(self, url: bytes) -> None:
        """Take a part of the first line."""
        self.url += url
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Those behind a body (trailers) are ignored."""
        self._count_header(len(name) + len(value))
        if self._in_header:
            self.headers.append((name.lower(), value))
            if len(self.headers) > MAX_HEADERS:
                self._stop(_LARGE_HEADER)

    def on_headers_complete(self) -> None:
        """Begin to answer a request, or wait for the end of its body if that may have arrived as well."""
        parser = self.parser
        framing = [header for header in self.headers if header[0] in _FRAMING]
        lengths = [value for name, value in framing if name == b"content-length"]
        codings = [value.strip().lower() for name, value in framing if name == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]) or len(lengths) > 1:
            self._stop(HttpError(400, "bad_request", "The length of the body is ambiguous."))
        version, upgrades = parser.get_http_version(), parser.should_upgrade()
        if version not in {"1.0", "1.1"}:
            self._stop(HttpError(505, "bad_version", "Send HTTP/1.1."))
        if upgrades and (codings or lengths not in ([], [b"0"])):  # the parser drops such a body
            self._stop(HttpError(400, "bad_request", "Send HTTP/1.1 without the header Upgrade."))
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(HttpError(400, "bad_request", "Too many requests are sent ahead. Wait for answers."))
        self._in_header, self._header_bytes = False, 0
        self._body_bytes, self._body_began = 0, self.loop.time()
        self._deadline = self._body_began + BODY_SECONDS
        self._keep_alive = version != "1.0" and parser.should_keep_alive()
        is_busy = self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete)
        is_small = bool(lengths) and not codings and int(lengths[0]) <= MAX_WHOLE_BYTES
        if is_small and parser.get_method() == b"POST" and not (is_busy or upgrades):
            self._target = _path_and_query(self.url)  # here, because only here the parser reports what it raises
            self._whole = b""
        else:
            self._start_cycle()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body. Each earns more time for the rest."""
        self._body_bytes += len(body)
        self._deadline = self._body_began + BODY_SECONDS + self._body_bytes / BODY_BYTES_PER_SECOND
        if self._whole is None:
            super().on_body(body)
        else:
            self._whole += body

    def on_message_complete(self) -> None:
        """End a request. The next header follows."""
        if not self._begin_whole():
            super().on_message_complete()
        self._complete += 1
        self.cycle.keep_alive = self._keep_alive and not self._deaf
        self._deadline, self._in_header, self._header_bytes = _NEVER, True, 0

    def _begin_whole(self) -> bool:
        """Begin to answer a request without a cycle. Return False if it has one."""
        if self._whole is None:
            return False
        path, query = self._target
        request = {  # what the guard, and what it hands requests to, read of a scope
            "method": "POST",
            "path": path,
            "query_string": query,
            "http_version": self.parser.get_http_version(),
            "headers": self.headers,
            "client": self.client,
        }
        cycle = _Answering(self)
        if not self.begin(request, self._whole, cycle.respond):
            self._start_cycle()
            return False
        self._whole = None
        self.cycle = self._running = cycle  # type: ignore[assignment]
        return True

    def _start_cycle(self) -> None:
        """Answer a request by a cycle of uvicorn, which hears of the request only now. It gets the rest of the body."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        super().on_url(url)
        for header in headers:
            super().on_header(*header)
        super().on_headers_complete()
        cycle = self.cycle
        cycle.transport = _Transport(self, cycle)  # type: ignore[assignment]
        # Until its body is complete, an answer ends the connection, because what follows is not a request.
        cycle.keep_alive = False
        if body := self._whole:
            super().on_body(body)
        self._whole = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # What is sent -----------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self._write_deadline = self.loop.time() + WRITE_SECONDS
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads."""
        self._write_deadline = _NEVER
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  that of uvicorn
        """Answer what the parser refuses."""
        self._refuse(self._refusal or HttpError(400, "bad_request", "This is not a valid HTTP request."))

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        if self._running is not None and isinstance(self._running.transport, _Transport):
            self._running.transport.flush()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_until = self.loop.time() + IDLE_SECONDS  # and not a timer for each request, as in uvicorn

    def write_response(self, status: int, headers: Headers, body: bytes, *, keep_alive: bool) -> None:
        """Write a whole response.

        Args:
            status: Its status.
            headers: Its headers, without those that every response has, and those of its body's size.
            body: Its body.
            keep_alive: Whether the client may send another request.
        """
        begin = _header_begin(status, (*self.server_state.default_headers, *headers))
        end = b"content-length: %d\r\n%s\r\n" % (len(body), b"" if keep_alive else b"connection: close\r\n")
        self.transport.write(begin + end + body)

    def close(self) -> None:
        """End the connection after an answer. If its client still sends, let it read the answer first."""
        self.pipeline.clear()
        if self._deaf or (self._running is not None and self._running.more_body):
            self._linger()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """End the connection after the answer that is due."""
        self._keep_alive = False
        super().shutdown()

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            self._stop(_LARGE_HEADER)

    def _stop(self, fault: HttpError) -> None:
        """Stop the parser, which then calls `send_400_response`."""
        self._refusal = fault
        raise ValueError(fault.code)

    def _refuse(self, fault: HttpError) -> None:
        """Refuse what arrives, and end the connection after the answers that are due."""
        cycle = self._running
        if cycle is not None and not cycle.response_complete and (cycle is not self.cycle or not cycle.more_body):
            cycle.keep_alive = False  # its answer is due, and nothing after it
            self.pipeline.clear()
            self._deaf, self._deadline = True, _NEVER
            return
        if cycle is None or not cycle.more_body or not cycle.response_started:
            self.write_response(fault.status, [JSON, *fault.headers], fault.body, keep_alive=False)
            self.log(Exchange(self._address(), "-", "-", fault.status, 0.0))
        if cycle is not None:  # the application waits for the rest of the body
            self._disconnect(cycle)
        self._linger()

    @staticmethod
    def _disconnect(cycle: "RequestResponseCycle | _Answering") -> None:
        """Tell a request without an answer that its client has gone."""
        if not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _linger(self) -> None:
        """End our side. What still arrives is dropped, because a reset would reach the client before the answer."""
        self._deaf = True
        self._deadline = self.loop.time() + LINGER_SECONDS
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.transport.write_eof()

    def _close_an_idle_one(self) -> bool:
        """Close a connection that waits for a request, to make room for another. Return whether there is one."""
        for other in self.connections:
            if isinstance(other, GuardedProtocol) and other.is_idle and not other.transport.is_closing():
                other.transport.close()
                return True
        return False

    def _address(self) -> str:
        return self.client[0] if self.client else "-"


class _Answering:
    """Stands for the cycle of a request that is answered without one. It has what the protocol asks of a cycle.

    Args:
        protocol: Connection of the request.
    """

    __slots__ = ("_protocol", "disconnected", "keep_alive", "response_complete")

    message_event = asyncio.Event()  # nobody waits for it
    more_body = response_started = False
    transport = None

    def __init__(self, protocol: GuardedProtocol) -> None:
        self._protocol = protocol
        self.keep_alive = True
        self.disconnected = self.response_complete = False

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the response, and go on with the next request."""
        protocol = self._protocol
        self.response_complete = True
        if self.disconnected or protocol.transport.is_closing():
            return
        protocol.write_response(status, headers, body, keep_alive=self.keep_alive)
        if not self.keep_alive:
            protocol.close()
        protocol.on_response_complete()


class _Transport:
    """The transport of a connection, as an answer sees it.

    It sends the header of the answer together with the body, because a system call costs more than the rest. `close`
    ends the connection by the protocol's rules.
    """

    def __init__(self, protocol: GuardedProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol, self._cycle = protocol, cycle
        self._begun = False
        self._header = b""
        self.is_closing = protocol.transport.is_closing

    def write(self, data: bytes) -> None:
        if self._cycle.response_started and not self._begun:
            self._begun, self._header = True, data
        else:
            self._protocol.transport.write(self._header + data if self._header else data)
            self._header = b""

    def flush(self) -> None:
        """Send what was held back."""
        if self._header:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._protocol.close()


async def sweep(state: ServerState) -> None:
    """End connections that take too long, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in list(state.connections):
            if isinstance(connection, GuardedProtocol):
                connection.sweep(now)


@lru_cache(maxsize=64)
def _path_and_query(url: bytes) -> tuple[str, bytes]:
    """Return the path and the query of a URL. A path with an escaped character stays as it is.

    Raises:
        AttributeError: It has no path.
        HttpParserInvalidURLError: It is not a URL.
        UnicodeDecodeError: Its path has other characters than ASCII.
    """
    parsed = httptools.parse_url(url)
    return parsed.path.decode("ascii"), parsed.query or b""


@lru_cache(maxsize=64)
def _header_begin(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the beginning of a response: its status and headers, which have few values."""
    return STATUS_LINE[status] + b"".join([b"%s: %s\r\n" % header for header in headers])
