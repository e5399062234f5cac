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
        shortens: Whether a narrow terminal shows only the ends of long cells, after `…`, in one line. It needs `wraps`.
    """

    heading: str
    numbers: bool = False
    wraps: int = 0
    shortens: bool = False


def has_cursor(console: Console) -> bool:
    """Return whether a console is a terminal on which a line can change, whatever FORCE_COLOR says."""
    return console.file.isatty() and not console.is_dumb_terminal


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
    """Print a table. In a pipe, each row is one line of any length.

    On a narrow terminal, the columns with `wraps` wrap or shorten long cells. On one that is still too narrow, each
    column becomes a line, and every cell is whole.

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
    terminal = Console()
    room = terminal.width - indent if terminal.file.isatty() else None
    if room is not None and _widths(columns, cells)[1] > room and any(column.heading for column in columns):
        return [" " * indent + line for line in _turned(columns, cells, room)]
    if room is not None:
        cells = _shortened(columns, cells, room)
    return [" " * indent + line for line in _lines(columns, cells, room)]


def _shortened(columns: Sequence[Column], cells: Sequence[Sequence[Text]], room: int) -> list[list[Text]]:
    """Return the cells with the ends of those that are to be shortened, where the table does not fit otherwise."""
    whole, least = _widths(columns, cells)
    shown = [list(row) for row in cells]
    for number, column in enumerate(columns):
        if not column.shortens or whole <= room:
            continue
        width = _width(number, column, cells)
        beside = room - (whole - width)
        if beside < 2 * column.wraps:  # then the others wrap
            beside = room - (least - min(width, column.wraps))
        for row in shown:
            if row[number].cell_len > beside:
                row[number] = Text(f"…{_end(row[number].plain, beside - 1)}", row[number].style)
    return shown


def _end(text: str, width: int) -> str:
    """Return the end of a text that takes up at most so many columns."""
    end = text[-width:]
    while cell_len(end) > width:
        end = end[1:]
    return end


def _turned(columns: Sequence[Column], cells: Sequence[Sequence[Text]], room: int) -> list[str]:
    """Return a table for a terminal that is too narrow: a line for each column, and the rows side by side or below."""
    names = [Text(printable(column.heading)) for column in columns]

    def lines(rows: Sequence[Sequence[Text]], *, wraps: int) -> list[str]:
        turned = [[name, *(row[number] for row in rows)] for number, name in enumerate(names)]
        return _lines([Column(""), *([Column("", wraps=wraps)] * len(rows))], turned, room)

    beside = [[name, *(row[number] for row in cells)] for number, name in enumerate(names)]
    if _widths([Column("")] * (len(cells) + 1), beside)[1] <= room:
        return lines(cells, wraps=0)
    blocks = [lines([row], wraps=8) for row in cells]
    return [line for number, block in enumerate(blocks) for line in ([""] if number else []) + block]


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Text]]) -> tuple[int, int]:
    """Return the number of characters that a table needs, and the least that it needs if columns wrap."""
    whole = least = _GAP * (len(columns) - 1)
    for number, column in enumerate(columns):
        width = _width(number, column, cells)
        whole, least = whole + width, least + min(width, column.wraps or width)
    return whole, least


def _width(number: int, column: Column, cells: Sequence[Sequence[Text]]) -> int:
    return max([cell_len(column.heading), *(row[number].cell_len for row in cells)])


def _lines(columns: Sequence[Column], cells: Sequence[Sequence[Text]], room: int | None) -> list[str]:
    """Return the lines of a table within a number of characters, or of any width."""
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, _GAP, 0, 0),
        show_header=any(column.heading for column in columns),
        header_style="",
    )
    for number, column in enumerate(columns):
        width = _width(number, column, cells)
        table.add_column(
            Text(printable(column.heading)),
            justify="right" if column.numbers else "left",
            no_wrap=column.shortens or not column.wraps,
            overflow="fold",
            min_width=min(width, column.wraps or width),
        )
    for row in cells:
        table.add_row(*row)
    whole, least = _widths(columns, cells)
    # With a height as well, because Rich ignores a width alone where TERM is `dumb`.
    console = Console(highlight=False, width=whole if room is None else max(least, min(whole, room)), height=25)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def _safe(cell: Cell) -> Text:
    return Text(printable(cell.plain), cell.style) if isinstance(cell, Text) else Text(printable(cell))
