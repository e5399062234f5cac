"""`submit`, `resume`: commands that send the images of a job."""

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.errors import Failure, UsageError
from producer.cli.completion import complete_versions
from producer.cli.display.wording import counted
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notes, print_notice, printable, say, tell
from producer.cli.options import (
    AS_IS,
    JOB,
    JSON,
    MIN_CONFIDENCE,
    NULL,
    OUT,
    SEVERAL,
    TIMEOUT,
    absolute,
    not_empty,
    report_folder,
)
from producer.public.jobs import Preview, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from producer.cli.adding import Adding
    from producer.jobs.kept.order import Several, SubmitOptions
    from producer.jobs.results import Results
    from producer.jobs.sending import JobProgress, ProgressCallback
    from producer.mill.connection import Connection
    from producer.sources import Source
    from worker.settings import Settings

MAX_LABELS = 20
"""Maximum number of labels that `--dry-run` counts one by one."""


FOLLOW = click.option(
    "--follow",
    is_flag=True,
    help="Write each row of predictions.csv as soon as it and all rows before it are known.",
)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", callback=not_empty)
@click.option(
    "--files-from",
    metavar="FILE|-",
    default=None,
    callback=lambda context, parameter, path: path if path is None else not_empty(context, parameter, path),
    help="Submit the images whose paths are in FILE or in standard input, one on each line.",
)
@NULL
@click.option(
    "--labels",
    metavar="folder|FILE.csv|none",
    default="auto",
    help="Source of the true labels: the names of folders, a CSV file with the columns name and label, or none.  "
    "[default: the names of folders, if all images lie in folders named 0 to 9]",
)
@click.option(
    "--model",
    metavar="VERSION|live",
    shell_complete=complete_versions,
    help="Version that classifies all images. With `live`, each batch uses the version that is live at that moment.  "
    "[default: the version that is live now]",
)
@click.option("--include", metavar="GLOB", multiple=True, help="Only images whose name matches. May be repeated.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="No images whose name matches. May be repeated.")
@click.option("--batch-size", metavar="N", type=click.IntRange(1, 8192), help="Maximum number of images in a batch.")
@SEVERAL
@AS_IS
@MIN_CONFIDENCE
@click.option("--probabilities", is_flag=True, help="Keep the ten probabilities of every image.")
@click.option("--dry-run", is_flag=True, help="Print what would be submitted, without submitting it.")
@click.option(
    "--detach", is_flag=True, help="Return once all images are sent. `digitmill report JOB` gathers the answers later."
)
@FOLLOW
@click.option(
    "--new",
    is_flag=True,
    help="Only images that the report in --out lacks, or whose files changed. Adds rows to it, as --follow does.",
)
@OUT
@TIMEOUT
@JSON
@exit_on_error
def submit(
    paths: tuple[str, ...],
    files_from: str | None,
    null: bool,
    labels: str,
    model: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    batch_size: int | None,
    several: "Several",
    as_is: bool,
    min_confidence: float | None,
    probabilities: bool,
    dry_run: bool,
    detach: bool,
    follow: bool,
    new: bool,
    out: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Classify a folder, an archive or a file, and write a report.

    Each PATH is a folder (read recursively), a .zip or .tar.* archive, an image, or a file of arrays (.npy, .npz, IDX,
    .csv of pixels, .parquet). The word `mnist` stands for MNIST's 10,000 test images. Each image gets exactly one row:
    a prediction, or an error with its reason. Each page of a TIFF is an image of its own.

    Arrays are read as they seem to be: inverted, 0 to 1, flat, … A sentence says what was changed, also in the report.

    \b
    Examples:
      digitmill submit scans/
      digitmill submit monday/ tuesday.zip
      find scans -name '*.png' -print0 | digitmill submit -0 --files-from -
      digitmill submit scans.zip --labels truth.csv --out reports/scans
      digitmill submit meters/ --several read
      digitmill submit scans/ --new --out reports/scans
      digitmill submit mnist
    """
    from dataclasses import replace

    from producer.jobs.kept.order import SubmitOptions
    from producer.jobs.submission import create_job, open_list, open_submitted
    from producer.mill.finding import open_running_mill, running_or_temporary_mill, submitting
    from producer.report.earlier import check_not_joined
    from producer.report.place import check_place
    from worker.contract.ledger import new_job_identifier
    from worker.settings import Settings

    if several == "read" and probabilities:
        raise UsageError("An image with several digits does not have ten probabilities. Leave out --probabilities.")
    if new and (detach or out is None):
        raise UsageError("--new adds to the report in --out. Name its folder, and leave out --detach.")
    if detach and follow:
        raise UsageError("A detached job has no client that could write rows. Leave out --detach or --follow.")
    settings = Settings.from_environment()
    options = SubmitOptions(
        **_what(paths, files_from, null=null),
        labels=labels if labels in ("auto", "folder", "none") else absolute(labels),
        include=include,
        exclude=exclude,
        batch_size=batch_size,
        probabilities=probabilities,
        model=model,
        min_confidence=min_confidence,
        several=several,
        as_is=as_is,
        new=new,
    )
    if files_from == "-":
        source = open_list(options, sys.stdin.buffer, "standard input")
    else:
        source = open_submitted(options, settings)
    options = replace(options, form=source.form)
    print_notes(source)
    adding = None
    if new and out is not None:
        from producer.cli.adding import Adding

        adding = Adding.to(out, source, options)
        source = source.only(adding.names)
        adding.print_left_out()
    if dry_run:
        with _notes_at_the_end(source):
            _preview(source, as_json)
        return
    if detach:
        connection = open_running_mill(settings, timeout=timeout, needs=submitting())
        job = create_job(
            connection, options, source.description, settings, detached=True, total=_total(source), timeout=timeout
        )
        _send_detached(connection, job, options, source, settings, timeout=timeout, as_json=as_json)
        return
    if adding and not adding.names:
        adding.print_unchanged(as_json=as_json)
        return
    check_place(out or report_folder(new_job_identifier()))
    if out and not adding:
        check_not_joined(out)
    with running_or_temporary_mill(settings, on_start=report_start, timeout=timeout) as connection:
        job = create_job(
            connection, options, source.description, settings, detached=False, total=_total(source), timeout=timeout
        )
        say(f"Job {job}: {_images_of(source)}")
        code = gather_and_report(
            connection,
            job,
            options,
            source,
            settings,
            out=out,
            follow=follow,
            timeout=timeout,
            as_json=as_json,
            adding=adding,
        )
    sys.exit(code)


def _what(paths: tuple[str, ...], files_from: str | None, *, null: bool) -> dict[str, Any]:
    """Return the submit options that say what to submit.

    Raises:
        UsageError: There is nothing to submit, or what there is does not go together.
    """
    from producer.jobs.submission import MNIST

    if bool(paths) == bool(files_from):
        raise UsageError("Name what to submit: PATHs, or a list of paths with --files-from. One of both.")
    if null and not files_from:
        raise UsageError("-0 says how the paths of a list end. Add --files-from, or leave out -0.")
    if files_from:
        listed = "null" if null else "lines"
        return {"path": "" if files_from == "-" else absolute(files_from), "listed": listed, "folder": str(Path.cwd())}
    if MNIST in paths:
        if len(paths) > 1:
            raise UsageError("`mnist` is MNIST's test set, which is submitted alone. A folder of that name is ./mnist.")
        return {"path": MNIST}
    first, *more = map(absolute, paths)
    return {"path": first, "more": tuple(more)}


@click.command()
@JOB
@FOLLOW
@OUT
@click.option(
    "--take-over",
    is_flag=True,
    help="Continue a job of another machine or data folder, after you copied the job's files into this one.",
)
@TIMEOUT
@JSON
@exit_on_error
def resume(job: str, follow: bool, out: Path | None, take_over: bool, timeout: float, as_json: bool) -> None:
    """Continue a job that was interrupted or partly lost.

    The client kept its answers on its machine, so the workers classify only the other images. Resume the job on the
    machine that submitted it, with the same images in the same place. For a detached job, the command sends again what
    Redis has lost.

    \b
    Example:
      digitmill resume last
    """
    from producer.jobs.finding import find_resumable
    from producer.jobs.submission import reopen_submitted
    from producer.mill.finding import running_or_temporary_mill
    from producer.report.earlier import check_not_joined
    from producer.report.place import check_place
    from worker.settings import Settings

    settings = Settings.from_environment()
    with running_or_temporary_mill(settings, on_start=report_start, timeout=timeout) as connection:
        order = find_resumable(connection, job, settings)
        source = reopen_submitted(order.options, settings, order.job)
        print_notes(source)
        if order.detached:
            _send_detached(connection, order.job, order.options, source, settings, timeout=timeout, as_json=as_json)
            return
        check_place(folder := out or report_folder(order.job))
        check_not_joined(folder)
        code = gather_and_report(
            connection,
            order.job,
            order.options,
            source,
            settings,
            out=out,
            follow=follow,
            timeout=timeout,
            as_json=as_json,
            take_over=take_over,
            sent_here=False,
        )
    sys.exit(code)


def _send_detached(
    connection: "Connection",
    job: str,
    options: "SubmitOptions",
    source: "Source",
    settings: "Settings",
    *,
    timeout: float,
    as_json: bool,
) -> None:
    """Send the images of a job, and print how to gather its answers."""
    from producer.jobs.submission import send_job

    named = _named_when_interrupted(connection, job)
    with named, _notes_at_the_end(source), progress_of(source, as_json) as on_progress:
        send_job(connection, job, options, source, settings, timeout=timeout, on_progress=on_progress)
    if as_json:
        print_json(Sent(job=job))
        return
    job = printable(job)
    tell(f"Job {job} is sent: {_images_of(source)}")
    tell(f"digitmill show {job}    shows its state")
    tell(f"digitmill report {job}  gathers its answers, from any machine")


def gather_and_report(
    connection: "Connection",
    job: str,
    options: "SubmitOptions",
    source: "Source",
    settings: "Settings",
    *,
    out: Path | None,
    follow: bool,
    timeout: float,
    as_json: bool,
    take_over: bool = False,
    adding: "Adding | None" = None,
    sent_here: bool = True,
) -> ExitCode:
    """Run the job to its end, write its report and return the exit code."""
    from producer.cli.display.job_results import print_report, write_job_report
    from producer.jobs.submission import gather_job
    from producer.mill.finding import find_mill_url
    from producer.report.tables.tables import growing_table

    folder = out or report_folder(job)
    added: dict[str, Any] = {}
    table: contextlib.AbstractContextManager[Callable[[Results], None] | None] = contextlib.nullcontext()
    if adding:
        added = {"earlier": adding.earlier, "versions": adding.versions}
        table = growing_table(folder, options.min_confidence, adding.earlier, adding.versions)
    elif follow:
        table = growing_table(folder, options.min_confidence)
    with _named_when_interrupted(connection, job):
        with _notes_at_the_end(source), progress_of(source, as_json) as on_progress, table as add:
            finished = gather_job(
                connection,
                job,
                options,
                source,
                settings,
                timeout=timeout,
                on_progress=on_progress,
                on_results=add,
                take_over=take_over,
            )
        summary = write_job_report(
            finished,
            folder,
            adding.whole if adding else source,
            options.min_confidence,
            mill=find_mill_url(settings),
            quiet=as_json,
            sent_here=sent_here,
            **added,
        )
        return print_report(summary, finished, folder, as_json=as_json)


@contextlib.contextmanager
def _named_when_interrupted(connection: "Connection", job: str) -> "Iterator[None]":
    """Let an interrupt name the job also before its client has begun, and while its report is written."""
    from producer.jobs.finding import how_to_report

    try:
        yield
    except KeyboardInterrupt as fault:
        if fault.args:
            raise
        job = printable(job)
        raise KeyboardInterrupt(
            f"job {job} is kept: `digitmill resume {job}` continues it, and if it is done, "
            f"{how_to_report(connection, job)}"
        ) from None


@contextlib.contextmanager
def progress_of(source: "Source", as_json: bool) -> "Iterator[ProgressCallback]":
    """Show the progress of a job. Yield its progress callback."""
    from producer.cli.display.progress import JobProgressBar

    with JobProgressBar(source.total, quiet=as_json) as bar:

        def on_progress(progress: "JobProgress") -> None:
            bar.total, bar.at_least = source.total, not source.is_listed
            bar.on_progress(progress)

        yield on_progress


@contextlib.contextmanager
def _notes_at_the_end(source: "Source") -> "Iterator[None]":
    """Print the notes of a source that is listed only when its job has been sent."""
    was_listed = source.is_listed
    yield
    if not was_listed:
        print_notes(source)


def _total(source: "Source") -> int | None:
    """Return the number of images of a source, or None if it is not known yet."""
    return source.total if source.is_listed else None


def _images_of(source: "Source") -> str:
    """Return how many images of which source there are, in words."""
    images = counted(source.total, "image")
    return f"{'' if source.is_listed else 'at least '}{images} of {printable(source.description)}"


def report_start() -> None:
    """Say that a mill is started."""
    print_notice("no mill is running here, so this command starts one for itself (`digitmill up` keeps one running)")


def _preview(source: "Source", as_json: bool) -> None:
    """Print how many images of each label would be submitted, and how many cannot be read."""
    labels: Counter[str] = Counter()
    unreadable = 0
    for image in source:
        labels["none" if image.label is None else str(image.label)] += 1
        unreadable += isinstance(image.content, Failure)
    total = sum(labels.values())
    if as_json:
        body = Preview(
            source=source.description,
            images=total,
            failed=unreadable,
            labels=labels,
            left_out=dict(source.left_out),
            notes=list(source.notes),
        )
        print_json(body)
        return
    tell(f"source    {printable(source.description)}")
    tell(f"images    {total:,} would be submitted; {unreadable:,} cannot be read")
    tell("labels    " + _counted_labels(labels))


def _counted_labels(labels: "Mapping[str, int]") -> str:
    """Return how many images have each label, or only how many labels there are if they are many numbers."""
    if len(labels) > MAX_LABELS:
        without = labels.get("none", 0)
        return f"{len(labels) - bool(without):,} different numbers" + (f", none: {without:,}" if without else "")
    return ", ".join(f"{label}: {count:,}" for label, count in sorted(labels.items()))
