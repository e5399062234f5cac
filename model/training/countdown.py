"""Reports the seconds that a training still takes, once a second, even while nothing measures them."""

import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

REPORT_SECONDS = 1.0
"""Interval between two reports."""


class Countdown:
    """A context manager that counts down from the latest estimate, because judging a model takes a minute or more.

    It reports nothing before the first estimate, and 0 once the time is over.

    Args:
        report: Function that gets the seconds left. A thread calls it.
        clock: Function that returns seconds.
    """

    def __init__(self, report: Callable[[float], None], *, clock: Callable[[], float] = monotonic) -> None:
        self._report, self._clock = report, clock
        self._end: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="countdown", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def set(self, seconds: float) -> None:
        """Count down from this number of seconds from now on."""
        self._end = self._clock() + seconds

    def tick(self) -> None:
        """Report the seconds left, if they are known."""
        if self._end is not None:
            self._report(max(0.0, self._end - self._clock()))

    def _run(self) -> None:
        while not self._stop.wait(REPORT_SECONDS):
            self.tick()
