"""What the PNG files of a job's report show."""

from collections.abc import Mapping

from producer.jobs.results import Results
from producer.pictures import Picture
from producer.report.charts.job_charts import JobCharts
from producer.report.charts.plots import CaptionedPicture, ChartPlot, CountsPlot, Plot, SheetPlot
from producer.report.place import CALIBRATION, CONFIDENCE, CONFUSION, PREDICTED, THROUGHPUT, TRAINING
from producer.report.summary import Summary
from producer.report.wording import percent

TITLE = "True digit → predicted digit, with its confidence"
"""Title of the pictures."""


def plots_of(summary: Summary, charts: JobCharts, results: Results, pictures: Mapping[int, Picture]) -> dict[str, Plot]:
    """Return what each PNG file shows, by its name, without those that would show nothing.

    Args:
        summary: Figures of the job.
        charts: Charts of the job.
        results: All images of the job.
        pictures: Pictures that `PREDICTED` shows, by index.
    """
    plots: dict[str, Plot] = {}
    if summary.confusion is not None:
        failed = f", {summary.failed:,} of {summary.images:,} images failed" if summary.failed else ""
        title = f"Confusion: {summary.correct:,} of {summary.accuracy_denominator:,} right{failed}"
        plots[CONFUSION] = CountsPlot(summary.confusion, title)
    shown = [
        CaptionedPicture(
            picture.seen.tobytes(),
            picture.seen.shape[1],
            _caption(results, index),
            wrong=results.label(index) not in (None, results.answer(index)),
        )
        for index, picture in pictures.items()
        if results.answer(index) is not None
    ]
    if shown:
        plots[PREDICTED] = SheetPlot(shown, TITLE)
    wide = {CONFIDENCE: charts.confidence, TRAINING: charts.training, THROUGHPUT: charts.throughput}
    plots |= {name: ChartPlot(chart, 7.2, 3.8) for name, chart in wide.items() if chart}
    if charts.calibration:
        plots[CALIBRATION] = ChartPlot(charts.calibration, 5.6, 5.2)
    return plots


def _caption(results: Results, index: int) -> str:
    label, read, confidence = results.label(index), results.answer(index), float(results.confidences[index])
    sides = f"{read}" if label is None else f"{label} → {read}"
    return f"{sides}  {percent(confidence, 0)}"
