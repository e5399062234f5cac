"""`status`: what is wrong with a mill, and how it stands."""

import os
import select
import shutil
import sys
import termios
import tty
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from model.errors import DigitmillError, UsageError
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice
from producer.cli.options import JSON

if TYPE_CHECKING:
    from producer.cli.display.mill_status import MillView
    from worker.settings import Settings

REFRESH_SECONDS = 2.0
"""Interval between two looks of `status --watch`."""


@click.command()
@click.option("--watch", is_flag=True, help="Look again every two seconds, until q or Ctrl-C.")
@click.option("--check", is_flag=True, help="End with 6 if a problem is urgent, for scripts and health checks.")
@JSON
@exit_on_error
def status(watch: bool, check: bool, as_json: bool) -> None:
    """Show what is wrong, and how the mill stands.

    The figures are those of Redis, the queue, workers, the model, trainings and this machine's disk.

    \b
    The exit code is 4 if no worker is ready, and 3 if Redis does not answer.
    A `problem` is urgent: the mill does not do its work, or may lose some.
    A `warning` can wait until morning.

    \b
    Examples:
      digitmill status
      digitmill status --watch
      digitmill status --check --json
    """
    from worker.settings import Settings

    settings = Settings.from_environment()
    if watch:
        if as_json or check:
            raise UsageError("--watch is for people. Leave out --json and --check, or leave out --watch.")
        _watch(settings)
        return
    view = _look(settings)
    if as_json:
        print_json(view.as_document())
    else:
        # The line above is the command, and the one below the next prompt.
        height = shutil.get_terminal_size().lines - 2 if sys.stdout.isatty() else None
        for line in view.lines(height):
            click.echo(line)
        view.damage.print()
    if not view.has_worker:
        print_notice("no worker is ready; `digitmill up` starts workers")
        sys.exit(ExitCode.NO_WORKERS)
    if check and any(problem.urgent for problem in view.problems):
        sys.exit(ExitCode.PROBLEMS)


def _look(settings: "Settings") -> "MillView":
    from producer.cli.display.damage import Damage
    from producer.cli.display.mill_status import MillView
    from producer.mill.finding import reach_running_mill
    from producer.mill.problems import Disk, find_problems
    from worker.contract.ledger import Ledger
    from worker.contract.observation import observe

    reached = reach_running_mill(settings, warn=False)
    try:
        damage = Damage()
        seen = observe(reached.client)
        damage.records += seen.damaged
        ledger = Ledger(reached.client, ttl_seconds=settings.result_seconds)
        latest = damage.read_list("the list of jobs", ledger.jobs)
    finally:
        reached.client.close()
    try:
        disk = Disk.of(settings.data)
    except OSError:
        disk = None
    return MillView(
        where=reached.where,
        warnings=reached.warnings,
        seen=seen,
        running=[job for job in latest if not job.state.ended],
        problems=find_problems(seen, reached.warnings, disk),
        disk=disk,
        damage=damage,
    )


def _watch(settings: "Settings") -> None:
    """Show the status until the user presses q or Ctrl-C.

    Raises:
        UsageError: Nobody sees it, or can end it.
    """
    from redis.exceptions import RedisError
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from producer.cli.display.mill_status import clock_line
    from producer.cli.display.tables import has_cursor
    from producer.mill.finding import find_mill_url
    from worker.contract.connection import as_error
    from worker.settings import without_password

    console = Console(highlight=False)
    if not has_cursor(console) or not sys.stdin.isatty():
        raise UsageError("--watch needs a terminal. Elsewhere, run `digitmill status` now and then.")
    where = without_password(find_mill_url(settings) or settings.server_url)
    with _KeyPresses() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        pressed = ""
        while pressed.lower() != "q":
            try:
                lines = _look(settings).lines(console.height - 1)
            except (DigitmillError, RedisError) as fault:
                error = as_error(fault, where) if isinstance(fault, RedisError) else fault
                lines = [click.style(str(error), fg="red", bold=True)]
            body = Text.from_ansi("\n".join([clock_line(where), *lines]), no_wrap=True, overflow="crop")
            live.update(body, refresh=True)
            pressed = keys.wait(REFRESH_SECONDS)


class _KeyPresses:
    """A context manager that reads single keys of the terminal, and puts it back as it was. Ctrl-C still interrupts."""

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file, termios.TCSADRAIN)  # what was typed before counts
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> str:
        """Return the next key, or "" if none is pressed in time."""
        ready, _, _ = select.select([self._file], [], [], seconds)
        return os.read(self._file, 1).decode("latin-1") if ready else ""
