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

    place: int
    client: str
    number: int
    since: float  # monotonic time at which work on it began, in seconds, or 0 if it only waits


class InHand:
    """Notes of one lane process after another. Create them before the first is forked.

    Args:
        places: Maximum number of calls in hand.
        clock: Function that returns the monotonic time in seconds.
    """

    def __init__(self, places: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places = places
        self._memory = mmap.mmap(-1, _HEADER_BYTES + places * _ENTRY_BYTES)
        self._process = memoryview(self._memory)[:8].cast("q")

    @property
    def process(self) -> int:
        """Id of the process that is ready to answer calls, or 0 if none has ever been."""
        return self._process[0]

    # In the lane's process ----------------------------------------------------------------------------------------

    def be_ready(self) -> None:
        """Note that this process is ready."""
        self._process[0] = os.getpid()

    def hold(self, place: int, client: str, number: int) -> None:
        """Note that this process has a call in hand."""
        self._write(place, 0.0, client, number)

    def release(self, place: int) -> None:
        """Note that this process has answered the call at a place."""
        self._memory[self._start(place)] = 0

    @contextlib.contextmanager
    def working(self, place: int, client: str, number: int) -> Iterator[None]:
        """Return a context in which a thread works on the call that is held at a place."""
        self._write(place, self._clock(), client, number)
        try:
            yield
        finally:
            self._write(place, 0.0, client, number)

    # In the main process ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what the process before had in hand."""
        for place in range(self._places):
            self.release(place)

    def held(self) -> list[HeldCall]:
        """Return the calls that the process has in hand, or had when it died."""
        found = []
        for place in range(self._places):
            start = self._start(place)
            if self._memory[start]:
                since, client, number = _ENTRY.unpack_from(self._memory, start + 8)
                found.append(HeldCall(place, client.decode("ascii", "replace"), number, since))
        return found

    def is_overdue(self, limits: Sequence[float]) -> bool:
        """Return whether the process has worked on a call for longer than it may.

        Args:
            limits: Maximum number of seconds for each of the first places. The last one holds for all others.
        """
        now = self._clock()
        return any(call.since and now - call.since > limits[min(call.place, len(limits) - 1)] for call in self.held())

    def _write(self, place: int, since: float, client: str, number: int) -> None:
        start = self._start(place)
        self._memory[start] = 0  # a process may be killed at any moment, so an entry is valid only once it is complete
        _ENTRY.pack_into(self._memory, start + 8, since, client.encode(), number)
        self._memory[start] = 1

    def _start(self, place: int) -> int:
        return _HEADER_BYTES + place * _ENTRY_BYTES
