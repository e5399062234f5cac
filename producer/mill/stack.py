"""The local stack: server, workers and whatever else a mill has, started, watched and stopped as one."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from model.errors import UsageError
from producer.mill.server import ServerFolder
from producer.mill.supervisor import Program, Supervisor
from worker.contract.connection import connect
from worker.contract.errors import NoWorkers
from worker.roles import Role

SERVER = "server"
SERVER_START_SECONDS = 20.0
HOPELESS_RESTARTS = 3
GRACE_SECONDS = {Role.WORKER: 15.0, Role.TRAINER: 5.0, Role.SCHEDULER: 5.0}
"""How long each may take to end: a worker finishes its batch; a killed trainer's training is taken up again."""


class Stack:
    """An embedded server and its workers; a context manager. Processes of other roles may be added.

    Args:
        folder: private folder of the server's data and of all logs.
        workers: how many; one per core is right.
        redis_url: of a server elsewhere that is to be used; none is started then.
        environment: variables for all but the server, beyond those of this process.

    Raises:
        UsageError: there is no server binary, the folder is in use, or the server does not start.
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
        self.supervisor = Supervisor()

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.server.folder

    def __enter__(self) -> Self:
        if not self.server.acquire():
            raise UsageError(
                f"A mill is running already in {self.server.folder}: `digitmill status` shows it. "
                "Set DIGITMILL_DATA to another folder to start a second one."
            )
        try:
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
        """Keep one more process of a role running; its log is named as it is, after the role by default."""
        name = name or role
        self.supervisor.add(
            Program(
                name,
                role.command(),
                self._environment,
                self._log(name),
                grace_seconds=GRACE_SECONDS[role],
                # The server ends with us: a worker told kindly would wait a minute for it, to finish its batch.
                orphaned=signal.SIGKILL,
            )
        )

    def check_workers(self) -> None:
        """Make sure that the workers do not merely end as often as they are started.

        Raises:
            NoWorkers: one has ended several times; the message has its last word.
        """
        for name, restarts in self.supervisor.restarts().items():
            if name.startswith(Role.WORKER) and restarts >= HOPELESS_RESTARTS:
                log = self._log(name)
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise NoWorkers(f"The workers end as soon as they start: {last}. More is in {log}.")

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _start(self) -> None:
        self.supervisor.start()
        if self.embedded:
            command, log = self.server.command(), self.logs / "server.out"
            self.supervisor.add(Program(SERVER, command, os.environ, log, grace_seconds=20.0, outlives=True))
            self._await_server()
        for number in range(1, self.workers + 1):
            self.run(Role.WORKER, f"{Role.WORKER}-{number}")

    def _await_server(self) -> None:
        client = connect(self.url)
        _wait(lambda: _answers(client), SERVER_START_SECONDS)
        if not _answers(client):
            raise UsageError(f"The server did not start. {self.logs / 'server.log'} says why.")
        client.close()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
