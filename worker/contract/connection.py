"""Connects to Redis, tells which faults are transient, and retries those."""

import random
import ssl
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,  # MovedError is one of its kind
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004  redis-py's own name for it
    ExecAbortError,
    InvalidResponse,
    OutOfMemoryError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  as above
)
from redis.retry import Retry

from worker.contract.errors import NotPermitted, Unreachable
from worker.contract.protocol.replies import ReplyParser
from worker.contract.users import explain_refusal, is_refused
from worker.redis_address import WITH_TLS, RedisAddress
from worker.sentinel import NoMasterNow, WrongSentinels, is_read_only
from worker.settings import without_password

SOCKET_TIMEOUT = 5.0
"""Seconds without an answer after which a connection counts as lost. Blocking reads must wait for less."""

MIN_SOCKET_TIMEOUT = 1.0
"""Minimum of these seconds, however short the timeout of a command is. A busy Redis needs some time."""

# UNBLOCKED ends a blocking read when a failover begins. BUSY means that a script has run for five seconds; BUSYGROUP
# and BUSYKEY are other errors.
_TRANSIENT_RESPONSES = (
    "MISCONF",
    "LOADING",
    "NOREPLICAS",
    "MASTERDOWN",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "UNBLOCKED",
    "BUSY ",
)

_Value = TypeVar("_Value")


class Clock(Protocol):
    """The functions of the module `time` that `retry_transient` uses. Tests pass a clock that they move themselves."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def connect(url: str, *, answer_seconds: float = SOCKET_TIMEOUT) -> "redis.Redis":
    """Return a client for the URL. It connects on first use, and answers in bytes.

    Args:
        url: URL of Redis.
        answer_seconds: Seconds without an answer after which a connection counts as lost.

    Raises:
        Unreachable: The URL is not a Redis URL.
    """
    try:
        options = RedisAddress.from_url(url).connection_options()
    except ValueError as fault:
        raise Unreachable(
            f"{without_password(url)!r} is not a valid URL of Redis: {fault}. Correct DIGITMILL_REDIS_URL."
        ) from None
    return redis.Redis.from_pool(
        redis.ConnectionPool(
            **options,
            socket_timeout=answer_seconds,
            socket_connect_timeout=min(3.0, answer_seconds),
            parser_class=ReplyParser,
            health_check_interval=15,
            # Only `retry_transient` retries.
            retry=Retry(NoBackoff(), 0),
        )
    )


def answer_seconds(timeout: float) -> float:
    """Return the seconds without an answer after which a connection counts as lost, for a command with this timeout.

    They are at most half of the timeout, so that one lost connection does not use it up.

    Args:
        timeout: Seconds without Redis after which the command gives up, or 0 if it has no timeout of its own.
    """
    return min(SOCKET_TIMEOUT, max(MIN_SOCKET_TIMEOUT, timeout / 2)) if timeout else SOCKET_TIMEOUT


def may_be_failover(fault: BaseException | None) -> bool:
    """Return whether a fault may end when a failover ends: a Redis answers, but is not the master yet."""
    return isinstance(fault, NoMasterNow) or is_read_only(fault)


def is_transient(fault: RedisError) -> bool:
    """Return whether a retry may help: Redis is away, starting, busy, read-only, or out of memory or disk space."""
    if isinstance(fault, AuthenticationError | AuthorizationError) or _tls_fault(fault):
        return False
    if isinstance(fault, ConnectionError | TimeoutError | BusyLoadingError | OutOfMemoryError) or is_read_only(fault):
        return True
    if isinstance(fault, ExecAbortError):  # Redis has accepted each command, but could not run the transaction now
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
        NotPermitted: The Redis user does not have the rights.
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
    reason = str(fault).rstrip(".")
    if isinstance(fault, AuthenticationError | AuthorizationError):
        return f"{where} refuses the user or password ({reason}). Correct them in DIGITMILL_REDIS_URL."
    if isinstance(fault, OutOfMemoryError) or (isinstance(fault, ExecAbortError) and "maxmemory" in reason):
        return f"{where} is out of memory. Raise its maxmemory, or wait until running jobs are done."
    if is_read_only(fault):
        return (
            f"{where} is a read-only replica ({reason}). Set DIGITMILL_REDIS_URL to the master, or wait until this one "
            "is promoted."
        )
    if tls_fault := _tls_fault(fault):
        return _explain_tls(tls_fault, where)
    if isinstance(fault, ConnectionError | TimeoutError):
        return (
            f"Cannot reach {where} ({reason}). Start it (`digitmill up` runs a mill on this machine), or correct "
            f"DIGITMILL_REDIS_URL{_tls_hint(reason, where)}."
        )
    return _explain_refusal(fault, reason, where)


def _explain_refusal(fault: RedisError, reason: str, where: str) -> str:  # noqa: PLR0911 - one for each kind of fault
    if isinstance(fault, WrongSentinels):
        return f"{where} {fault}"
    if is_refused(fault):
        return explain_refusal(fault, where)
    if is_transient(fault):
        return f"{where} does not work now ({reason}). digitmill tries again; the log of Redis may say what is wrong."
    if isinstance(fault, InvalidResponse):
        return (
            f"{where} does not answer like a Redis server. Correct DIGITMILL_REDIS_URL; it starts with rediss:// if "
            "Redis expects TLS."
        )
    if isinstance(fault, AskError) or reason.startswith(("SELECT is not allowed in cluster mode", "CROSSSLOT")):
        return in_cluster_mode(where)
    if reason.startswith("DB index is out of range"):
        return f"{where} has no database of this number. Correct the number in DIGITMILL_REDIS_URL; 0 always exists."
    if reason.startswith("DENIED"):
        return (
            f"{where} accepts no other hosts, because it has no password. Set its requirepass, or its protected-mode."
        )
    return f"{where} refuses to work ({reason}). It must be a Redis or Valkey, 6.2 or newer, that lets scripts run."


def in_cluster_mode(where: str) -> str:
    """Return what to say about a Redis that is part of a cluster."""
    return (
        f"{where} is part of a Redis Cluster, which digitmill cannot use. Set DIGITMILL_REDIS_URL to a Redis that runs "
        "without cluster mode."
    )


def _tls_hint(reason: str, where: str) -> str:
    """Return a hint if a connection ends as it does where only one side speaks TLS, or an empty text."""
    for plain, secure in WITH_TLS.items():
        if where.startswith(f"{plain}://") and ("reset by peer" in reason or "closed by server" in reason):
            return f", which starts with {secure}:// if Redis expects TLS"
        if where.startswith(f"{secure}://") and ("Timeout connecting" in reason or "EOF occurred" in reason):
            return f", which starts with {plain}:// if Redis does not use TLS"
    return ""


def _tls_fault(fault: BaseException | None) -> ssl.SSLError | None:
    """Return the fault of TLS behind a fault of redis-py, if there is one and a retry would not help."""
    while fault is not None:
        if isinstance(fault, ssl.SSLError):
            return None if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError) else fault
        fault = fault.__cause__ or fault.__context__
    return None


def _explain_tls(fault: ssl.SSLError, where: str) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return (
            f"{where} has not proved that it is this host ({fault.verify_message.rstrip('.')}). Name the authority of "
            "its certificate in DIGITMILL_REDIS_CA, or correct the host in DIGITMILL_REDIS_URL."
        )
    reason = (fault.reason or str(fault)).replace("_", " ").lower()
    return (
        f"{where} and digitmill cannot agree on TLS ({reason}). Write redis:// if this Redis does not use TLS, or "
        "correct the certificates."
    )
