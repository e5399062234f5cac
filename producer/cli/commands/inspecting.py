"""`inspect`: what the network is shown of an image, step by step, and what it reads."""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.errors import ImageError, UsageError
from producer.cli.exits import Exit, at_the_edge, complain, printable
from producer.cli.options import JSON, MIN_CONFIDENCE, TIMEOUT, not_empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from producer.cli.display.pictures import Inspected
    from producer.jobs.results import Results
    from producer.sources import Source


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", callback=not_empty)
@click.option(
    "--out",
    metavar="FILE.png",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Save the pictures, too.",
)
@MIN_CONFIDENCE
@TIMEOUT
@JSON
@at_the_edge
def inspect(
    files: tuple[str, ...], out: Path | None, min_confidence: float | None, timeout: float, as_json: bool
) -> None:
    """Draw what the network is shown, and why.

    \b
    Examples:
      digitmill inspect seven.png
      digitmill inspect scans/*.jpg --out steps.png
    """
    from producer.cli.commands.submitting import classified
    from producer.cli.display.pictures import print_inspected, save_sheet
    from producer.sources import open_each
    from worker.settings import Settings

    source = open_each(files)
    results = classified(source, Settings.from_environment(), timeout, probabilities=True, quiet=as_json)
    inspected = _inspected(source, results, min_confidence)
    if out is not None:
        try:
            save_sheet(inspected, out)
        except OSError as error:
            raise UsageError(f"Cannot write {out}: {error.strerror}. Choose another file with --out.") from error
    if as_json:
        click.echo(json.dumps([each.as_json() for each in inspected]))
    else:
        print_inspected(inspected)
        if out is not None:
            complain(f"the pictures are in {printable(str(out))}")
    sys.exit(Exit.SOME_FAILED if results.failures else Exit.WELL)


def _inspected(source: "Source", results: "Results", min_confidence: float | None) -> "list[Inspected]":
    from producer.cli.display.answers import answers
    from producer.cli.display.pictures import Inspected

    contents = source.read_many(set(results.names))
    return [
        Inspected(answer, _steps(contents.get(name)))
        for name, answer in zip(results.names, answers(results, min_confidence), strict=True)
    ]


def _steps(content: Any) -> "dict[str, NDArray[Any]]":
    """The image after each step that it got through; none if it could not be read."""
    from model.images.preprocess import preprocess
    from model.images.stages import Stage

    steps: dict[str, NDArray[Any]] = {}
    if isinstance(content, bytes):
        with contextlib.suppress(ImageError):  # the answer has its reason
            preprocess(content, steps.__setitem__)
    elif content is not None:  # an array's image, which is shown as it is
        steps[Stage.SHOWN] = content
    return steps
