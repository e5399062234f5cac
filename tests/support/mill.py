"""A mill for tests: a real server and real workers, with test images that make workers fail in chosen ways."""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from producer.mill.connection import Connection
from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from worker.settings import Settings

INJECTED = Path(__file__).parents[1] / "system" / "faults" / "injected"
"""Folder for PYTHONPATH. Its code makes workers obey the marks at the end of test images."""


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

    def __call__(self, workers: int = 2, **variables: str) -> AbstractContextManager[Mill]:
        """Start a mill with a number of workers. The variables are added to their environment."""


@contextmanager
def start_mill_in(folder: Path, workers: int, **variables: str) -> Iterator[Mill]:
    """Run a mill in a folder until the end of the context.

    Args:
        folder: Data folder of the mill.
        workers: Number of workers.
        variables: Variables for the workers and the settings, in addition to those of this process.
    """
    # Workers import the code that these tests import.
    path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
    environment = {"PYTHONPATH": path, **variables}
    settings = replace(Settings.from_environment(variables), data=folder, redis_url=None)
    with Stack(folder / "mill", workers, environment=environment) as stack:
        connection = open_mill(stack.url, settings)
        assert await_workers(connection, stack), "the workers are not ready"
        yield Mill(stack, connection, settings)
        # Workers are killed, because Celery takes two seconds to stop in order. Other tests prove that it does.
        for name, process in stack.supervisor.processes().items():
            if name != "server":
                os.kill(process, signal.SIGKILL)
