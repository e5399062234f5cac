"""A clock for tests, in place of `time`."""


class Clock:
    """A clock that only a test moves, and what waits by it.

    Args:
        now: Time in seconds.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    monotonic = __call__

    def sleep(self, seconds: float, /) -> None:
        """Move the clock, as if these seconds had passed."""
        self.now += seconds
