"""Errors and notices on standard error, and text that is safe on a terminal."""

import logging

import click


def printable(text: str) -> str:
    r"""Return a text that is safe on a terminal, with `\x1b` and `\udc80` for control characters and foreign bytes.

    Anyone may have named a file. Its name must not clear the screen, forge a line, or stop the program.
    """
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


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
