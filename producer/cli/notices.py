"""Errors and notices on standard error, and streams that print any text."""

import contextlib
import functools
import io
import sys
from typing import TYPE_CHECKING

import click

from model.printable import printable

if TYPE_CHECKING:
    from producer.sources import Source

__all__ = ["print_notes", "print_notice", "printable", "show_any_character", "show_warnings"]


def print_notice(sentence: str) -> None:
    """Print an error or a notice on standard error."""
    click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)


def print_notes(source: "Source") -> None:
    """Print what a user should know about a source, and which of its files are left out, on standard error."""
    from producer.sources.kinds import describe_left_out

    for sentence in (*source.notes, describe_left_out(source.left_out)):
        if sentence:
            print_notice(sentence)


@functools.cache
def show_warnings() -> None:
    """Print the warnings of our packages as notices from now on. A second call changes nothing."""
    import logging

    class Notices(logging.Handler):
        """Prints what our packages log."""

        def emit(self, record: logging.LogRecord) -> None:
            """Print a line."""
            print_notice(record.getMessage())

    notices = Notices(logging.WARNING)
    for package in ("model", "producer", "worker"):
        logging.getLogger(package).addHandler(notices)


def show_any_character() -> None:
    r"""Let standard output and standard error show `\u2026` for a character that the encoding of the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")
