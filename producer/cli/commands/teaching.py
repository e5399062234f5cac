"""`teach`: labelled images for the next training; listing and removing what was taught."""

import sys
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.exits import Exit, at_the_edge, complain
from producer.cli.options import JSON, not_empty

if TYPE_CHECKING:
    from collections.abc import Iterable

    from producer.mill.connection import Connection
    from producer.sources import Source
    from producer.teaching import TeachingCounts
    from worker.contract.teaching import LabelChange


@click.command()
@click.argument("path", required=False, callback=lambda *given: given[2] and not_empty(*given))
@click.option("--csv", "table", metavar="FILE.csv", help="What this file names by paths, if labelled: a review.csv.")
@click.option(
    "--labels",
    metavar="folder|FILE.csv",
    default="auto",
    help="Where labels come from: the names of folders, 0 to 9, or a CSV file with the columns name and label.  "
    "[default: the folders' names]",
)
@click.option("--label", "digit", metavar="DIGIT", type=click.IntRange(0, 9), help="What all images in PATH are.")
@click.option("--include", metavar="GLOB", multiple=True, help="Only images whose name matches; may be repeated.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="No images whose name matches; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be taught, and stop.")
@click.option("--list", "listing", is_flag=True, help="Show what is taught.")
@click.option(
    "--remove",
    "words",
    metavar="SHA256|PATH",
    multiple=True,
    callback=not_empty,
    help="Teach these no more: the beginning of a SHA-256 that --list shows, or images; may be repeated.",
)
@JSON
@at_the_edge
def teach(
    path: str | None,
    table: str | None,
    labels: str,
    digit: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    dry_run: bool,
    listing: bool,
    words: tuple[str, ...],
    as_json: bool,
) -> None:
    """Teach labelled images to the next training.

    PATH is whatever `submit` takes, with its images in folders named 0 to 9, or with --labels. A report's review.csv
    is taught by --csv once its column `label` is filled in; rows without a label are passed over.

    The trainer keeps each image once; taught again with another label, it has that one from then on. `digitmill train`
    makes a model that has learned them.

    \b
    Examples:
      digitmill teach corrections/
      digitmill teach --csv reports/scans/review.csv
      digitmill teach sevens.zip --label 7
      digitmill teach --list
      digitmill teach --remove corrections/3/blot.png
    """
    from producer.cli.display.taught import print_json, print_list, print_tally, say_failures
    from producer.mill.finding import open_running_mill
    from producer.teaching import TeachingCounts, lessons, removals
    from worker.contract.teaching import Teaching
    from worker.settings import Settings

    if sum(map(bool, (path, table, listing, words))) != 1:
        raise UsageError("Give one of PATH, --csv, --list and --remove. `digitmill teach --help` has examples.")
    if dry_run and not (path or table):
        raise UsageError("--dry-run is for what is to be taught. Leave it out.")
    tally = TeachingCounts()
    connection = None if dry_run else open_running_mill(Settings.from_environment())
    if connection and listing:
        print_list(connection, as_json=as_json)
        return
    if connection and words:
        found = removals(Teaching(connection.client), words, tally)
    else:
        source = _open(path, table, labels, digit, include, exclude)
        for note in source.notes:
            complain(note)
        only_labelled = bool(table) or labels not in ("auto", "folder")
        found = lessons(source, tally, digit=digit, only_labelled=only_labelled)
    _carry_out(connection, found, tally, quiet=as_json)
    say_failures(tally, table)
    (print_json if as_json else print_tally)(connection, tally)
    sys.exit(Exit.SOME_FAILED if tally.failures else Exit.WELL)


def _open(
    path: str | None,
    table: str | None,
    labels: str,
    digit: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> "Source":
    from producer.sources import open_path_list, open_source

    if table:
        if digit is not None or labels != "auto" or include or exclude:
            raise UsageError("The file of --csv says which images are meant. Leave --label, --labels and globs out.")
        return open_path_list(table)
    if digit is not None and labels != "auto":
        raise UsageError("Give either --label or --labels.")
    return open_source(path or "", labels="none" if digit is not None else labels, include=include, exclude=exclude)


def _carry_out(
    connection: "Connection | None", found: "Iterable[LabelChange]", tally: "TeachingCounts", *, quiet: bool
) -> None:
    """Send what is found; without a connection, only find it."""
    from producer.cli.display.progress import showing
    from producer.teaching import send

    try:
        with showing("Reading images", quiet=quiet):
            if connection:
                send(connection, found, tally)
            else:
                for _ in found:
                    pass
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{tally.sent:,} images were sent; run it again for the others") from None
