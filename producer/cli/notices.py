"""Errors and notices on standard error, and streams that print any text."""

import contextlib
import io
import logging
import sys

import click

from model.printable import printable

__all__ = ["print_notice", "printable", "show_any_character", "show_warnings"]


def print_notice(sentence: str) -> None:
    """Print an error or a notice on standard error."""
    click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)


class _Notices(logging.Handler):
    """Prints what our packages log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        print_notice(record.getMessage())


_notices = _Notices(logging.WARNING)


def show_warnings() -> None:
    """Print the warnings of our packages as notices from now on."""
    for package in ("model", "producer", "worker"):
        logging.getLogger(package).addHandler(_notices)


def show_any_character() -> None:
    r"""Let standard output and standard error show `\u2026` for a character that the encoding of the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")
