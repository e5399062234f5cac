"""Progress of a job or a training: a bar on a terminal, an occasional line elsewhere. And the line of `watch`."""

import time
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.text import Text

from producer.cli.display.tables import has_cursor
from producer.cli.display.wording import counted
from producer.cli.notices import Manner, printable
from producer.jobs.sending import JobProgress

if TYPE_CHECKING:
    from producer.watching.watcher import WatchCounts

LINE_SECONDS = 10.0
"""Time between two lines where there is no terminal, in seconds."""

SHOWN_SECONDS = 0.25
"""Time between two changes of the line."""

RATE_SECONDS = 5.0
"""Time over which the rate is measured."""

_BESIDE = 24  # columns of the spinner, a short bar, the percentage and the time that is left


def showing(what: str, *, quiet: bool) -> AbstractContextManager[object]:
    """Return a context manager that shows on a terminal what the command is doing."""
    console = _console(quiet=quiet)
    return console.status(f"{what} …", spinner=_spinner(console))


def _console(*, quiet: bool) -> Console:
    """Return standard error. Only what can move a cursor counts as a terminal, whatever FORCE_COLOR says."""
    quiet = quiet or Manner.quiet
    console = Console(stderr=True, quiet=quiet)
    return console if has_cursor(console) else Console(stderr=True, quiet=quiet, force_terminal=False)


def _spinner(console: Console) -> str:
    """Return the name of a spinner whose characters the terminal has."""
    return "dots" if console.encoding.startswith("utf") else "line"


class _Bar(Progress):
    """A bar, with a line below it that says why there is no progress."""

    problem = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.problem:
            yield Text(self.problem, style="yellow")


class JobProgressBar:
    """A context manager that shows the progress of a job. `on_progress` is its progress callback.

    Args:
        total: Number of images, or None if it is not known yet.
        quiet: Whether to show nothing.

    Attributes:
        total: Number of images, or None. Callers set it when they learn it.
        at_least: Whether there may be more.
    """

    def __init__(self, total: int | None, *, quiet: bool = False) -> None:
        self._console = _console(quiet=quiet)
        self.total, self.at_least = total, False
        self._bar = _Bar(
            SpinnerColumn(_spinner(self._console)),
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

    def on_progress(self, progress: JobProgress) -> None:
        """Show the progress, at most ten times a second."""
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        self._first = self._first or progress
        counts = describe(progress, self._first, self.total, at_least=self.at_least)
        in_flight = f", {counted(progress.in_flight, 'batch', 'batches')} in flight"
        fits = not self._console.is_terminal or len(counts + in_flight) + _BESIDE <= self._console.width
        counts += in_flight if fits else ""
        self._bar.problem = printable(progress.problem)
        known = None if self.at_least else self.total
        self._bar.update(self._task, completed=progress.answered, total=known, counts=counts)
        if not self._console.is_terminal and now - self._said > LINE_SECONDS:
            self._said = now
            line = "; ".join(filter(None, (counts, self._bar.problem)))
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def describe(progress: JobProgress, first: JobProgress, total: int | None, *, at_least: bool = False) -> str:
    """Return a job's progress in words, without the batches that are in flight.

    Args:
        progress: Progress now.
        first: First progress that this client saw. The rate starts there, because another client may have gathered the
            earlier answers.
        total: Number of images, or None if it is unknown.
        at_least: Whether there may be more.
    """
    images = counted(progress.answered, "image")
    if total is not None:
        images = f"{progress.answered:,} of {'at least ' * at_least}{counted(total, 'image')}"
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    seconds = progress.seconds - first.seconds
    rate = (progress.answered - first.answered) / seconds if seconds else 0.0
    return f"{images}{failed}, {rate:,.0f}/s"


class TrainingProgressBar:
    """A context manager that shows the progress of a training.

    Args:
        quiet: Whether to show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = _console(quiet=quiet)
        self._bar = _Bar(
            SpinnerColumn(_spinner(self._console)),
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
        """Show the progress. Without a terminal, print a line whenever the words change.

        Args:
            words: Description of the progress.
            epoch: Last epoch that has ended.
            epochs: Number of epochs, or 0 if it is unknown.
        """
        words = printable(words)
        self._bar.update(self._task, completed=epoch, total=epochs or None, description=words)
        if not self._console.is_terminal and words != self._said:
            self._console.print(words, highlight=False, markup=False, soft_wrap=True)
        self._said = words


class WatchLine:
    """A context manager that shows the counts of a watcher on a terminal, and nothing elsewhere.

    Args:
        folder: What is watched, for people.
        quiet: Whether to show nothing.
    """

    def __init__(self, folder: str, *, quiet: bool = False) -> None:
        console = _console(quiet=quiet)
        self._folder = folder
        self._line = (
            Status("Waiting for files", console=console, spinner=_spinner(console)) if console.is_terminal else None
        )
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def __enter__(self) -> Self:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.stop()

    def on_counts(self, counts: "WatchCounts") -> None:
        """Show counts, four times a second at most."""
        now = time.monotonic()
        if self._line is None or now - self._seen[-1][0] < SHOWN_SECONDS:
            return
        self._seen.append((now, counts.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (counts.done - before) / (now - since) if now > since else 0.0
        self._line.update(
            f"{self._folder}: {rate:,.0f}/s, {counts.under_way:,} under way, {describe_watch(counts)}".replace(
                "[", r"\["
            )
        )


def describe_watch(counts: "WatchCounts") -> str:
    """Return what a watcher has done, in words."""
    words = [f"{counted(counts.done, 'image')} done"]
    words += [f"{counts.review:,} for review"] if counts.review else []
    words += [f"{counts.failed:,} failed"] if counts.failed else []
    words += [f"{counted(counts.vanished, 'file')} vanished"] if counts.vanished else []
    words += [f"{counted(counts.left_out, 'file')} left out"] if counts.left_out else []
    return ", ".join(words)
