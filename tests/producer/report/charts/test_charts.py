"""The page and the PNG files draw the same chart, each from the values that were computed once."""

import numpy as np
import pytest

from producer.report.charts import job_plots, svg
from producer.report.charts.chart import Chart, round_values
from producer.report.charts.job_charts import JobCharts, charts_of
from producer.report.charts.plots import CaptionedPicture, ChartPlot, SheetPlot
from producer.report.selection import select
from producer.report.summary import summarise
from tests.producer.report.invented import info_of, unlabelled


@pytest.fixture
def charts(results, card) -> JobCharts:
    """All charts of a job."""
    return charts_of(results, info_of(results), summarise(results, info_of(results), select(results)), card)


def test_a_job_with_labels_and_a_card_has_all_four_charts(charts) -> None:
    """The charts are confidence, calibration, throughput and training."""
    assert all((charts.confidence, charts.calibration, charts.throughput, charts.training))


def test_without_labels_and_card_there_are_two_charts(results) -> None:
    """Confidence and throughput need neither labels nor a card."""
    job, info = unlabelled(results), info_of(results)
    charts = charts_of(job, info, summarise(job, info, select(job)), None)
    assert charts.confidence
    assert charts.throughput
    assert charts.calibration is charts.training is None


@pytest.mark.parametrize("name", ["confidence", "calibration", "throughput", "training"])
def test_all_shapes_lie_within_the_frame(charts, name) -> None:
    """Bars stand on the bottom edge, and the heights of bars and dots follow their values."""
    chart: Chart = getattr(charts, name)
    shapes = svg.lay_out(chart)
    assert all(svg.LEFT <= tick.at <= svg.RIGHT for tick in shapes.x_ticks)
    assert all(svg.TOP <= tick.at <= svg.BOTTOM for tick in shapes.y_ticks)
    for rectangle in shapes.rectangles:
        assert svg.LEFT <= rectangle.x < rectangle.x + rectangle.width <= svg.RIGHT
        assert rectangle.y >= svg.TOP
        assert rectangle.y + rectangle.height == pytest.approx(svg.BOTTOM)
    heights = [bar.height for bar in chart.bars]
    drawn = [rectangle.height for rectangle in shapes.rectangles]
    assert np.argsort(heights, kind="stable").tolist() == np.argsort(drawn, kind="stable").tolist()
    assert len(shapes.polylines) == len(chart.lines)
    assert len(shapes.circles) == len(chart.dots)


@pytest.mark.parametrize("name", ["confidence", "calibration", "throughput", "training"])
def test_matplotlib_draws_the_values_of_the_chart(charts, name) -> None:
    """Bars, lines, dots, ticks and labels of the figure are those of the chart."""
    png = pytest.importorskip("producer.report.charts.png")
    chart: Chart = getattr(charts, name)
    [axes] = png.draw(ChartPlot(chart, 6, 4)).axes
    bars = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in axes.patches]
    expected = [(bar.start, bar.end, bar.height) for bar in chart.bars]
    assert len(bars) == len(expected)
    assert not bars or np.allclose(sorted(bars), sorted(expected))
    assert [[tuple(point) for point in line.get_xydata()] for line in axes.lines] == [
        line.points for line in chart.lines
    ]
    dots = [tuple(point) for collection in axes.collections for point in collection.get_offsets()]
    assert dots == [(dot.x, dot.y) for dot in chart.dots]
    for axis, drawn in ((chart.x, axes.xaxis), (chart.y, axes.yaxis)):
        assert drawn.get_label_text() == axis.label
        assert [label.get_text() for label in drawn.get_ticklabels()] == [tick.label for tick in axis.ticks]
    assert axes.get_title() == chart.headline


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("title", ["True digit: read before → read by 20261126-092647-d11fa222", job_plots.TITLE])
def test_the_title_of_few_pictures_is_whole(count, title) -> None:
    """The file is at least as wide as its title."""
    png = pytest.importorskip("producer.report.charts.png")
    figure = png.draw(SheetPlot([CaptionedPicture(bytes(784), 28, "7 → 2  51 %", wrong=True)] * count, title))
    png.encode(figure, "digitmill")
    shown = figure.axes[0].title.get_window_extent()
    assert shown.x0 >= 0
    assert shown.x1 <= figure.bbox.width


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 2, [0, 0.5, 1, 1.5, 2]),
        (1, 50, [10, 20, 30, 40, 50]),
        (0, 7, [0, 2, 4, 6]),
    ],
)
def test_ticks_are_round_values_within_the_axis(low, high, expected) -> None:
    """They are multiples of 1, 2 or 5 times a power of ten."""
    assert round_values(low, high) == pytest.approx(expected)
