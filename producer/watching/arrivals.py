"""Tell which files have arrived completely: what every way to find out has in common."""

import fcntl
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from producer.watching.tree import Stamp, Tree

SETTLED_SECONDS = 1.0
"""Time for which a file must stay the same to be complete, if nothing tells that its writer has closed it."""


WRITING_SECONDS = 60.0
"""The same, if the system says that somebody has the file open for writing. Some network file systems always say so."""


class Arrivals(Protocol):
    """Tells which files have arrived.

    Attributes:
        problem: Why it cannot tell at the moment, as a sentence, or "".
    """

    problem: str

    def wait(self, seconds: float) -> list[str]:
        """Wait until files have arrived, the time is up, or somebody wakes it. Return the names of the files.

        A name may come again without a new version of its file.

        Raises:
            UsageError: The folder is gone, or the system refuses to tell.
        """

    def look_again(self, name: str) -> None:
        """Return a file again when it stays the same, because it changed while it was read."""

    def close(self) -> None:
        """Release what it holds."""


class Waker:
    """Ends a wait from another thread, or from the handler of a signal."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def wake(self) -> None:
        """End the wait now, or the next one at once."""
        try:
            os.write(self._write, b"w")
        except BlockingIOError:  # it is full, so it wakes anyway
            return

    def wait(self, seconds: float, other: int | None = None) -> None:
        """Wait until somebody wakes it, another file can be read, or the time is up.

        Args:
            seconds: Longest wait.
            other: Descriptor of that file, or None.
        """
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        if other is not None:
            poll.register(other, select.POLLIN)
        if any(descriptor == self._read for descriptor, _ in poll.poll(max(seconds, 0) * 1000)):
            os.read(self._read, 2**16)

    def close(self) -> None:
        """Release the pipe."""
        os.close(self._read)
        os.close(self._write)


class Settling:
    """Files that are complete when they stay the same for a while.

    Args:
        tree: The watched folder.
        clock: Function that returns the time in seconds; it must never go back.
    """

    def __init__(self, tree: Tree, clock: Callable[[], float] = time.monotonic) -> None:
        self._tree = tree
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._looks: deque[tuple[float, str]] = deque()

    def add(self, name: str) -> None:
        """Look at a file now, and again after `SETTLED_SECONDS`, until it has stayed the same or is gone."""
        if name not in self._seen:
            now = self._clock()
            self._look(name, _Seen(self._tree.stamp(name), now, now))

    def drop(self, name: str) -> None:
        """Forget a file."""
        self._seen.pop(name, None)

    def settled(self) -> list[str]:
        """Return the files that have stayed the same, and forget them."""
        now, found = self._clock(), []
        while self._looks and self._looks[0][0] <= now:
            at, name = self._looks.popleft()
            seen = self._seen.get(name)
            if seen is None or seen.look_at != at:
                continue  # it was dropped meanwhile
            del self._seen[name]
            stamp = self._tree.stamp(name)
            if stamp is None:
                continue
            since = seen.since if stamp == seen.stamp else now
            if since == now or (now - since < WRITING_SECONDS and _is_being_written(self._tree.path(name))):
                self._look(name, _Seen(stamp, since, now))
            else:
                found.append(name)
        return found

    @property
    def seconds(self) -> float:
        """Time until the next look."""
        return self._looks[0][0] - self._clock() if self._looks else float("inf")

    def _look(self, name: str, seen: "_Seen") -> None:
        self._seen[name] = seen = seen._replace(look_at=seen.look_at + SETTLED_SECONDS)
        self._looks.append((seen.look_at, name))


class _Seen(NamedTuple):
    """What a look at a file has shown: its stamp, since when it has that, and when to look again."""

    stamp: Stamp | None
    since: float
    look_at: float


def _is_being_written(path: str) -> bool:
    """Return whether the system says that somebody has a file open for writing.

    Linux gives no lease for reading then (fcntl(2), F_SETLEASE). Where it cannot tell, the answer is no.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # If somebody opens the file at this very moment, the kernel sends a signal: one that does nothing by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
