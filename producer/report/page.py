"""The page for people: one HTML file that contains all it needs. It has no script and loads nothing."""

from collections.abc import Mapping
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.cards.card import Card
from model.images.doubts import DoubtCode
from producer.jobs.results import Results
from producer.report import wording
from producer.report.charts import svg
from producer.report.charts.job_charts import JobCharts
from producer.report.rendering import data_uri, environment
from producer.report.selection import Selection
from producer.report.summary import Summary
from producer.sources.kinds import describe_left_out
from worker.contract.wire import SIDE, Label

MAX_FAILURES = 200
"""Maximum number of failed images that the page lists. `errors.csv` has all."""


class Tile(NamedTuple):
    """One picture with its prediction: a digit, or a number if the job reads numbers."""

    name: str
    image: str | None  # `data:` address, or None if the image could not be read again
    width: int  # of the picture, in pixels; its height is 28
    label: Label | None
    answer: Label | None
    confidence: float
    review: bool
    doubt: str  # reason of the image path to doubt the prediction, or ""

    @property
    def wrong(self) -> bool:
        """Whether the prediction is known to be wrong."""
        return self.label not in (None, self.answer)


class SeveralTile(NamedTuple):
    """One picture of several digits, which has no prediction."""

    name: str
    image: str | None  # `data:` address, or None if the image could not be read again
    label: Label | None
    sentence: str


class Cell(NamedTuple):
    """One cell of the confusion matrix."""

    images: int
    kind: str  # "right", "wrong" or "none"
    weight: float  # strength of its colour, 0 to 1


class Row(NamedTuple):
    """One row of the confusion matrix: a true digit."""

    digit: int
    cells: list[Cell]
    failed: int
    total: int


class FailedImage(NamedTuple):
    """One image that failed."""

    name: str
    label: Label | None
    code: str
    sentence: str


def render(
    results: Results,
    summary: Summary,
    selection: Selection,
    charts: JobCharts,
    *,
    card: Card | None,
    pictures: Mapping[int, NDArray[np.uint8]],
    teachable: bool = False,
) -> str:
    """Return the page as HTML.

    Args:
        results: All images of the job.
        summary: Figures of the job.
        selection: Images that people should look at.
        charts: Charts of the job.
        card: Card of the model, or None where it is unknown.
        pictures: Pixels of the selected images by index, uint8 (28, 28), or (28, 28 · n) of n digits. Images that could
            not be read again are absent.
        teachable: Whether `review.csv` has the paths of its images, so that `digitmill teach` can read them.
    """
    addresses = {index: data_uri(pixels) for index, pixels in pictures.items()}

    def tile(index: int) -> Tile:
        return Tile(
            results.names[index],
            addresses.get(index),
            pictures[index].shape[1] if index in pictures else SIDE,
            results.label(index),
            results.answer(index),
            float(results.confidences[index]),
            bool(selection.doubted[index]),
            results.doubts[index].reason if index in results.doubts else "",
        )

    def several_tile(index: int) -> SeveralTile:
        return SeveralTile(
            results.names[index],
            addresses.get(index),
            results.label(index),
            results.failures[index].sentence,
        )

    confidence_charts = [chart for chart in (charts.confidence, charts.calibration) if chart]
    return environment().get_template("report.html.j2").render(
        summary=summary,
        left_out=describe_left_out(summary.left_out),
        confusion=_confusion(summary),
        mistakes=[tile(index) for index in selection.shown_mistakes],
        mistaken=len(selection.mistakes),
        least_certain=[tile(index) for index in selection.least_certain.tolist()],
        several=[several_tile(index) for index in selection.shown_several],
        doubts=[(wording.DOUBTS[DoubtCode(code)], count) for code, count in summary.doubts.items()],
        teachable=teachable,
        failed=_failed(results),
        confidence_charts=[svg.lay_out(chart) for chart in confidence_charts],
        throughput_chart=svg.lay_out(charts.throughput) if charts.throughput else None,
        card=card,
        training_chart=svg.lay_out(charts.training) if charts.training else None,
        frame=svg,
    )  # fmt: skip


def _confusion(summary: Summary) -> list[Row]:
    """Return the rows of the confusion matrix, or no rows without labels.

    A row also counts the failed images of its digit, or the digits of numbers that were not read, so that it adds up to
    all of them.
    """
    rows = []
    for true, (counts, score) in enumerate(zip(summary.confusion or (), summary.per_class or (), strict=True)):
        cells = [_cell(count, score.support, right=predicted == true) for predicted, count in enumerate(counts)]
        rows.append(Row(true, cells, score.support - sum(counts), score.support))
    return rows


def _cell(count: int, total: int, *, right: bool) -> Cell:
    if not count:
        return Cell(0, "none", 0.0)
    # A good model puts 99 % of a row on the diagonal. The rest is visible only on a logarithmic scale.
    weight = count / total if right else log(1 + count) / log(1 + total)
    return Cell(count, "right" if right else "wrong", round(weight, 3))


def _failed(results: Results) -> list[FailedImage]:
    shown = sorted(results.failures)[:MAX_FAILURES]
    return [
        FailedImage(
            results.names[index],
            results.label(index),
            str(results.failures[index].code),
            results.failures[index].sentence,
        )
        for index in shown
    ]
