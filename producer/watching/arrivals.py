"""Tell which files have arrived completely: what every way to find out has in common."""

import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from producer.watching.tree import Stamp, Tree

SETTLED_SECONDS = 1.0
"""Time for which a file must stay the same to be complete, if nothing tells that its writer has closed it."""


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
        self._seen: dict[str, tuple[Stamp | None, float]] = {}  # when it is looked at again
        self._looks: deque[tuple[float, str]] = deque()

    def add(self, name: str) -> None:
        """Look at a file now, and again after `SETTLED_SECONDS`, until it has stayed the same or is gone."""
        if name not in self._seen:
            self._look(name, self._tree.stamp(name), self._clock())

    def drop(self, name: str) -> None:
        """Forget a file."""
        self._seen.pop(name, None)

    def settled(self) -> list[str]:
        """Return the files that have stayed the same, and forget them."""
        now, found = self._clock(), []
        while self._looks and self._looks[0][0] <= now:
            at, name = self._looks.popleft()
            before, again = self._seen.get(name, (None, -1.0))
            if again != at:
                continue  # it was dropped meanwhile
            del self._seen[name]
            stamp = self._tree.stamp(name)
            if stamp is not None and stamp == before:
                found.append(name)
            elif stamp is not None:
                self._look(name, stamp, now)
        return found

    @property
    def seconds(self) -> float:
        """Time until the next look."""
        return self._looks[0][0] - self._clock() if self._looks else float("inf")

    def _look(self, name: str, stamp: Stamp | None, now: float) -> None:
        self._seen[name] = stamp, now + SETTLED_SECONDS
        self._looks.append((now + SETTLED_SECONDS, name))
