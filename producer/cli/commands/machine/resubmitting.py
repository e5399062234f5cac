"""`resubmit`: sends the quarantined images of a job again."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from model.errors import UsageError
from producer.cli.commands.submitting import FOLLOW, gather_and_report, report_start
from producer.cli.exits import exit_on_error
from producer.cli.notices import print_notes
from producer.cli.options import JOB, JSON, OUT, TIMEOUT, report_folder


@click.command()
@JOB
@FOLLOW
@OUT
@TIMEOUT
@JSON
@exit_on_error
def resubmit(job: str, follow: bool, out: Path | None, timeout: float, as_json: bool) -> None:
    """Send the quarantined images of a job again, from their source.

    An image is quarantined when worker processes died on it again and again. Once you have removed the cause, such as
    too little memory or a bad model, this command lets workers try it again in a new job, with the model that the first
    job asked for. It sends only the images that the report in --out shows as quarantined, and replaces their rows, so
    each image has one row. If the report does not exist yet, the command first writes it. If the command ends early,
    the same command sends what is left.

    \b
    Example:
      digitmill resubmit last
    """
    from producer.cli.adding import Adding
    from producer.cli.commands.jobs import gather
    from producer.cli.display.job_results import write_job_report
    from producer.jobs.finding import find_job
    from producer.jobs.kept.order import jobs_folder, read_order
    from producer.jobs.submission import create_job, reopen_submitted
    from producer.mill.finding import find_mill_url, running_or_temporary_mill
    from producer.report.place import FIGURES, check_place
    from worker.settings import Settings

    settings = Settings.from_environment()
    with running_or_temporary_mill(settings, on_start=report_start, timeout=timeout) as connection:
        identifier = find_job(connection, job, settings)
        order = read_order(settings, identifier)
        if order is None:
            raise UsageError(
                f"The order of job {identifier}, which names the images, is not in {jobs_folder(settings)}. "
                "Run this where the job was submitted."
            )
        folder = out or report_folder(identifier)
        if order.options.new and not (folder / FIGURES).exists():
            raise UsageError(f"Job {identifier} has added to a report. Name the folder of that report with --out.")
        source = reopen_submitted(replace(order.options, new=False), settings)
        print_notes(source)
        check_place(folder)
        if not (folder / FIGURES).exists():
            gathered = gather(connection, identifier, settings, timeout=timeout, quiet=as_json)
            mill = find_mill_url(settings)
            below = order.options.min_confidence
            write_job_report(gathered.finished, folder, source, below, mill=mill, quiet=True)
        adding = Adding.again(folder, source, order.options)
        if not adding.names:
            adding.print_unchanged(as_json=as_json, sentence="No image is quarantined.")
            return
        # The new job alone cannot write this report, so nobody resumes it: the same command sends what is left.
        options = replace(order.options, new=True)
        again = source.only(adding.names)
        new = create_job(
            connection, options, again.description, settings, detached=False, total=again.total, timeout=timeout
        )
        code = gather_and_report(
            connection,
            new,
            options,
            again,
            settings,
            out=folder,
            follow=follow,
            timeout=timeout,
            as_json=as_json,
            adding=adding,
        )
    sys.exit(code)
