"""Charts as shapes in a plane. `chart.html.j2` writes them as SVG.

All coordinates are SVG user units with the origin at the top left.
"""

from dataclasses import dataclass
from math import log10
from typing import Final, NamedTuple

from producer.report.charts.chart import Axis, Chart

WIDTH: Final = 480
HEIGHT: Final = 250
LEFT, RIGHT, TOP, BOTTOM = 66, 460, 12, 204
"""Edges of the plot. The space outside them is for the labels."""

_MIN_RADIUS, _MAX_RADIUS = 3, 10


class TickMark(NamedTuple):
    """A labelled place on an axis."""

    at: float
    label: str


class Rectangle(NamedTuple):
    """A bar. `kind` is its class in the style sheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


class TargetArea(NamedTuple):
    """A part of the chart that a reader can choose; see `chart.Target`."""

    x: float
    y: float
    width: float
    height: float
    filter: str
    images: int
    title: str


class Polyline(NamedTuple):
    """A line. `points` has the format of SVG; `kind` is its class in the style sheet."""

    points: str
    kind: str


class Circle(NamedTuple):
    """A dot. `kind` is its class in the style sheet."""

    x: float
    y: float
    radius: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of one chart.

    Attributes:
        chart: The chart itself, for its texts.
        x_ticks: Ticks of the horizontal axis.
        y_ticks: Ticks of the vertical axis.
        rectangles: Bars.
        targets: Parts that a reader can choose.
        polylines: Lines.
        circles: Dots.
    """

    chart: Chart
    x_ticks: list[TickMark]
    y_ticks: list[TickMark]
    rectangles: list[Rectangle]
    targets: list[TargetArea]
    polylines: list[Polyline]
    circles: list[Circle]


def lay_out(chart: Chart) -> Shapes:
    """Return the shapes of `chart`."""

    def x(value: float) -> float:
        return _place(chart.x, value, LEFT, RIGHT)

    def y(value: float) -> float:
        return _place(chart.y, value, BOTTOM, TOP)

    return Shapes(
        chart,
        x_ticks=[TickMark(x(value), label) for value, label in chart.x.ticks],
        y_ticks=[TickMark(y(value), label) for value, label in chart.y.ticks],
        rectangles=[
            Rectangle(
                x(bar.start),
                y(bar.height),
                round(x(bar.end) - x(bar.start), 2),
                round(BOTTOM - y(bar.height), 2),
                bar.kind,
                bar.title,
            )
            for bar in chart.bars
        ],
        targets=[
            TargetArea(
                x(target.start),
                TOP,
                round(x(target.end) - x(target.start), 2),
                BOTTOM - TOP,
                target.filter,
                target.images,
                target.title,
            )
            for target in chart.targets
        ],
        polylines=[
            Polyline(" ".join(f"{x(across):g},{y(upward):g}" for across, upward in line.points), line.kind)
            for line in chart.lines
        ],
        # The area of a circle shows the weight, and the smallest circle is still visible.
        circles=[
            Circle(
                x(dot.x),
                y(dot.y),
                round(_MIN_RADIUS + (_MAX_RADIUS - _MIN_RADIUS) * dot.weight**0.5, 2),
                dot.kind,
                dot.title,
            )
            for dot in chart.dots
        ],
    )


def _place(axis: Axis, value: float, start: float, end: float) -> float:
    """Return the coordinate of a value on an axis that runs from `start` to `end`."""
    low, high = (log10(axis.low), log10(axis.high)) if axis.logarithmic else (axis.low, axis.high)
    share = ((log10(value) if axis.logarithmic else value) - low) / (high - low)
    return round(start + share * (end - start), 2)
