"""What Matplotlib draws, as data: charts, tables of counts, and sheets of pictures.

It goes to the process that draws, which imports little besides Matplotlib. So this module imports little, too.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from producer.report.charts.chart import Chart

MAX_PICTURES = 40
"""Maximum number of pictures in a sheet."""


class ChartPlot(msgspec.Struct, tag="chart", frozen=True):
    """A chart."""

    chart: Chart
    width: float  # inches
    height: float  # inches


class CountsPlot(msgspec.Struct, tag="counts", frozen=True):
    """A confusion matrix with its counts."""

    counts: list[list[int]]  # the row is the true digit, the column the predicted one
    title: str


class CaptionedPicture(NamedTuple):
    """The picture of an image with what it shows and what was read."""

    pixels: bytes  # grey levels, row after row
    width: int
    caption: str
    wrong: bool


class SheetPlot(msgspec.Struct, tag="sheet", frozen=True):
    """Pictures of the same height with their captions, those of mistakes in bold."""

    pictures: list[CaptionedPicture]  # at least one
    title: str


Plot: TypeAlias = ChartPlot | CountsPlot | SheetPlot
"""What one PNG file shows."""


class Order(msgspec.Struct, frozen=True):
    """What to draw.

    Attributes:
        plots: Content of each PNG file, by the file's name.
        software: What the files say has made them.
    """

    plots: Mapping[str, Plot]
    software: str
