"""`queue`, `backup`, `restore`: commands for whoever runs a mill."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from producer.cli.display.wording import counted
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JSON, TIMEOUT
from producer.public import mill
from producer.public.operating import Backup

if TYPE_CHECKING:
    from producer.backup import BackupCounts
    from producer.mill.connection import Connection
    from worker.contract.gate import GateState

POLL_SECONDS = 0.5
"""Interval at which `queue drain --wait` looks whether all jobs have ended."""

_REASON = click.option("--reason", metavar="TEXT", default="", help="Why, for others who look at `status`.")
_RUNG_AT_ONCE = 1000


@click.group()
def queue() -> None:
    """Pause, drain and resume the queue.

    `digitmill status` says who did it, when and why. In containers, only the admin may do it.

    \b
    Examples:
      digitmill queue drain --wait --reason "upgrade"
      digitmill queue resume
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
    that holds something already. What running processes and `queue pause` have put into Redis stays as it is, and
    the command names it.

    \b
    Example:
      digitmill restore mill-20261126.tar
    """
    from producer.backup import restore as restore_file
    from worker.contract.gate import GateState, QueueGate
    from worker.settings import Settings

    settings, connection = Settings.from_environment(), _connect()
    counts = restore_file(connection.client, settings.data, file)
    if counts.kept:
        print_notice(f"Redis already had these keys, which stay as they were: {', '.join(counts.kept)}")
    if (gate := QueueGate(connection.client).current()).state is not GateState.OPEN:
        print_notice(str(gate))
    _show_counts(counts, "Restored", as_json=as_json)


def _show_counts(counts: "BackupCounts", verb: str, *, as_json: bool) -> None:
    if as_json:
        print_json(Backup(keys=counts.keys, files=counts.files))
    else:
        tell(printable(f"{verb} {counted(counts.keys, 'key')} of Redis and {counted(counts.files, 'file')}"))


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

    if as_json:
        print_json(mill.TurnedGate(gate=mill.gate(QueueGate(connection.client).read())))
    else:
        tell(sentence)


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
                f"No job has made progress for {timeout:.0f} s, with {counted(len(now), 'job')} left. "
                f"`digitmill show {job}` says what hinders the first; resume its client, or cancel it."
            )
        connection.reconciler.tick()
        time.sleep(POLL_SECONDS)
