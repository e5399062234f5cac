"""What the processes of all roles share: their names, and a start that reports an error in one line."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from model.errors import DigitmillError
from model.printable import printable
from model.private_files import PRIVATE_UMASK
from worker.contract.validation import identifiers
from worker.roles import Role
from worker.settings import Settings


class _Formatter(logging.Formatter):
    """Makes every message one printable line, because names and records from Redis must not forge lines of the log."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  as above
        return "\n".join(f"  {printable(line)}" for line in super().formatException(ei).split("\n"))


def process_name() -> str:
    """Return the name of this process, as Redis and the logs know it: its host and its process id."""
    return identifiers.process_name(socket.gethostname(), os.getpid())


def installed_version() -> str:
    """Return the version of digitmill that is installed, or "" if it runs from a folder without being installed."""
    try:
        return version("digitmill")
    except PackageNotFoundError:
        return ""


def is_on_this_host(name: str) -> bool:
    """Return whether the process of that name runs on this host."""
    return name.rpartition("-")[0] == identifiers.host_name(socket.gethostname())


def run_celery(app: Any, hostname: str, *, pool: str, log_level: str) -> int:
    """Carry out the tasks of an application, one at a time, until told to stop.

    Args:
        app: Celery application of `worker.contract.doorbell.make_app`.
        hostname: Name of this process in Celery's messages.
        pool: Celery's name for what a task runs in.
        log_level: Level of Celery's messages.

    Returns:
        The exit code.
    """
    worker = app.Worker(
        hostname=hostname,
        pool=pool,
        concurrency=1,
        loglevel=log_level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


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
        os.umask(PRIVATE_UMASK)  # it writes logs, models and taught images, which are nobody else's business
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"))
        logging.basicConfig(level=settings.log_level, handlers=[handler])
        from worker.server_wait import await_server  # here, because health checks run often and need no Celery

        await_server(role, settings.server_url)
        return work(settings)
    except DigitmillError as fault:
        print(printable(str(fault)), file=sys.stderr)  # noqa: T201  logging may not be set up yet
        return 2
    except KeyboardInterrupt:
        return 130
