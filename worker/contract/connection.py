"""Connecting to Redis, and being patient with it: which faults pass by themselves, and how to wait for that."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

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

from worker.contract.errors import Unreachable
from worker.settings import without_password

SOCKET_TIMEOUT = 5.0
"""Seconds without an answer after which a connection counts as lost; blocking reads must ask for less."""

_TRANSIENT_RESPONSES = ("MISCONF", "LOADING", "NOREPLICAS", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")

_Value = TypeVar("_Value")


def connect(url: str) -> "redis.Redis":
    """Return a client for the URL; it connects on first use and answers in bytes.

    Raises:
        Unreachable: the URL makes no sense.
    """
    # A Unix socket's peer cannot vanish without a word, so only TCP knows keep-alive.
    options: dict[str, Any] = {} if url.startswith("unix://") else {"socket_keepalive": True}
    try:
        return redis.Redis.from_url(
            url,
            **options,
            socket_timeout=SOCKET_TIMEOUT,
            socket_connect_timeout=3.0,
            health_check_interval=15,
            # Faults are waited out in one place only, `persist`.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as fault:
        raise Unreachable(f"{without_password(url)} is no Redis URL: {fault}. Correct DIGITMILL_REDIS_URL.") from None


def is_transient(fault: RedisError) -> bool:
    """Whether it is worth waiting: Redis is away, starting, out of memory or of disk, rather than refusing us."""
    if isinstance(fault, AuthenticationError | AuthorizationError):
        return False
    if isinstance(fault, ConnectionError | TimeoutError | BusyLoadingError | OutOfMemoryError | ReadOnlyError):
        return True
    return isinstance(fault, ResponseError) and str(fault).startswith(_TRANSIENT_RESPONSES)


def retry_transient(
    call: Callable[[], _Value],
    *,
    timeout: float,
    on_wait: Callable[[RedisError], None] | None = None,
    where: str = "Redis",
) -> _Value:
    """Make a call to Redis, again and again while what hinders it passes by itself.

    The call must be harmless to repeat: its reply may be lost after it took effect. The scripts of the ledger are.

    Args:
        call: what to do.
        timeout: seconds after which to give up.
        on_wait: told of each fault before the wait.
        where: the server, for the message; without its password.

    Raises:
        Unreachable: patience has run out, or waiting would not help.
    """
    deadline = time.monotonic() + timeout
    pause = 0.05
    while True:
        try:
            return call()
        except RedisError as fault:
            if not is_transient(fault) or time.monotonic() >= deadline:
                raise Unreachable(explain(fault, where)) from fault
            if on_wait:
                on_wait(fault)
        # Jitter, so that all who lost the same server do not come back at the same moment.
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 1.0)


def explain(fault: RedisError, where: str = "Redis") -> str:
    """Return what a fault of the server at `where` means, and what to do about it."""
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
