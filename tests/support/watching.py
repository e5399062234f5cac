"""A watcher in a process of its own, which starts at once because it is forked, and which tests kill."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from producer.cli.main import main
from tests.support.waiting import eventually


@dataclass
class WatchProcess:
    """A running `digitmill watch`.

    Attributes:
        process: Its process identifier.
        said: File with all that it prints.
    """

    process: int
    said: Path
    code: int | None = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process, number)

    def ended(self) -> int | None:
        """Return its exit code, or None while it runs. One that a signal ended has the negative of its number."""
        if self.code is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if process else None
        return self.code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and return its exit code."""
        self.send(number)
        eventually(lambda: self.ended() is not None, what="the end of the watcher")
        assert self.code is not None
        return self.code


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
    said.touch()
    process = os.fork()
    if process == 0:
        try:
            prepare()
            with said.open("ab") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: PLW1514, SIM115
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, 0)  # that of the tests' time limit
            os.environ["DIGITMILL_REDIS_URL"] = url
            main.main(["watch", str(folder), *map(str, arguments)], "digitmill", standalone_mode=False)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
            code = 99
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    running = WatchProcess(process, said)
    try:
        yield running
    finally:
        if running.ended() is None:
            running.stop(signal.SIGKILL)
