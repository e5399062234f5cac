"""Options and arguments that several commands share."""

from pathlib import Path
from typing import TypeVar

import click

from model.inference.review import REVIEW_BELOW

_Words = TypeVar("_Words", str, tuple[str, ...])


def not_empty(_: click.Context, parameter: click.Parameter, words: _Words) -> _Words:
    """Refuse an empty word: a shell's unset variable would mean this folder, or any job.

    Raises:
        click.BadParameter: there is one.
    """
    if words == "" or "" in (words if isinstance(words, tuple) else ()):
        raise click.BadParameter("it is empty.", param=parameter)
    return words


JOB = click.argument("job", metavar="JOB|last", callback=not_empty)

TIMEOUT = click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long to wait for a worker, or for Redis, before giving up.",
)
OUT = click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the report.  [default: reports/JOB]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
MIN_CONFIDENCE = click.option(
    "--min-confidence",
    metavar="P",
    type=click.FloatRange(0, 1),
    default=REVIEW_BELOW,
    show_default=True,
    callback=lambda _, __, share: share or None,
    help="Below this confidence (0 to 1) an image is listed for review: it may be no digit. 0: none is.",
)
