"""`jobs`, `show`, `wait`, `cancel`, `report`, `status`: commands about submitted jobs and the mill."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from model.errors import DigitmillError, UsageError
from producer.cli.display import json_output
from producer.cli.display.wording import age, counted
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.notices import print_notice, printable
from producer.cli.options import JOB, JSON, OUT, TIMEOUT, FiniteRange, report_folder
from producer.jobs import public

if TYPE_CHECKING:
    from collections.abc import Sequence

    from producer.jobs.results import FinishedJob
    from producer.jobs.sending import JobProgress
    from producer.mill.connection import Connection
    from producer.sources import Source
    from worker.contract.ledger import JobStatus, WorkerStatus
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
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    damage = Damage()
    found = damage.read_list("the list of jobs", lambda: connection.ledger.jobs(latest=latest, little=with_little))
    if as_json:
        unreadable = [public.damaged_job(record) for record in damage.records]
        click.echo(json.dumps([*map(public.job, found), *unreadable]))
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
    from producer.jobs.collecting import how_read
    from producer.jobs.finding import find_job
    from producer.jobs.recovery import sender_of
    from producer.mill.doorbell_formats import unreached_workers
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings)
    status = connection.ledger.job(find_job(connection, job, settings))
    loss = public.current_loss(connection, status, settings)
    if as_json:
        click.echo(json.dumps(public.shown_job(status, loss)))
        return
    ended = f", took {status.ended - status.created:.1f} s" if status.ended else ""
    click.echo(f"job       {printable(status.identifier)}")
    click.echo(f"state     {click.style(status.state, fg=STATE_COLOURS.get(status.state, 'cyan'))}")
    click.echo(f"source    {printable(status.record.source)}")
    if said := how_read(status, settings):
        click.echo(f"read as   {printable(said)}")
    click.echo(f"model     {printable(status.record.model)}")
    click.echo(f"client    {printable(status.record.client)}{printable(_about_client(connection, status))}")
    click.echo(f"created   {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(status.created))}{ended}")
    click.echo(f"images    {status.images:,} sent, {status.answered:,} answered, {status.failed:,} of them failed")
    click.echo(f"batches   {status.open:,} waiting or being classified")
    problem = not status.state.ended and (status.problem or unreached_workers(connection.ledger.workers()))
    if problem:
        click.echo(click.style(f"problem   {printable(problem)}", fg="yellow"))
    if loss and loss.batches:
        click.echo(click.style(f"lost      {printable(loss.describe())}: Redis does not have it any more", fg="yellow"))
        where = "" if loss.resumable else f" on {printable(sender_of(status))}"
        click.echo(f"next      digitmill resume {printable(status.identifier)}{where}    sends it again")


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
        click.echo(json.dumps(public.job(status)))
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
        click.echo(json.dumps(public.job(connection.ledger.job(identifier))))
    else:
        click.echo(f"{printable(identifier)} cancelled")


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
    from producer.cli.display.job_results import report_job
    from producer.jobs.finding import find_job
    from producer.mill.finding import find_mill_url, open_running_mill
    from producer.report import check_place
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings, timeout=timeout)
    identifier = find_job(connection, job, settings)
    folder = out or report_folder(identifier)
    check_place(folder)
    gathered = gather(connection, identifier, settings, timeout=timeout, quiet=as_json)
    if gathered.fault:
        print_notice(f"this report has no pictures: {gathered.fault}")
    below = gathered.min_confidence if min_confidence is None else min_confidence or None
    mill = find_mill_url(settings)
    reported = report_job(gathered.finished, folder, gathered.source, below, mill=mill, as_json=as_json)
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
        source = reopen_submitted(order.options, settings)
    except DigitmillError as found:
        fault = found
    finished = collect_job(connection, status, settings, timeout=timeout)
    submitted = order.options.min_confidence if order else _submitted_confidence(status)
    return Gathered(status, finished, source, fault, submitted)


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
    from producer.cli.display import drift as drift_display
    from producer.cli.display import teaching as taught_display
    from producer.cli.display import training as training_display
    from producer.cli.display.damage import Damage
    from producer.cli.display.model_versions import describe_live
    from producer.mill.finding import open_running_mill
    from worker.contract.drift import AnswerDays, find_drift
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
    faults: dict[str, str] = damage.read("the faults of trainers", lambda: trainings.faults(trainers), {})
    schedule = damage.read("the schedule", Schedule(connection.client).status, ScheduleStatus([], "", None, None, ""))
    live = damage.read("the live version", connection.registry.live, "")
    drift = damage.read("the answers of each day", lambda: find_drift(AnswerDays(connection.client).read(live)), None)
    taught = damage.read("the taught images", Teaching(connection.client).summary, Summary(0, 0, 0))
    if as_json:
        body = {
            "trainers": trainers,
            "trainer_faults": faults,
            "training": json_output.training(training) if training else None,
            "schedule": json_output.schedule(schedule) if schedule.schedulers else None,
            "taught": json_output.taught(taught),
            "redis": connection.where,
            "warnings": connection.warnings,
            "live": live,
            "drift": drift_display.drift_as_json(drift),
            "workers": [json_output.worker(worker) for worker in workers],
            "running": [public.job(status) for status in running],
            "damaged": damage.as_json(),
        }
        click.echo(json.dumps(body))
    else:
        click.echo(f"redis     {printable(connection.where)}")
        for warning in connection.warnings:
            click.echo(click.style(f"warning   {printable(warning)}", fg="yellow"))
        click.echo(f"workers   {sum(worker.ready for worker in workers)} ready, {len(workers)} alive")
        _print_workers(workers)
        shown = damage.read("the live version", lambda: describe_live(connection.registry), "unknown")
        click.echo(f"model     {printable(shown)}")
        if drift:
            click.echo(click.style(f"drift     {drift_display.describe(drift)}", fg="yellow"))
        click.echo(f"running   {counted(len(running), 'job')}")
        _print_running(connection, running)
        click.echo(f"trainers  {len(trainers)}")
        for name, fault in faults.items():
            click.echo(click.style(f"  {printable(name)}: {printable(fault)}", fg="red"))
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


def _print_running(connection: "Connection", jobs: "Sequence[JobStatus]") -> None:
    """Print a table of unfinished jobs, or nothing if there are none."""
    from producer.cli.display.tables import Column, print_table

    if not jobs:
        return
    now = connection.ledger.now()
    print_table(
        [
            Column("JOB"),
            Column("ANSWERED", numbers=True),
            Column("IMAGES", numbers=True),
            Column("PROBLEM", wraps=20),
        ],
        [
            [
                job.identifier,
                f"{job.answered:,}",
                f"{job.images:,}",
                "; ".join(filter(None, (job.problem, _ended_client(job, now)))),
            ]
            for job in jobs
        ],
        indent=2,
    )


def _about_client(connection: "Connection", status: "JobStatus") -> str:
    """Return what is known about the client of an unfinished job, to follow its name, or ""."""
    from producer.jobs.recovery import sender_of
    from producer.jobs.waiting import client_silence

    if status.state.ended or status.owner_seen is None:
        return ""
    now = connection.ledger.now()
    if ended := _ended_client(status, now):
        return f"; {ended}"
    silent = client_silence(status, now)
    return f"; alive on {sender_of(status)}, seen {silent:.0f} s ago" if silent != float("inf") else ""


def _ended_client(status: "JobStatus", now: float) -> str:
    """Return where the client of an unfinished job has ended, and what continues the job; "" if that is not known.

    Args:
        status: Status of the job.
        now: Time of Redis: unix time, seconds.
    """
    from producer.jobs.recovery import sender_of
    from producer.jobs.waiting import client_silence
    from worker.contract.liveness import ALIVE_SECONDS

    sent = not status.record.folder and status.state != "submitting"  # a detached job then needs no client
    if sent or status.owner_seen is None or client_silence(status, now) <= ALIVE_SECONDS:
        return ""
    return f"its client has ended on {sender_of(status)}; `digitmill resume {status.identifier}` there continues it"


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
