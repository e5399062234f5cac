"""JSON on standard output."""

import click

from producer.public.body import Document, to_text


def print_json(body: Document) -> None:
    """Print what a command with `--json` says, as one line.

    Raises:
        ValueError: A number is not finite, which JSON cannot express.
    """
    click.echo(to_text(body))
