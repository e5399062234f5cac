"""Finding the mill: the Redis that is set, else the local stack that runs, else one started for this command."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from producer.mill.connection import Connection
from producer.mill.server import ServerFolder
from producer.mill.stack import Stack
from worker.contract.connection import connect, retry_transient
from worker.contract.doorbell import Doorbell, make_app
from worker.contract.errors import Unreachable
from worker.contract.ledger import Ledger
from worker.contract.reconciler import Reconciler
from worker.contract.registry import Registry
from worker.cores import cores
from worker.settings import Settings, without_password

WORKERS_START_SECONDS = 30.0
OTHERS_GET_ON_SECONDS = 2.0
"""How often another command's job must have moved, for its borrowed mill to go on."""
FIRST_TIMEOUT_SECONDS = 3.0
"""How long the first word from Redis may take: who mistyped an address should not wait for a minute."""


def stack_folder(settings: Settings) -> Path:
    """Return the folder of this user's local stack; another one where only its workers run here."""
    return settings.data / ("workers" if settings.redis_url else "mill")


def find_mill(settings: Settings) -> str | None:
    """Return the URL of the mill that is set or runs here, or None if there is neither."""
    if settings.redis_url:
        return settings.redis_url
    folder = ServerFolder(stack_folder(settings))
    return folder.url if folder.held() else None


def open_mill(url: str, settings: Settings, *, timeout: float = FIRST_TIMEOUT_SECONDS) -> Connection:
    """Connect to a mill and make sure that it answers.

    Raises:
        Unreachable: it does not.
    """
    client, where = connect(url), without_password(url)
    retry_transient(client.ping, timeout=timeout, where=where)
    ledger = Ledger(client, ttl_seconds=settings.result_seconds)
    doorbell = Doorbell(make_app(url, settings))
    return Connection(client, ledger, doorbell, Reconciler(client, ledger, doorbell), Registry(client), where)


def running_mill(settings: Settings) -> Connection:
    """Connect to the mill that is set or runs here; for commands that only make sense on one that runs.

    Raises:
        Unreachable: there is none.
    """
    url = find_mill(settings)
    if url is None:
        try:
            return open_mill(settings.server_url, settings, timeout=0.5)
        except Unreachable:
            raise Unreachable(
                "No mill is running on this machine. Start one with `digitmill up`, or set DIGITMILL_REDIS_URL."
            ) from None
    return open_mill(url, settings)


@contextlib.contextmanager
def borrowed_mill(settings: Settings, *, on_start: Callable[[], None]) -> Iterator[Connection]:
    """Connect to the mill that runs, or start one here for as long as the context lasts.

    Args:
        settings: of this process.
        on_start: told that one has to be started.

    Raises:
        Unreachable: DIGITMILL_REDIS_URL is set, and does not answer.
    """
    url = find_mill(settings)
    if url is not None:
        yield open_mill(url, settings)
        return
    on_start()
    count = cores()
    with Stack(stack_folder(settings), count) as stack:
        connection = open_mill(stack.url, settings)
        await_workers(connection, stack)
        yield connection
        _let_others_finish(connection)


def _let_others_finish(connection: Connection) -> None:
    """Keep a mill that was started for one command running for others that found it, as long as they get on."""

    def others() -> set[tuple[str, int, int, int]]:
        return {
            (job.identifier, job.images, job.answered, job.unacknowledged)
            for job in connection.ledger.jobs(latest=100)
            if not job.state.ended or (job.record.folder and job.unacknowledged)
        }

    stood: set[tuple[str, int, int, int]] = set()
    while (stand := others()) != stood:
        stood = stand
        time.sleep(OTHERS_GET_ON_SECONDS)


def await_workers(connection: Connection, stack: Stack, *, seconds: float = WORKERS_START_SECONDS) -> bool:
    """Wait until a stack's workers are ready; return False if they are not in time, which a job can live with.

    Raises:
        NoWorkers: they end as soon as they start.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if sum(worker.ready for worker in connection.ledger.workers()) >= stack.workers:
            return True
        stack.check_workers()
        time.sleep(0.02)
    return False
