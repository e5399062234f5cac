"""The results of a job: the report with its headline."""

import time
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

import click

from model.errors import UsageError
from model.images.doubts import DoubtCode
from producer.cli.display.progress import showing
from producer.cli.display.tables import Column, print_table
from producer.cli.exits import ExitCode
from producer.cli.notices import Manner, print_notice, printable, tell
from producer.jobs.results import FinishedJob, Results
from producer.pictures import PictureReader
from producer.public.body import to_text
from producer.report.earlier import joined
from producer.report.place import PAGE
from producer.report.summary import Summary
from producer.report.tables.rows import FileVersion
from producer.report.wording import DOUBTS
from producer.report.write import write_report
from producer.sources import Source

PICTURE_SHARE = 0.04
"""Time after which a report reads no more pictures, as a share of the job's time. The rest takes as long again."""

PICTURE_SECONDS = 5.0
"""Time for which the report of a job of up to `MANY_IMAGES` may always read pictures, in seconds."""

MANY_IMAGES = 100_000
"""Number of images above which a report takes a small share of the time in any case."""

PICTURES_AT_ONCE = 240
"""Number of pictures, those of the most important images, that a report reads whatever time it takes."""


def write_job_report(
    finished: FinishedJob,
    folder: Path,
    source: Source | None,
    min_confidence: float | None,
    *,
    mill: str | None,
    quiet: bool,
    is_kept: bool = True,
    all_pictures: bool = False,
    earlier: Results | None = None,
    versions: Mapping[str, FileVersion] | None = None,
    sent_here: bool = False,
) -> Summary:
    """Write a job's report and return its figures.

    Args:
        finished: Job that has ended.
        folder: Folder of the report.
        source: Source of the job's images, read again for the pictures, or None for a report without pictures.
        min_confidence: Confidence, 0 to 1, below which an image is listed for review, or None for no review.
        mill: URL of the mill, whose workers say the ten probabilities of the images to look at, or None.
        quiet: Whether to show no progress.
        is_kept: Whether the answers are kept, so that the report can be written again.
        all_pictures: Whether to read the pictures of all images to look at, whatever time it takes.
        earlier: Rows that the report has besides, before those of the job.
        versions: As for `write_predictions`.
        sent_here: Whether this command has sent all images, so that its time is the time of the whole job.

    Raises:
        UsageError: The report cannot be written.
    """
    results, info, card = finished.results, finished.info, finished.card
    if earlier is not None:
        results, info = joined(earlier, results), replace(info, earlier=len(earlier))
        card = card if card and results.versions.counts().most_common(1)[0][0] == card.version else None
    seconds = PICTURE_SHARE * finished.info.seconds
    if len(results) <= MANY_IMAGES:
        seconds = max(seconds, PICTURE_SECONDS)
    until = inf if all_pictures else time.monotonic() + seconds
    try:
        with showing("Writing the report", quiet=quiet):
            return write_report(
                folder,
                results,
                info,
                card=card,
                read_pictures=PictureReader(source, results, mill, until, PICTURES_AT_ONCE),
                min_confidence=min_confidence,
                root=source.root if source else "",
                left_out=source.left_out if source else {},
                notes=source.notes if source else (),
                versions=versions,
                began=Manner.started if sent_here else None,
            )
    except UsageError as fault:
        if not is_kept:
            raise
        again = f"`digitmill report {info.job} --out FOLDER` writes it into another folder."
        raise UsageError(f"{fault} The job has ended, and its answers are kept: {again}") from fault


def print_report(summary: Summary, finished: FinishedJob, folder: Path, *, as_json: bool) -> ExitCode:
    """Print the headline of a job's report, and its notices. Return the exit code, for which earlier rows do not count.

    Args:
        summary: Figures of the report.
        finished: The job.
        folder: Folder of the report.
        as_json: Whether to print report.json instead of the headline.
    """
    if as_json:
        click.echo(to_text({**summary.as_json(), "report": str(folder / PAGE)}))
    else:
        print_headline(summary, folder)
    for notice in filter(None, (summary.label_warning, *summary.notices)):
        print_notice(notice)
    return ExitCode.SOME_FAILED if finished.results.failures else ExitCode.OK


def print_headline(summary: Summary, folder: Path) -> None:
    """Print the main figures of a report: counts, accuracy with its denominator, speed, model, and its path."""
    rate = f" ({summary.images_per_second:,.0f} images/s)" if summary.images_per_second else ""
    new = f", {summary.images - summary.earlier:,} of them new," if summary.earlier else ""
    tell(f"images    {summary.images:,}{new} in {summary.seconds:,.1f} s{rate}")
    if summary.command_seconds is not None:
        rate = f" ({summary.command_images_per_second:,.0f} images/s)" if summary.command_images_per_second else ""
        tell(f"command   {summary.command_seconds:,.1f} s{rate}, including listing the images and writing the report")
    if summary.accuracy is not None:
        accuracy = click.style(f"{100 * summary.accuracy:.2f} %", bold=True)
        counts = f"{summary.correct:,} of {summary.accuracy_denominator:,} labelled images right"
        tell(f"accuracy  {accuracy}  ({counts})")
    elif summary.classified:
        _print_digits_read(summary)
    if (digits := summary.digits) is not None:
        others = "".join(
            f", {count:,} {what}" for what, count in (("missing", digits.missing), ("extra", digits.extra)) if count
        )
        tell(f"digits    {100 * digits.accuracy:.2f} %  ({digits.right:,} of {digits.total:,} right{others})")
    if summary.failed:
        codes = ", ".join(f"{count:,} {code}" for code, count in summary.failures.items())
        tell(click.style(f"failed    {summary.failed:,}  ({codes}); errors.csv has the reasons", fg="yellow"))
    if summary.review:
        reasons = [f"confidence below {summary.min_confidence:g}"] if summary.unsure else []
        reasons += [f"{count:,} {DOUBTS[DoubtCode(code)]}" for code, count in summary.doubts.items()]
        if summary.several_digits:
            reasons.append(f"{summary.several_digits:,} of several digits")
        doubt = f"review    {summary.review:,}  ({', '.join(reasons)}); review.csv lists them"
        tell(click.style(doubt, fg="yellow"))
    versions = printable(", ".join(summary.model_versions))
    tell(f"model     {versions or 'none, because no image reached one'}")
    tell(f"report    {printable(str(folder / PAGE))}")


def _print_digits_read(summary: Summary) -> None:
    """Print how often each digit was read, and with which mean confidence."""
    columns = [Column("read as"), *(Column(str(each.digit), numbers=True) for each in summary.digits_read)]
    shares = [each.mean_confidence for each in summary.digits_read]
    print_table(
        columns,
        [
            ["digits" if summary.reads_numbers else "images", *(f"{each.images:,}" for each in summary.digits_read)],
            ["confidence", *("-" if share is None else f"{100 * share:.0f} %" for share in shares)],
        ],
    )
