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


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        heading: Text above the column.
        numbers: Whether the cells are numbers, which are right-aligned.
        wraps: Minimum width, in characters, of a column that may wrap long cells on a narrow terminal. With 0, each
            cell stays on one line.
    """

    heading: str
    numbers: bool = False
    wraps: int = 0


def has_cursor(console: Console) -> bool:
    """Return whether a console is a terminal on which a line can change, whatever FORCE_COLOR says."""
    return console.file.isatty() and not console.is_dumb_terminal


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
    """Print a table without cutting any cell.

    In a pipe, each row is one line of any length. On a narrow terminal, the columns with `wraps` wrap long cells.

    Args:
        columns: Columns of the table. If all headings are empty, there is no line of headings.
        rows: Cells of each row. Unsafe characters are escaped.
        indent: Number of spaces before each line.
    """
    for line in table_lines(columns, rows, indent=indent):
        click.echo(line)


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> list[str]:
    """Return the lines of a table, with the colours of the terminal. See `print_table`."""
    cells = [[_safe(cell) for cell in row] for row in rows]
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
        widths.append((width, min(width, column.wraps or width)))
        table.add_column(
            Text(printable(column.heading)),
            justify="right" if column.numbers else "left",
            no_wrap=not column.wraps,
            overflow="fold",
            min_width=widths[-1][1],
        )
    for row in cells:
        table.add_row(*row)
    terminal = Console()
    whole, narrowest = (sum(sizes) + _GAP * (len(widths) - 1) for sizes in zip(*widths, strict=True))
    width = max(narrowest, min(whole, terminal.width - indent)) if terminal.file.isatty() else whole
    # With a height as well, because Rich ignores a width alone where TERM is `dumb`.
    console = Console(highlight=False, width=width, height=terminal.height)
    with console.capture() as capture:
        console.print(table)
    return [" " * indent + line.rstrip() for line in capture.get().splitlines()]


def _safe(cell: Cell) -> Text:
    return Text(printable(cell.plain), cell.style) if isinstance(cell, Text) else Text(printable(cell))
