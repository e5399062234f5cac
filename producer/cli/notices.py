"""Errors and notices on standard error, and text that is safe on a terminal."""

import click


def printable(text: str) -> str:
    r"""Return a text that is safe on a terminal, with `\x1b` and `\udc80` for control characters and foreign bytes.

    Anyone may have named a file. Its name must not clear the screen, forge a line, or stop the program.
    """
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def print_notice(sentence: str) -> None:
    """Print an error or a notice on standard error."""
    click.echo(f"{click.style('digitmill:', fg='red', bold=True)} {printable(sentence)}", err=True)
