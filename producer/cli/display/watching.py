"""What `watch` shows: a line on a terminal while it runs, and a line at its end."""

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from producer.cli.display.progress import spinner
from producer.cli.display.wording import counted
from producer.watching.watcher import WatchCounts

SHOWN_SECONDS = 0.25
"""Time between two changes of the line."""

RATE_SECONDS = 5.0
"""Time over which the rate is measured."""


class WatchLine:
    """A context manager that shows the counts of a watcher on a terminal, and nothing elsewhere.

    Args:
        folder: What is watched, for people.
        quiet: Whether to show nothing.
    """

    def __init__(self, folder: str, *, quiet: bool = False) -> None:
        console = Console(stderr=True, quiet=quiet)
        self._folder = folder
        self._line = Status("", console=console, spinner=spinner(console)) if console.is_terminal else None
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def __enter__(self) -> Self:
        if self._line is not None:
            self.on_counts(WatchCounts(), at_once=True)
            self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.stop()

    def on_counts(self, counts: WatchCounts, *, at_once: bool = False) -> None:
        """Show counts, four times a second at most."""
        now = time.monotonic()
        if self._line is None or (now - self._seen[-1][0] < SHOWN_SECONDS and not at_once):
            return
        self._seen.append((now, counts.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (counts.done - before) / (now - since) if now > since else 0.0
        self._line.update(
            f"{self._folder}: {rate:,.0f}/s, {counts.under_way:,} under way, {describe(counts)}".replace("[", r"\[")
        )


def describe(counts: WatchCounts) -> str:
    """Return what a watcher has done, in words."""
    words = [f"{counted(counts.done, 'image')} done"]
    words += [f"{counts.review:,} for review"] if counts.review else []
    words += [f"{counts.failed:,} failed"] if counts.failed else []
    words += [f"{counted(counts.vanished, 'file')} vanished"] if counts.vanished else []
    words += [f"{counted(counts.left_out, 'file')} left out"] if counts.left_out else []
    return ", ".join(words)
