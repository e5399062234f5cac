"""Connects to Redis, tells which faults are transient, and retries those."""

import random
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004  redis-py's own name for it
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  as above
)
from redis.retry import Retry

from worker.contract.errors import NotPermitted, Unreachable
from worker.contract.users import explain_refusal, is_refused
from worker.settings import without_password

SOCKET_TIMEOUT = 5.0
"""Seconds without an answer after which a connection counts as lost. Blocking reads must wait for less."""

_TRANSIENT_RESPONSES = ("MISCONF", "LOADING", "NOREPLICAS", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")

_Value = TypeVar("_Value")


class Clock(Protocol):
    """The functions of the module `time` that `retry_transient` uses. Tests pass a clock that they move themselves."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def connect(url: str) -> "redis.Redis":
    """Return a client for the URL. It connects on first use, and answers in bytes.

    Raises:
        Unreachable: The URL is not a Redis URL.
    """
    # The peer of a Unix socket cannot vanish unnoticed, so only TCP has keep-alive.
    options: dict[str, Any] = {} if url.startswith("unix://") else {"socket_keepalive": True}
    try:
        return redis.Redis.from_url(
            url,
            **options,
            socket_timeout=SOCKET_TIMEOUT,
            socket_connect_timeout=3.0,
            health_check_interval=15,
            # Only `retry_transient` retries.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as fault:
        raise Unreachable(
            f"{without_password(url)} is not a Redis URL: {fault}. Correct DIGITMILL_REDIS_URL."
        ) from None


def is_transient(fault: RedisError) -> bool:
    """Return whether a retry may help, because Redis is away, starting, read-only, or out of memory or disk space."""
    if isinstance(fault, AuthenticationError | AuthorizationError):
        return False
    if isinstance(fault, ConnectionError | TimeoutError | BusyLoadingError | OutOfMemoryError | ReadOnlyError):
        return True
    return isinstance(fault, ResponseError) and str(fault).startswith(_TRANSIENT_RESPONSES)


def retry_transient(
    call: Callable[[], _Value],
    *,
    timeout: float,
    on_wait: Callable[[RedisError], object] | None = None,
    where: str = "Redis",
    clock: "Clock" = time,
) -> _Value:
    """Make a call to Redis, and retry it while its faults are transient.

    The call must be harmless to repeat, because its reply may be lost after it took effect. The ledger's scripts are.

    Args:
        call: Function to call.
        timeout: Seconds until it gives up.
        on_wait: Callback that gets each fault before the wait.
        where: Name of the server for the message, without its password.
        clock: Clock that tells the time and waits.

    Returns:
        What the call returns.

    Raises:
        NotPermitted: The user of Redis does not have the rights.
        Unreachable: The time is up, or a retry would not help.
    """
    deadline = clock.monotonic() + timeout
    pause = 0.05
    while True:
        try:
            return call()
        except RedisError as fault:
            if not is_transient(fault) or clock.monotonic() >= deadline:
                raise as_error(fault, where) from fault
            if on_wait:
                on_wait(fault)
        # Jitter keeps clients that lost the same server from all coming back at the same moment.
        clock.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 1.0)


def as_error(fault: RedisError, where: str = "Redis") -> Unreachable:
    """Return a fault of the server `where` as an error for the user."""
    kind = NotPermitted if is_refused(fault) else Unreachable
    return kind(explain(fault, where))


def explain(fault: RedisError, where: str = "Redis") -> str:
    """Return two sentences for the user: what a fault of the server `where` means, and what to do about it."""
    if is_refused(fault):
        return explain_refusal(fault, where)
    reason = str(fault).rstrip(".")
    if isinstance(fault, AuthenticationError | AuthorizationError):
        return f"{where} refuses the user or password ({reason}). Correct them in DIGITMILL_REDIS_URL."
    if isinstance(fault, OutOfMemoryError):
        return f"{where} is out of memory. Raise its maxmemory, or wait until running jobs are done."
    if isinstance(fault, ConnectionError | TimeoutError):
        return (
            f"Cannot reach {where} ({reason}). Start it (`digitmill up` runs a mill on this machine), or correct "
            "DIGITMILL_REDIS_URL."
        )
    return f"{where} refuses to work ({reason}). It must be a Redis or Valkey, 6.2 or newer, that lets scripts run."
