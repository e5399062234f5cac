"""What the processes of all roles share: their names, and a start that reports an error in one line."""

import logging
import math
import os
import socket
import sys
import time
from collections.abc import Callable

from redis.exceptions import ReadOnlyError, RedisError

from model.errors import DigitmillError
from worker.contract.connection import connect, explain, retry_transient
from worker.contract.doorbell import CLASSIFY_QUEUE, TRAIN_QUEUE
from worker.contract.errors import UnsuitableServer
from worker.contract.ledger import keys as ledger
from worker.contract.server_check import Command, inspect_server
from worker.contract.training import keys as training
from worker.roles import Role
from worker.settings import Settings, without_password

FAILOVER_SECONDS = 60.0
"""Time that a replica has to become the master, before a process that needs a master gives up."""

_NO_SCRIPT = "0" * 40

NEEDS: dict[Role, tuple[Command, ...]] = {
    Role.WORKER: (
        ("BRPOP", CLASSIFY_QUEUE, "1"),
        ("LPUSH", CLASSIFY_QUEUE, "-"),
        ("EVALSHA", _NO_SCRIPT, "1", ledger.OPEN),
        ("ZADD", ledger.WORKERS, "0", "-"),
    ),
    Role.TRAINER: (
        ("BRPOP", TRAIN_QUEUE, "1"),
        ("LPUSH", TRAIN_QUEUE, "-"),
        ("EVALSHA", _NO_SCRIPT, "1", training.LEASE),
        ("ZADD", training.TRAINERS, "0", "-"),
    ),
    Role.SCHEDULER: (
        ("LPUSH", TRAIN_QUEUE, "-"),
        ("EVALSHA", _NO_SCRIPT, "1", training.CURRENT),
        ("ZADD", training.SCHEDULERS, "0", "-"),
    ),
}
"""Rights without which a process of the role would run and do nothing."""

_log = logging.getLogger(__name__)


def process_name() -> str:
    """Return the name of this process, as Redis and the logs know it: its host and its process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


def is_on_this_host(name: str) -> bool:
    """Return whether the process of that name runs on this host."""
    return name.rpartition("-")[0] == socket.gethostname()


def run_role(role: Role, work: Callable[[Settings], int]) -> int:
    """Run a process of a role with the settings of the environment.

    Args:
        role: Role of this process. What it needs must be installed.
        work: Function that works until the process is told to stop, and returns the exit code.

    Returns:
        The exit code. It is 2 if the process cannot start, or if its Redis can never do the work; one line on standard
        error then says why.
    """
    try:
        role.check_installed()
        settings = Settings.from_environment()
        logging.basicConfig(
            level=settings.log_level,
            stream=sys.stderr,
            format="%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s",
        )
        await_server(role, settings.server_url)
        return work(settings)
    except DigitmillError as fault:
        print(fault, file=sys.stderr)  # noqa: T201  logging may not be set up yet
        return 2
    except KeyboardInterrupt:
        return 130


def await_server(role: Role, url: str) -> None:
    """Wait until Redis answers, and check that it can be used.

    Args:
        role: Role of this process.
        url: URL of Redis.

    Raises:
        Unreachable: Redis refuses this process, so that waiting would not help.
        UnsuitableServer: Redis can never do the work, or has been a replica for `FAILOVER_SECONDS`.
    """
    client, where = connect(url), without_password(url)
    seen: set[str] = set()
    first_readonly: list[float] = []

    def on_wait(fault: RedisError) -> None:
        reason = explain(fault, where)
        if reason not in seen:
            _log.warning("waiting: %s", reason)
        seen.add(reason)
        if not isinstance(fault, ReadOnlyError):
            first_readonly.clear()
        elif not first_readonly:
            first_readonly.append(time.monotonic())
        elif time.monotonic() - first_readonly[0] > FAILOVER_SECONDS:
            raise UnsuitableServer(reason)

    inspect = retry_transient(
        lambda: inspect_server(client, where, NEEDS[role]), timeout=math.inf, on_wait=on_wait, where=where
    )
    for sentence in inspect:
        _log.warning("%s", sentence)
    client.close()
