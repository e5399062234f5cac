"""`inspect`: draws the stages from an image to the input of the network."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.errors import ImageError, UsageError
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.notices import print_notes, print_notice
from producer.cli.options import AS_IS, JSON, MIN_CONFIDENCE, TIMEOUT, not_empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from producer.cli.display.answers import Answered
    from producer.cli.display.inspection import Inspected
    from producer.sources import Source


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", callback=not_empty)
@click.option(
    "--out",
    metavar="FILE.png",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the pictures in this file as well.",
)
@AS_IS
@MIN_CONFIDENCE
@TIMEOUT
@JSON
@exit_on_error
def inspect(
    files: tuple[str, ...], out: Path | None, as_is: bool, min_confidence: float | None, timeout: float, as_json: bool
) -> None:
    """Draw each stage from an image to the network's input.

    \b
    Examples:
      digitmill inspect seven.png
      digitmill inspect scans/*.jpg --out stages.png
    """
    from producer.cli.commands.classifying import classified
    from producer.cli.display.inspection import check_sheet, print_inspected, save_sheet
    from producer.cli.json_output import print_json
    from producer.public.answers import InspectedAnswers
    from producer.sources import open_each
    from worker.settings import Settings

    if out is not None:
        check_sheet(out)
    source = open_each(files, as_is=as_is)
    print_notes(source)
    answered = classified(source, Settings.from_environment(), timeout, min_confidence=min_confidence, quiet=as_json)
    inspected = _inspected(source, answered)
    if out is not None:
        try:
            save_sheet(inspected, out)
        except OSError as error:
            raise UsageError(f"Cannot write {out}: {error.strerror}. Choose another file with --out.") from error
    if as_json:
        print_json(InspectedAnswers(predictions=[each.as_json() for each in inspected]))
    else:
        print_inspected(inspected)
        if out is not None:
            print_notice(f"the pictures are in {out}")
    sys.exit(ExitCode.SOME_FAILED if answered.failed else ExitCode.OK)


def _inspected(source: "Source", answered: "Answered") -> "list[Inspected]":
    """Read the images again, and return each one with its answer and its stages."""
    from producer.cli.display.inspection import Inspected

    contents = source.read_many(set(answered.names))
    return [
        Inspected(answer, _stages(contents.get(name)))
        for name, answer in zip(answered.names, answered.as_json(), strict=True)
    ]


def _stages(content: Any) -> "dict[str, NDArray[Any]]":
    """Return the image after each stage that succeeded, by stage. A failed image has no later stages."""
    from model.images.preprocess import preprocess
    from model.images.stages import Stage

    stages: dict[str, NDArray[Any]] = {}
    if isinstance(content, bytes):
        with contextlib.suppress(ImageError):  # the answer names the reason
            preprocess(content, stages.__setitem__)
    elif content is not None:  # an image of an array needs no preprocessing
        stages[Stage.SHOWN] = content
    return stages
