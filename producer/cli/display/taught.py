"""Showing what is taught, and what became of images that were to be."""

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from model.errors import FailureCode
from producer.cli.display.ages import age
from producer.cli.exits import complain, printable
from producer.teaching import TeachingCounts, await_kept
from worker.contract.teaching import LabelChange, Summary, Teaching
from worker.contract.training import Trainings

if TYPE_CHECKING:
    from producer.mill.connection import Connection

LATEST = 10
"""Images that are shown to people; JSON has all."""

SHA256_SHOWN = 12

NO_TRAINER = "no trainer is running: `python -m worker.trainer` starts one, and until then this waits in Redis"


def describe(summary: Summary) -> str:
    """What is taught, in words."""
    waiting = f", {_count(summary.waiting, 'change')} waiting for the trainer" if summary.waiting else ""
    new = _count(summary.new, "change") if summary.new else "nothing new"
    return f"{_count(summary.images, 'image')}{waiting}, {new} since the last training"


def print_list(connection: "Connection", *, as_json: bool) -> None:
    """Print counts and the latest images, what waits for the trainer included; as JSON, all images."""
    teaching = Teaching(connection.client)
    summary, (kept, waiting) = teaching.summary(), teaching.label_changes()
    last = {lesson.sha256: lesson for lesson in [*kept, *waiting]}
    counts = Counter(lesson.label for lesson in last.values())
    digits = [counts[digit] for digit in range(10)]
    if as_json:
        on_their_way = {lesson.sha256 for lesson in waiting}
        rows = [_row(lesson, waiting=lesson.sha256 in on_their_way) for lesson in last.values()]
        click.echo(json.dumps({**asdict(summary), "digits": digits, "taught": rows}))
        return
    click.echo(f"taught    {describe(summary)}")
    width = max(len(f"{max(digits):,}"), 2)
    click.echo("digit     " + "  ".join(f"{digit:>{width}}" for digit in range(10)))
    click.echo("images    " + "  ".join(f"{count:>{width},}" for count in digits))
    for number, lesson in enumerate(sorted(last.values(), key=lambda lesson: lesson.when, reverse=True)[:LATEST]):
        title = "latest" if number == 0 else ""
        what = "removed" if lesson.label is None else f"a {lesson.label}"
        sha256 = lesson.sha256[:SHA256_SHOWN]
        click.echo(f"{title:8}  {sha256}  {what:7}  {age(lesson.when):>5}  {printable(lesson.name)}")
    _say_no_trainer(connection, summary.waiting)


def say_failures(tally: TeachingCounts, table: str | None) -> None:
    """Complain of each image that could not be used."""
    for name, failure in tally.failures.items():
        complain(f"{name}: {failure.code}: {failure.sentence}")
    if table and any(failure.code is FailureCode.MISSING for failure in tally.failures.values()):
        complain(f"if images have moved: `digitmill teach FOLDER --labels {table}` finds them by their names there")


def print_tally(connection: "Connection | None", tally: TeachingCounts) -> None:
    """Print what became of all; without a connection, what would."""
    fit = sum(tally.digits)
    if connection is None:
        by_digit = ", ".join(f"{digit}: {count:,}" for digit, count in enumerate(tally.digits) if count)
        click.echo(f"would be  {_count(fit, 'image')} taught{f' ({by_digit})' if by_digit else ''}")
    elif tally.removed:
        click.echo(f"removed   {_count(tally.removed, 'image')}")
    elif fit:
        corrected = f", {tally.corrected:,} under another label before" if tally.corrected else ""
        click.echo(f"taught    {tally.new:,} new, {tally.known:,} known{corrected}")
    if tally.unlabelled:
        click.echo(f"passed    {_count(tally.unlabelled, 'image')} over, without a label")
    if tally.failures:
        click.echo(click.style(f"failed    {_count(len(tally.failures), 'image')}", fg="yellow"))
    if connection and tally.sent:
        if waiting := await_kept(connection):
            click.echo(f"waiting   {_count(waiting, 'change')} for the trainer")
        _say_no_trainer(connection, waiting)
        click.echo("next      digitmill train --quick --wait")


def print_json(connection: "Connection | None", tally: TeachingCounts) -> None:
    """Print the same for programs."""
    body: dict[str, Any] = asdict(tally)
    body["failed"] = [
        {"name": name, "error": str(failure.code), "message": failure.sentence}
        for name, failure in body.pop("failures").items()
    ]
    if connection:
        body["waiting"] = await_kept(connection)
    click.echo(json.dumps(body))


def _row(lesson: LabelChange, *, waiting: bool) -> dict[str, Any]:
    return {
        "sha256": lesson.sha256,
        "label": lesson.label,
        "name": lesson.name,
        "when": round(lesson.when, 3),
        "waiting": waiting,
    }


def _say_no_trainer(connection: "Connection", waiting: int) -> None:
    if waiting and not Trainings(connection.client).trainers():
        complain(NO_TRAINER)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
