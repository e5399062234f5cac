"""The taught images, and the effect of a command that taught or removed some."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from msgspec import UNSET
from msgspec.structs import asdict
from rich.console import Console

from model.errors import FailureCode
from producer.cli.display.damage import Damage
from producer.cli.display.pictures import per_row, print_pictures
from producer.cli.display.tables import Column, print_table
from producer.cli.display.wording import age, counted
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, tell
from producer.public import teaching as public
from producer.public.answers import Reason
from producer.teaching import TeachingCounts, await_kept
from worker.contract.teaching import LabelChange, Listing, Summary, Teaching
from worker.contract.training import Trainings
from worker.contract.validation.reading import Listed

if TYPE_CHECKING:
    from producer.mill.connection import Connection

MAX_PICTURED = 3
"""Maximum number of kinds of suspicious images that are shown as pictures."""

MAX_LINES = 10
"""Maximum number of lines about images of one kind. JSON has all."""

MAX_LISTED = 10
"""Maximum number of taught images in the list for people. JSON has all."""

SHA256_SHOWN = 12
"""Number of digits of a SHA-256 that the list for people shows."""

NO_TRAINER = "no trainer is running, so the images wait in Redis; `python -m worker.trainer` starts one"


def describe(summary: Summary) -> str:
    """Return the figures of the taught images in words."""
    waiting = f", {counted(summary.waiting, 'change')} waiting for the trainer" if summary.waiting else ""
    new = counted(summary.new, "change") if summary.new else "nothing new"
    held = f", {summary.held:,} held back" if summary.held else ""
    return f"{counted(summary.images, 'image')}{waiting}, {new} since the last training{held}"


def print_list(connection: "Connection", *, as_json: bool) -> None:
    """Print counts and the latest taught images, including changes that wait for the trainer. JSON has all images."""
    teaching = Teaching(connection.client)
    damage = Damage()
    summary = damage.read("the counts", teaching.summary, Summary(0, 0, 0))
    nothing = Listing(Listed(), Listed(), Listed())
    kept, waiting, held = damage.read("the taught images", teaching.label_changes, nothing)
    damage.records += kept.damaged + waiting.damaged + held.damaged
    # A change that waits replaces an earlier one.
    changes = {change.sha256: change for change in [*held, *kept, *waiting]}
    suspicious = [change for change in changes.values() if change.looks_like is not None]
    counts = Counter(change.label for change in changes.values() if change.looks_like is None)
    digits = [counts[digit] for digit in range(10)]
    if as_json:
        unkept = {change.sha256 for change in waiting}
        body = public.TaughtImages(
            **asdict(public.taught(summary)),
            digits=digits,
            taught=[public.taught_image(change, waiting=change.sha256 in unkept) for change in changes.values()],
            damaged=damage.as_json(),
        )
        print_json(body)
        return
    tell(f"taught    {describe(summary)}\n")
    print_table(
        [Column("DIGIT"), *(Column(str(digit), numbers=True) for digit in range(10))],
        [["images", *(f"{count:,}" for count in digits)]],
    )
    if latest := sorted(changes.values(), key=lambda change: change.when, reverse=True)[:MAX_LISTED]:
        tell()
        print_table(
            [Column("SHA-256"), Column("LABEL"), Column("AGE", numbers=True), Column("LATEST IMAGES", wraps=20)],
            [
                [
                    change.sha256[:SHA256_SHOWN],
                    "removed" if change.label is None else str(change.label),
                    age(change.when),
                    change.name,
                ]
                for change in latest
            ],
        )
    if suspicious:
        tell()
        print_held(suspicious)
    damage.print()
    _warn_without_trainer(connection, summary.waiting)


def print_held(held: Sequence[LabelChange]) -> None:
    """Print how many images are held back, by their labels and what they look like, with some pictures of each.

    Args:
        held: Images that are held back; not empty.
    """
    tell(f"held back {counted(len(held), 'image')}, whose labels the model contradicts; no training uses them")
    groups: dict[tuple[int | None, int | None], list[LabelChange]] = {}
    for change in held:
        groups.setdefault((change.label, change.looks_like), []).append(change)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    print_table(
        [Column("LABEL"), Column("LOOKS LIKE"), Column("IMAGES", numbers=True), Column("SUCH AS", wraps=20)],
        [
            [str(label), "?" if label == looks_like else str(looks_like), f"{len(group):,}", group[0].name]
            for (label, looks_like), group in ordered
        ],
    )
    console = Console(highlight=False)
    for _, group in ordered[:MAX_PICTURED]:
        pictures = [(change.sha256[:SHA256_SHOWN], change.image) for change in group[: per_row(console)]]
        print_pictures(console, [(caption, image) for caption, image in pictures if image is not None])
    tell("right     digitmill teach --confirm SHA256|PATH    teaches them as they are labelled")
    tell("wrong     digitmill teach --remove SHA256|PATH     takes them back")


def print_failures(counts: TeachingCounts, tables: Sequence[str]) -> None:
    """Print, on standard error, images that could not be used: the first `MAX_LINES` of each kind.

    Args:
        counts: What became of the images.
        tables: CSV files that named the images.
    """
    kinds: dict[FailureCode, list[str]] = {}
    for name, failure in counts.failures.items():
        kinds.setdefault(failure.code, []).append(f"{name}: {failure.code}: {failure.sentence}")
    for code, lines in kinds.items():
        for line in lines[:MAX_LINES]:
            print_notice(line)
        if len(lines) > MAX_LINES:
            print_notice(f"{code}: {len(lines) - MAX_LINES:,} more; --json names all")
    if FailureCode.MISSING in kinds:
        for table in tables:
            command = f"digitmill teach FOLDER --labels {shlex.quote(table)}"
            print_notice(f"if images have moved: `{command}` finds them by their names there")


def print_counts(connection: "Connection | None", counts: TeachingCounts) -> None:
    """Print how many images were taught, removed or skipped. Without a connection, print how many would be."""
    usable = sum(counts.digits)
    if connection is None:
        by_digit = ", ".join(f"{digit}: {count:,}" for digit, count in enumerate(counts.digits) if count)
        tell(f"would be  {counted(usable, 'image')} taught{f' ({by_digit})' if by_digit else ''}")
    elif counts.removed:
        tell(f"removed   {counted(counts.removed, 'image')}")
    elif usable:
        _print_taught(counts)
    elif counts.confirmed:
        tell(f"confirmed {counted(counts.confirmed, 'image')}")
    if counts.unlabelled:
        tell(f"skipped   {counted(counts.unlabelled, 'image')} without a label")
    if counts.failures:
        tell(click.style(f"failed    {counted(len(counts.failures), 'image')}", fg="yellow"))
    if connection and counts.sent:
        if waiting := await_kept(connection):
            tell(f"waiting   {counted(waiting, 'change')} for the trainer")
        _warn_without_trainer(connection, waiting)
        tell("next      digitmill train --quick")


def _print_taught(counts: TeachingCounts) -> None:
    corrected = f", {counts.corrected:,} with another label before" if counts.corrected else ""
    tell(f"taught    {counts.new:,} new, {counts.known:,} known{corrected}")
    if counts.unchecked:
        tell("unchecked no worker answers now, so the trainer checks the labels before it trains")
    if counts.held:
        print_held(counts.held)


def print_counts_as_json(connection: "Connection | None", counts: TeachingCounts) -> None:
    """Print the counts as JSON, and the number of changes that wait for the trainer unless there is no connection."""
    body = public.Teaching(
        digits=counts.digits,
        new=counts.new,
        known=counts.known,
        corrected=counts.corrected,
        removed=counts.removed,
        confirmed=counts.confirmed,
        unlabelled=counts.unlabelled,
        unchecked=counts.unchecked,
        held_back_images=[public.taught_image(change, waiting=True) for change in counts.held],
        failed_images=[
            public.FailedImage(name=name, error=Reason(code=str(failure.code), message=failure.sentence))
            for name, failure in counts.failures.items()
        ],
        waiting=await_kept(connection) if connection else UNSET,
    )
    print_json(body)


def _warn_without_trainer(connection: "Connection", waiting: int) -> None:
    if waiting and not Trainings(connection.client).trainers():
        print_notice(NO_TRAINER)
