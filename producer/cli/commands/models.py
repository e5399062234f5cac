"""`models`: lists, compares and changes the versions of the model."""

import json
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.errors import ModelError, UsageError
from producer.cli.commands.machine.carrying import export, import_, try_here
from producer.cli.completion import complete_versions
from producer.cli.display.wording import counted
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JSON, not_empty, page_option, renamed_option
from producer.public import models as public

if TYPE_CHECKING:
    from model.cards.card import Card
    from model.cards.decision import Decision
    from producer.mill.connection import Connection
    from worker.contract.drift import DayCounts
    from worker.contract.registry import Registry

FOLLOW_SECONDS = 3.0
"""Longest wait for the workers to load the live version, in seconds. They need less than one."""

VERSION = click.argument("version", metavar="VERSION", callback=not_empty, shell_complete=complete_versions)
REASON = click.option("--reason", metavar="TEXT", default="", help="Reason, for the history.")


@click.group()
def models() -> None:
    """List, compare and change the versions of the model.

    VERSION is the name of a version, the beginning of its name, or `live`, `previous`, `candidate`, `best` or
    `baseline`.

    \b
    Examples:
      digitmill models list
      digitmill models compare candidate live
      digitmill models promote candidate --reason "better at sevens"
      digitmill models rollback
    """


models.add_command(export)
models.add_command(import_)


@models.command("list")
@JSON
@exit_on_error
def list_versions(as_json: bool) -> None:
    """List all versions.

    The list shows how accurate each version is, what it was trained on, and how many workers serve it. A line below
    shows the accuracy over time of the versions that were judged on the same images as the live one, oldest first.

    \b
    Example:
      digitmill models list
    """
    from producer.cli.display.damage import Damage
    from producer.cli.display.model_versions import listed, over_time, print_list
    from worker.contract.registry import Aliases

    connection = _connect()
    registry, damage = connection.registry, Damage()
    aliases = damage.read("the aliases", registry.aliases, Aliases("", None, None))
    history = damage.read_list("the history", registry.history)
    workers = damage.read_list("the list of workers", connection.ledger.workers)
    rows = listed(damage.read_list("the list of versions", registry.versions), aliases, workers, registry.baseline)
    if as_json:
        body = public.Models(
            models=rows, over_time=over_time(rows), history=public.changes(history), damaged=damage.as_json()
        )
        print_json(body)
    else:
        print_list(rows, history)
        damage.print()


@models.command()
@VERSION
@JSON
@exit_on_error
def show(version: str, as_json: bool) -> None:
    """Show the card and the history of one version.

    \b
    Example:
      digitmill models show live
    """
    from model.records import as_plain
    from producer.cli.display import training as training_display
    from producer.cli.display.damage import Damage
    from producer.cli.display.model_versions import named, print_card
    from worker.contract.drift import AnswerDays, find_drift

    connection = _connect()
    registry = connection.registry
    card = registry.card(registry.resolve(version))
    aliases = named(card.version, registry.aliases(), registry.baseline)
    changes = [change for change in registry.history() if card.version in (change.version, change.before)]
    decision = registry.decision(card)
    damage = Damage()
    no_days: dict[date, DayCounts] = {}
    days = damage.read("the answers of each day", lambda: AnswerDays(connection.client).read(card.version), no_days)
    drift = find_drift(days)
    if as_json:
        body = public.ShownModel(
            model=card.version,
            aliases=aliases,
            card=json.loads(card.dumps()),
            gate=as_plain(decision) if decision else None,
            history=public.changes(changes),
            days=public.days_of(days),
            drift=public.drift_of(drift),
            damaged=damage.as_json(),
        )
        print_json(body)
    else:
        print_card(card, aliases, changes, decision)
        if days:
            tell()
            tell(f"last day    {training_display.describe_last(days)}")
        if drift:
            tell(click.style(f"drift       {training_display.describe_drift(drift)}", fg="yellow"))
        damage.print()


@models.command()
@click.argument("version", metavar="[A]", default="live", callback=not_empty, shell_complete=complete_versions)
@click.argument("other", metavar="[B]", required=False, callback=not_empty, shell_complete=complete_versions)
@JSON
@exit_on_error
def compare(version: str, other: str | None, as_json: bool) -> None:
    """Show two versions side by side: by default `live` and `previous`, and for another A that and `live`.

    The command prints the figures of their cards, and counts of the answers that they have given in service.

    \b
    Example:
      digitmill models compare
    """
    from model.records import as_plain
    from producer.cli.display.model_versions import compared, print_comparison

    registry = _connect().registry
    cards = [
        registry.card(registry.resolve(name))
        for name in (version, other or ("previous" if version == "live" else "live"))
    ]
    decision = _decided(registry, *cards)
    rows, counts = compared(*cards), [registry.service_counts(card.version) for card in cards]
    if as_json:
        body = public.ModelComparison(
            models=[card.version for card in cards],
            figures=rows,
            in_service=[public.in_service(each) for each in counts],
            gate=as_plain(decision) if decision else None,
        )
        print_json(body)
    else:
        print_comparison(cards, rows, counts, decision)


def _decided(registry: "Registry", card: "Card", other: "Card") -> "Decision | None":
    """Return the decision of the gate that compared these two versions, or None if it did not compare them."""
    for each in (card, other):
        decision = registry.decision(each)
        if decision and {card.version, other.version} <= {model.version for model in decision.models}:
            return decision
    return None


@models.command()
@VERSION
@REASON
@renamed_option(
    "--unwatched",
    "--no-canary",
    is_flag=True,
    help="Do not compare its first answers with those of the previous version, nor roll it back because of them.",
)
@JSON
@exit_on_error
def promote(version: str, reason: str, no_canary: bool, as_json: bool) -> None:
    """Make a version live in every worker.

    Workers load it within a second and do not stop. Jobs that were submitted before keep their version.
    The previous version classifies the first images as well. If the new version fails on some of them, leaves far
    more for review, or mostly disagrees, the workers roll it back. They also do if they cannot load it, or if it ends
    their processes.

    \b
    Example:
      digitmill models promote candidate --reason "better at sevens"
    """
    connection = _connect()
    target = connection.registry.resolve(version)
    if target not in (connection.registry.live(), connection.registry.baseline.version):
        try_here(*connection.registry.fetch_model(target))
    if not connection.registry.promote(target, reason=reason or "by hand", canary=not no_canary):
        raise UsageError(f"{target} is live already.")
    _report_live(connection, target, as_json=as_json)


@models.command()
@REASON
@JSON
@exit_on_error
def rollback(reason: str, as_json: bool) -> None:
    """Make the previous version live again.

    A second rollback undoes the first.

    \b
    Example:
      digitmill models rollback --reason "confuses fours and nines"
    """
    connection = _connect()
    live = connection.registry.rollback(reason=reason or "by hand")
    _report_live(connection, live, as_json=as_json)


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@JSON
@exit_on_error
def push(folder: Path, as_json: bool) -> None:
    """Publish the model in FOLDER.

    FOLDER holds a card and the files that it names, as a training writes them. The command first loads, runs and
    measures the model in a process with limits. The model becomes the candidate.

    \b
    Example:
      digitmill models push my-model && digitmill models promote candidate
    """
    from model.cards.card import MODEL, Card, read_file
    from producer.cli.display.model_versions import named
    from worker.contract.registry import Retention
    from worker.settings import Settings

    card = Card.read(folder)
    files = {name: read_file(folder, card, name) for name in card.files}
    settings = Settings.from_environment()
    registry = _connect().registry
    shipped = card == registry.baseline
    if not shipped:
        try_here(card, files.get(MODEL, b""))
        registry.publish(card, files, retention=Retention(settings.versions_kept, settings.version_seconds))
    aliases = named(card.version, registry.aliases(), registry.baseline)
    if as_json:
        print_json(public.Pushed(model=card.version, aliases=aliases))
    elif shipped:
        tell(f"{card.version} is the baseline, which every installation has, so there is nothing to publish")
    else:
        version = printable(card.version)
        tell(f"{version} is published{''.join(f', {alias}' for alias in aliases)}")
        tell(f"next      digitmill models compare {version} live")


@models.command()
@VERSION
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="New folder for the files.  [default: models/VERSION]",
)
@JSON
@exit_on_error
def pull(version: str, out: Path | None, as_json: bool) -> None:
    """Save a version in a folder.

    The folder gets the card and all files of the version. `push` publishes such a folder.

    \b
    Example:
      digitmill models pull live --out backup/model
    """
    from model.cards.card import CARD

    registry = _connect().registry
    card, files = registry.fetch(registry.resolve(version))
    folder = out or Path("models") / card.version
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty. Name a new folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        card.write(folder)  # last: a folder with a card is complete
    except OSError as fault:
        raise UsageError(
            f"The model cannot be saved in {folder} ({fault.strerror}). Name another folder with --out."
        ) from fault
    written = [*files, CARD]
    if as_json:
        print_json(public.Pulled(model=card.version, folder=str(folder), files=written))
    else:
        tell(printable(f"{card.version} is in {folder}: {', '.join(written)}"))


@models.command()
@VERSION
@page_option("reports/VERSION.html")
@JSON
@exit_on_error
def report(version: str, out: Path | None, as_json: bool) -> None:
    """Write a report of the training of one version: an HTML page that needs no other file.

    It has the figures of the gate, pictures of the images that the version reads and the live one misread, and the
    other way round, and the curves of the training. Curves, recall and precision of each digit, and pictures of what
    changed are also PNG files beside the page, if Matplotlib is installed.

    \b
    Example:
      digitmill models report candidate --out candidate.html
    """
    from producer.report.training_page import write_training_report

    registry = _connect().registry
    card = registry.card(registry.resolve(version))
    path = out or Path("reports") / f"{card.version}.html"
    pngs, notice = write_training_report(path, card, registry.decision(card), registry.changes(card))
    if notice:
        print_notice(notice)
    if as_json:
        print_json(public.TrainingReport(model=card.version, report=str(path), pngs=list(map(str, pngs))))
        return
    tell(printable(f"The report of {card.version} is {path}"))
    if pngs:
        tell(printable(f"Its charts are also {', '.join(each.name for each in pngs)} beside it"))


@models.command()
@click.argument(
    "versions", metavar="VERSION...", nargs=-1, required=True, callback=not_empty, shell_complete=complete_versions
)
@click.option("--yes", is_flag=True, help="Delete without asking.")
@JSON
@exit_on_error
def delete(versions: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete versions from Redis.

    The command refuses the live, the previous and the best version, what these were refined from, the baseline, and a
    version that a running job needs. Then it deletes none. `pull` saves a version first.

    \b
    Example:
      digitmill models delete 20261124 20261125 --yes
    """
    registry = _connect().registry
    names = list(dict.fromkeys(map(registry.resolve, versions)))
    registry.check_deletable(names)  # before anybody is asked
    if not yes:
        if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"This deletes {', '.join(names)} for ever, and nobody can be asked. Add --yes.")
        if not click.confirm(f"Delete {printable(', '.join(names))} for ever?", err=True):
            return
    registry.delete(names)
    if as_json:
        print_json(public.Deleted(deleted=names))
    else:
        tell(f"{printable(', '.join(names))} {'is' if len(names) == 1 else 'are'} deleted")


def _connect() -> "Connection":
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    return open_running_mill(Settings.from_environment())


def _report_live(connection: "Connection", live: str, *, as_json: bool) -> None:
    """Wait a moment until the workers serve a version. Print how many do, and why the others do not.

    Args:
        connection: Connection to the mill.
        live: Version that has just been made live.
        as_json: Whether to print JSON.

    Raises:
        ModelError: The workers have rolled it back already.
    """
    deadline = time.monotonic() + FOLLOW_SECONDS
    while True:
        workers = [worker for worker in connection.ledger.workers() if worker.ready]
        behind = [worker for worker in workers if worker.model != live]
        if (now := connection.registry.live()) != live:
            change = connection.registry.history()[0]
            raise ModelError(f"{change.who} rolled {live} back to {now}: {change.reason}")
        if not behind or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if as_json:
        aliases = connection.registry.aliases()._asdict()
        print_json(public.NowLive(**aliases, workers=len(workers), serving=len(workers) - len(behind)))
    else:
        verb = "serves" if len(workers) == 1 else "serve"
        serving = f"{len(workers) - len(behind):,} of {counted(len(workers), 'worker')}"
        tell(f"{printable(live)} is live; {serving} {verb} it")
    for worker in behind:
        print_notice(
            f"{worker.name} serves {worker.model}: {worker.model_fault or 'it has not loaded the live version yet'}"
        )
