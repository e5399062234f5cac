"""What the processes of all roles share: their names, and a start that reports an error in one line."""

import logging
import os
import socket
import sys
from collections.abc import Callable

from model.errors import DigitmillError
from worker.contract import identifiers
from worker.roles import Role
from worker.settings import Settings


def process_name() -> str:
    """Return the name of this process, as Redis and the logs know it: its host and its process id."""
    return identifiers.process_name(socket.gethostname(), os.getpid())


def is_on_this_host(name: str) -> bool:
    """Return whether the process of that name runs on this host."""
    return name.rpartition("-")[0] == identifiers.host_name(socket.gethostname())


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
        from worker.server_wait import await_server  # here, because health checks run often and need no Celery

        await_server(role, settings.server_url)
        return work(settings)
    except DigitmillError as fault:
        print(fault, file=sys.stderr)  # noqa: T201  logging may not be set up yet
        return 2
    except KeyboardInterrupt:
        return 130
