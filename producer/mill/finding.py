"""Find the mill: the Redis that is set, or else the running local stack, or else one started for this command."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import redis

from producer.mill.connection import Connection
from producer.mill.server import ServerFolder
from worker.contract.connection import answer_seconds, connect, may_be_failover, retry_transient
from worker.contract.errors import NotPermitted, Unreachable
from worker.contract.lane import channels
from worker.contract.lane import keys as lane_keys
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.server_check import Command, inspect_server
from worker.cores import cores
from worker.settings import Settings, without_password

if TYPE_CHECKING:
    from producer.mill.stack import Stack

WORKERS_START_SECONDS = 30.0
"""Longest wait for the workers of a new stack to become ready."""

OTHERS_PROGRESS_SECONDS = 2.0
"""A mill that was started for one command stops if no other command's job makes progress in this time."""

FIRST_TIMEOUT_SECONDS = 3.0
"""Timeout of the first call to Redis. It is short, because a mistyped address should not cost a minute."""

_DEFAULT_URL_TIMEOUT_SECONDS = 0.5

CALLING: tuple[Command, ...] = (
    *(("LPUSH", calls, "-") for calls in lane_keys.CALLS.values()),
    ("SUBSCRIBE", channels.answers("-")),
)
"""Rights without which no single image could be classified."""

_log = logging.getLogger(__name__)

_JobsProgress: TypeAlias = set[tuple[str, int, int, int]]


def submitting() -> tuple[Command, ...]:
    """Return the rights without which a job could not be submitted, or would be slow without saying why."""
    from worker.contract.ledger import keys as ledger_keys  # here, because single images need no ledger

    return ("LPUSH", CLASSIFY_QUEUE, "-"), ("EVALSHA", "0" * 40, "1", ledger_keys.OPEN)


def stack_folder(settings: Settings) -> Path:
    """Return the folder of this user's local stack. A stack without an embedded server has a folder of its own."""
    return stack_folders(settings)[settings.redis_url is not None]


def stack_folders(settings: Settings) -> tuple[Path, Path]:
    """Return the folder of a stack with an embedded server, and that of one without. Both have logs."""
    return settings.data / "mill", settings.data / "workers"


def find_mill_url(settings: Settings) -> str | None:
    """Return the URL of the mill that is set or runs on this machine, or None if there is neither."""
    if settings.redis_url:
        return settings.redis_url
    folder = ServerFolder(stack_folder(settings))
    return folder.url if folder.held() else None


def open_mill(
    url: str,
    settings: Settings,
    *,
    timeout: float = FIRST_TIMEOUT_SECONDS,
    command_timeout: float = 0.0,
    needs: Sequence[Command] = (),
    warn: bool = True,
) -> Connection:
    """Connect to a mill, check that its Redis answers and can be used, and return the connection.

    Args:
        url: URL of its Redis.
        settings: Settings of this process.
        timeout: Seconds after which to give up.
        command_timeout: Seconds without Redis after which the command gives up, or 0 if it has no timeout of its own.
            A replica has this time to be promoted. Before it is up, a connection without an answer counts as lost.
        needs: Commands that the Redis user must be allowed to run.
        warn: Whether to log what may go wrong with this Redis.

    Raises:
        Unreachable: The URL is not one of Redis, or Redis does not answer.
        UnsuitableServer: Redis can never do the work.
    """
    reached = reach_mill(url, timeout=timeout, command_timeout=command_timeout, needs=needs, warn=warn)
    return _connection(reached, settings)


def open_running_mill(
    settings: Settings, *, timeout: float = 0.0, needs: Sequence[Command] = (), warn: bool = True
) -> Connection:
    """Connect to the mill that is set or runs on this machine, and start none; return the connection.

    Args:
        settings: Settings of this process.
        timeout: Timeout of the command, in seconds, or 0; see `open_mill`.
        needs: Commands that the Redis user must be allowed to run.
        warn: Whether to log what may go wrong with this Redis.

    Raises:
        Unreachable: No mill runs, or its Redis does not answer.
        UnsuitableServer: Redis can never do the work.
    """
    reached = reach_running_mill(settings, timeout=timeout, needs=needs, warn=warn)
    return _connection(reached, settings)


class Reached(NamedTuple):
    """A Redis that answers and can be used.

    Attributes:
        client: Connection to it.
        url: Its URL.
        where: Its address without its password, for messages.
        warnings: Sentences about what may go wrong with it.
    """

    client: "redis.Redis"
    url: str
    where: str
    warnings: tuple[str, ...]


def reach_mill(
    url: str,
    *,
    timeout: float = FIRST_TIMEOUT_SECONDS,
    command_timeout: float = 0.0,
    needs: Sequence[Command] = (),
    warn: bool = True,
) -> Reached:
    """Do the first half of `open_mill`, without what only jobs need. The arguments and errors are the same."""
    client, where = connect(url, answer_seconds=answer_seconds(command_timeout)), without_password(url)
    begun = time.monotonic()

    def inspect() -> tuple[str, ...]:
        return inspect_server(client, where, needs)

    try:
        warnings = retry_transient(inspect, timeout=timeout, where=where)
    except Unreachable as fault:
        if not may_be_failover(fault.__cause__) or command_timeout <= timeout:
            raise
        _log.warning("%s has no master now; waiting up to %.0f s for a failover", where, command_timeout)
        warnings = retry_transient(inspect, timeout=command_timeout - timeout, where=where)
    _log.info("Redis at %s answers after %.0f ms", where, 1000 * (time.monotonic() - begun))
    for sentence in warnings if warn else ():
        _log.warning("%s", sentence)
    return Reached(client, url, where, warnings)


def reach_running_mill(
    settings: Settings, *, timeout: float = 0.0, needs: Sequence[Command] = (), warn: bool = True
) -> Reached:
    """Do the first half of `open_running_mill`, without what only jobs need. The arguments and errors are the same."""
    url = find_mill_url(settings)
    if url is None:
        try:
            return reach_mill(settings.server_url, timeout=_DEFAULT_URL_TIMEOUT_SECONDS, needs=needs, warn=warn)
        except NotPermitted:
            raise
        except Unreachable:
            raise Unreachable(
                "No mill is running on this machine. Start one with `digitmill up`, or set DIGITMILL_REDIS_URL."
            ) from None
    return reach_mill(url, command_timeout=timeout, needs=needs, warn=warn)


def _connection(reached: Reached, settings: Settings) -> Connection:
    from worker.contract.doorbell import Doorbell
    from worker.contract.ledger import Ledger
    from worker.contract.reconciler import Reconciler
    from worker.contract.registry import Registry

    client, where, warnings = reached.client, reached.where, reached.warnings
    ledger = Ledger(client, ttl_seconds=settings.result_seconds)
    doorbell = Doorbell(client)
    return Connection(client, ledger, doorbell, Reconciler(client, ledger, doorbell), Registry(client), where, warnings)


@contextlib.contextmanager
def running_or_temporary_mill(
    settings: Settings, *, on_start: Callable[[], None], timeout: float = 0.0
) -> Iterator[Connection]:
    """Connect to the running mill, or start one that lasts as long as the context; yield the connection.

    Args:
        settings: Settings of this process.
        on_start: Called before a mill is started.
        timeout: Timeout of the command, in seconds, or 0; see `open_mill`.

    Raises:
        NoWorkers: The workers of the temporary mill end as soon as they start.
        Unreachable: The mill that is set or runs does not answer.
        UnsuitableServer: Its Redis can never do the work.
        UsageError: The temporary mill cannot start.
    """
    url = find_mill_url(settings)
    if url is not None:
        yield open_mill(url, settings, command_timeout=timeout, needs=submitting())
        return
    on_start()
    from producer.mill.stack import Stack

    with Stack(stack_folder(settings), cores()) as stack:
        connection = replace(open_mill(stack.url, settings), temporary=True)
        await_workers(connection, stack)
        yield connection
        _await_other_jobs(connection)


def _await_other_jobs(connection: Connection) -> None:
    """Wait while the jobs of other commands that use this temporary mill make progress."""
    before: _JobsProgress = set()
    while (now := unfinished_jobs(connection)) != before:
        before = now
        time.sleep(OTHERS_PROGRESS_SECONDS)


def unfinished_jobs(connection: Connection) -> _JobsProgress:
    """Return each job that is unfinished or not fully gathered, with the counters that change as it makes progress."""
    return {
        (job.identifier, job.images, job.answered, job.unacknowledged)
        for job in connection.ledger.jobs(latest=sys.maxsize)
        if not job.state.ended or (job.record.folder and job.unacknowledged)
    }


def await_workers(connection: Connection, stack: "Stack", *, seconds: float = WORKERS_START_SECONDS) -> bool:
    """Wait until all workers of a stack are ready, and return whether they are.

    A job can start before all of them are ready.

    Args:
        connection: Connection to the stack's Redis.
        stack: Stack that runs the workers.
        seconds: Longest wait, in seconds.

    Raises:
        NoWorkers: The workers end as soon as they start.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if sum(worker.ready for worker in connection.ledger.workers()) >= stack.workers:
            _log.info("All %d workers are ready", stack.workers)
            return True
        stack.check_workers()
        time.sleep(0.02)
    return False
