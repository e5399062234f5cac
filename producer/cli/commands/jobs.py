"""`jobs`, `show`, `wait`, `cancel`, `report`, `status`: looking after what runs."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.errors import DigitmillError, UsageError
from producer.cli.display.ages import age
from producer.cli.exits import Exit, at_the_edge, complain, printable
from producer.cli.options import JOB, JSON, OUT, TIMEOUT
from worker.contract.errors import NoWorkers

if TYPE_CHECKING:
    from worker.contract.ledger import JobStatus

SILENT_SECONDS = 10.0
"""Without a new image or answer, after which the client of a job that is still being sent may be dead."""

STATE_COLOURS = {"done": "green", "done with errors": "yellow", "cancelled": "red", "failed": "red"}


@click.command()
@click.option("--latest", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@JSON
@at_the_edge
def jobs(latest: int, as_json: bool) -> None:
    """List the latest jobs, newest first.

    \b
    Example:
      digitmill jobs --latest 5
    """
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    found = connection.ledger.jobs(latest=latest)
    if as_json:
        click.echo(json.dumps([asdict(status) for status in found]))
        return
    if not found:
        click.echo("There are no jobs yet. `digitmill submit PATH` makes one.")
        return
    click.echo(f"{'JOB':<17}  {'STATE':<16}  {'IMAGES':>10}  {'FAILED':>7}  {'AGE':>6}  SOURCE")
    for status in found:
        state = click.style(f"{status.state:<16}", fg=STATE_COLOURS.get(status.state, "cyan"))
        counts = f"{status.images:>10,}  {status.failed:>7,}"
        click.echo(
            f"{status.identifier:<17}  {state}  {counts}  {age(status.created):>6}  {printable(status.record.source)}"
        )


@click.command()
@JOB
@JSON
@at_the_edge
def show(job: str, as_json: bool) -> None:
    """Show how one job stands.

    \b
    Example:
      digitmill show last
    """
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    status = connection.ledger.job(connection.ledger.find_job(job))
    if as_json:
        click.echo(json.dumps(asdict(status)))
        return
    ended = f", took {status.ended - status.created:.1f} s" if status.ended else ""
    click.echo(f"job       {status.identifier}")
    click.echo(f"state     {click.style(status.state, fg=STATE_COLOURS.get(status.state, 'cyan'))}")
    click.echo(f"source    {printable(status.record.source)}")
    click.echo(f"model     {status.record.model}")
    click.echo(f"client    {status.record.client}")
    click.echo(f"created   {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(status.created))}{ended}")
    click.echo(f"images    {status.images:,} sent, {status.answered:,} answered, {status.failed:,} of them failed")
    click.echo(f"batches   {status.open:,} waiting or in work")
    if status.problem and not status.state.ended:
        click.echo(click.style(f"problem   {printable(status.problem)}", fg="yellow"))


@click.command()
@JOB
@TIMEOUT
@JSON
@at_the_edge
def wait(job: str, timeout: float, as_json: bool) -> None:
    """Wait until a job has ended; the exit code says how.

    \b
    Example:
      digitmill wait last && digitmill report last
    """
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    identifier = connection.ledger.find_job(job)
    status = _await_end(connection, identifier, timeout=timeout, quiet=as_json)
    if as_json:
        click.echo(json.dumps(asdict(status)))
    else:
        click.echo(
            f"{identifier} {status.state}: images answered {status.answered:,}, of them failed {status.failed:,}"
        )
    sys.exit(_code(status))


@click.command()
@JOB
@JSON
@at_the_edge
def cancel(job: str, as_json: bool) -> None:
    """Stop a job: what is not classified yet will not be.

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
        click.echo(json.dumps(asdict(connection.ledger.job(identifier))))
    else:
        click.echo(f"{identifier} cancelled")


@click.command()
@JOB
@OUT
@click.option(
    "--min-confidence",
    metavar="P",
    type=click.FloatRange(0, 1),
    help="Below this confidence (0 to 1) an image is listed for review; 0: none is.  [default: as submitted]",
)
@TIMEOUT
@JSON
@at_the_edge
def report(job: str, out: Path | None, min_confidence: float | None, timeout: float, as_json: bool) -> None:
    """Gather a job's answers and write its report.

    A job that still runs is waited for. A report can be written again, with another threshold of confidence too.

    \b
    Example:
      digitmill report last --out reports/latest
    """
    from producer.cli.display.answers import report_job
    from producer.jobs.submission import SubmitOptions, collect_job, open_submitted
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings)
    identifier = connection.ledger.find_job(job)
    status = _await_end(connection, identifier, timeout=timeout, quiet=as_json)
    order = SubmitOptions.from_record(status.record)
    try:
        source = open_submitted(order, settings)
    except DigitmillError as fault:
        source = None
        complain(f"no pictures in this report: {fault}")
    finished = collect_job(connection, status, settings)
    below = order.min_confidence if min_confidence is None else min_confidence or None
    report_job(finished, out or Path("reports") / identifier, source, below, as_json=as_json)
    sys.exit(_code(status))


@click.command()
@JSON
@at_the_edge
def status(as_json: bool) -> None:
    """Show the mill: Redis, workers, jobs that run. Exit code 0 if work is being done or could be.

    \b
    Example:
      digitmill status
    """
    from producer.cli.commands.training import describe, describe_schedule
    from producer.cli.display.taught import describe as describe_taught
    from producer.mill.finding import open_running_mill
    from worker.contract.teaching import Teaching
    from worker.contract.training import Schedule, Trainings
    from worker.settings import Settings

    connection = open_running_mill(Settings.from_environment())
    workers = connection.ledger.workers()
    running = [status for status in connection.ledger.jobs(latest=200) if not status.state.ended]
    trainings = Trainings(connection.client)
    training, trainers = trainings.latest(), trainings.trainers()
    schedule = Schedule(connection.client).status()
    taught = Teaching(connection.client).summary()
    if as_json:
        body = {
            "trainers": trainers,
            "training": asdict(training) if training else None,
            "schedule": asdict(schedule) if schedule.schedulers else None,
            "taught": asdict(taught),
            "redis": connection.where,
            "workers": [asdict(worker) for worker in workers],
            "running": [asdict(status) for status in running],
        }
        click.echo(json.dumps(body))
    else:
        click.echo(f"redis     {connection.where}")
        click.echo(f"workers   {sum(worker.ready for worker in workers)} ready, {len(workers)} alive")
        for worker in workers:
            state = "ready" if worker.ready else "starting"
            click.echo(
                f"  {worker.name}  {state} after {worker.startup_seconds:.1f} s, up {age(worker.started)}, "
                f"{worker.images:,} images, model {worker.model}"
            )
            if worker.model_fault:
                click.echo(click.style(f"    {printable(worker.model_fault)}", fg="red"))
        click.echo(f"running   {len(running)} jobs")
        for job in running:
            counts = f"{job.answered:,} of {job.images:,} images answered"
            click.echo(f"  {job.identifier}  {counts}  {printable(job.problem)}".rstrip())
        click.echo(f"trainers  {len(trainers)}")
        if training:
            click.echo(f"training  {training.identifier}  {printable(describe(training))}")
        if schedule.schedulers:
            click.echo(f"schedule  {printable(describe_schedule(schedule))}")
        if taught.images or taught.new:
            click.echo(f"taught    {describe_taught(taught)}")
    if not any(worker.ready for worker in workers):
        complain("no worker is ready; start some with `digitmill up`")
        sys.exit(Exit.NO_WORKERS)


def _await_end(  # type: ignore[no-untyped-def]
    connection,  # noqa: ANN001  Connection loads late
    identifier: str,
    *,
    timeout: float,
    quiet: bool,
) -> "JobStatus":
    from producer.cli.display.progress import JobProgressBar
    from producer.jobs.gathering import NO_WORKER
    from producer.jobs.sending import JobProgress

    begun = moved = time.monotonic()
    stood = (0, 0)
    with JobProgressBar(None, quiet=quiet) as progress:
        while True:
            status: JobStatus = connection.retry_transient(lambda: connection.ledger.job(identifier), timeout=timeout)
            if status.state.ended:
                return status
            connection.reconciler.tick()
            workers = connection.retry_transient(connection.ledger.workers, timeout=timeout)
            now = time.monotonic()
            if (status.images, status.answered) != stood:
                stood, moved = (status.images, status.answered), now
            problem = status.problem
            if status.state == "running":
                progress.total = status.images
            if status.state == "submitting" and now - moved > SILENT_SECONDS:
                problem = f"its client is silent; `digitmill resume {identifier}` goes on in its place"
            elif status.open and not workers:
                problem = NO_WORKER
                if now - moved > timeout:
                    raise NoWorkers(
                        f"No worker answered for {timeout:.0f} s. Start some with `digitmill up`; the job waits for "
                        f"them, and `digitmill wait {identifier}` waits for the job."
                    )
            progress.on_progress(
                JobProgress(status.images, status.answered, status.failed, status.open, now - begun, problem)
            )
            time.sleep(0.2)


def _code(status: "JobStatus") -> Exit:
    if status.state in ("cancelled", "failed"):
        return Exit.JOB_FAILED
    return Exit.SOME_FAILED if status.failed else Exit.WELL
