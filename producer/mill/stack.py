"""The local stack: an embedded server, workers and other roles, started, supervised and stopped together."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import redis

from model.child_process import named_end
from model.errors import DigitmillError, UsageError
from producer.mill.server import ENVIRONMENT, ServerFolder
from producer.mill.supervisor import Program, Supervisor
from worker.contract.connection import connect
from worker.contract.errors import NoWorkers
from worker.contract.ledger import Ledger
from worker.contract.observation.incidents import Incident, Incidents
from worker.contract.validation import identifiers
from worker.roles import Role

if TYPE_CHECKING:
    import subprocess

_log = logging.getLogger(__name__)

SERVER = "server"
"""Name of the server's process."""

SERVER_START_SECONDS = 20.0
"""Longest wait for the server to answer."""

SERVER_GRACE_SECONDS = 20.0
"""Seconds that the server may take to end."""

MAX_RESTARTS = 3
"""A worker that was restarted this often while the stack starts will not become ready."""

GRACE_SECONDS = {Role.WORKER: 15.0, Role.TRAINER: 5.0, Role.SCHEDULER: 5.0}
"""Seconds that each role may take to end.

A worker needs them to finish its batch. A trainer needs fewer, because the next one resumes its training.
"""


class Stack:
    """A context manager that runs an embedded server and its workers. Processes of other roles can be added.

    Args:
        folder: Private folder of the server's data and of all logs.
        workers: Number of workers. One per core is right.
        redis_url: URL of a server elsewhere to use instead of an embedded one.
        environment: Variables for every process except the server, in addition to those of this process.

    Raises:
        UsageError: On entry, there is no server program, the folder is in use, or the server does not start.
    """

    def __init__(
        self,
        folder: Path,
        workers: int,
        *,
        redis_url: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.server = ServerFolder(folder)
        self.workers = workers
        self.embedded = redis_url is None
        self.url = redis_url or self.server.url
        self._environment = {**os.environ, **(environment or {}), "DIGITMILL_REDIS_URL": self.url}
        self.supervisor = Supervisor(self._report_end)

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.server.folder

    def __enter__(self) -> Self:
        if self.workers:
            Role.WORKER.check_installed()
        if not self.server.acquire():
            raise UsageError(
                f"A mill is already running in {self.server.folder}; `digitmill status` shows it. "
                "Set DIGITMILL_DATA to another folder to start a second one."
            )
        try:
            _log.info("Starting a mill in %s", self.server.folder)
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.supervisor.stop()
        self.server.release()

    def run(self, role: Role, name: str | None = None) -> None:
        """Keep one more process of a role running.

        Args:
            role: Role of the process.
            name: Name of the process and of its log; by default the name of the role.
        """
        name = name or role
        self.supervisor.add(
            Program(
                name,
                role.command(),
                self._environment,
                self._log(name),
                grace_seconds=GRACE_SECONDS[role],
                # The server dies with this process too. After SIGTERM a worker would wait a minute for the server.
                parent_death_signal=signal.SIGKILL,
            )
        )

    def check_workers(self) -> None:
        """Check that the workers do not end as soon as they start.

        Raises:
            NoWorkers: A worker has ended several times. The message has the last line of its log.
        """
        for name, restarts in self.supervisor.restarts().items():
            if name.startswith(Role.WORKER) and restarts >= MAX_RESTARTS:
                log = self._log(name)
                last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2].strip()
                raise NoWorkers(f"The workers end as soon as they start: {last}. Read {log} for more.")

    def _report_end(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        """Take a worker that has died off the list of workers, instead of waiting until its report has expired."""
        if program.name.startswith(Role.WORKER):
            ended = (process.pid, f"{program.name} ended ({named_end(process.returncode)}) and is started again")
            # In a thread of its own, because Redis may be away, and nothing must delay the other programs.
            threading.Thread(target=self._bury, args=ended, name="bury", daemon=True).start()

    def _bury(self, process: int, what: str) -> None:
        client, name = connect(self.url), identifiers.process_name(socket.gethostname(), process)
        with contextlib.suppress(redis.RedisError, DigitmillError):
            Ledger(client).remove_worker(name)
            Incidents(client).record(Incident(time.time(), name, what, ended=True))
        client.close()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _start(self) -> None:
        self.supervisor.start()
        if self.embedded:
            self.supervisor.add(
                Program(
                    SERVER,
                    self.server.command(),
                    {**ENVIRONMENT, **os.environ},
                    self.logs / "server.out",
                    grace_seconds=SERVER_GRACE_SECONDS,
                    stops_last=True,
                )
            )
            self._await_server()
        for number in range(1, self.workers + 1):
            self.run(Role.WORKER, f"{Role.WORKER}-{number}")

    def _await_server(self) -> None:
        client = connect(self.url)
        if not _wait(lambda: _answers(client), SERVER_START_SECONDS):
            raise UsageError(f"The server did not start. Read {self.logs / 'server.log'} for the reason.")
        client.close()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return False if it still does not hold after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds
