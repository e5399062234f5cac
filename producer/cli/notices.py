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

__all__ = [
    "OUR_PACKAGES",
    "Manner",
    "print_error",
    "print_notes",
    "print_notice",
    "printable",
    "show_any_character",
    "show_warnings",
]

OUR_PACKAGES = "model", "producer", "worker"
"""The packages whose warnings a command shows."""


class Manner:
    """How this process speaks.

    Attributes:
        as_json: Whether standard error has JSON too.
    """

    as_json = False


def print_notice(sentence: str) -> None:
    """Print on standard error what a user should know although the command goes on."""
    _print(sentence, code="")


def print_error(code: str, sentence: str) -> None:
    """Print on standard error why a command ends.

    Args:
        code: Word for programs.
        sentence: Fault and remedy.
    """
    _print(sentence, code=code)


def _print(sentence: str, *, code: str) -> None:
    """Print an error that has a code, or a notice without one."""
    if not Manner.as_json:
        click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)
        return
    from producer.public.answers import Failed, Noticed, Reason
    from producer.public.body import to_text

    body = Failed(error=Reason(code=code, message=sentence)) if code else Noticed(notice=sentence)
    click.echo(to_text(body), err=True)


def print_notes(source: "Source") -> None:
    """Print what a user should know about a source, and which of its files are left out, on standard error."""
    from producer.sources.kinds import describe_left_out

    left_out = describe_left_out(source.left_out) if source.is_listed else ""  # else it is not complete
    for sentence in (*source.notes, left_out):
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
    for package in OUR_PACKAGES:
        logging.getLogger(package).addHandler(notices)


def show_any_character() -> None:
    r"""Let standard output and standard error show `\u2026` for a character that the encoding of the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")
