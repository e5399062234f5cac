"""`jobs`, `show`, `wait`, `cancel`, `report`, `status`: commands about submitted jobs and the mill."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.errors import DigitmillError, UsageError
from producer.cli.display import json_output
from producer.cli.display.wording import age, counted
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.notices import print_notice, printable
from producer.cli.options import JOB, JSON, OUT, TIMEOUT, report_folder
from worker.contract.errors import NoWorkers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from producer.mill.connection import Connection
    from worker.contract.ledger import JobStatus, WorkerStatus

SILENT_SECONDS = 10.0
"""Seconds without a new image or answer after which the client of an unfinished job is reported as silent."""

STATE_COLOURS = {"done": "green", "done with errors": "yellow", "cancelled": "red", "failed": "red"}


@click.command()
@click.option("--latest", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="Number of jobs.")
@JSON
@exit_on_error
def jobs(latest: int, as_json: bool) -> None:
    """List the latest jobs, newest first.

    \b
    Example:
      digitmill jobs --latest 5
    """
    from rich.text import Text

    from producer.cli.display.damage import Damage
    from producer.cli.display.tables import Column, print_table
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment(), warn=False)
    damage = Damage()
    found = damage.read_list("the list of jobs", lambda: connection.ledger.jobs(latest=latest))
    if as_json:
        unreadable = [json_output.damaged_job(record) for record in damage.records]
        click.echo(json.dumps([*map(json_output.job, found), *unreadable]))
        return
    damage.print()
    if not found and not damage.records:
        click.echo("There are no jobs yet. `digitmill submit PATH` creates one.")
    if not found:
        return
    print_table(
        [
            Column("JOB"),
            Column("STATE"),
            Column("IMAGES", numbers=True),
            Column("FAILED", numbers=True),
            Column("AGE", numbers=True),
            Column("SOURCE", wraps=20),
        ],
        [
            [
                status.identifier,
                Text(status.state, style=STATE_COLOURS.get(status.state, "cyan")),
                f"{status.images:,}",
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
    from producer.mill.doorbell_formats import unreached_workers
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    status = connection.ledger.job(connection.ledger.find_job(job))
    if as_json:
        click.echo(json.dumps(json_output.job(status)))
        return
    ended = f", took {status.ended - status.created:.1f} s" if status.ended else ""
    click.echo(f"job       {printable(status.identifier)}")
    click.echo(f"state     {click.style(status.state, fg=STATE_COLOURS.get(status.state, 'cyan'))}")
    click.echo(f"source    {printable(status.record.source)}")
    click.echo(f"model     {printable(status.record.model)}")
    click.echo(f"client    {printable(status.record.client)}")
    click.echo(f"created   {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(status.created))}{ended}")
    click.echo(f"images    {status.images:,} sent, {status.answered:,} answered, {status.failed:,} of them failed")
    click.echo(f"batches   {status.open:,} waiting or being classified")
    problem = status.problem or unreached_workers(connection.ledger.workers())
    if problem and not status.state.ended:
        click.echo(click.style(f"problem   {printable(problem)}", fg="yellow"))


@click.command()
@JOB
@TIMEOUT
@JSON
@exit_on_error
def wait(job: str, timeout: float, as_json: bool) -> None:
    """Wait until a job has ended. The exit code says how it ended.

    \b
    Example:
      digitmill wait last && digitmill report last
    """
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment(), timeout=timeout)
    identifier = connection.ledger.find_job(job)
    status = _await_end(connection, identifier, timeout=timeout, quiet=as_json)
    if as_json:
        click.echo(json.dumps(json_output.job(status)))
    else:
        answered = counted(status.answered, "image")
        click.echo(f"{printable(identifier)} {status.state}: {answered} answered, {status.failed:,} of them failed")
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
        click.echo(json.dumps(json_output.job(connection.ledger.job(identifier))))
    else:
        click.echo(f"{printable(identifier)} cancelled")


@click.command()
@JOB
@OUT
@click.option(
    "--min-confidence",
    metavar="P",
    type=click.FloatRange(0, 1),
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
    from producer.cli.display.job_results import report_job
    from producer.jobs.submission import SubmitOptions, collect_job, open_submitted
    from producer.mill.finding import open_running_mill
    from producer.report import check_place
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings, timeout=timeout)
    identifier = connection.ledger.find_job(job)
    folder = out or report_folder(identifier)
    check_place(folder)
    status = _await_end(connection, identifier, timeout=timeout, quiet=as_json)
    options = SubmitOptions.from_record(status.record)
    try:
        source = open_submitted(options, settings)
    except DigitmillError as fault:
        source = None
        print_notice(f"this report has no pictures: {fault}")
    finished = collect_job(connection, status, settings)
    below = options.min_confidence if min_confidence is None else min_confidence or None
    report_job(finished, folder, source, below, as_json=as_json)
    sys.exit(_exit_code(status))


@click.command()
@JSON
@exit_on_error
def status(as_json: bool) -> None:
    """Show Redis, workers, running jobs and training.

    The exit code is 4 if no worker is ready.

    \b
    Example:
      digitmill status
    """
    from producer.cli.display import teaching as taught_display
    from producer.cli.display import training as training_display
    from producer.cli.display.damage import Damage
    from producer.cli.display.model_versions import describe_live
    from producer.mill.finding import open_running_mill
    from worker.contract.teaching import Summary, Teaching
    from worker.contract.training import Schedule, ScheduleStatus, Trainings
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment(), warn=False)
    damage = Damage()
    workers = damage.read_list("the list of workers", connection.ledger.workers)
    latest = damage.read_list("the list of jobs", lambda: connection.ledger.jobs(latest=200))
    running = [status for status in latest if not status.state.ended]
    trainings = Trainings(connection.client)
    training = damage.read("the training", trainings.latest, None)
    trainers = damage.read_list("the list of trainers", trainings.trainers)
    schedule = damage.read("the schedule", Schedule(connection.client).status, ScheduleStatus([], "", None, None, ""))
    taught = damage.read("the taught images", Teaching(connection.client).summary, Summary(0, 0, 0))
    if as_json:
        body = {
            "trainers": trainers,
            "training": json_output.training(training) if training else None,
            "schedule": json_output.schedule(schedule) if schedule.schedulers else None,
            "taught": json_output.taught(taught),
            "redis": connection.where,
            "warnings": connection.warnings,
            "live": connection.registry.live(),
            "workers": [json_output.worker(worker) for worker in workers],
            "running": [json_output.job(status) for status in running],
            "damaged": damage.as_json(),
        }
        click.echo(json.dumps(body))
    else:
        click.echo(f"redis     {printable(connection.where)}")
        for warning in connection.warnings:
            click.echo(click.style(f"warning   {printable(warning)}", fg="yellow"))
        click.echo(f"workers   {sum(worker.ready for worker in workers)} ready, {len(workers)} alive")
        _print_workers(workers)
        click.echo(f"model     {printable(describe_live(connection.registry))}")
        click.echo(f"running   {counted(len(running), 'job')}")
        _print_running(running)
        click.echo(f"trainers  {len(trainers)}")
        if training:
            click.echo(printable(f"training  {training.identifier}  {training_display.describe(training)}"))
        if schedule.schedulers:
            click.echo(f"schedule  {printable(training_display.describe_schedule(schedule))}")
        if taught.images or taught.new:
            click.echo(f"taught    {taught_display.describe(taught)}")
        damage.print()
    if not any(worker.ready for worker in workers):
        print_notice("no worker is ready; `digitmill up` starts workers")
        sys.exit(ExitCode.NO_WORKERS)


def _print_workers(workers: "Sequence[WorkerStatus]") -> None:
    """Print a table of workers, and below it why some do not serve the live model. Print nothing without workers."""
    from producer.cli.display.tables import Column, print_table
    from producer.mill.doorbell_formats import unreached_workers

    if not workers:
        return
    print_table(
        [
            Column("WORKER"),
            Column("STATE"),
            Column("START", numbers=True),
            Column("UP", numbers=True),
            Column("IMAGES", numbers=True),
            Column("MODEL"),
        ],
        [
            [
                worker.name,
                "ready" if worker.ready else "starting",
                f"{worker.startup_seconds:.1f} s" if worker.ready else "-",
                age(worker.started),
                f"{worker.images:,}",
                worker.model,
            ]
            for worker in workers
        ],
        indent=2,
    )
    for worker in workers:
        if worker.model_fault:
            click.echo(click.style(f"  {printable(worker.name)}: {printable(worker.model_fault)}", fg="red"))
    if unreached := unreached_workers(workers):
        click.echo(click.style(f"  {printable(unreached)}", fg="red"))


def _print_running(jobs: "Sequence[JobStatus]") -> None:
    """Print a table of unfinished jobs, or nothing if there are none."""
    from producer.cli.display.tables import Column, print_table

    if not jobs:
        return
    print_table(
        [
            Column("JOB"),
            Column("ANSWERED", numbers=True),
            Column("IMAGES", numbers=True),
            Column("PROBLEM", wraps=20),
        ],
        [[job.identifier, f"{job.answered:,}", f"{job.images:,}", job.problem] for job in jobs],
        indent=2,
    )


def _await_end(connection: "Connection", identifier: str, *, timeout: float, quiet: bool) -> "JobStatus":
    """Show the progress of a job until it has ended; return its final status.

    Args:
        connection: Connection to the mill.
        identifier: Identifier of the job.
        timeout: Seconds without any worker, or without Redis, after which to give up.
        quiet: Whether to show nothing.

    Raises:
        NoWorkers: The job has open batches, and no worker was running for `timeout` seconds.
        Unreachable: Redis did not answer for `timeout` seconds.
        UsageError: The record of the job is gone.
    """
    from producer.cli.display.progress import JobProgressBar
    from producer.jobs.gathering import NO_WORKER
    from producer.jobs.sending import JobProgress

    started = last_change = time.monotonic()
    seen = (0, 0)
    with JobProgressBar(None, quiet=quiet) as progress:
        while True:
            status = connection.retry_transient(lambda: connection.ledger.job(identifier), timeout=timeout)
            if status.state.ended:
                return status
            connection.reconciler.tick()
            workers = connection.retry_transient(connection.ledger.workers, timeout=timeout)
            now = time.monotonic()
            if (status.images, status.answered) != seen:
                seen, last_change = (status.images, status.answered), now
            problem = status.problem
            if status.state == "running":
                progress.total = status.images
            if status.state == "submitting" and now - last_change > SILENT_SECONDS:
                problem = f"its client is silent; `digitmill resume {identifier}` continues the job"
            elif status.open and not workers:
                problem = NO_WORKER
                if now - last_change > timeout:
                    raise NoWorkers(
                        f"No worker answered for {timeout:.0f} s. Start workers with `digitmill up`. The job waits for "
                        f"them, and `digitmill wait {identifier}` waits for the job."
                    )
            progress.on_progress(
                JobProgress(status.images, status.answered, status.failed, status.open, now - started, problem)
            )
            time.sleep(0.2)


def _exit_code(status: "JobStatus") -> ExitCode:
    """Return the exit code of a command that waited for the end of a job."""
    if status.state in ("cancelled", "failed"):
        return ExitCode.JOB_FAILED
    return ExitCode.SOME_FAILED if status.failed else ExitCode.OK
