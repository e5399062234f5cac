"""Charts as PNG files, for slides and papers. No other module of the report needs Matplotlib.

It uses Matplotlib's object interface, because pyplot keeps global state and would look for a screen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model import metrics
from model.images.raster import Grey
from producer.report.charts.chart import Chart
from producer.report.summary import Summary
from worker.contract.wire import SIDE

_BLUE, _RED, _GREY = "#2563eb", "#ba1c20", "#6b7280"
_COLOURS: Final = {"plain": _BLUE, "right": _BLUE, "wrong": _RED, "validation": _BLUE}
"""Colour of each kind. All other kinds are grey."""

_HATCHES: Final = {"wrong": "////", "unlabelled": "..", "precision": "////"}
"""Pattern of the bars of each kind, so that they differ also in grey."""

_STROKES: Final = {"mean": "--", "training": ":"}
"""Stroke of the lines of each kind, for the same reason. All others are solid."""

MAX_PICTURES = 40
"""Maximum number of pictures in a sheet."""

_COLUMNS_WIDTH = 8 * SIDE  # of the pictures of predictions in a row, in pixels
_CAPTION = 10  # space below a picture, in pixels of the picture
_PIXELS_PER_INCH = 30  # of these pictures


PREDICTIONS = "True digit → predicted digit, with its confidence"
"""Title of the pictures of a job."""


class Predicted(NamedTuple):
    """The picture of an image with what it shows and what was read."""

    picture: Grey
    caption: str
    wrong: bool


_FITTING = 7  # characters of a count that fit into a cell
_DPI = 120
_INSIDE: Final[Any] = {"in_layout": False}  # a text within the axes needs no room, and measuring it takes long
_MARGIN = 0.03  # share of the length of an axis; without it a circle at the end of the axis would be cut off


def confusion(summary: Summary) -> Figure | None:
    """Draw the confusion matrix with its counts. Return None without labels."""
    if summary.confusion is None:
        return None
    counts = np.array(summary.confusion)
    figure, axes = _figure(6.4, 6.0)
    # The scale is logarithmic, because the mistakes of a good model are a thousandth of the counts on the diagonal.
    norm = LogNorm(vmin=0.5, vmax=max(1, counts.max()))
    size = 8 * min(1.0, _FITTING / len(f"{counts.max():,}"))
    axes.imshow(np.ma.masked_equal(counts, 0), cmap="Blues", norm=norm)
    for true, predicted in zip(*np.nonzero(counts), strict=True):
        count = counts[true, predicted]
        dark = norm(count) > 0.55
        colour = "white" if dark else "black"
        axes.text(predicted, true, f"{count:,}", ha="center", va="center", size=size, color=colour, **_INSIDE)
    axes.set(xlabel="predicted", ylabel="true", xticks=range(metrics.CLASSES), yticks=range(metrics.CLASSES))
    failed = f", {summary.failed:,} of {summary.images:,} images failed" if summary.failed else ""
    axes.set_title(f"Confusion: {summary.correct:,} of {summary.accuracy_denominator:,} right{failed}")
    return figure


def predictions(images: Sequence[Predicted], title: str = PREDICTIONS) -> Figure | None:
    """Draw pictures with true and predicted digits below them, mistakes in bold. Return None without pictures."""
    if not images:
        return None
    width = max(image.picture.shape[1] for image in images)
    per_row = max(1, min(len(images), _COLUMNS_WIDTH // width))
    cell_height, cell_width = SIDE + _CAPTION, width + 4
    rows = -(-len(images) // per_row)
    sheet = np.full((rows * cell_height, per_row * cell_width), 255, np.uint8)
    figure, axes = _figure(sheet.shape[1] / _PIXELS_PER_INCH, sheet.shape[0] / _PIXELS_PER_INCH + 0.4)
    for place, image in enumerate(images):
        top, left = place // per_row * cell_height, place % per_row * cell_width + 2
        sheet[top : top + SIDE, left : left + image.picture.shape[1]] = image.picture
        weight = "bold" if image.wrong else "normal"
        axes.text(left, top + SIDE + 1, image.caption, va="top", size=7, weight=weight, color="black", **_INSIDE)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, size=9)
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
            hatch=_HATCHES.get(kind),
            edgecolor="white",
            linewidth=0,
            label=meanings.get(kind),
        )
    for line in chart.lines:
        axes.plot(
            *zip(*line.points, strict=True),
            linestyle=_STROKES.get(line.kind, "-"),
            linewidth=1.5,
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


def save(figure: Figure, path: Path, software: str = "digitmill") -> None:
    """Write a figure as a PNG file that names the software which made it."""
    # `savefig` would draw the figure twice, the first time only to find the place of everything.
    canvas: Any = FigureCanvasAgg(figure)  # some of its methods have no types
    canvas.draw()
    about = PngInfo()
    about.add_text("Software", software)
    Image.fromarray(np.asarray(canvas.buffer_rgba())).save(path, "PNG", pnginfo=about, dpi=(_DPI, _DPI))


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
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    return figure, figure.subplots()
