"""Showing how a job stands while it runs: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from producer.cli.exits import printable
from producer.jobs.sending import JobProgress

LINE_SECONDS = 10.0


def showing(what: str, *, quiet: bool) -> AbstractContextManager[object]:
    """Show on a terminal that something is being done, for as long as the context lasts."""
    return Console(stderr=True, quiet=quiet).status(f"{what} …")


class _Bar(Progress):
    """A bar, and below it a line that says why nothing moves."""

    hindrance = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.hindrance:
            yield Text(self.hindrance, style="yellow")


class JobProgressBar:
    """A context manager; its `watch` takes situations.

    Args:
        total: number of images, or None where it is not known beforehand.
        quiet: show nothing.

    Attributes:
        total: may be set once it is known.
    """

    def __init__(self, total: int | None, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self.total = total
        self._bar = _Bar(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, counts="")
        self._first: JobProgress | None = None
        self._shown = 0.0
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def on_progress(self, situation: JobProgress) -> None:
        """Show a situation, ten times a second at most."""
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        self._first = self._first or situation
        counts, self._bar.hindrance = describe(situation, self._first, self.total), printable(situation.problem)
        self._bar.update(self._task, completed=situation.answered, total=self.total, counts=counts)
        if not self._console.is_terminal and now - self._said > LINE_SECONDS:
            self._said = now
            line = "; ".join(filter(None, (counts, self._bar.hindrance)))
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def describe(situation: JobProgress, first: JobProgress, total: int | None) -> str:
    """Return a situation in words; the rate is that since the first, for much may have been answered before it."""
    of = f" of {total:,}" if total is not None else ""
    failed = f", {situation.failed:,} failed" if situation.failed else ""
    seconds = situation.seconds - first.seconds
    rate = (situation.answered - first.answered) / seconds if seconds else 0.0
    return f"{situation.answered:,}{of} images{failed}, {rate:,.0f}/s, {situation.in_flight} batches in flight"


class TrainingProgressBar:
    """A context manager; its `show` takes how a training stands, in words and epochs.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._bar = _Bar(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        self._said = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, words: str, epoch: int, epochs: int) -> None:
        """Show it; where there is no terminal, a line whenever the words change."""
        words = printable(words)
        self._bar.update(self._task, completed=epoch, total=epochs or None, description=words)
        if not self._console.is_terminal and words != self._said:
            self._console.print(words, highlight=False, markup=False, soft_wrap=True)
        self._said = words
