"""Showing how a job stands while it runs: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from producer.client import Situation

LINE_SECONDS = 10.0


class JobProgress:
    """A context manager; its `watch` takes situations.

    Args:
        total: number of images, or None where it is not known beforehand.
        quiet: show nothing.
    """

    def __init__(self, total: int | None, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._total = total
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("[yellow]{task.fields[hindrance]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, counts="", hindrance="")
        self._shown = 0.0
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def watch(self, situation: Situation) -> None:
        """Show a situation, ten times a second at most."""
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        counts = describe(situation, self._total)
        self._bar.update(self._task, completed=situation.answered, counts=counts, hindrance=situation.hindrance)
        if not self._console.is_terminal and now - self._said > LINE_SECONDS:
            self._said = now
            self._console.print(f"{counts} {situation.hindrance}".rstrip(), highlight=False, soft_wrap=True)


def describe(situation: Situation, total: int | None) -> str:
    """Return a situation in words."""
    of = f" of {total:,}" if total is not None else ""
    failed = f", {situation.failed:,} failed" if situation.failed else ""
    rate = situation.answered / situation.seconds if situation.seconds else 0.0
    return f"{situation.answered:,}{of} images{failed}, {rate:,.0f}/s, {situation.in_flight} batches in flight"
