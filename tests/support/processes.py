"""Other processes, which tests harm and which may end at any moment."""

import contextlib
import signal
from collections.abc import Iterator

import psutil


def children(process: psutil.Process) -> list[psutil.Process]:
    """Return all processes that a process has started, or none if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal to a process, unless it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        process.send_signal(number)


@contextlib.contextmanager
def frozen(*processes: psutil.Process) -> Iterator[None]:
    """Freeze processes until the end of the context."""
    for process in processes:
        send(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            send(process, signal.SIGCONT)
