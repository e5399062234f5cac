"""The report of a training, for people: one HTML file, made from a version's card and from what the gate wrote."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from model.cards.card import Card
from model.cards.changes import Changes
from model.cards.decision import FEW, Decision
from producer.report.charts import svg
from producer.report.charts.drawing import drawing
from producer.report.charts.plots import MAX_PICTURES, CaptionedPicture, ChartPlot, Plot, SheetPlot
from producer.report.charts.training_charts import accuracy_chart, digits_chart, loss_chart
from producer.report.files import generated_by, replace_own, replace_page
from producer.report.rendering import data_uri, environment

COMMAND = "digitmill models report"


class ChangedTile(NamedTuple):
    """The picture of an image that one of the two models reads."""

    image: str  # `data:` address
    label: int
    before: int
    after: int


class Direction(NamedTuple):
    """The images of one kind that only one of the two models reads."""

    total: int
    tiles: list[ChangedTile]


class ChangedKind(NamedTuple):
    """What a candidate changed on one kind of images."""

    name: str  # "taught" or "validation"
    won: Direction
    lost: Direction


def write_training_report(
    path: Path, card: Card, decision: Decision | None, changes: Changes | None
) -> tuple[list[Path], str]:
    """Write the report of the training of a version, and its charts as PNG files beside it. Replace nothing else.

    Args:
        path: File to write. Its folder is created if necessary.
        card: Card of the version.
        decision: Decision of the gate on it, or None if the gate never judged it.
        changes: Images that it changed against the live model, or None if they are unknown.

    Returns:
        The PNG files, and why there are none, or "".

    Raises:
        UsageError: There is another file, or the file cannot be written.
    """
    with drawing(COMMAND) as drawn:
        drawn.begin(_plots(card, changes))
        replace_page(path, render(card, decision, changes), COMMAND)
        files, fault = drawn.finish()
    written = []
    for name, content in files.items():
        written.append(path.with_name(f"{path.stem}-{name}.png"))
        replace_own(written[-1], partial(_write, content), COMMAND, COMMAND)
    return written, fault


def _plots(card: Card, changes: Changes | None) -> dict[str, Plot]:
    """Return what each PNG file shows, by the end of its name."""
    curves = {"training": loss_chart(card.epochs), "accuracy": accuracy_chart(card.epochs)}
    charts = {**curves, "digits": digits_chart(card)}
    plots: dict[str, Plot] = {name: ChartPlot(chart, 7.2, 3.8) for name, chart in charts.items() if chart}
    shown = [
        CaptionedPicture(
            image.picture.tobytes(),
            image.picture.shape[1],
            f"{image.label}: {image.before} → {image.after}",
            wrong=not image.won,
        )
        for image in (changes.images[:MAX_PICTURES] if changes else ())
    ]
    if shown:
        plots["changes"] = SheetPlot(shown, f"True digit: read before → read by {card.version}")
    return plots


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def render(card: Card, decision: Decision | None, changes: Changes | None) -> str:
    """Return the report as HTML, with the arguments of `write_training_report`."""
    charts = [chart for chart in (loss_chart(card.epochs), accuracy_chart(card.epochs)) if chart]
    return (
        environment()
        .get_template("training.html.j2")
        .render(
            mark=generated_by(COMMAND),
            card=card,
            decision=decision,
            changed=_changed(decision, changes) if decision and changes else [],
            charts=[svg.lay_out(chart) for chart in charts],
            frame=svg,
            few=FEW,
        )
    )


def _changed(decision: Decision, changes: Changes) -> Sequence[ChangedKind]:
    """Return what changed, the taught images first, because they are why most trainings are asked for."""
    return [
        ChangedKind(
            found.images,
            *(
                Direction(
                    total,
                    [
                        ChangedTile(data_uri(image.picture), image.label, image.before, image.after)
                        for image in changes.images
                        if image.images == found.images and image.won == won
                    ],
                )
                for won, total in ((True, found.won), (False, found.lost))
            ),
        )
        for found in decision.comparisons
        if found.version == changes.version
    ]
