"""Errors and notices on standard error, and streams that print any text."""

import contextlib
import functools
import io
import re
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from model.printable import printable

if TYPE_CHECKING:
    from producer.sources import Source

__all__ = [
    "MANNERS",
    "OUR_PACKAGES",
    "Manner",
    "print_error",
    "print_notes",
    "print_notice",
    "printable",
    "say",
    "show_any_character",
    "show_warnings",
    "tell",
    "wrapped",
]

OUR_PACKAGES = "model", "producer", "worker"
"""The packages whose warnings a command shows."""


class Manner:
    """How this process speaks.

    Attributes:
        as_json: Whether standard error has JSON too.
        quiet: Whether it prints only results and errors.
        verbose: How much it says about what it does: 0 is nothing, 1 is each step, 2 is also what developers want.
        started: Monotonic time at which the command began.
    """

    as_json = False
    quiet = False
    verbose = 0
    started = time.monotonic()

    @classmethod
    def begin(cls, *, as_json: bool) -> None:
        """Begin a command. A test runs several in one process, and the options of an earlier one end here."""
        if cls.verbose:
            _set_level("NOTSET")
        cls.as_json, cls.quiet, cls.verbose, cls.started = as_json, False, 0, time.monotonic()

    @classmethod
    def end(cls) -> None:
        """End a command."""
        if cls.verbose:
            _log_step("The command took %.2f s", time.monotonic() - cls.started)
        cls.begin(as_json=False)


def _be_quiet(context: click.Context, _: click.Parameter, chosen: bool) -> None:
    Manner.quiet = Manner.quiet or chosen
    _check_manner(context)


def _be_verbose(context: click.Context, _: click.Parameter, count: int) -> None:
    Manner.verbose += count
    _check_manner(context)
    if count:
        _set_level("INFO" if Manner.verbose == 1 else "DEBUG")


def _check_manner(context: click.Context) -> None:
    if Manner.quiet and Manner.verbose:
        raise click.UsageError("--quiet and --verbose contradict each other. Leave one out.", context)


def _set_level(level: str) -> None:
    import logging  # here, because `digitmill --help` does without

    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(level)


def _log_step(words: str, *values: object) -> None:
    import logging

    logging.getLogger(__name__).info(words, *values)


_HOW: dict[str, Any] = {"expose_value": False, "is_eager": True}
MANNERS = (
    click.Option(
        ["-q", "--quiet"], is_flag=True, callback=_be_quiet, help="Print only results and errors: no progress.", **_HOW
    ),
    click.Option(
        ["-v", "--verbose"], count=True, callback=_be_verbose, help="Say each step and its time; -vv says more.", **_HOW
    ),
)
"""Options that every command has, and that may also stand before its name."""


_LABEL = re.compile(r"[A-Za-z][A-Za-z -]{0,9} {2,}|held back ")
"""The label at the beginning of a line. A wrapped line continues below the text after it."""

_WORD = re.compile(r" *[^ ]+(?: %)?")


def tell(line: str = "", *, err: bool = False) -> None:
    """Print a line. On a narrow terminal, it wraps between words. A long word, such as a path, stays whole.

    Args:
        line: Line, with colours.
        err: Whether it goes to standard error.
    """
    stream = sys.stderr if err else sys.stdout
    click.echo(wrapped(line, shutil.get_terminal_size().columns) if stream.isatty() else line, err=err)


def wrapped(line: str, width: int) -> str:
    """Return a line that wraps between words. What follows is indented to where the text after a label begins.

    Args:
        line: Line, with colours.
        width: Number of columns.
    """
    if len(click.unstyle(line)) <= width:
        return line
    label = _LABEL.match(click.unstyle(line))
    indent = " " * (label.end() if label else 0)
    lines, taken = [""], 0
    for word in _WORD.findall(line):
        size = len(click.unstyle(word))
        if taken + size > width and taken > len(indent):
            word = word.lstrip(" ")  # noqa: PLW2901
            lines.append(indent)
            taken = len(indent)
            size = len(click.unstyle(word))
        lines[-1] += word
        taken += size
    return "\n".join(lines)


def say(text: str) -> None:
    """Print on standard error what the command is doing, for people who watch it."""
    if not (Manner.quiet or Manner.as_json):
        tell(printable(text), err=True)


def print_notice(sentence: str) -> None:
    """Print on standard error what a user should know although the command continues, unless it is quiet."""
    if not Manner.quiet:
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
        tell(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)
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
    _log_step("Listed %s: %s", source.description, "1 image" if source.total == 1 else f"{source.total:,} images")


@functools.cache
def show_warnings() -> None:
    """Print what our packages log as notices from now on: warnings, and what `--verbose` adds.

    A second call changes nothing.
    """
    import logging

    class Notices(logging.Handler):
        """Prints what our packages log."""

        def emit(self, record: logging.LogRecord) -> None:
            """Print a line, with the time since the start unless it is a warning. An error is printed in any case."""
            text = record.getMessage()
            if record.levelno < logging.WARNING:
                text = f"{time.monotonic() - Manner.started:.3f} s  {text}"
            if record.levelno >= logging.ERROR or not Manner.quiet:
                _print(text, code="")

    notices = Notices()
    for package in OUR_PACKAGES:
        logging.getLogger(package).addHandler(notices)


def show_any_character() -> None:
    r"""Let standard output and standard error show `\u2026` for a character that the encoding of the terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors="backslashreplace")
