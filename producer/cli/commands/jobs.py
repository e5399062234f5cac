"""`jobs`, `show`, `wait`, `cancel`, `report`: commands about submitted jobs."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from model.errors import DigitmillError, UsageError
from producer.cli.display.wording import age, counted, describe_progress
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JOB, JSON, OUT, TIMEOUT, FiniteRange, report_folder
from producer.public.jobs import OneJob, job_values, list_of

if TYPE_CHECKING:
    from producer.jobs.results import FinishedJob
    from producer.jobs.sending import JobProgress
    from producer.mill.connection import Connection
    from producer.sources import Source
    from worker.contract.ledger import JobStatus
    from worker.settings import Settings

STATE_COLOURS = {"done": "green", "done with errors": "yellow", "cancelled": "red", "failed": "red"}


@click.command()
@click.option("--latest", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="Number of jobs.")
@click.option("--all", "with_little", is_flag=True, help="Also list the jobs of `classify`.")
@JSON
@exit_on_error
def jobs(latest: int, with_little: bool, as_json: bool) -> None:
    """List the latest jobs, newest first.

    \b
    Example:
      digitmill jobs --latest 5
    """
    from rich.text import Text

    from producer.cli.display.damage import Damage
    from producer.cli.display.tables import Column, print_table
    from producer.jobs.waiting import ended_client
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    damage = Damage()
    found = damage.read_list("the list of jobs", lambda: connection.ledger.jobs(latest=latest, little=with_little))
    if as_json:
        print_json(list_of(found, damage.records))
        return
    damage.print()
    if not found and not damage.records:
        tell("This mill has no jobs. `digitmill submit PATH` creates one.")
    if not found:
        return
    now = connection.ledger.now()
    print_table(
        [
            Column("JOB"),
            Column("STATE", wraps=11),
            Column("IMAGES", numbers=True),
            Column("DONE", numbers=True),
            Column("FAILED", numbers=True),
            Column("AGE", numbers=True),
            Column("SOURCE", wraps=12, shortens=True),
        ],
        [
            [
                status.identifier,
                Text(
                    f"{status.state}, client gone" if ended_client(status, now) else status.state,
                    style=STATE_COLOURS.get(status.state, "cyan"),
                ),
                f"{status.images if status.total is None else status.total:,}",
                f"{100 * status.answered / status.total:.0f} %" if status.total else "-",
                f"{status.failed:,}",
                age(status.created),
                status.record.source,
            ]
            for status in found
        ],
    )


@click.command()
@JOB
@JSON
@exit_on_error
def show(job: str, as_json: bool) -> None:
    """Show the state of one job.

    \b
    Example:
      digitmill show last
    """
    from producer.jobs.collecting import how_read
    from producer.jobs.finding import find_job
    from producer.jobs.recovery import current_loss, sender_of, shown_job
    from producer.jobs.waiting import ended_client
    from producer.mill.doorbell_formats import unreached_workers
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings)
    status = connection.ledger.job(find_job(connection, job, settings))
    loss = current_loss(connection, status, settings)
    if as_json:
        print_json(shown_job(status, loss))
        return
    ended = f", took {status.ended - status.created:,.1f} s" if status.ended else ""
    tell(f"job       {printable(status.identifier)}")
    tell(f"state     {click.style(status.state, fg=STATE_COLOURS.get(status.state, 'cyan'))}")
    tell(f"source    {printable(status.record.source)}")
    if said := how_read(status, settings):
        tell(f"read as   {printable(said)}")
    tell(f"model     {printable(status.record.model)}")
    tell(f"client    {printable(status.record.client)}{printable(_about_client(connection, status))}")
    tell(f"created   {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(status.created))}{ended}")
    now = connection.ledger.now()
    stands = bool(ended_client(status, now))
    sent = "" if status.images == status.answered else f"; {status.images:,} sent"
    tell(f"progress  {describe_progress(status, now, stands=stands)}{sent}")
    if status.open or not status.state.ended:
        tell(f"batches   {status.open:,} waiting or being classified")
    problem = not status.state.ended and (status.problem or unreached_workers(connection.ledger.workers()))
    if problem:
        tell(click.style(f"problem   {printable(problem)}", fg="yellow"))
    if loss and loss.batches:
        tell(click.style(f"lost      {printable(loss.describe())}: Redis does not have it any more", fg="yellow"))
        where = "" if loss.resumable else f" on {printable(sender_of(status))}"
        tell(f"next      digitmill resume {printable(status.identifier)}{where}    sends it again")


@click.command()
@JOB
@TIMEOUT
@JSON
@exit_on_error
def wait(job: str, timeout: float, as_json: bool) -> None:
    """Wait until a job has ended. The exit code says how it ended.

    If the job makes no progress for --timeout seconds, the command says why, and ends.

    \b
    Example:
      digitmill wait last && digitmill report last
    """
    from producer.jobs.finding import find_job
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings, timeout=timeout)
    identifier = find_job(connection, job, settings)
    status = _await_end(connection, identifier, settings, timeout=timeout, quiet=as_json)
    if as_json:
        print_json(OneJob(**job_values(status)))
    else:
        answered = counted(status.answered, "image")
        tell(f"{printable(identifier)} {status.state}: {answered} answered, {status.failed:,} of them failed")
    sys.exit(_exit_code(status))


@click.command()
@JOB
@JSON
@exit_on_error
def cancel(job: str, as_json: bool) -> None:
    """Cancel a job. The workers classify no more of its images.

    \b
    Example:
      digitmill cancel last
    """
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    identifier = connection.ledger.find_job(job)
    if not connection.ledger.cancel(identifier):
        state = connection.ledger.job(identifier).state
        raise UsageError(f"Job {identifier} has ended already: {state}.")
    if as_json:
        print_json(OneJob(**job_values(connection.ledger.job(identifier))))
    else:
        tell(f"{printable(identifier)} cancelled")


@click.command()
@JOB
@OUT
@click.option(
    "--min-confidence",
    metavar="P",
    type=FiniteRange(0, 1),
    help="List an image for review if its confidence is below P (0 to 1). 0 lists none.  [default: as submitted]",
)
@TIMEOUT
@JSON
@exit_on_error
def report(job: str, out: Path | None, min_confidence: float | None, timeout: float, as_json: bool) -> None:
    """Gather a job's answers and write its report.

    The command waits until the job has ended. You can write the report again, also with another --min-confidence.

    \b
    Example:
      digitmill report last --out reports/latest
    """
    from producer.cli.display.job_results import print_report, write_job_report
    from producer.jobs.finding import find_job
    from producer.mill.finding import find_mill_url, open_running_mill
    from producer.report.earlier import check_not_joined
    from producer.report.place import check_place
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings, timeout=timeout)
    identifier = find_job(connection, job, settings)
    folder = out or report_folder(identifier)
    check_place(folder)
    check_not_joined(folder)
    gathered = gather(connection, identifier, settings, timeout=timeout, quiet=as_json)
    if gathered.fault:
        print_notice(f"this report has no pictures: {gathered.fault}")
    below = gathered.min_confidence if min_confidence is None else min_confidence or None
    mill = find_mill_url(settings)
    summary = write_job_report(gathered.finished, folder, gathered.source, below, mill=mill, quiet=as_json)
    reported = print_report(summary, gathered.finished, folder, as_json=as_json)
    # The counters of the job do not know which of its answers Redis has damaged since.
    sys.exit(_exit_code(gathered.status) or reported)


class Gathered(NamedTuple):
    """A job that has ended, and what its report needs beside its answers."""

    status: "JobStatus"
    finished: "FinishedJob"
    source: "Source | None"
    fault: DigitmillError | None  # why there is not a source
    min_confidence: float | None


def gather(connection: "Connection", identifier: str, settings: "Settings", *, timeout: float, quiet: bool) -> Gathered:
    """Wait for the end of a job and return it, with the source of its images if it is still there."""
    from producer.jobs.collecting import collect_job
    from producer.jobs.kept.order import jobs_folder, read_order
    from producer.jobs.submission import reopen_submitted

    status = _await_end(connection, identifier, settings, timeout=timeout, quiet=quiet)
    # Only the order that lies here names a path to open, because anyone may have written the record in Redis.
    order, source, fault = read_order(settings, identifier), None, None
    try:
        if order is None:
            raise UsageError(f"The order of job {identifier} is not in {jobs_folder(settings)}.")
        source = reopen_submitted(order.options, settings, order.job)
    except DigitmillError as found:
        fault = found
    finished = collect_job(connection, status, settings, timeout=timeout)
    submitted = order.options.min_confidence if order else _submitted_confidence(status)
    return Gathered(status, finished, source, fault, submitted)


def _about_client(connection: "Connection", status: "JobStatus") -> str:
    """Return what is known about the client of an unfinished job, to follow its name, or ""."""
    from producer.jobs.recovery import sender_of
    from producer.jobs.waiting import client_silence, ended_client

    if status.state.ended or status.owner_seen is None:
        return ""
    now = connection.ledger.now()
    if ended := ended_client(status, now):
        return f"; {ended}"
    silent = client_silence(status, now)
    return f"; alive on {sender_of(status)}, seen {silent:.0f} s ago" if silent != float("inf") else ""


def _submitted_confidence(status: "JobStatus") -> float | None:
    """Return the confidence below which the report of a job from elsewhere lists an image, or None for no list."""
    from model.inference.review import REVIEW_BELOW

    asked = status.record.options.get("min_confidence", REVIEW_BELOW)
    if asked is None:
        return None
    return float(asked) if isinstance(asked, int | float) and 0 <= asked <= 1 else REVIEW_BELOW


def _await_end(
    connection: "Connection", identifier: str, settings: "Settings", *, timeout: float, quiet: bool
) -> "JobStatus":
    """Show the progress of a job until it has ended; return its final status. See `JobWatch.await_end`."""
    from producer.cli.display.progress import JobProgressBar
    from producer.jobs.waiting import JobWatch

    with JobProgressBar(None, quiet=quiet) as bar:

        def show_progress(status: "JobStatus", progress: "JobProgress") -> None:
            if status.state == "running":
                bar.total = status.images
            bar.on_progress(progress)

        watch = JobWatch(connection, identifier, settings, timeout=timeout, on_progress=show_progress)
        return watch.await_end()


def _exit_code(status: "JobStatus") -> ExitCode:
    """Return the exit code of a command that waited for the end of a job."""
    if status.state in ("cancelled", "failed"):
        return ExitCode.JOB_FAILED
    return ExitCode.SOME_FAILED if status.failed else ExitCode.OK
