"""Tables on a terminal or in a pipe."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.cli.notices import printable

Cell: TypeAlias = str | Text

_GAP = 2  # columns between two columns of the table
_MIN_WRAPPED = 20  # columns that a wrapped cell gets, however narrow the terminal


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        heading: Text above the column.
        numbers: Whether the cells are numbers, which are aligned at the right.
        wraps: Whether a long cell continues on the next line on a narrow terminal. All others stay whole.
    """

    heading: str
    numbers: bool = False
    wraps: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
    """Print a table without cutting any cell.

    In a pipe each row is one line, however long. On a terminal the columns that may wrap do so.

    Args:
        columns: Columns of the table. With empty headings only, there is no line of headings.
        rows: Cells of each row. Unsafe characters in a plain text are escaped.
        indent: Blanks before each line.
    """
    cells = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows]
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
        show_header=any(column.heading for column in columns),
        header_style="",
    )
    widths = []
    for number, column in enumerate(columns):
        width = max([cell_len(column.heading), *(row[number].cell_len for row in cells)])
        widths.append((width, min(width, _MIN_WRAPPED) if column.wraps else width))
        table.add_column(
            column.heading,
            justify="right" if column.numbers else "left",
            no_wrap=not column.wraps,
            overflow="fold",
            min_width=widths[-1][1],
        )
    for row in cells:
        table.add_row(*row)
    console = Console(highlight=False)
    whole, narrowest = (sum(sizes) + _GAP * len(widths) for sizes in zip(*widths, strict=True))
    width = max(narrowest, min(whole, console.width - indent)) if console.is_terminal else whole
    with console.capture() as capture:
        console.print(table, width=width, no_wrap=True, crop=False, overflow="ignore")
    for line in capture.get().splitlines():
        click.echo(" " * indent + line.rstrip())
