"""Showing what a job gave: the report's headline, or a line for each image."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from model.errors import ImageError
from model.images.preprocess import preprocess
from producer.cli.display.progress import showing
from producer.cli.exits import Exit, complain, printable
from producer.jobs.results import NONE, Results
from producer.jobs.submission import FinishedJob
from producer.report import Summary, write_report
from producer.report.page import MAX_LEAST_CERTAIN, MAX_MISTAKES
from producer.report.selection import doubted, least_certain, mistakes
from producer.sources import Source


def report_job(
    finished: FinishedJob, folder: Path, source: Source | None, min_confidence: float | None, *, as_json: bool
) -> Exit:
    """Write a job's report and print its headline; return the exit code.

    Args:
        finished: the job.
        folder: of the report.
        source: where its images can be read again for the pictures, or None.
        min_confidence: below it an image is listed for review.
        as_json: print report.json instead.
    """
    results, run = finished.results, finished.info
    with showing("Writing the report", quiet=as_json):
        summary = write_report(
            folder,
            results,
            run,
            card=json.loads(finished.card.dumps()) if finished.card else None,
            picture=_pictures(results, source),
            min_confidence=min_confidence,
            root=source.root if source else "",
        )
    if as_json:
        click.echo(json.dumps({**summary.as_json(), "report": str(folder / "report.html")}))
    else:
        print_headline(summary, folder)
    for notice in summary.notices:
        complain(notice)
    return Exit.SOME_FAILED if results.failures else Exit.WELL


def print_headline(summary: Summary, folder: Path) -> None:
    """Print what matters of a report: counts, accuracy with its denominator, speed, model, where the page is."""
    rate = f" ({summary.images_per_second:,.0f} images/s)" if summary.images_per_second else ""
    click.echo(f"images    {summary.images:,} in {summary.seconds:.1f} s{rate}")
    if summary.accuracy is not None:
        accuracy = click.style(f"{100 * summary.accuracy:.2f} %", bold=True)
        counts = f"{summary.correct:,} of {summary.accuracy_denominator:,} labelled images right"
        click.echo(f"accuracy  {accuracy}  ({counts})")
    if summary.failed:
        codes = ", ".join(f"{count:,} {code}" for code, count in summary.failures.items())
        click.echo(click.style(f"failed    {summary.failed:,}  ({codes}); errors.csv says why", fg="yellow"))
    if summary.review:
        doubt = f"review    {summary.review:,}  (confidence below {summary.min_confidence:g}); review.csv lists them"
        click.echo(click.style(doubt, fg="yellow"))
    click.echo(f"model     {', '.join(summary.model_versions) or 'none was reached'}")
    click.echo(f"report    {folder / 'report.html'}")


def print_answers(results: Results, min_confidence: float | None, *, as_json: bool) -> None:
    """Print a line for each image: name, digit, confidence and whether that is low, or why there is no digit."""
    rows = answers(results, min_confidence)
    if as_json:
        click.echo(json.dumps(rows))
        return
    names = [printable(name) for name in results.names]
    width = min(max(map(len, names), default=0), 60)
    for row, name in zip(rows, names, strict=True):
        click.echo(f"{name:{width}}  {wording(row)}")


def answers(results: Results, min_confidence: float | None) -> list[dict[str, Any]]:
    """Return what is known of each image, ready for JSON."""
    review = doubted(results, min_confidence).tolist()
    return [_answer(results, row, review=review[row]) for row in range(len(results))]


def wording(answer: dict[str, Any], *, styled: bool = True) -> str:
    """Return one of `answers` in words: digit and confidence, or why there is none."""
    style = click.style if styled else lambda text, **_: text
    if answer["digit"] is None:
        return f"{style('-', fg='red')}  {answer['error']}: {printable(answer['message'])}"
    words = f"{style(str(answer['digit']), bold=True)}  {100 * answer['confidence']:.1f} %"
    return words + style("  unsure, may be no digit: review", fg="yellow") if answer["review"] else words


def _answer(results: Results, row: int, *, review: bool) -> dict[str, Any]:
    failure = results.failures.get(row)
    digit, confidence = int(results.digits[row]), float(results.confidences[row])
    answer: dict[str, Any] = {
        "name": results.names[row],
        "digit": None if digit == NONE else digit,
        "confidence": None if math.isnan(confidence) else round(confidence, 6),
        "review": review,
        "model": results.models[row],
    }
    if results.probabilities is not None and failure is None:
        answer["probabilities"] = [round(float(value), 6) for value in results.probabilities[row]]
    if failure:
        answer |= {"error": str(failure.code), "message": failure.sentence}
    return answer


def _pictures(results: Results, source: Source | None) -> Callable[[int], NDArray[np.uint8] | None]:
    """Return what draws image number i as the network saw it: read again at the source, decoded here.

    All that a report may draw is read in one pass: one by one, a compressed archive would be read from its beginning
    for each.
    """
    if source is None:
        return lambda _: None
    rows = [*mistakes(results)[:MAX_MISTAKES], *least_certain(results, MAX_LEAST_CERTAIN)]
    contents = source.read_many({results.names[row] for row in rows})

    def picture(row: int) -> NDArray[np.uint8] | None:
        content = contents.get(results.names[row])
        if not isinstance(content, bytes):
            return content
        try:
            return preprocess(content)
        except ImageError:
            return None

    return picture
