"""Errors and notices on standard error, and streams that print any text."""

import contextlib
import io
import sys

import click

from model.printable import printable

__all__ = ["print_notice", "printable", "show_any_character"]


def print_notice(sentence: str) -> None:
    """Print an error or a notice on standard error."""
    click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)


def show_any_character() -> None:
    r"""Let standard output and standard error show `\u2026` for a character that the encoding of the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")
