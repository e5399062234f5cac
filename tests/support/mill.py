"""A mill for tests: a real server and real workers, with test images that make workers fail in chosen ways."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

from producer.mill import supervisor
from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from producer.mill.supervisor import Program
from tests.support.forked import import_working, start_forked_worker
from worker.roles import Role
from worker.settings import Settings

INJECTED = Path(__file__).parents[1] / "system" / "faults" / "injected"
"""Folder for PYTHONPATH. Its code makes workers obey the marks at the end of test images."""

FORKED = "FORKED"
"""Variable of the workers that are forked from the process of the tests."""


@dataclass(frozen=True)
class Mill:
    """A running mill.

    Attributes:
        stack: Its processes.
        connection: Connection to it.
        settings: Settings of its clients.
    """

    stack: Stack
    connection: Connection
    settings: Settings

    def worker_logs(self) -> str:
        """Return everything that its workers have logged."""
        return "".join(log.read_text(errors="replace") for log in sorted(self.stack.logs.glob("worker-*.log")))


class StartMill(Protocol):
    """Start a mill for the length of a context."""

    def __call__(self, workers: int = 2, *, installed: bool = False, **variables: str) -> AbstractContextManager[Mill]:
        """Start a mill with a number of workers, as `start_mill_in` does."""


@contextmanager
def forked_workers() -> Iterator[None]:
    """Let supervisors fork workers that have the variable `FORKED`."""
    import_working()
    start = supervisor._start

    def start_or_fork(program: Program) -> "subprocess.Popen[bytes]":
        forked = FORKED in program.environment and program.name.startswith(Role.WORKER)
        return start_forked_worker(program, INJECTED) if forked else start(program)

    with patch.object(supervisor, "_start", start_or_fork):
        yield


def start_role(role: Role, environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a process of a role, which is forked from this process.

    Args:
        role: Its role.
        environment: All its variables.
        log: File to append its output to.
    """
    import_working()
    return start_forked_worker(Program(role, role.command(), environment, log, grace_seconds=0.0), INJECTED)


@contextmanager
def start_mill_in(
    folder: Path, workers: int, *, installed: bool = False, redis_url: str | None = None, **variables: str
) -> Iterator[Mill]:
    """Run a mill in a folder until the end of the context.

    Args:
        folder: Data folder of the mill.
        workers: Number of workers.
        installed: Whether to start the workers as programs, which takes most of a second for each, and not to fork them
            from this process. Their memory is then their own.
        redis_url: URL of a server that the test harms itself. By default the mill has its own.
        variables: Variables for the workers and the settings, in addition to those of this process.
    """
    # Workers import the code that these tests import.
    path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
    environment = {"PYTHONPATH": path, **variables, **({} if installed else {FORKED: "1"})}
    settings = replace(Settings.from_environment(variables), data=folder, redis_url=None)
    with forked_workers(), Stack(folder / "mill", workers, redis_url=redis_url, environment=environment) as stack:
        connection = open_mill(stack.url, settings)
        assert await_workers(connection, stack), "the workers are not ready"
        yield Mill(stack, connection, settings)
        # Workers are killed, because Celery takes two seconds to stop in order. Other tests prove that it does.
        for name, process in stack.supervisor.processes().items():
            if name != "server":
                os.kill(process, signal.SIGKILL)
