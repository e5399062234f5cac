"""The figures as PNG files, for slides and papers. The only module of the report that needs matplotlib.

matplotlib's object interface alone: pyplot keeps global state, and would look for a screen.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from model import metrics
from producer.jobs.results import JobInfo, Results
from producer.report import series
from producer.report.summary import Summary

_BLUE, _GREY = "#2563eb", "#6b7280"


def confusion(summary: Summary) -> Figure | None:
    """Draw the confusion matrix with its counts; None without labels."""
    if summary.confusion is None:
        return None
    counts = np.array(summary.confusion)
    figure, axes = _figure(6.4, 6.0)
    # Logarithmic: a good model's mistakes are a thousandth of what is on the diagonal.
    norm = LogNorm(vmin=0.5, vmax=max(1, counts.max()))
    axes.imshow(np.ma.masked_equal(counts, 0), cmap="Blues", norm=norm)
    for true, predicted in zip(*np.nonzero(counts), strict=True):
        count = counts[true, predicted]
        dark = norm(count) > 0.55
        axes.text(
            predicted, true, f"{count:,}", ha="center", va="center", size=8, color="white" if dark else "black"
        )  # fmt: skip
    axes.set(xlabel="predicted", ylabel="true", xticks=range(metrics.CLASSES), yticks=range(metrics.CLASSES))
    failed = f", {summary.failed:,} of {summary.images:,} images failed" if summary.failed else ""
    axes.set_title(f"Confusion: {summary.correct:,} of {summary.accuracy_denominator:,} right{failed}")
    return figure


def calibration(results: Results, summary: Summary) -> Figure | None:
    """Draw accuracy against confidence; None without labels and predictions."""
    if summary.ece is None:
        return None
    count, accuracy, confidence = metrics.reliability(results.labels, results.digits, results.confidences)
    figure, axes = _figure(5.6, 5.2)
    axes.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1, label="confidence equals accuracy")
    axes.scatter(confidence, accuracy, 20 + 200 * count / count.max(), color=_BLUE, label="images, area by number")
    axes.set(xlabel="mean confidence", ylabel="accuracy", xlim=(-0.03, 1.05), ylim=(-0.03, 1.05))
    axes.set_title(f"Calibration: expected calibration error {summary.ece:.4f}")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left")
    return figure


def throughput(run: JobInfo, summary: Summary) -> Figure | None:
    """Draw the images answered per second over the course of the job; None where too little is known of it."""
    course = series.throughput(run.timeline, run.seconds)
    mean = summary.images_per_second
    if course is None or not mean:
        return None
    figure, axes = _figure(7.2, 3.8)
    axes.stairs(course.rates, course.edges, fill=True, color=_BLUE, alpha=0.7)
    axes.axhline(mean, color=_GREY, linestyle="--", linewidth=1, label=f"mean {mean:,.0f}")
    axes.set(xlabel="seconds since the start", ylabel="images per second", ylim=(0, None))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(f"Throughput: {summary.images:,} images in {summary.seconds:.2f} s")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()
