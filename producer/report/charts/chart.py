"""Charts as data, in the units of what they show. `svg` draws them for the page, and `png` with Matplotlib."""

from dataclasses import dataclass, field
from math import floor, log10
from typing import NamedTuple


class Tick(NamedTuple):
    """A labelled value on an axis."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        label: What the axis measures, with the unit.
        low: Value at the beginning of the axis.
        high: Value at the end of the axis.
        ticks: Labelled values, from `low` to `high`.
        logarithmic: Whether the scale is logarithmic. `low` is then above 0.
    """

    label: str
    low: float
    high: float
    ticks: list[Tick]
    logarithmic: bool = False


class Bar(NamedTuple):
    """A bar from the bottom of the chart up to `height`. `kind` decides its colour."""

    start: float
    end: float
    height: float
    kind: str
    title: str


class Target(NamedTuple):
    """A part of the chart, from its bottom to its top, that stands for the images of a filter."""

    start: float
    end: float
    filter: str  # as the script of the page takes it
    images: int
    title: str


class Line(NamedTuple):
    """A line through `points`. `kind` decides its colour and dashes."""

    points: list[tuple[float, float]]
    kind: str


class Dot(NamedTuple):
    """A circle. `weight`, 0 to 1, is its share of the area of the largest circle. `kind` decides its colour."""

    x: float
    y: float
    weight: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        name: Name that is unique within the page.
        title: What the chart shows.
        description: Sentence with the main figures, for readers who cannot see the chart.
        headline: Title with the main figure, for a PNG file that stands alone.
        x: Horizontal axis.
        y: Vertical axis.
        bars: Bars, drawn first.
        targets: Parts that a reader of the page can choose.
        lines: Lines, drawn over the bars.
        dots: Circles, drawn last.
        legend: Pairs of kind and meaning.
    """

    name: str
    title: str
    description: str
    headline: str
    x: Axis
    y: Axis
    bars: list[Bar] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)


def round_values(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values from `low` to `high`: multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: Lower limit.
        high: Upper limit, above `low`.
        count: Approximate number of values.
    """
    rough = (high - low) / count
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = floor(low / step), floor(high / step * (1 + 1e-9))
    return [index * step for index in range(first, last + 1) if index * step >= low * (1 - 1e-9)]
