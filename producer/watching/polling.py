"""Arrivals as they are found by looking again and again, for file systems that do not tell of other machines."""

import os
import time
from collections.abc import Callable

from producer.sources.reading import explain
from producer.watching.arrivals import Waker
from producer.watching.tree import Stamp, Tree


class PolledArrivals:
    """Implements `arrivals.Arrivals` for every file system. A file that two looks find the same is complete.

    Args:
        tree: The watched folder.
        waker: What ends a wait.
        seconds: Time between two looks.
        clock: Function that returns the time in seconds; it must never go back.
    """

    def __init__(self, tree: Tree, waker: Waker, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.problem = ""
        self._tree = tree
        self._waker = waker
        self._seconds = seconds
        self._clock = clock
        self._next = clock()
        self._seen: dict[str, Stamp | None] = {}
        self._told: dict[str, Stamp | None] = {}

    def wait(self, seconds: float) -> list[str]:
        """Wait for arrivals; see `arrivals.Arrivals`."""
        self._waker.wait(min(seconds, self._next - self._clock()))
        if self._clock() < self._next:
            return []
        try:
            found = self._look()
            self.problem = ""
        except OSError as fault:  # the file server may come back
            found = []
            self.problem = f"The folder {self._tree.root!r} cannot be read: {explain(fault)}."
        self._next = self._clock() + self._seconds
        return found

    def look_again(self, name: str) -> None:
        """Wait until a file stays the same; see `arrivals.Arrivals`."""
        self._told.pop(name, None)

    def close(self) -> None:
        """Do nothing."""

    def _look(self) -> list[str]:
        entered: set[tuple[int, int]] = set()

        def enter(folder: str) -> bool:
            try:
                status = os.stat(self._tree.path(folder))  # noqa: PTH116  as in `Tree.stamp`
            except OSError:
                if not folder:
                    raise
                return False
            identity = status.st_dev, status.st_ino
            is_new = identity not in entered  # a link may lead in a circle
            entered.add(identity)
            return is_new

        seen = {name: self._tree.stamp(name) for name in self._tree.files("", enter)}
        same = {name for name, stamp in seen.items() if stamp is not None and self._seen.get(name) == stamp}
        found = [name for name in seen if name in same and self._told.get(name) != seen[name]]
        self._told = {name: seen[name] for name in seen if name in same}
        self._seen = seen
        return found
