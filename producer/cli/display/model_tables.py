"""What `digitmill models` prints for people, and the same as values."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from model.cards.card import Card, Score
from model.cards.decision import Decision, ModelAssessment
from producer.cli.display.ages import age
from producer.cli.exits import printable
from worker.contract.ledger import WorkerStatus
from worker.contract.registry import Alias, Aliases, LiveChange, PublishedVersion, ServiceCounts

MAX_CHANGED = 3
"""Of the digits whose recall differs between two versions, so many of those that differ most are shown."""


SERVICE: tuple[tuple[str, Callable[[ServiceCounts], str]], ...] = (
    ("in service, images", lambda tally: f"{tally.images:,}"),
    ("  failed on", lambda tally: _share(tally.errors, tally.images + tally.errors)),
    ("  left for review", lambda tally: _share(tally.review, tally.images)),
    ("  mean confidence", lambda tally: _share(tally.confidence / 1000, tally.images)),
    ("  unlike the one before", lambda tally: _share(tally.disagreed, tally.shadowed)),
)
"""What is said of a version in service: a name, and how it is read from its tally."""


GATE: tuple[tuple[str, Callable[[ModelAssessment], str]], ...] = (
    ("at the gate, validation", lambda side: _percent(side.validation.accuracy)),
    ("  held-out taught", lambda side: _percent(side.taught.accuracy) if side.taught else "-"),
    ("  size", lambda side: f"{side.bytes / 1024:,.0f} KiB"),
    ("  speed, one thread", lambda side: f"{side.images_per_second:,.0f}/s"),
)
"""Likewise of a version at the gate, where both classified the same images."""


def listed(
    versions: Sequence[PublishedVersion], aliases: Aliases, workers: Sequence[WorkerStatus], baseline: Card
) -> list[dict[str, Any]]:
    """Return one row for each version, as `models list --json` prints it."""
    return [
        {
            "version": each.version,
            "aliases": named(each.version, aliases, baseline),
            "published": each.published,
            "test": each.card and each.card.test.int8.accuracy,
            "validation": each.card and each.card.validation.int8.accuracy,
            "data": each.card and each.card.data.name,
            "images": each.card and each.card.data.train,
            "parent": each.card and each.card.parent,
            "workers": [worker.name for worker in workers if worker.model == each.version],
            "problem": each.problem,
        }
        for each in versions
    ]


def named(version: str, aliases: Aliases, baseline: Card) -> list[str]:
    """Return all aliases of a version, `baseline` among them."""
    found = [*aliases.of(version), *([Alias.BASELINE] if version == baseline.version else [])]
    return [str(alias) for alias in found]


def print_list(rows: Sequence[dict[str, Any]], history: Sequence[LiveChange]) -> None:
    """Print a line for each version, and how what is live became so."""
    width = max(len(row["version"]) for row in rows)
    figures = f"{'TEST':>8}  {'VALID.':>8}  {'WORKERS':>7}"
    click.echo(f"{'VERSION':{width}}  {'ALIAS':<18}  {'AGE':>5}  {figures}  TRAINED ON")
    for row in rows:
        alias = click.style(f"{', '.join(row['aliases']):<18}", fg="green" if "live" in row["aliases"] else None)
        start = f"{row['version']:{width}}  {alias}  {age(row['published']):>5}"
        if row["problem"]:
            click.echo(f"{start}  {click.style(printable(row['problem']), fg='red')}")
            continue
        figures = f"{_percent(row['test']):>8}  {_percent(row['validation']):>8}  {len(row['workers']) or '-':>7}"
        click.echo(f"{start}  {figures}  {printable(row['data'])}, {row['images']:,} images")
    if history:
        click.echo(f"\n{_moved(history[0])}")


def print_card(card: Card, aliases: Sequence[str], moves: Sequence[LiveChange], decision: Decision | None) -> None:
    """Print what matters of a card, what the gate said, and when it became live or ceased to be."""
    created = age(datetime.fromisoformat(card.created).timestamp())
    click.echo(f"version     {click.style(card.version, bold=True)}  {', '.join(aliases)}".rstrip())
    after = "refined from" if card.refined else "after"
    click.echo(f"created     {card.created} ({created} ago), {after} {card.parent or 'none'}")
    click.echo(
        f"data        {printable(card.data.name)}: {card.data.train:,} to train, {card.data.validation:,} to validate, "
        f"{card.data.test:,} to test (sha256 {card.data.sha256[:8]}…)"
    )
    click.echo(f"training    {len(card.epochs)} epochs, seed {card.seed}")
    for name, scores in (("test", card.test), ("validation", card.validation)):
        click.echo(f"{name:<11} {_score(scores.int8)} int8; {_percent(scores.float.accuracy)} float")
    click.echo(f"agreement   {_score(card.agreement)} of int8 with float")
    click.echo(f"confidence  temperature {card.temperature:.3f}, calibration error {_percent(card.calibration_error)}")
    click.echo("digit       " + "  ".join(f"{digit:>6}" for digit in range(10)))
    for name in ("precision", "recall"):
        click.echo(f"{name:<11} " + "  ".join(f"{100 * getattr(each, name):>6.2f}" for each in card.per_class))
    click.echo(f"files       {', '.join(f'{name} {sha256[:8]}…' for name, sha256 in card.files.items())}")
    if decision:
        click.echo(f"gate        {printable(decision.reason)}")
    for move in moves:
        click.echo(f"history     {_moved(move)}")


def compared(card: Card, other: Card) -> list[dict[str, Any]]:
    """Return the figures of two cards side by side: name, both shares, and whether more of it is better."""
    recalls = [(some.recall, others.recall) for some, others in zip(card.per_class, other.per_class, strict=True)]
    changed = sorted((-abs(some - others), digit) for digit, (some, others) in enumerate(recalls) if some != others)
    rows = [
        ("test, int8", card.test.int8.accuracy, other.test.int8.accuracy, True),
        ("test, float", card.test.float.accuracy, other.test.float.accuracy, True),
        ("validation, int8", card.validation.int8.accuracy, other.validation.int8.accuracy, True),
        ("validation, float", card.validation.float.accuracy, other.validation.float.accuracy, True),
        ("int8 agrees with float", card.agreement.accuracy, other.agreement.accuracy, True),
        ("calibration error", card.calibration_error, other.calibration_error, False),
        *((f"recall of {digit}", *recalls[digit], True) for _, digit in changed[:MAX_CHANGED]),
    ]
    return [{"figure": name, "a": a, "b": b, "more_is_better": better} for name, a, b, better in rows]


def print_comparison(
    cards: Sequence[Card], rows: Sequence[dict[str, Any]], tallies: Sequence[ServiceCounts], decision: Decision | None
) -> None:
    """Print two versions side by side: their cards with the difference in percentage points, and their service.

    Args:
        cards: of both.
        rows: as `compared` gives them.
        tallies: what both have answered.
        decision: of the gate, if it compared these two.
    """
    widths = [max(len(card.version), 9) for card in cards]

    def beside(words: Sequence[str]) -> str:
        return "  ".join(f"{word:>{width}}" for word, width in zip(words, widths, strict=True))

    click.echo(f"{'':<23}  {beside([card.version for card in cards])}  {'A - B':>8}")
    for row in rows:
        values = beside([_percent(row["a"]), _percent(row["b"])])
        click.echo(f"{row['figure']:<23}  {values}  {_difference(row)}")
    click.echo(f"{'images trained on':<23}  {beside([f'{card.data.train:,}' for card in cards])}")
    click.echo(f"{'epochs':<23}  {beside([f'{len(card.epochs)}' for card in cards])}")
    click.echo(f"{'temperature':<23}  {beside([f'{card.temperature:.3f}' for card in cards])}")
    if decision:
        sides = [decision.candidate, decision.live]
        if sides[0].version != cards[0].version:
            sides.reverse()
        for name, of_side in GATE:
            click.echo(f"{name:<23}  {beside([of_side(side) for side in sides])}")
    for name, of in SERVICE:
        click.echo(f"{name:<23}  {beside([of(tally) for tally in tallies])}")
    if decision:
        click.echo(printable(decision.reason))
    elif cards[0].data.sha256 != cards[1].data.sha256:
        click.echo("They were trained and judged on different data: small differences mean nothing.")


def _difference(row: dict[str, Any]) -> str:
    points = 100 * (row["a"] - row["b"])
    text = f"{points:>+8.2f}"
    if abs(points) < 0.005:
        return text
    return click.style(text, fg="green" if (points > 0) == row["more_is_better"] else "red")


def _moved(move: LiveChange) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(move.at))
    verb = "promoted" if move.action == "promote" else "rolled back to"
    why = printable(f"by {move.who}: {move.reason}")
    return f"{when}  {verb} {move.version}, live before: {move.before}, {why}"


def _score(score: Score) -> str:
    return f"{_percent(score.accuracy)} (95 %: {100 * score.low:.2f} to {100 * score.high:.2f})"


def _share(count: float, of: int) -> str:
    return _percent(count / of) if of else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
