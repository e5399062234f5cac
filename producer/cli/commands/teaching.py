"""`teach`: adds labelled images to the next training, lists the taught images, and confirms or removes some."""

import sys
from itertools import islice
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.notices import print_notes
from producer.cli.options import AS_IS, JSON, not_empty

if TYPE_CHECKING:
    from collections.abc import Iterable

    from producer.mill.connection import Connection
    from producer.sources import Source
    from producer.teaching import TeachingCounts
    from worker.contract.teaching import LabelChange
    from worker.settings import Settings


@click.command()
@click.argument("path", required=False, callback=lambda *given: given[2] and not_empty(*given))
@click.option(
    "--csv",
    "tables",
    metavar="FILE.csv",
    multiple=True,
    callback=not_empty,
    help="Teach the labelled images of this file: corrections.csv, saved by a report's page, or a filled-in "
    "review.csv. May be repeated.",
)
@click.option(
    "--labels",
    metavar="folder|FILE.csv",
    default="auto",
    help="Source of the labels: the names of folders, 0 to 9, or a CSV file with the columns name and label.  "
    "[default: the names of folders]",
)
@click.option("--label", "digit", metavar="DIGIT", type=click.IntRange(0, 9), help="Label of all images in PATH.")
@click.option("--include", metavar="GLOB", multiple=True, help="Only images whose name matches. May be repeated.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="No images whose name matches. May be repeated.")
@AS_IS
@click.option("--dry-run", is_flag=True, help="Print what would be taught, without teaching it.")
@click.option("--list", "listing", is_flag=True, help="List the taught images.")
@click.option(
    "--remove",
    "words",
    metavar="SHA256|PATH",
    multiple=True,
    callback=not_empty,
    help="Remove taught images, named by the beginning of a SHA-256 from --list or by a path. May be repeated.",
)
@click.option(
    "--confirm",
    "confirmed",
    metavar="SHA256|PATH",
    multiple=True,
    callback=not_empty,
    help="Teach images that were held back, as they are labelled; named as for --remove. May be repeated.",
)
@JSON
@exit_on_error
def teach(
    path: str | None,
    tables: tuple[str, ...],
    labels: str,
    digit: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    as_is: bool,
    dry_run: bool,
    listing: bool,
    words: tuple[str, ...],
    confirmed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add labelled images to the next training.

    PATH is anything that `submit` takes. Its images lie in folders named 0 to 9, or --labels gives their labels. To
    teach the images of a report's review.csv, fill in its column `label` and name the file with --csv. Rows without a
    label are skipped.

    The trainer keeps each image once. An image that is taught again with another label gets the new label.
    `digitmill train` makes a model that has learned the images.

    The workers read the images, too. If they are as sure of other digits as of ordinary ones, and so often that
    chance does not explain it, the labels are probably wrong. Then the trainer holds these images back until you
    confirm or remove them. A new style passes, and so do single images.

    \b
    Examples:
      digitmill teach corrections/
      digitmill teach --csv corrections.csv
      digitmill teach --csv reports/scans/review.csv
      digitmill teach sevens.zip --label 7
      digitmill teach --list
      digitmill teach --confirm sevens.zip
      digitmill teach --remove corrections/3/blot.png
    """
    from producer.cli.display.teaching import print_counts, print_counts_as_json, print_failures, print_list
    from producer.mill.finding import open_running_mill
    from producer.teaching import TeachingCounts, confirmations, label_changes, removals
    from worker.contract.teaching import Teaching
    from worker.settings import Settings

    if sum(map(bool, (path, tables, listing, words, confirmed))) != 1:
        raise UsageError(
            "Give one of PATH, --csv, --list, --confirm and --remove. `digitmill teach --help` has examples."
        )
    if dry_run and not (path or tables):
        raise UsageError("--dry-run only goes with PATH or --csv. Leave it out.")
    counts = TeachingCounts()
    settings = Settings.from_environment()
    connection = None if dry_run else open_running_mill(settings)
    if connection and listing:
        print_list(connection, as_json=as_json)
        return
    check = None
    if connection and (words or confirmed):
        named = removals if words else confirmations
        found = named(Teaching(connection.client), words or confirmed, counts, as_is=as_is)
    else:
        check = settings
        source = _open(path, tables, labels, digit, include, exclude, as_is=as_is)
        print_notes(source)
        only_labelled = bool(tables) or labels not in ("auto", "folder")
        found = label_changes(source, counts, digit=digit, only_labelled=only_labelled)
    _send(connection, found, counts, check, quiet=as_json)
    print_failures(counts, tables)
    (print_counts_as_json if as_json else print_counts)(connection, counts)
    sys.exit(ExitCode.SOME_FAILED if counts.failures else ExitCode.OK)


def _open(
    path: str | None,
    tables: tuple[str, ...],
    labels: str,
    digit: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    *,
    as_is: bool,
) -> "Source":
    """Open the images to teach.

    Raises:
        UsageError: Two options contradict each other, or the images cannot be opened.
    """
    from producer.sources import open_path_list, open_source

    if tables:
        if digit is not None or labels != "auto" or include or exclude:
            raise UsageError(
                "The file of --csv names the images and their labels. Leave out --label, --labels and globs."
            )
        return open_path_list(*tables, as_is=as_is)
    if digit is not None and labels != "auto":
        raise UsageError("Give either --label or --labels.")
    labels = "none" if digit is not None else labels
    return open_source(path or "", labels=labels, include=include, exclude=exclude, as_is=as_is)


def _send(
    connection: "Connection | None",
    found: "Iterable[LabelChange]",
    counts: "TeachingCounts",
    check: "Settings | None",
    *,
    quiet: bool,
) -> None:
    """Send the label changes, and count them. Without a connection, only count them.

    Args:
        connection: Connection to the mill, or None.
        found: Label changes.
        counts: Counts to update.
        check: Settings with which to check the labels, or None if the changes teach nothing new.
        quiet: Whether to show no progress.
    """
    from producer.cli.display.progress import showing
    from producer.teaching import check_labels, send
    from worker.contract.teaching import MAX_TAUGHT

    try:
        with showing("Reading images", quiet=quiet):
            # Labels are judged together. More images than this are never taught.
            changes = list(islice(found, MAX_TAUGHT + 1))
        if connection:
            if check:
                with showing("Checking labels", quiet=quiet):
                    changes = check_labels(connection, changes, counts, check)
            with showing("Sending images", quiet=quiet):
                send(connection, changes, counts)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{counts.sent:,} images were sent; run the command again for the others") from None
