"""Reads the URL of a Redis. Every process connects with what this module returns, and so does Celery."""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import redis

from worker import sentinel
from worker.sentinel import Sentinels

SCHEMES = ("redis", "rediss", "unix", "sentinel", "sentinels")
WITH_TLS = {"redis": "rediss", "sentinel": "sentinels"}
"""Each scheme that leads over a network, and the same one with TLS."""

DEFAULT_PORT = 6379

_DATABASE = ("db", "virtual_host")  # redis-py's name, and Celery's
_LOGIN = ("username", "password")
_TLS = ("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password")
_SENTINEL_LOGIN = ("sentinel_username", "sentinel_password")
_SENTINEL_URL = re.compile(r"(sentinels?://(?:[^/?#]*@)?)([^/?#@]*)(.*)", re.DOTALL)
_MASTER = re.compile(r"[\w.-]{1,200}", re.ASCII)
_SPECIAL = "write special characters of a password as %XX"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is, and how to log in to it.

    Attributes:
        scheme: `redis`, `rediss` (with TLS), `unix`, `sentinel` or `sentinels` (with TLS, also to the Sentinels).
        host: Name or address of the host, or of the first Sentinel. Empty for a Unix socket.
        port: Port of the host, or of the first Sentinel.
        socket: Path of the Unix socket, or an empty text.
        user: Name of the user, or None.
        password: Password, or None.
        database: Number of the database.
        tls: Arguments of `redis.SSLConnection`.
        sentinels: Sentinels that know where the Redis is, or None. User and password are not theirs.
    """

    scheme: str
    host: str
    port: int
    socket: str
    user: str | None
    password: str | None
    database: int
    tls: Mapping[str, Any]
    sentinels: Sentinels | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read a URL.

        Args:
            url: URL, such as `redis://user:password@host:6379/0`, `unix:///run/redis.sock?db=0` or
                `sentinel://user:password@host1:26379,host2:26379/mymaster/0`.

        Raises:
            ValueError: The URL is invalid. The message says why, without any part that may hold a password.
        """
        hosts, master = [], ""
        if watched := _SENTINEL_URL.fullmatch(url):
            start, names, rest = watched.groups()
            hosts = [_split(f"{start}{name}{rest}") for name in names.split(",")]
            [parts, *_] = hosts
            master, _, database = parts.path.removeprefix("/").partition("/")
            if not all(host.hostname for host in hosts) or not _MASTER.fullmatch(master):
                raise ValueError(
                    "it must name Sentinels and the master that they watch, as in "
                    f"{parts.scheme}://host1:{sentinel.DEFAULT_PORT},host2:{sentinel.DEFAULT_PORT}/mymaster"
                )
            parts = parts._replace(path=f"/{database}")
        else:
            parts = _split(url)
        parameters = _parameters(parts)
        tls = _tls(parts.scheme, parameters)
        return cls(
            scheme=parts.scheme,
            host="" if parts.scheme == "unix" else unquote(parts.hostname or "localhost"),
            port=_port(parts),
            socket=_socket(parts),
            user=_decoded(parts.username) or parameters.get("username"),
            password=_decoded(parts.password) or parameters.get("password"),
            database=_database(parts, parameters),
            tls=tls,
            sentinels=_sentinels(hosts, master, parameters, tls) if hosts else None,
        )

    @property
    def uses_tls(self) -> bool:
        """Whether connections use TLS."""
        return self.scheme in WITH_TLS.values()

    def connection_options(self) -> dict[str, Any]:
        """Return the arguments of `redis.ConnectionPool` that reach this Redis, without timeouts."""
        options = {"username": self.user, "password": self.password, "db": self.database}
        options["driver_info"] = None  # redis-py need not name itself, and no Redis user has the right to do so
        if self.scheme == "unix":
            return options | {"connection_class": redis.UnixDomainSocketConnection, "path": self.socket}
        options |= {"socket_keepalive": True, **self.tls}
        if self.sentinels:
            kind = sentinel.MasterConnectionWithTLS if self.uses_tls else sentinel.MasterConnection
            return options | {"connection_class": kind, "sentinels": self.sentinels}
        options |= {"host": self.host, "port": self.port}
        return options | {"connection_class": redis.SSLConnection if self.uses_tls else redis.Connection}


def with_authorities(url: str, file: Path | None) -> str:
    """Return a valid URL, which names a file of certificate authorities unless it already names one.

    Args:
        url: URL of a Redis.
        file: File of certificate authorities, or None.

    Raises:
        ValueError: The URL is invalid, or does not use TLS although authorities are given.
    """
    address = RedisAddress.from_url(url)
    if file is None or address.scheme == "unix" or "ssl_ca_certs" in address.tls:
        return url
    if not address.uses_tls:
        raise ValueError(
            f"DIGITMILL_REDIS_CA is set, so the URL must use TLS and start with {WITH_TLS[address.scheme]}://"
        )
    return f"{url}{'&' if '?' in url else '?'}ssl_ca_certs={quote(str(file))}"


def check_authorities(file: str) -> None:
    """Check that a file holds certificates of authorities.

    Raises:
        ValueError: It cannot be read, or holds none.
    """
    _load(file, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations, "certificate in PEM form")


def _split(url: str) -> SplitResult:
    if url.partition("://")[0] not in SCHEMES:
        raise ValueError(f"a Redis URL starts with {', '.join(scheme + '://' for scheme in SCHEMES)}")
    # urlsplit drops some of these without a word.
    if not url.isprintable() or " " in url:
        raise ValueError(f"it contains a space or a control character ({_SPECIAL})")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"its host or port is invalid ({_SPECIAL})") from None
    if "," in (parts.hostname or ""):
        raise ValueError("it names several hosts; write sentinel:// for a list of Sentinels, or name one host of Redis")
    # Then the password, or the user, had one of the characters that end a part of a URL.
    if parts.fragment or url.endswith("#") or "@" in parts.query or ("@" in parts.path and parts.scheme != "unix"):
        raise ValueError(f"it has a /, ? or # before its @, or a # ({_SPECIAL})")
    return parts


def _parameters(parts: SplitResult) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        watched = _SENTINEL_LOGIN if parts.scheme.startswith("sentinel") else ()
        if name not in (*_DATABASE, *_LOGIN, *_TLS, *watched):
            known = ", ".join((_DATABASE[0], *_LOGIN, *watched, *(_TLS if parts.scheme in WITH_TLS.values() else ())))
            raise ValueError(f"digitmill does not know its parameter {name[:40]!r}, only {known}")
        if name in found:
            raise ValueError(f"it has the parameter {name!r} twice")
        if name in _TLS and parts.scheme == "unix":
            raise ValueError(f"a Unix socket does not use TLS, so remove {name!r}")
        if name in _TLS and parts.scheme in WITH_TLS:
            raise ValueError(
                f"{name!r} needs TLS, so write {WITH_TLS[parts.scheme]}:// instead of {parts.scheme}://, or remove it"
            )
        found[name] = value
    return found


def _port(parts: SplitResult) -> int:
    if parts.port == 0:
        raise ValueError("its port is 0")
    return parts.port or (sentinel.DEFAULT_PORT if parts.scheme.startswith("sentinel") else DEFAULT_PORT)


def _sentinels(
    hosts: Sequence[SplitResult], master: str, parameters: Mapping[str, str], tls: Mapping[str, Any]
) -> Sentinels:
    """Return the Sentinels at these places. They have the certificates of the same authorities as their Redis."""
    login = {name.removeprefix("sentinel_"): parameters[name] for name in _SENTINEL_LOGIN if name in parameters}
    secured = {"ssl": True, **tls} if tls else {}
    places = [(unquote(host.hostname or ""), _port(host)) for host in hosts]
    return Sentinels(places, master, {**login, **secured})


def _socket(parts: SplitResult) -> str:
    if parts.scheme != "unix":
        return ""
    if parts.hostname or not parts.path.strip("/"):
        raise ValueError("it does not name a socket by its full path, as in unix:///run/redis.sock")
    return unquote(parts.path, errors="surrogateescape")


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None


def _database(parts: SplitResult, parameters: Mapping[str, str]) -> int:
    named = [parameters[name] for name in _DATABASE if name in parameters]
    if parts.scheme != "unix" and parts.path.strip("/"):
        named.append(parts.path.removeprefix("/"))
    if not all(name.isascii() and name.isdigit() and len(name) < 10 for name in named):
        place = "host/mymaster/0" if parts.scheme.startswith("sentinel") else "host:6379/0"
        example = "unix:///run/redis.sock?db=0" if parts.scheme == "unix" else f"{parts.scheme}://{place}"
        raise ValueError(f"its database is not a number: the databases of Redis have numbers, as in {example}")
    numbers = {int(name) for name in named}
    if len(numbers) > 1:
        raise ValueError("it names two databases")
    return numbers.pop() if numbers else 0


def _tls(scheme: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `redis.SSLConnection`. Certificate and host name are verified unless the URL says no."""
    if scheme not in WITH_TLS.values():
        return {}
    options: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    if "ssl_cert_reqs" in parameters:
        asked = parameters["ssl_cert_reqs"].lower().removeprefix("cert_")  # Celery writes CERT_NONE
        if asked not in {"none", "optional", "required"}:
            raise ValueError("'ssl_cert_reqs' must be required or none")
        # A server always shows a certificate, so `optional` verifies it as well.
        options["ssl_cert_reqs"] = "none" if asked == "none" else "required"
    if "ssl_check_hostname" in parameters:
        asked = parameters["ssl_check_hostname"].lower()
        if asked not in {"true", "1", "yes", "false", "0", "no"}:
            raise ValueError("'ssl_check_hostname' must be true or false")
        options["ssl_check_hostname"] = asked in {"true", "1", "yes"}
    options |= {name: parameters[name] for name in _TLS[2:] if name in parameters}
    _check_files(options)
    return options


def _check_files(options: Mapping[str, Any]) -> None:
    if "ssl_ca_certs" in options:
        try:
            check_authorities(options["ssl_ca_certs"])
        except ValueError as fault:
            raise ValueError(f"of 'ssl_ca_certs', {fault}") from None
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise ValueError("'ssl_keyfile' needs 'ssl_certfile', so add it")
    if "ssl_certfile" in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        key, password = options.get("ssl_keyfile"), options.get("ssl_password", "")
        try:
            _load(
                options["ssl_certfile"],
                lambda file: context.load_cert_chain(file, key, password),
                "certificate with its key",
            )
        except ValueError as fault:
            raise ValueError(f"of 'ssl_certfile' and 'ssl_keyfile', {fault}") from None


def _load(file: str, load: Any, what: str) -> None:
    try:
        load(file)
    except ssl.SSLError:
        raise ValueError(f"the file holds no {what}") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "its name is invalid"
        raise ValueError(f"the file cannot be read ({reason})") from None
