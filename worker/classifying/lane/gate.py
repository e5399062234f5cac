"""A gate that lets threads through side by side, or one alone."""

import contextlib
import threading
from collections.abc import Iterator


class Gate:
    """Lets many threads work at once, and keeps all others out while one must be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False

    @contextlib.contextmanager
    def passing(self, *, alone: bool) -> Iterator[None]:
        """Return a context in which this thread may work.

        Args:
            alone: Whether no other thread may work meanwhile. It waits for those that do.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            if alone:
                self._alone = True  # nobody else comes in, so those inside become fewer
                self._changed.wait_for(lambda: not self._inside)
            else:
                self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                if alone:
                    self._alone = False
                else:
                    self._inside -= 1
                self._changed.notify_all()
