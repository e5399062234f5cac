"""The page for people: one HTML file that holds all it needs, without a script, asking the network for nothing."""

import json
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from model import metrics
from model.cards.card import Card
from model.errors import ModelError
from producer.jobs.results import NONE, JobInfo, Results
from producer.report import chart, charts, series, wording
from producer.report.pictures import data_uri
from producer.report.selection import doubted, least_certain, mistakes
from producer.report.summary import Summary

Picture: TypeAlias = Callable[[int], NDArray[np.uint8] | None]

MAX_MISTAKES = 200
MAX_LEAST_CERTAIN = 40
MAX_FAILURES = 200


class Tile(NamedTuple):
    """One image drawn, and what was made of it."""

    name: str
    image: str | None  # a data URI; None where the source is no longer at hand
    label: int | None
    digit: int
    confidence: float
    review: bool

    @property
    def wrong(self) -> bool:
        """Whether it is known to be wrong."""
        return self.label not in (None, self.digit)


class Cell(NamedTuple):
    """One cell of the confusion matrix."""

    images: int
    kind: str  # "right", "wrong" or "none"
    weight: float  # 0 to 1, how strongly it is coloured


class Row(NamedTuple):
    """One row of the confusion matrix: a true digit."""

    digit: int
    cells: list[Cell]
    failed: int
    total: int


class FailedImage(NamedTuple):
    """One image that failed."""

    name: str
    label: int | None
    code: str
    sentence: str


def render(
    results: Results,
    run: JobInfo,
    summary: Summary,
    *,
    card: dict[str, object] | None,
    picture: Picture,
    teachable: bool = False,
) -> str:
    """Return the page.

    Args:
        results: every image.
        run: the circumstances.
        summary: the figures.
        card: of the model, if it is known.
        picture: gives the pixels of the images that are drawn, at most 240 of them.
        teachable: whether `review.csv` says where its images are.
    """
    wrong = mistakes(results)
    model = _card(card)
    review = doubted(results, summary.min_confidence)
    uncertain = least_certain(results, min(summary.review or MAX_LEAST_CERTAIN, MAX_LEAST_CERTAIN))
    pixels: dict[int, str | None] = {}  # an image can be both a mistake and uncertain

    def tile(index: int) -> Tile:
        if index not in pixels:
            found = picture(index)
            pixels[index] = None if found is None else data_uri(found)
        return Tile(
            results.names[index],
            pixels[index],
            _known(int(results.labels[index])),
            int(results.digits[index]),
            float(results.confidences[index]),
            bool(review[index]),
        )

    return _environment().get_template("report.html.j2").render(
        summary=summary,
        confusion=_confusion(results, summary),
        mistakes=[tile(index) for index in wrong[:MAX_MISTAKES].tolist()],
        mistaken=len(wrong),
        least_certain=[tile(index) for index in uncertain.tolist()],
        teachable=teachable,
        failed=_failed(results),
        confidence_charts=_confidence_charts(results, summary),
        throughput_chart=_throughput_chart(run, summary),
        card=model,
        training_chart=charts.training_chart(model.epochs) if model and _can_be_drawn(model) else None,
        frame=chart,
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names of files are what anyone made them
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": wording.number,
        "percent": wording.percent,
        "duration": wording.duration,
        "moment": wording.moment,
        "visible": wording.visible,
        "shortened": wording.shortened,
    }
    return environment


def _known(label: int) -> int | None:
    return None if label == NONE else label


def _card(values: dict[str, object] | None) -> Card | None:
    """Read a card; None where there is none, or none that this version reads: the page goes without."""
    if values is None:
        return None
    try:
        return Card.loads(json.dumps(values))
    except ModelError:
        return None


def _can_be_drawn(card: Card) -> bool:
    """Whether the losses of its training fit on a logarithmic scale."""
    losses = [loss for epoch in card.epochs for loss in (epoch.loss, epoch.validation_loss)]
    return len(card.epochs) > 1 and all(0 < loss < float("inf") for loss in losses)


def _confusion(results: Results, summary: Summary) -> list[Row]:
    """Return the confusion matrix, each row completed by the images that failed, so that it adds up."""
    if summary.confusion is None:
        return []
    failed = np.bincount(
        results.labels[(results.labels != NONE) & (results.digits == NONE)], minlength=metrics.CLASSES
    ).tolist()
    rows = []
    for true, counts in enumerate(summary.confusion):
        total = sum(counts) + failed[true]
        cells = [_cell(count, total, right=predicted == true) for predicted, count in enumerate(counts)]
        rows.append(Row(true, cells, failed[true], total))
    return rows


def _cell(count: int, total: int, *, right: bool) -> Cell:
    if not count:
        return Cell(0, "none", 0.0)
    # A good model puts 99 % of a row on the diagonal: what is off it shows only on a logarithmic scale.
    weight = count / total if right else log(1 + count) / log(1 + total)
    return Cell(count, "right" if right else "wrong", round(weight, 3))


def _failed(results: Results) -> list[FailedImage]:
    first = sorted(results.failures)[:MAX_FAILURES]
    return [
        FailedImage(
            results.names[index],
            _known(int(results.labels[index])),
            str(results.failures[index].code),
            results.failures[index].sentence,
        )
        for index in first
    ]


def _confidence_charts(results: Results, summary: Summary) -> list[chart.Chart]:
    if not summary.classified:
        return []
    drawn = [charts.confidence_chart(series.confidences(results))]
    if summary.ece is not None:
        reliability = metrics.reliability(results.labels, results.digits, results.confidences)
        drawn.append(charts.calibration_chart(reliability, summary.ece))
    return drawn


def _throughput_chart(run: JobInfo, summary: Summary) -> chart.Chart | None:
    course = series.throughput(run.timeline, run.seconds)
    if course is None or not summary.images_per_second:
        return None
    return charts.throughput_chart(course, summary.images_per_second)
