"""A mill whose server, workers and connections can be harmed: real processes, and a proxy between them."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil
from redis.exceptions import ResponseError

from producer.mill.finding import await_workers, open_mill
from producer.mill.stack import Stack
from tests.support.mill import INJECTED
from tests.support.processes import children, send
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.system.chaos.proxy import Proxy
from worker.contract.ledger import Part, keys
from worker.settings import Settings

LEASE_SECONDS = 2.0
WORKERS = 2


class Rig:
    """A running mill.

    Attributes:
        server: Its server.
        proxy: What lies between the server and everybody else, except this process.
        stack: Its workers.
        client: Connection of this process, past the proxy.
        ledger: Ledger on that connection.
        environment: Variables of its workers.
        folder: Folder of its files.
    """

    def __init__(
        self,
        folder: Path,
        server: Server,
        proxy: Proxy,
        environment: dict[str, str],
        context: contextlib.ExitStack,
    ) -> None:
        self.folder, self.server, self.proxy, self.environment = folder, server, proxy, environment
        self._context = context  # of the workers
        self.start_workers()
        connection = open_mill(server.url, Settings.from_environment({}), warn=False)
        self.client: Any = connection.client
        self.ledger = connection.ledger
        assert await_workers(connection, self.stack), "the workers are not ready"

    def workers(self) -> list[psutil.Process]:
        """Return the main processes of the workers that run."""
        return [
            process
            for name, identifier in sorted(self.stack.supervisor.processes().items())
            if name.startswith("worker") and (process := _process(identifier))
        ]

    def worker(self, random: Random) -> psutil.Process:
        """Return the main process of a worker."""
        running = eventually(self.workers, seconds=30, what="a worker that runs")
        found: psutil.Process = random.choice(running)
        return found

    def start_workers(self, **variables: str) -> None:
        """Start the workers of a version that these variables choose. None may run."""
        environment = {**self.environment, **variables}
        stack = Stack(self.folder / "workers", WORKERS, redis_url=self.proxy.url, environment=environment)
        self.stack = self._context.enter_context(stack)

    def stop_workers(self) -> None:
        """Stop all workers in order, as before an upgrade."""
        self._context.close()

    def upgrade(self, worker: psutil.Process, **variables: str) -> None:
        """Stop a worker in order. It and all that end later start again as the version that these variables choose."""
        environment: Any = self.stack._environment
        for name in environment.keys() - {**os.environ, **self.environment, "DIGITMILL_REDIS_URL": ""}.keys():
            del environment[name]
        environment.update(variables)
        send(worker, signal.SIGTERM)

    def restart_server(self, pause: float) -> None:
        """Kill the server, and start it again after `pause` seconds."""
        self.server.kill()
        time.sleep(pause)
        self.server.start()

    def waiting(self) -> Part | None:
        """Return a part that waits or is in work, or None if there is none or somebody wrote over their list."""
        try:
            members = self.client.zrange(keys.OPEN, 0, -1)
        except ResponseError:
            return None
        return Part.from_member(members[-1].decode()) if members else None

    def more_workers(self, count: int) -> Stack:
        """Return more workers, which run within its context."""
        return Stack(self.folder / "more", count, redis_url=self.proxy.url, environment=self.environment)


@contextlib.contextmanager
def running_rig(folder: Path) -> Iterator[Rig]:
    """Run a mill in a new folder until the end of the context.

    Args:
        folder: Folder to create.
    """
    folder.mkdir()
    path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
    environment = {"PYTHONPATH": path, "DIGITMILL_LEASE_SECONDS": str(LEASE_SECONDS), "DIGITMILL_DATA": str(folder)}
    with Server(folder / "server") as server, Proxy(server.socket) as proxy, contextlib.ExitStack() as context:
        rig = Rig(folder, server, proxy, environment, context)
        try:
            yield rig
        finally:
            rig.client.close()
            for process in rig.workers():
                for each in (process, *children(process)):
                    send(each, signal.SIGKILL)


def _process(identifier: int) -> psutil.Process | None:
    try:
        return psutil.Process(identifier)
    except psutil.NoSuchProcess:
        return None
