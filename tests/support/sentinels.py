"""A highly available Redis for tests: a master, its replica, and three Sentinels, each a real process."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from producer.mill.server_binary import find_server_binary
from tests.support.metrics import free_port
from tests.support.waiting import eventually

MASTER = "mymaster"
SENTINELS = 3
DOWN_SECONDS = 2.0
"""Time without an answer after which a Sentinel believes that the master is down.

A replica that has lagged for more than ten times as long is not chosen, which a busy machine must not reach."""

_FASTER = ("info-period", 500, "publish-period", 200, "ask-period", 200, "ping-period", 300)
"""Milliseconds between what Sentinels do. By default, they take ten seconds to learn of each other.

When the master is down, a Sentinel asks the replica for its state once a second, and believes it for five ping periods.
If these are shorter than that second, most failovers find no good replica, and the next one begins after ten seconds.
"""


class HighlyAvailable:
    """A master, a replica and Sentinels that watch them.

    Attributes:
        url: URL that leads to the master, whichever that is.
        sentinels: Ports of the Sentinels.
    """

    def __init__(self, folder: Path, context: contextlib.ExitStack) -> None:
        self._folder, self._context = folder, context
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.servers = [free_port(), free_port()]
        self.sentinels = [free_port() for _ in range(SENTINELS)]
        self.url = f"sentinel://{','.join(f'127.0.0.1:{port}' for port in self.sentinels)}/{MASTER}/0"
        for port in self.servers:
            self.start_server(port, self.servers[0])
        for port in self.sentinels:
            self._start_sentinel(port)
        eventually(self._all_know_each_other, what="three Sentinels that know each other and a replica")

    def start_server(self, port: int, master: int) -> None:
        """Start a server, as a replica unless it is the master."""
        options = ["--port", port, "--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", 0]
        options += ["--replicaof", f"127.0.0.1 {master}"] if port != master else []
        self._run(port, *options)
        linked = "master_link_status", "up"
        eventually(lambda: port == master or linked in self.ask(port, "INFO").items(), what="a server that follows")

    def kill(self, port: int) -> None:
        """Kill a server or a Sentinel."""
        self._processes[port].kill()
        self._processes[port].wait()

    def ask(self, port: int, *words: object) -> Any:
        """Send a command to a server or a Sentinel. Return its answer, or an empty one if it does not answer yet."""
        with redis.Redis(port=port, decode_responses=True) as client, contextlib.suppress(redis.ConnectionError):
            return client.execute_command(*words)
        return {}

    def fail_over(self) -> bool:
        """Tell a Sentinel to make the replica the master. It refuses until it knows that the replica follows."""
        try:
            return bool(self.ask(self.sentinels[0], "SENTINEL FAILOVER", MASTER))
        except redis.ResponseError:
            return False

    @property
    def master(self) -> int:
        """Port of the server that the Sentinels name, 0 if none answers."""
        [_, port] = self.ask(self.sentinels[-1], "SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER) or ("", 0)
        return int(port)

    def _run(self, port: int, *options: object) -> None:
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        log = self._context.enter_context((folder / "log").open("ab"))
        process = subprocess.Popen([str(find_server_binary()), *map(str, options)], cwd=folder, stdout=log, stderr=log)
        self._processes[port] = process
        self._context.callback(process.wait)
        self._context.callback(process.kill)
        eventually(lambda: self.ask(port, "PING"), what="a server")

    def _start_sentinel(self, port: int) -> None:
        (self._folder / str(port)).mkdir()
        (self._folder / str(port) / "sentinel.conf").write_text(
            f"port {port}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self.servers[0]} 2\n"
            f"sentinel down-after-milliseconds {MASTER} {DOWN_SECONDS * 1000:.0f}\n"
            f"sentinel failover-timeout {MASTER} 5000\n"
        )
        self._run(port, "sentinel.conf", "--sentinel")
        with contextlib.suppress(redis.ResponseError):  # a server older than 7.0 takes longer
            self.ask(port, "SENTINEL DEBUG", *_FASTER)

    def _all_know_each_other(self) -> bool:
        with contextlib.ExitStack() as context:
            clients = [context.enter_context(redis.Redis(port=port)) for port in self.sentinels]
            states = [client.sentinel_master(MASTER) for client in clients]
        return all((state["num-other-sentinels"], state["num-slaves"]) == (SENTINELS - 1, 1) for state in states)


@contextlib.contextmanager
def highly_available(folder: Path) -> Iterator[HighlyAvailable]:
    """Run a highly available Redis in a folder until the end of the context."""
    with contextlib.ExitStack() as context:
        yield HighlyAvailable(folder, context)
