"""Finds the master of a highly available Redis: Sentinels watch it, and name another one after a failover.

redis-py looks for a master in a pool of connections, and Celery makes its own pools. So here each connection looks for
the master when it connects, and any pool can hold it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,  # noqa: A004  redis-py's own name for it
    InvalidResponse,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  as above
)
from redis.retry import Retry

DEFAULT_PORT = 26379

ANSWER_SECONDS = 1.0
"""Seconds without an answer after which the next Sentinel is asked. Sentinels hold no data, so they answer at once."""


class NoMasterNow(ConnectionError):
    """A failover is under way, or about to begin. The Sentinels answer, but their master does not."""


class WrongSentinels(RedisError):
    """Something about the Sentinels must be corrected: who they are, what they watch, or their password.

    Its text completes a sentence that begins with the address of Redis, and has the remedy.
    """


def is_read_only(fault: BaseException | None) -> bool:
    """Return whether a server refuses to write because it is a replica."""
    # Before 7.0, Redis packs what a script meets into an error of the script.
    return isinstance(fault, ReadOnlyError) or (isinstance(fault, ResponseError) and "-READONLY " in str(fault))


@dataclass
class Sentinels:
    """Sentinels that watch one master.

    Attributes:
        hosts: Host and port of each. The one that answered last is asked first.
        master: Name that they give to the master.
        options: Arguments of `redis.Redis` for connections to them: user, password, and how to use TLS.
    """

    hosts: list[tuple[str, int]]
    master: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def find_master(self) -> tuple[str, int]:
        """Ask one Sentinel after the other. Return host and port of the master.

        Raises:
            ConnectionError: No Sentinel can be reached. It is `NoMasterNow` if one says that the master is down.
            WrongSentinels: All Sentinels answer, but none of them knows the master, or lets anybody ask.
        """
        silent: list[RedisError] = []
        down, strange = False, []
        for host in list(self.hosts):
            try:
                state = self._ask(host)
            except (AuthenticationError, AuthorizationError, ResponseError, InvalidResponse) as fault:
                strange.append(self._explain(host, fault))
                continue
            except (ConnectionError, TimeoutError) as fault:
                silent.append(fault)
                continue
            if state["is_master"] and not state["is_sdown"] and not state["is_odown"]:
                self.hosts = [host, *(other for other in self.hosts if other != host)]
                return state["ip"], state["port"]
            down = True
        if down:
            raise NoMasterNow(f"its Sentinels say that the master {self.master} is down; a failover takes some seconds")
        if strange and not silent:
            raise WrongSentinels(strange[0])
        reasons = [*(str(fault).rstrip(".") for fault in silent), *strange]
        raise ConnectionError(f"none of its Sentinels can be asked: {'; '.join(reasons)}") from silent[-1]

    def _ask(self, host: tuple[str, int]) -> dict[str, Any]:
        with redis.Redis(
            *host,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            protocol=2,
            **self.options,
        ) as client:
            try:
                state: dict[str, Any] = client.sentinel_master(self.master)
                return {name: state[name] for name in ("ip", "port", "is_master", "is_sdown", "is_odown")}
            except (LookupError, TypeError, ValueError, AttributeError):  # redis-py expects what a Sentinel says
                raise InvalidResponse("it does not say what a Sentinel says") from None

    def _explain(self, host: tuple[str, int], fault: RedisError) -> str:
        address, reason = f"{host[0]}:{host[1]}", str(fault).rstrip(".")
        if "unknown command" in reason or isinstance(fault, InvalidResponse):
            return (
                f"names {address}, which is not a Sentinel. Name the Sentinels, which usually listen to port "
                f"{DEFAULT_PORT}, or write redis:// to use this Redis itself."
            )
        if reason.startswith("No such master"):
            return (
                f"names a master that the Sentinel at {address} does not watch. Correct the name after the /; "
                f"`redis-cli -h {host[0]} -p {host[1]} SENTINEL MASTERS` lists the right ones."
            )
        return (
            f"names the Sentinel at {address}, which refuses to answer ({reason}). Correct sentinel_username and "
            "sentinel_password in DIGITMILL_REDIS_URL; they are not those of Redis."
        )


class MasterConnection(redis.Connection):
    """A connection to whatever server is the master when it connects.

    Args:
        sentinels: Sentinels to ask.
        options: As for `redis.Connection`, without host and port.
    """

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        self._sentinels = sentinels
        super().__init__(host="", port=0, **options)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port = self._sentinels.find_master()
        try:
            return super()._connect()  # type: ignore[no-untyped-call]
        except ssl.SSLError:
            raise
        except OSError as fault:
            # The Sentinels will notice this, too.
            raise NoMasterNow(f"the master {self.host}:{self.port} does not answer: {fault}") from fault

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Read an answer. If the server has become a replica, disconnect, so that the next command finds the master."""
        try:
            return super().read_response(*arguments, **options)
        except ResponseError as fault:
            if not is_read_only(fault):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            # Whoever reads several answers must stop here.
            raise NoMasterNow(f"{self.host}:{self.port} is not the master any more") from None


class MasterConnectionWithTLS(MasterConnection, redis.SSLConnection):
    """The same with TLS."""
