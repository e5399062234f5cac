"""`classify`: a command that classifies a few images at once."""

import sys
from concurrent.futures import wait
from typing import TYPE_CHECKING, Literal

import click

from model.errors import UsageError
from producer.cli.exits import ExitCode, exit_on_error
from producer.cli.notices import print_notes
from producer.cli.options import AS_IS, JSON, MIN_CONFIDENCE, NULL, SEVERAL, TIMEOUT, not_empty

if TYPE_CHECKING:
    from producer.calls.prediction import Prediction
    from producer.cli.display.answers import Answered
    from producer.jobs.kept.order import Several
    from producer.jobs.results import Results
    from producer.sources import Source, SourceImage
    from worker.settings import Settings

FEW_IMAGES, FEW_BYTES = 32, 8 * 2**20
"""Number of images, and of their bytes together, up to which they go past the jobs. More of them are a job."""

SILENT_SECONDS = 1.0
"""Time after which a command says that it waits."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-", callback=not_empty)
@NULL
@SEVERAL
@AS_IS
@MIN_CONFIDENCE
@TIMEOUT
@JSON
@exit_on_error
def classify(
    files: tuple[str, ...],
    null: bool,
    several: "Several",
    as_is: bool,
    min_confidence: float | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Print the digit and the confidence of each image.

    With -, the paths of the images come from standard input, one on each line.

    \b
    Examples:
      digitmill classify seven.png eight.jpg
      find scans -name '*.png' | digitmill classify -
      digitmill classify meter.jpg --several read
    """
    from producer.cli.display.answers import print_answers
    from producer.sources import open_each
    from worker.settings import Settings

    source = open_each(_named(files, null=null), as_is=as_is)
    print_notes(source)
    settings = Settings.from_environment()
    answered = classified(source, settings, timeout, several=several, min_confidence=min_confidence, quiet=as_json)
    print_answers(answered, as_json=as_json)
    sys.exit(ExitCode.SOME_FAILED if answered.failed else ExitCode.OK)


def _named(files: tuple[str, ...], *, null: bool) -> tuple[str, ...]:
    """Return the paths that the user names, or those in standard input.

    Raises:
        UsageError: The words do not go together, or standard input has no paths.
    """
    from producer.sources import read_paths

    if "-" not in files:
        if null:
            raise UsageError("-0 says how the paths in standard input end. Name - instead of files, or leave out -0.")
        return files
    if len(files) > 1:
        raise UsageError("- stands for the paths in standard input, without other files. A file of that name is ./-.")
    if not (paths := tuple(dict.fromkeys(read_paths(sys.stdin.buffer, null=null)))):
        raise UsageError("The list of paths in standard input is empty. Write one path on each line.")
    return paths


def classified(
    source: "Source",
    settings: "Settings",
    timeout: float,
    *,
    min_confidence: float | None,
    several: "Several" = "refuse",
    quiet: bool,
) -> "Answered":
    """Classify the images of a source and return the answers. If no mill is running, start one for this.

    A few images go past the jobs, if a mill is running and answers single images. Otherwise they are a job.

    Args:
        source: Images to classify.
        settings: Settings of this process.
        timeout: Seconds without any worker, or without Redis, after which to give up.
        min_confidence: Confidence, 0 to 1, below which an image is for review, or None for no review.
        several: What to do with an image of several digits.
        quiet: Whether to show no progress.
    """
    from producer.cli.display.answers import Answered
    from producer.mill.finding import find_mill_url

    url, images, predictions = find_mill_url(settings), _few(source), None
    names = [image.name for image in images or ()]
    if url is not None and images is not None:
        predictions = _past_jobs(url, images, timeout, min_confidence=min_confidence, several=several, quiet=quiet)
    if predictions is None:
        results = _as_job(source, settings, timeout, several=several, quiet=quiet)
        names, predictions = list(results.names), _predictions(results, min_confidence)
    return Answered(names, predictions, several == "read", min_confidence is not None)


def _few(source: "Source") -> "list[SourceImage] | None":
    """Return the images of a source, or None if they are not few and small."""
    if source.total > FEW_IMAGES:
        return None
    images, size = [], 0
    for image in source:
        images.append(image)
        size += len(image.content) if isinstance(image.content, bytes) else 0
        if size > FEW_BYTES:
            return None
    return images


def _past_jobs(
    url: str,
    images: "list[SourceImage]",
    timeout: float,
    *,
    min_confidence: float | None,
    several: "Several",
    quiet: bool,
) -> "list[Prediction] | None":
    """Return the predictions for images, or None if the mill at a URL answers no single images."""
    from producer.calls.client import Client
    from worker.contract.errors import NoLane, NotPermitted

    read: Literal["read", "refuse"] = "read" if several == "read" else "refuse"
    try:
        with Client(url, timeout=timeout, several=read, min_confidence=min_confidence or 0.0) as client:
            futures = [client.send(image.content) for image in images]
            if not quiet and wait(futures, SILENT_SECONDS).not_done:
                from producer.cli.display.progress import showing

                with showing("Waiting for workers", quiet=quiet):
                    wait(futures)
            return [future.result() for future in futures]
    except (NoLane, NotPermitted):  # workers of an older version, or a Redis user with the rights of one
        return None


def _as_job(source: "Source", settings: "Settings", timeout: float, *, several: "Several", quiet: bool) -> "Results":
    from producer.cli.commands.submitting import progress_of, report_start
    from producer.jobs.kept.order import SubmitOptions
    from producer.jobs.submission import create_job, gather_job
    from producer.mill.finding import running_or_temporary_mill

    options = SubmitOptions(path="", labels="none", probabilities=several != "read", several=several)
    with running_or_temporary_mill(settings, on_start=report_start, timeout=timeout) as connection:
        job = create_job(
            connection, options, source.description, settings, detached=False, total=source.total, timeout=timeout
        )
        with progress_of(source, quiet) as on_progress:
            finished = gather_job(connection, job, options, source, settings, timeout=timeout, on_progress=on_progress)
    return finished.results


def _predictions(results: "Results", min_confidence: float | None) -> "list[Prediction]":
    """Return the results of a job as predictions."""
    from msgspec.structs import replace

    from producer.calls.prediction import Prediction
    from producer.jobs.results import NONE
    from producer.report.selection import doubted

    found = []
    for row, review in enumerate(doubted(results, min_confidence).tolist()):
        digit, model = int(results.digits[row]), results.models[row]
        if row in results.failures:
            found.append(replace(Prediction.failed(results.failures[row], model=model), review=review))
            continue
        rows = results.probabilities
        prediction = Prediction(
            None if digit == NONE else digit,
            float(results.confidences[row]),
            None if rows is None else tuple(rows[row].tolist()),
            model,
            review,
            results.doubts.get(row),
        )
        if (numbers := results.numbers) is not None:
            shares = tuple(numbers.confidences[row])
            prediction = replace(prediction, number=numbers.read[row], confidences=shares)
        found.append(prediction)
    return found
