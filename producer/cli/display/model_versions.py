"""The versions of the model: their list, one card, and two cards side by side."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import click
from rich.console import Console
from rich.text import Text

from model.cards.card import Card, Score
from model.cards.decision import Decision, ModelAssessment, scored
from producer.cli.display.tables import Cell, Column, print_table
from producer.cli.display.wording import age, counted
from producer.cli.notices import printable, tell
from producer.public.body import time_of
from producer.public.models import Figure, ListedModel, PastAccuracy
from worker.contract.errors import WireError
from worker.contract.ledger import WorkerStatus
from worker.contract.registry import Alias, Aliases, LiveChange, PublishedVersion, Registry, ServiceCounts

MAX_RECALLS = 3
"""Number of recalls that a comparison shows: those of the digits that differ most."""

SPARKS, SPARKS_IN_ASCII = "▁▂▃▄▅▆▇█", "0123456789"
"""Levels of a sparkline from low to high, and those for terminals that have only ASCII."""

MAX_SPARKS = 40
"""Number of versions, the newest ones, that the sparkline shows."""

SERVICE_ROWS: tuple[tuple[str, Callable[[ServiceCounts], str]], ...] = (
    ("in service, images", lambda counts: f"{counts.images:,}"),
    ("  failed", lambda counts: _share(counts.errors, counts.images + counts.errors)),
    ("  left for review", lambda counts: _share(counts.review, counts.images)),
    ("  mean confidence", lambda counts: _share(counts.confidence / 1000, counts.images)),
    ("  disagrees with previous", lambda counts: _share(counts.disagreed, counts.shadowed)),
)
"""Rows of a comparison about service: name of the row, and function that formats its value."""

GATE_ROWS: tuple[tuple[str, Callable[[ModelAssessment], str]], ...] = (
    ("at the gate, validation", lambda assessment: scored(assessment.validation)),
    ("  held-out taught", lambda assessment: scored(assessment.taught) if assessment.taught else "-"),
    ("  size", lambda assessment: f"{assessment.bytes / 1024:,.0f} KiB"),
    ("  speed, one thread", lambda assessment: f"{assessment.images_per_second:,.0f}/s"),
)
"""Rows of a comparison about the gate, which let both versions classify the same images."""


def listed(
    versions: Sequence[PublishedVersion], aliases: Aliases, workers: Sequence[WorkerStatus], baseline: Card
) -> list[ListedModel]:
    """Return a row for each version.

    Args:
        versions: All published versions.
        aliases: Which version has which alias.
        workers: Workers, each with the version that it serves.
        baseline: Card of the version that ships with the package.
    """
    return [
        ListedModel(
            model=each.version,
            aliases=named(each.version, aliases, baseline),
            published=time_of(each.published),
            test_accuracy=each.card.test.int8.accuracy if each.card else None,
            validation_accuracy=each.card.validation.int8.accuracy if each.card else None,
            validation_images=each.card.validation.int8.total if each.card else None,
            data=each.card.data.name if each.card else None,
            training_images=each.card.data.train if each.card else None,
            parent=each.card.parent if each.card else None,
            workers=[worker.name for worker in workers if worker.model == each.version],
            problem=each.problem or None,
            out_of_service=each.fault or None,
        )
        for each in versions
    ]


def over_time(rows: Sequence[ListedModel]) -> list[PastAccuracy]:
    """Return the accuracy in validation over time, oldest version first.

    Figures of other validation images say nothing beside those of the live version, so such versions are left out.

    Args:
        rows: Rows as `listed` returns them.
    """
    images = next((row.validation_images for row in rows if Alias.LIVE in row.aliases), None)
    return [
        PastAccuracy(model=row.model, published=row.published, validation_accuracy=row.validation_accuracy)
        for row in sorted(rows, key=lambda row: row.published)
        if row.validation_images == images and row.validation_accuracy is not None
    ]


def sparkline(values: Sequence[float], levels: str) -> str:
    """Return a character for each value: the first level for the lowest, and the last level for the highest.

    Args:
        values: At least one value.
        levels: Characters from low to high.
    """
    low, high = min(values), max(values)
    steps = [(value - low) / (high - low) if high > low else 0.5 for value in values]
    return "".join(levels[round(step * (len(levels) - 1))] for step in steps)


def named(version: str, aliases: Aliases, baseline: Card) -> list[str]:
    """Return all aliases of a version, including `baseline`."""
    found = [*aliases.of(version), *([Alias.BASELINE] if version == baseline.version else [])]
    return [str(alias) for alias in found]


def print_list(rows: Sequence[ListedModel], history: Sequence[LiveChange]) -> None:
    """Print a line for each version, the accuracy over time, and the last change of the live version.

    Args:
        rows: Rows as `listed` returns them.
        history: Changes of the live version, newest first.
    """
    print_table(
        [
            Column("VERSION"),
            Column("ALIAS", wraps=9),
            Column("AGE", numbers=True),
            Column("TEST", numbers=True),
            Column("VALID.", numbers=True),
            Column("WORKERS", numbers=True),
            Column("TRAINED ON", wraps=10),
        ],
        [_list_row(row) for row in rows],
    )
    for row in rows:
        if row.out_of_service:
            tell(click.style(f"{row.model} is out of service, because {printable(row.out_of_service)}", fg="red"))
    if len(course := [each.validation_accuracy for each in over_time(rows)]) > 1:
        tell(f"\n{_described_course(course)}")
    if history:
        tell(f"\n{_described(history[0])}")


def _described_course(course: Sequence[float]) -> str:
    """Return a sparkline of the latest accuracies, oldest first, and what its lowest and highest levels stand for."""
    latest = course[-MAX_SPARKS:]
    levels = SPARKS if Console().encoding.startswith("utf") else SPARKS_IN_ASCII
    low, high = (f"{levels[end]} {_percent(found)}" for end, found in ((0, min(latest)), (-1, max(latest))))
    spans = f"{low} to {high}" if max(latest) > min(latest) else f"always {_percent(latest[0])}"
    return f"validation over time  {sparkline(latest, levels)}  {spans}"


def describe_live(registry: Registry) -> str:
    """Return the live version in words, and if it was rolled back to, from which version and why."""
    live = registry.live()
    try:
        latest = registry.history()[:1]
    except WireError:  # `models list` reports the damage
        latest = []
    if not latest or latest[0].action != "rollback" or latest[0].version != live:
        return live
    return f"{live}, rolled back from {latest[0].before} {age(latest[0].at)} ago: {latest[0].reason}"


def _list_row(row: ListedModel) -> list[Cell]:
    alias = Text(", ".join(row.aliases), style="green" if "live" in row.aliases else "")
    start: list[Cell] = [row.model, alias, age(datetime.fromisoformat(row.published).timestamp())]
    if row.problem:
        return [*start, "-", "-", "-", Text(row.problem, style="red")]
    workers = f"{len(row.workers):,}" if row.workers else "-"
    data = f"{row.data}, {counted(row.training_images or 0, 'image')}"
    return [*start, _percent(row.test_accuracy), _percent(row.validation_accuracy), workers, data]


def print_card(card: Card, aliases: Sequence[str], changes: Sequence[LiveChange], decision: Decision | None) -> None:
    """Print the main facts of a card, the decision of the gate, and when the version became live or was replaced.

    Args:
        card: Card of the version.
        aliases: Aliases of the version.
        changes: Changes of the live version that concern this one.
        decision: Decision of the gate about the version, or None.
    """
    created = age(datetime.fromisoformat(card.created).timestamp())
    tell(f"version     {click.style(printable(card.version), bold=True)}  {', '.join(aliases)}".rstrip())
    refined = f", refined from {printable(card.start or card.parent or 'none')}" if card.refined else ""
    parent = printable(card.parent or "none")
    tell(f"created     {printable(card.created)} ({created} ago), parent {parent}{refined}")
    tell(
        f"data        {printable(card.data.name)}: {card.data.train:,} to train, {card.data.validation:,} to validate, "
        f"{card.data.test:,} to test (sha256 {printable(card.data.sha256[:8])}…)"
    )
    tell(f"training    {counted(len(card.epochs), 'epoch')}, seed {card.seed}")
    for name, scores in (("test", card.test), ("validation", card.validation)):
        tell(f"{name:<11} {_score(scores.int8)} int8; {_percent(scores.float.accuracy)} float")
    tell(f"agreement   {_score(card.agreement)} of int8 with float")
    tell(f"confidence  temperature {card.temperature:.3f}, calibration error {_percent(card.calibration_error)}")
    tell("files       " + printable(", ".join(f"{name} {sha256[:8]}…" for name, sha256 in card.files.items())))
    if decision:
        tell(f"gate        {printable(decision.reason)}")
    for change in changes:
        tell(f"history     {_described(change)}")
    tell()
    print_table(
        [Column("DIGIT"), Column("PRECISION", numbers=True), Column("RECALL", numbers=True)],
        [[str(digit), _percent(score.precision), _percent(score.recall)] for digit, score in enumerate(card.per_class)],
    )


def compared(card: Card, other: Card) -> list[Figure]:
    """Return the figures of two cards side by side.

    Each row has the name of a figure, both values as shares of 0 to 1, and whether more is better.
    """
    recalls = [(a.recall, b.recall) for a, b in zip(card.per_class, other.per_class, strict=True)]
    differing = sorted((-abs(a - b), digit) for digit, (a, b) in enumerate(recalls) if a != b)
    rows = [
        ("test, int8", card.test.int8.accuracy, other.test.int8.accuracy, True),
        ("test, float", card.test.float.accuracy, other.test.float.accuracy, True),
        ("validation, int8", card.validation.int8.accuracy, other.validation.int8.accuracy, True),
        ("validation, float", card.validation.float.accuracy, other.validation.float.accuracy, True),
        ("int8 agrees with float", card.agreement.accuracy, other.agreement.accuracy, True),
        ("calibration error", card.calibration_error, other.calibration_error, False),
        *((f"recall of {digit}", *recalls[digit], True) for _, digit in differing[:MAX_RECALLS]),
    ]
    return [Figure(figure=name, a=a, b=b, more_is_better=better) for name, a, b, better in rows]


def print_comparison(
    cards: Sequence[Card], rows: Sequence[Figure], counts: Sequence[ServiceCounts], decision: Decision | None
) -> None:
    """Print two versions side by side: the figures of their cards, and what they answered in service.

    Differences are in percentage points.

    Args:
        cards: Cards of both versions.
        rows: Rows as `compared` returns them.
        counts: Counts of the answers of both versions.
        decision: Decision of the gate if it compared these two, or None.
    """
    table: list[list[Cell]] = [[row.figure, _percent(row.a), _percent(row.b), _difference(row)] for row in rows]

    def add(name: str, values: Sequence[str]) -> None:
        table.append([name, *values, ""])

    add("images trained on", [f"{card.data.train:,}" for card in cards])
    add("epochs", [f"{len(card.epochs):,}" for card in cards])
    add("temperature", [f"{card.temperature:.3f}" for card in cards])
    if decision:
        assessments = {assessment.version: assessment for assessment in decision.models}
        for name, of_assessment in GATE_ROWS:
            add(name, [of_assessment(assessments[card.version]) for card in cards])
    for name, of_counts in SERVICE_ROWS:
        add(name, [of_counts(each) for each in counts])
    versions = [Column(card.version, numbers=True) for card in cards]
    print_table([Column(""), *versions, Column("A - B", numbers=True)], table)
    if decision:
        tell(printable(decision.reason))
    a, b = (card.data for card in cards)
    if (a.test, a.validation) != (b.test, b.validation):
        tell("These versions were tested and validated on different images: differences of these figures mean nothing.")
    elif not decision and a.sha256 != b.sha256:
        tell("These versions were trained and judged on different data: small differences mean nothing.")


def _difference(row: Figure) -> Text:
    points = 100 * (row.a - row.b)
    colour = "" if abs(points) < 0.005 else "green" if (points > 0) == row.more_is_better else "red"
    return Text(f"{points:+.2f}", style=colour)


def _described(change: LiveChange) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(change.at))
    verb = "promoted" if change.action == "promote" else "rolled back to"
    return printable(f"{when}  {verb} {change.version}, live before: {change.before}, by {change.who}: {change.reason}")


def _score(score: Score) -> str:
    return f"{_percent(score.accuracy)} (95 %: {100 * score.low:.2f} to {100 * score.high:.2f})"


def _share(count: float, of: int) -> str:
    return _percent(count / of) if of else "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
