"""`status`, `queue`, `backup`, `restore`: commands for whoever runs a mill."""

import json
import os
import select
import sys
import termios
import time
import tty
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from model.errors import DigitmillError, UsageError
from producer.cli.display.wording import counted
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.notices import print_notice, printable
from producer.cli.options import JSON, TIMEOUT

if TYPE_CHECKING:
    from producer.backup import BackupCounts
    from producer.cli.display.mill_status import MillView
    from producer.mill.connection import Connection
    from worker.contract.gate import GateState
    from worker.settings import Settings

REFRESH_SECONDS = 2.0
"""Interval between two looks of `status --watch`."""

_LATEST = 200  # jobs among which those that run are listed
POLL_SECONDS = 0.5
"""Interval at which `queue drain --wait` looks whether all jobs have ended."""

_REASON = click.option("--reason", metavar="TEXT", default="", help="Why, for others who look at `status`.")
_RUNG_AT_ONCE = 1000


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
        click.echo(json.dumps(view.as_json()))
    else:
        for line in view.lines():
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
        latest = damage.read_list("the list of jobs", lambda: ledger.jobs(latest=_LATEST))
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
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from producer.cli.display.mill_status import clock_line
    from producer.mill.finding import find_mill_url
    from worker.settings import without_password

    console = Console(highlight=False)
    if not console.is_terminal or not sys.stdin.isatty():
        raise UsageError("--watch needs a terminal. Elsewhere, run `digitmill status` now and then.")
    where = without_password(find_mill_url(settings) or settings.server_url)
    with _KeyPresses() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        pressed = ""
        while pressed.lower() != "q":
            try:
                lines = _look(settings).lines()
            except DigitmillError as fault:
                lines = [click.style(str(fault), fg="red", bold=True)]
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


@click.group()
def queue() -> None:
    """Pause, drain and resume the queue.

    `digitmill status` says who did it, when and why. In containers, only the admin may do it.
    """


@queue.command()
@_REASON
@JSON
@exit_on_error
def pause(reason: str, as_json: bool) -> None:
    """Let workers claim no more batches.

    They end what they have in hand. The queue goes on accepting jobs, whose clients wait. Single images are not
    answered either; their clients wait for their timeout.

    \b
    Example:
      digitmill queue pause --reason "the new model is wrong about sevens"
    """
    from worker.contract.gate import GateState

    connection = _connect()
    _turn(connection, GateState.PAUSED, reason)
    _show(connection, "The queue is paused", as_json=as_json)


@queue.command()
@_REASON
@click.option("--wait", is_flag=True, help="Wait until all jobs that are there have ended.")
@TIMEOUT
@JSON
@exit_on_error
def drain(reason: str, wait: bool, timeout: float, as_json: bool) -> None:
    """Accept no new jobs, and end those that are there.

    Single images go on. Before an upgrade, drain the queue, wait, stop the workers, and resume it afterwards.

    \b
    Example:
      digitmill queue drain --wait --reason "upgrade to 0.4"
    """
    from worker.contract.gate import GateState

    connection = _connect()
    _turn(connection, GateState.DRAINED, reason)
    if wait:
        _await_empty(connection, timeout)
    ended = ", and all jobs have ended" if wait else ""
    _show(connection, f"The queue accepts no new jobs{ended}", as_json=as_json)


@queue.command()
@_REASON
@JSON
@exit_on_error
def resume(reason: str, as_json: bool) -> None:
    """Open the queue again after `pause` or `drain`.

    \b
    Example:
      digitmill queue resume
    """
    from worker.contract.gate import GateState
    from worker.contract.ledger.ledger import RING_AGAIN_SECONDS

    connection = _connect()
    _turn(connection, GateState.OPEN, reason)
    # Workers have dropped the doorbells that they heard. Reconcilers would ring again too, but some seconds later.
    for part in connection.ledger.due(at_most=_RUNG_AT_ONCE, overdue_seconds=-RING_AGAIN_SECONDS):
        connection.doorbell.ring(part)
    _show(connection, "The queue is open", as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@JSON
@exit_on_error
def backup(file: Path, as_json: bool) -> None:
    """Write everything that a mill keeps into one file.

    FILE gets models, taught images, trainings, the schedule, jobs and answers of Redis, and the data folder of this
    machine: orders and journals of jobs, and the images that its trainer keeps. The mill may run meanwhile. Drain the
    queue first, if no running job may be torn.

    \b
    Example:
      digitmill backup mill-20261126.tar
    """
    from producer.backup import back_up
    from worker.settings import Settings

    settings = Settings.from_environment()
    _show_counts(back_up(_connect().client, settings.data, file), f"{file} has", as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@JSON
@exit_on_error
def restore(file: Path, as_json: bool) -> None:
    """Restore a backup into an empty mill.

    The command verifies the SHA-256 of each part of FILE before it writes anything. It refuses a Redis or a data folder
    that holds something already.

    \b
    Example:
      digitmill restore mill-20261126.tar
    """
    from producer.backup import restore as restore_file
    from worker.settings import Settings

    settings = Settings.from_environment()
    _show_counts(restore_file(_connect().client, settings.data, file), "Restored", as_json=as_json)


def _show_counts(counts: "BackupCounts", verb: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(counts)))
    else:
        click.echo(printable(f"{verb} {counted(counts.keys, 'key')} of Redis and {counted(counts.files, 'file')}"))


def _connect() -> "Connection":
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    return open_running_mill(Settings.from_environment())


def _turn(connection: "Connection", state: "GateState", reason: str) -> None:
    from worker.contract.gate import QueueGate
    from worker.contract.validation.identifiers import person_here

    QueueGate(connection.client).turn(state, who=person_here(), reason=reason)


def _show(connection: "Connection", sentence: str, *, as_json: bool) -> None:
    from worker.contract.gate import QueueGate

    click.echo(json.dumps(asdict(QueueGate(connection.client).read())) if as_json else sentence)


def _await_empty(connection: "Connection", timeout: float) -> None:
    """Wait until all jobs have ended, and their clients have taken what they gather.

    Raises:
        JobFailed: There was no progress for `timeout` seconds. The message names a job.
    """
    from producer.mill.finding import unfinished_jobs
    from worker.contract.errors import JobFailed

    before, deadline = unfinished_jobs(connection), time.monotonic() + timeout
    while now := unfinished_jobs(connection):
        if now != before:
            before, deadline = now, time.monotonic() + timeout
        elif time.monotonic() > deadline:
            job = min(now)[0]
            raise JobFailed(
                f"{len(now)} jobs have not ended, and none has made progress for {timeout:.0f} s. "
                f"`digitmill show {job}` says what hinders the first; resume its client, or cancel it."
            )
        connection.reconciler.tick()
        time.sleep(POLL_SECONDS)
