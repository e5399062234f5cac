"""What the lane's process has in hand, in memory that it shares with the worker's main process.

A process that dies cannot answer. So it notes each call beforehand, and the main process tells the client at once.
"""

import contextlib
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_ENTRY = struct.Struct("<d32sq")  # begin, client, number of the call
_ENTRY_BYTES = 64
_HEADER_BYTES = 64


class HeldCall(NamedTuple):
    """A call that a process has in hand."""

    thread: int  # index of the thread that works on it
    client: str
    number: int
    since: float  # monotonic time, seconds, on the clock that all processes of a machine share


class InHand:
    """Notes of one lane process after another. Create them before the first is forked.

    Args:
        threads: Number of threads that work on calls.
        clock: Function that returns the monotonic time in seconds.
    """

    def __init__(self, threads: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._threads = threads
        self._memory = mmap.mmap(-1, _HEADER_BYTES + threads * _ENTRY_BYTES)
        self._process = memoryview(self._memory)[:8].cast("q")

    @property
    def process(self) -> int:
        """Id of the process that is ready to answer calls, or 0 if none has ever been."""
        return self._process[0]

    # In the lane's process ----------------------------------------------------------------------------------------

    def be_ready(self) -> None:
        """Note that this process is ready."""
        self._process[0] = os.getpid()

    @contextlib.contextmanager
    def noting(self, thread: int, client: str, number: int) -> Iterator[None]:
        """Return a context in which a thread works on a call."""
        place = self._place(thread)
        _ENTRY.pack_into(self._memory, place + 8, self._clock(), client.encode(), number)
        self._memory[place] = 1
        try:
            yield
        finally:
            self._memory[place] = 0

    # In the main process ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what the process before had in hand."""
        for thread in range(self._threads):
            self._memory[self._place(thread)] = 0

    def held(self) -> list[HeldCall]:
        """Return the calls that the process has in hand, or had when it died."""
        found = []
        for thread in range(self._threads):
            place = self._place(thread)
            if self._memory[place]:
                since, client, number = _ENTRY.unpack_from(self._memory, place + 8)
                found.append(HeldCall(thread, client.decode("ascii", "replace"), number, since))
        return found

    def is_overdue(self, limits: Sequence[float]) -> bool:
        """Return whether the process has had a call in hand for longer than it may.

        Args:
            limits: Maximum number of seconds for each thread.
        """
        now = self._clock()
        return any(now - call.since > limits[call.thread] for call in self.held())

    def _place(self, thread: int) -> int:
        return _HEADER_BYTES + thread * _ENTRY_BYTES
