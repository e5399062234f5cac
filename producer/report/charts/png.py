"""Charts as PNG files, for slides and papers: what the process that draws them does. Only it needs Matplotlib.

`drawing` starts the process, which takes one order and answers with the files. This module uses Matplotlib's object
interface, because pyplot keeps global state and would look for a screen.
"""

import sys
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from producer.report.charts.chart import Chart
from producer.report.charts.plots import CaptionedPicture, ChartPlot, CountsPlot, Order, Plot

_BLUE, _RED, _GREY = "#2563eb", "#ba1c20", "#6b7280"
_COLOURS: Final = {"plain": _BLUE, "right": _BLUE, "wrong": _RED, "validation": _BLUE}
"""Colour of each kind. All other kinds are grey."""

_HATCHES: Final = {"wrong": "////", "unlabelled": "..", "precision": "////"}
"""Pattern of the bars of each kind, so that they differ also in grey."""

_STROKES: Final = {"mean": "--", "training": ":"}
"""Stroke of the lines of each kind, for the same reason. All others are solid."""

_PER_ROW = 8  # pictures of one digit
_CAPTION = 10  # space below a picture, in pixels of the picture
_PIXELS_PER_INCH = 30  # of these pictures
_TITLE_SIZE = 9  # points, of the title above them
_TITLE_INCHES = 0.6 * _TITLE_SIZE / 72  # for each character, so that few pictures do not cut it off

_FITTING = 7  # characters of a count that fit into a cell
_DPI = 120
_INSIDE: Final[Any] = {"in_layout": False}  # a text within the axes needs no room, and measuring it takes long
_MARGIN = 0.03  # share of the length of an axis; without it a circle at the end of the axis would be cut off


def main() -> None:
    """Take an order from the standard input, and write the files to the standard output, by name."""
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order)
    files = {name: encode(draw(plot), order.software) for name, plot in order.plots.items()}
    sys.stdout.buffer.write(msgspec.msgpack.encode(files))


def draw(plot: Plot) -> Figure:
    """Draw what a file shows."""
    if isinstance(plot, ChartPlot):
        return _chart(plot.chart, plot.width, plot.height)
    if isinstance(plot, CountsPlot):
        return _confusion(plot)
    return _sheet(plot.pictures, plot.title)


def _confusion(plot: CountsPlot) -> Figure:
    counts = np.array(plot.counts)
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
    axes.set(xlabel="predicted", ylabel="true", xticks=range(len(counts)), yticks=range(len(counts)))
    axes.set_title(plot.title)
    return figure


def _sheet(pictures: Sequence[CaptionedPicture], title: str) -> Figure:
    width, side = max(picture.width for picture in pictures), len(pictures[0].pixels) // pictures[0].width
    per_row = max(1, min(len(pictures), _PER_ROW * side // width))
    cell_height, cell_width = side + _CAPTION, width + 4
    rows = -(-len(pictures) // per_row)
    sheet = np.full((rows * cell_height, per_row * cell_width), 255, np.uint8)
    inches = max(sheet.shape[1] / _PIXELS_PER_INCH, _TITLE_INCHES * len(title))
    figure, axes = _figure(inches, sheet.shape[0] / _PIXELS_PER_INCH + 0.4)
    for place, picture in enumerate(pictures):
        top, left = place // per_row * cell_height, place % per_row * cell_width + 2
        pixels = np.frombuffer(picture.pixels, np.uint8).reshape(side, picture.width)
        sheet[top : top + side, left : left + picture.width] = pixels
        weight = "bold" if picture.wrong else "normal"
        axes.text(left, top + side + 1, picture.caption, va="top", size=7, weight=weight, color="black", **_INSIDE)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, size=_TITLE_SIZE)
    return figure


def _chart(chart: Chart, width: float, height: float) -> Figure:
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


def encode(figure: Figure, software: str) -> bytes:
    """Return a figure as a PNG file that names the software which made it."""
    # `savefig` would draw the figure twice, the first time only to find the place of everything.
    canvas: Any = FigureCanvasAgg(figure)  # some of its methods have no types
    canvas.draw()
    about = PngInfo()
    about.add_text("Software", software)
    file = BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).save(file, "PNG", pnginfo=about, dpi=(_DPI, _DPI))
    return file.getvalue()


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
