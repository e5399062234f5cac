"""What every request passes first and last: host, origin, token, the end of the server, errors, and the log."""

import asyncio
import contextlib
import hmac
import logging
import time
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.http.errors import DRAINING, JSON, Disconnected, HttpError, unavailable
from producer.http.limits import client_of

HEALTH = frozenset({"/healthz", "/readyz"})
"""Paths that anybody may ask under any name, because load balancers know neither a token nor a name."""

DOCUMENTS = frozenset({"/docs", "/docs/seven.png", "/openapi.json"})
"""Paths that describe the server, and nothing of the mill. They need no token, because a browser opens them."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine in the header Host."""

Headers: TypeAlias = list[tuple[bytes, bytes]]

Respond: TypeAlias = Callable[[int, Headers, bytes], None]
"""Sends a response: its status, its headers and its body."""

_READ_HEADERS = frozenset({b"host", b"origin", b"authorization", b"access-control-request-method"})
_COMMON_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
_CLOSED_BY_CLIENT = 499  # as in nginx; it is only logged
_PREFLIGHT_SECONDS = b"600"

_log = logging.getLogger(__name__)


class Exchange(NamedTuple):
    """A line of the log.

    Attributes:
        client: Address of the client.
        method: Method of the request.
        path: Path of the request, without its query.
        status: Status of the response.
        seconds: Time from the header of the request to the end of the response.
    """

    client: str
    method: str
    path: str
    status: int
    seconds: float


class Access(NamedTuple):
    """Who may ask.

    Attributes:
        token: What a client must present, or None.
        hosts: Names under which a client may ask, in lower case and without ports.
        origins: Origins of the pages that may ask.
        behind_proxy: Whether a proxy hands all requests on, and says for whom.
    """

    token: bytes | None = None
    hosts: Collection[str] = LOCAL_NAMES
    origins: Collection[str] = ()
    behind_proxy: bool = False


class Pending(NamedTuple):
    """An answer that is under way.

    Attributes:
        future: Done when the answer is known.
        body: Returns the answer as JSON. It must be called once, when the future is done. It raises what a request may
            end with.
    """

    future: "asyncio.Future[Any]"
    body: Callable[[], bytes]


Swift: TypeAlias = Callable[[Scope, bytes], Pending | None]
"""Begins to answer a request whose body has arrived. It returns None if it must wait for something first."""


class Guard:
    """Checks each request and hands it on to another application of ASGI.

    A request that has arrived as a whole may take a shorter way, without a task of its own: `begin`.

    Args:
        app: The application.
        access: Who may ask.
        log: Receives each exchange.
        swift: What begins to answer on the shorter way, by path.

    Attributes:
        draining: Whether the server is stopping, so that it refuses new images.
    """

    def __init__(
        self, app: ASGIApp, access: Access, log: Callable[[Exchange], None], swift: Mapping[str, Swift] | None = None
    ) -> None:
        self._app, self._access, self._log = app, access, log
        self._swift = swift or {}
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False

    async def drained(self) -> None:
        """Wait until no request is open."""
        await self._idle.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began, response = time.perf_counter(), _Response(send)
        address = self._note_client(scope)
        scope["app"] = self  # makes Starlette raise what it would otherwise answer as plain text
        self._enter()
        try:
            await self._answer(scope, receive, response)
        finally:
            self._leave(address, scope, response.status, began)

    def begin(self, scope: Scope, body: bytes, respond: Respond) -> bool:
        """Begin to answer a POST request that has arrived as a whole, if it can take the shorter way.

        Args:
            scope: The request.
            body: Its body.
            respond: Sends the response. It is not called before this method has returned.

        Returns:
            Whether the request will be answered. If not, the application must answer it, or say why it is refused.
        """
        if (swift := self._swift.get(scope["path"])) is None:
            return False
        began, headers = time.perf_counter(), [*_COMMON_HEADERS]
        address = self._note_client(scope)
        try:
            self._admit(scope, headers)
            pending = swift(scope, body)
        except Exception:  # the application meets the same fault, and answers it
            return False
        if pending is None:
            return False

        def finish(_: "asyncio.Future[Any]") -> None:
            try:
                status, content = 200, pending.body()
            except BaseException as fault:  # also that of a future that is cancelled
                error = _error_of(fault, scope["path"])
                status, content = error.status, error.body
                headers.extend(error.headers)
            headers.append(JSON)
            try:
                respond(status, headers, content)
            finally:
                self._leave(address, scope, status, began)

        self._enter()
        pending.future.add_done_callback(finish)
        return True

    def _note_client(self, scope: Scope) -> str:
        """Note for whom a request counts. Return the address from which it comes."""
        address = _address(scope, self._access)
        scope["digitmill.client"] = client_of(address)
        return address

    def _enter(self) -> None:
        self._open += 1
        self._idle.clear()

    def _leave(self, address: str, scope: Scope, status: int, began: float) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()
        self._log(Exchange(address, scope["method"], scope["path"], status, time.perf_counter() - began))

    async def _answer(self, scope: Scope, receive: Receive, response: "_Response") -> None:
        try:
            if self._admit(scope, response.headers):
                await response.send_empty(204)
            else:
                await self._app(scope, receive, response.send)
        except Disconnected:
            await response.send_empty(_CLOSED_BY_CLIENT)  # uvicorn throws it away
        except (Exception, asyncio.CancelledError) as fault:
            await response.send_error(_error_of(fault, scope["path"]))

    def _admit(self, scope: Scope, headers: Headers) -> bool:
        """Check that a request is allowed. Return whether a browser only asks if a page may send one (a preflight).

        Args:
            scope: The request.
            headers: Headers of the response, to which those for a page are added.

        Raises:
            HttpError: It is not allowed.
        """
        path: str = scope["path"]
        if path in HEALTH:
            return False
        given: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            if name in _READ_HEADERS:
                given.setdefault(name, []).append(value)
        hosts = given.get(b"host", [])
        self._check_host(hosts, scope["http_version"])
        if origins := given.get(b"origin"):
            self._check_origin(origins, hosts)
            origin = origins[0]
            if origin.decode("latin-1") in self._access.origins:
                headers += [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-expose-headers", b"Retry-After"),
                    (b"vary", b"Origin"),
                ]
                if scope["method"] == "OPTIONS" and b"access-control-request-method" in given:
                    headers += [
                        (b"access-control-allow-methods", b"GET, POST"),
                        (b"access-control-allow-headers", b"Authorization, Content-Type"),
                        (b"access-control-max-age", _PREFLIGHT_SECONDS),
                    ]
                    return True
        if path in DOCUMENTS:
            return False
        self._check_token(given.get(b"authorization", []))
        if self.draining:
            raise unavailable("draining", DRAINING)
        return False

    def _check_host(self, hosts: list[bytes], version: str) -> None:
        """Check the name under which a client asks. A page elsewhere may give this server a name of its own (DNS)."""
        if not hosts and version == "1.0":
            return
        host = host_name(hosts[0].decode("latin-1")) if len(hosts) == 1 else ""
        if host not in self._access.hosts:
            raise HttpError(
                400,
                "bad_host",
                "This server does not answer under the name in the header Host. Use localhost, or start it with "
                "`--allow-host NAME`.",
            )

    def _check_origin(self, origins: list[bytes], hosts: list[bytes]) -> None:
        """Check that a page of this server, or one that may do so, sends the request."""
        own = bool(hosts) and origins[0].partition(b"://")[2].lower() == hosts[0].lower()
        if len(origins) != 1 or not (own or origins[0].decode("latin-1") in self._access.origins):
            raise HttpError(
                403,
                "bad_origin",
                "A page from elsewhere may not send requests. Start the server with `--allow-origin ORIGIN` to let it.",
            )

    def _check_token(self, given: list[bytes]) -> None:
        token = self._access.token
        if token is None:
            return
        scheme, _, presented = (given[0] if len(given) == 1 else b"").partition(b" ")
        if not hmac.compare_digest(presented.strip(), token) or scheme.lower() != b"bearer":
            raise HttpError(
                401,
                "bad_token",
                "Send the token of this server in the header `Authorization: Bearer TOKEN`.",
                headers={"WWW-Authenticate": "Bearer"},
            )


class _Response:
    """The response to one request.

    Attributes:
        headers: Headers that every response gets.
        status: Its status.
    """

    def __init__(self, send: Send) -> None:
        self.headers = [*_COMMON_HEADERS]
        self.status = 500
        self._send = send
        self._started = False

    async def send(self, message: Message) -> None:
        """Send a message of ASGI, with our headers."""
        if message["type"] == "http.response.start":
            self.status, self._started = message["status"], True
            message["headers"] = [*message["headers"], *self.headers]
        await self._send(message)

    async def send_error(self, fault: HttpError) -> None:
        """Send an error, unless the response has begun. Then uvicorn ends the connection."""
        if self._started:
            return
        body = fault.body
        start = [JSON, (b"content-length", b"%d" % len(body)), *fault.headers]
        await self.send({"type": "http.response.start", "status": fault.status, "headers": start})
        await self.send({"type": "http.response.body", "body": body})

    async def send_empty(self, status: int) -> None:
        """Send a response without a body."""
        await self.send({"type": "http.response.start", "status": status, "headers": []})
        await self.send({"type": "http.response.body"})


@lru_cache(maxsize=64)
def host_name(host: str) -> str:
    """Return a host in lower case, without its port and the brackets of an IPv6 address; "" if it is not a host."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    plain = not set(host) & set("/?#@\\ ")
    return name.rstrip(".") if plain else ""


def _address(scope: Scope, access: Access) -> str:
    """Return the address of the client. Behind a proxy, it is the last one of X-Forwarded-For: the proxy added it."""
    address: str = scope["client"][0] if scope.get("client") else "-"
    if access.behind_proxy:
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        last = forwarded[-1].decode("latin-1").rpartition(",")[2].strip() if forwarded else ""
        with contextlib.suppress(ValueError):
            return str(ip_address(last))
    return address


def _error_of(fault: BaseException, path: str) -> HttpError:
    """Return what a request ends with after a fault."""
    if isinstance(fault, HttpError):
        return fault
    if isinstance(fault, HTTPException):
        return _of_starlette(fault, path)
    if isinstance(fault, asyncio.CancelledError):  # the time for stopping is over
        return unavailable("draining", DRAINING)
    _log.error("digitmill itself failed to answer a request", exc_info=fault)
    return HttpError(500, "internal", "digitmill itself failed. Its log says more. Please report it.")


def _of_starlette(fault: HTTPException, path: str) -> HttpError:
    if fault.status_code == 405:
        allowed = ", ".join(sorted((fault.headers or {}).get("Allow", "").split(", ")))
        return HttpError(405, "bad_method", f"{path[:100]} answers only {allowed}.", headers={"Allow": allowed})
    if fault.status_code == 404:
        return HttpError(404, "not_found", f"{path[:100]} does not exist. /docs describes what does.")
    return HttpError(fault.status_code, "bad_request", str(fault.detail))
