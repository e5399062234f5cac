"""A watcher in a process of its own, which tests kill."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked import start_forked


@dataclass
class WatchProcess:
    """A running `digitmill watch`.

    Attributes:
        process: Its process.
        said: File with all that it prints.
    """

    process: "subprocess.Popen[bytes]"
    said: Path

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int | None:
        """Return its exit code, or None while it runs. One that a signal ended has the negative of its number."""
        return self.process.poll()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and return its exit code."""
        self.send(number)
        return self.process.wait(60)


@contextlib.contextmanager
def watching(
    url: str, folder: Path, *arguments: object, said: Path, prepare: Callable[[], None] = lambda: None
) -> Iterator[WatchProcess]:
    """Run `digitmill watch FOLDER ARGUMENTS…` until the end of the context, which kills it if it still runs.

    Args:
        url: URL of Redis.
        folder: The watched folder.
        arguments: Its other arguments.
        said: File to which it prints.
        prepare: Called in the new process before anything else.
    """
    environment = {**os.environ, "DIGITMILL_REDIS_URL": url}
    with (
        said.open("ab") as file,
        start_forked(
            ["watch", folder, *arguments], environment, prepare=prepare, stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield WatchProcess(process, said)
        finally:
            process.kill()
