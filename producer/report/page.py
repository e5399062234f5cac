"""The page for people: one HTML file that contains all it needs and loads nothing. Without its script, it is readable.

If there are more images to look at than fit on it, pages that have only images follow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log
from typing import Any, NamedTuple, TypeAlias

from markupsafe import Markup

from model.cards.card import Card
from model.images.doubts import DoubtCode
from producer.jobs.results import Results
from producer.pictures import Picture
from producer.report import wording
from producer.report.cards.cards import card_data, pages_of
from producer.report.cards.naming import page_name
from producer.report.cards.script import page_script
from producer.report.charts import svg
from producer.report.charts.job_charts import JobCharts
from producer.report.place import PAGE
from producer.report.rendering import data_uri, environment
from producer.report.selection import Selection
from producer.report.summary import Summary
from producer.sources.kinds import describe_left_out
from worker.contract.wire import SIDE, Label

MAX_FAILURES = 200
"""Maximum number of failed images that the page lists. `errors.csv` has all."""

EXAMPLES = 3
"""Number of failed images of each cause that the page shows at once. Others are behind a click."""

ReadPictures: TypeAlias = Callable[[Sequence[int]], Mapping[int, Picture | None]]
"""Function that reads the images with some indices, without those that cannot be read; see `PictureReader`."""

_WEIGHT_STEP = 5  # percentage points; the style sheet has a class for each weight


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
    weight: int  # strength of its colour in percent: a multiple of 5


class Row(NamedTuple):
    """One row of the confusion matrix: a true digit."""

    digit: int
    cells: list[Cell]
    failed: int
    total: int

    @property
    def letters(self) -> float:
        """Width of the largest number in the row, in digits. A comma is half as wide as a digit."""
        digits = len(str(self.total))
        return digits + (digits - 1) // 3 / 2


class FailedImage(NamedTuple):
    """One image that failed."""

    name: str
    label: Label | None
    sentence: str


class WrittenPage(NamedTuple):
    """A page of a report."""

    name: str
    html: str
    without_picture: int  # number of its images to look at that have no picture here
    late: int  # number of these that were not read in time


class FailedCause(NamedTuple):
    """The images that failed for one reason."""

    code: str
    total: int
    examples: list[FailedImage]
    others: list[FailedImage]  # that the page lists as well

    @property
    def listed(self) -> int:
        """Number of these images that the page lists."""
        return len(self.examples) + len(self.others)


def render(
    results: Results,
    summary: Summary,
    selection: Selection,
    charts: JobCharts,
    *,
    card: Card | None,
    read_pictures: ReadPictures,
    root: str = "",
    time: str = "",
) -> Iterator[WrittenPage]:
    """Yield each page. The first page is the report, and others follow if there are more cards than fit on it.

    Args:
        results: All images of the job.
        summary: Figures of the job.
        selection: Images that people should look at.
        charts: Charts of the job.
        card: Card of the model, or None where it is unknown.
        read_pictures: Reader of the images that a page shows. It is called once for each page.
        root: Text before an image's name that makes it a path, so that `digitmill teach` can read the images; or "".
        time: Mark that stands for the time of the whole command, followed by `-seconds` or `-rate`; "" to leave it out.
    """
    script = Markup(page_script())  # noqa: S704  it is ours
    cards = pages_of(selection)
    names = [page_name(number, PAGE) for number in range(1, len(cards) + 1)]
    for number, (name, indices) in enumerate(zip(names, cards, strict=True), 1):
        wanted = list(dict.fromkeys([*selection.shown_first, *indices])) if number == 1 else indices
        read = read_pictures(wanted)
        pictures = {index: picture for index, picture in read.items() if picture}
        late = len(read) - len(pictures)
        data = card_data(summary.job, results, selection, pictures, indices, root=root, page=number, late=late)
        about = {"data": data, "script": script, "pages": names, "here": number}
        template = "cards/page.html.j2"
        if number == 1:
            template = "report.html.j2"
            about |= {"time": time}
            about |= _report(results, summary, selection, charts, card, pictures, teachable=bool(root))
        html = environment().get_template(template).render(**about, source=summary.source)
        yield WrittenPage(name, html, sum(index not in pictures for index in indices), late)


def _report(
    results: Results,
    summary: Summary,
    selection: Selection,
    charts: JobCharts,
    card: Card | None,
    pictures: Mapping[int, Picture],
    *,
    teachable: bool,
) -> dict[str, Any]:
    """Return what the template of the report needs beside the cards."""

    def address(index: int) -> str | None:
        return data_uri(pictures[index].seen) if index in pictures else None

    def tile(index: int) -> Tile:
        return Tile(
            results.names[index],
            address(index),
            pictures[index].seen.shape[1] if index in pictures else SIDE,
            results.label(index),
            results.answer(index),
            float(results.confidences[index]),
            bool(selection.doubted[index]),
            results.doubts[index].reason if index in results.doubts else "",
        )

    def several_tile(index: int) -> SeveralTile:
        return SeveralTile(
            results.names[index],
            address(index),
            results.label(index),
            results.failures[index].sentence,
        )

    confidence_charts = [chart for chart in (charts.confidence, charts.calibration) if chart]
    return {
        "summary": summary,
        "left_out": describe_left_out(summary.left_out),
        "confusion": _confusion(summary),
        "read_digits": summary.digits_read if summary.accuracy is None and summary.classified else [],
        "mistakes": [tile(index) for index in selection.shown_mistakes],
        "mistaken": len(selection.mistakes),
        "least_certain": [tile(index) for index in selection.least_certain.tolist()],
        "several": [several_tile(index) for index in selection.shown_several],
        "doubts": [(wording.DOUBTS[DoubtCode(code)], count) for code, count in summary.doubts.items()],
        "teachable": teachable,
        "failed": _failed(results, summary),
        "confidence_charts": [svg.lay_out(chart) for chart in confidence_charts],
        "throughput_chart": svg.lay_out(charts.throughput) if charts.throughput else None,
        "card": card,
        "training_chart": svg.lay_out(charts.training) if charts.training else None,
        "frame": svg,
    }


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
        return Cell(0, "none", 0)
    # A good model puts 99 % of a row on the diagonal. The rest is visible only on a logarithmic scale.
    weight = count / total if right else log(1 + count) / log(1 + total)
    return Cell(count, "right" if right else "wrong", _WEIGHT_STEP * round(100 * weight / _WEIGHT_STEP))


def _failed(results: Results, summary: Summary) -> list[FailedCause]:
    """Return the failed images by cause, the most frequent first, and list at most `MAX_FAILURES` of them."""
    of_code: dict[str, list[int]] = {code: [] for code in summary.failures}
    for index in sorted(results.failures):
        of_code[str(results.failures[index].code)].append(index)
    room = MAX_FAILURES - sum(min(EXAMPLES, len(indices)) for indices in of_code.values())
    causes = []
    for code, indices in of_code.items():
        rows = [
            FailedImage(results.names[index], results.label(index), results.failures[index].sentence)
            for index in indices[: EXAMPLES + max(0, room)]
        ]
        causes.append(FailedCause(code, len(indices), rows[:EXAMPLES], rows[EXAMPLES:]))
        room -= max(0, len(rows) - EXAMPLES)
    return causes
