"""Charts as PNG files, for slides and papers. No other module of the report needs Matplotlib.

It uses Matplotlib's object interface, because pyplot keeps global state and would look for a screen.
"""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from model import metrics
from producer.report.charts.chart import Chart
from producer.report.summary import Summary

_BLUE, _RED, _GREY = "#2563eb", "#d63031", "#6b7280"
_COLOURS: Final = {"plain": _BLUE, "right": _BLUE, "wrong": _RED, "validation": _BLUE}
"""Colour of each kind. All other kinds are grey."""

_DASHED: Final = "mean"
"""Kind of the lines that are drawn with dashes."""

_MARGIN = 0.03  # share of the length of an axis; without it a circle at the end of the axis would be cut off


def confusion(summary: Summary) -> Figure | None:
    """Draw the confusion matrix with its counts. Return None without labels."""
    if summary.confusion is None:
        return None
    counts = np.array(summary.confusion)
    figure, axes = _figure(6.4, 6.0)
    # The scale is logarithmic, because the mistakes of a good model are a thousandth of the counts on the diagonal.
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


def draw(chart: Chart, width: float, height: float) -> Figure:
    """Draw a chart that is `width` by `height` inches."""
    figure, axes = _figure(width, height)
    meanings = dict(chart.legend)
    for kind in dict.fromkeys(bar.kind for bar in chart.bars):
        bars = [bar for bar in chart.bars if bar.kind == kind]
        axes.bar(
            [bar.start for bar in bars],
            [bar.height for bar in bars],
            [bar.end - bar.start for bar in bars],
            align="edge",
            color=_COLOURS.get(kind, _GREY),
            alpha=0.7,
            label=meanings.get(kind),
        )
    for line in chart.lines:
        axes.plot(
            *zip(*line.points, strict=True),
            linestyle="--" if line.kind == _DASHED else "-",
            linewidth=1,
            color=_COLOURS.get(line.kind, _GREY),
            label=meanings.get(line.kind),
        )
    for kind in dict.fromkeys(dot.kind for dot in chart.dots):
        dots = [dot for dot in chart.dots if dot.kind == kind]
        axes.scatter(
            [dot.x for dot in dots],
            [dot.y for dot in dots],
            [20 + 200 * dot.weight for dot in dots],
            color=_COLOURS.get(kind, _GREY),
            label=meanings.get(kind),
        )
    _set_axes(axes, chart)
    axes.set_title(chart.headline)
    axes.grid(alpha=0.3)
    if chart.legend:
        axes.legend(frameon=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    figure.savefig(path, format="png", dpi=120)


def _set_axes(axes: Axes, chart: Chart) -> None:
    for axis, side in ((chart.x, "x"), (chart.y, "y")):
        margin = _MARGIN * (axis.high - axis.low) if chart.dots else 0.0
        if axis.logarithmic:
            axes.set(**{f"{side}scale": "log"})
        axes.set(**{f"{side}label": axis.label, f"{side}lim": (axis.low - margin, axis.high + margin)})
        ticks = axes.set_xticks if side == "x" else axes.set_yticks
        ticks([value for value, _ in axis.ticks], [label for _, label in axis.ticks])
    axes.minorticks_off()


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()
