"""Write a report. Every figure comes from one `Summary`, and every file is replaced in one piece."""

import json
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from model.cards.card import Card
from producer.jobs.results import JobInfo, Results
from producer.pictures import Picture
from producer.report import page
from producer.report.charts.drawing import Drawing, drawing
from producer.report.charts.job_charts import charts_of
from producer.report.charts.job_plots import plots_of
from producer.report.charts.plots import MAX_PICTURES
from producer.report.page import ReadPictures
from producer.report.place import (
    ERRORS,
    FIGURES,
    PAGE,
    PREDICTIONS,
    REVIEW,
    replacing_report,
)
from producer.report.selection import select
from producer.report.summary import Summary, summarise
from producer.report.tables import tables
from producer.report.tables.rows import FileVersion
from producer.report.wording import duration, number

_log = logging.getLogger(__name__)


def write_report(
    folder: Path,
    results: Results,
    info: JobInfo,
    *,
    card: Card | None,
    read_pictures: ReadPictures,
    min_confidence: float | None = None,
    root: str = "",
    left_out: Mapping[str, int] = MappingProxyType({}),
    notes: Sequence[str] = (),
    plots: bool = True,
    versions: Mapping[str, FileVersion] | None = None,
    began: float | None = None,
) -> Summary:
    """Write the report of a job into `folder`. An earlier report there is replaced, and nothing else is.

    Each file is replaced in one piece. `report.json` comes last, so a program that waits for it finds all others
    complete. `report.json` also has the SHA-256 of each file, by which the next report knows what it may replace.

    Args:
        folder: Folder of the report, created if necessary. Files that are not part of a report stay.
        results: All images of the job and their answers.
        info: Times and workers of the job.
        card: Card of the model that classified most images, or None if it is unknown.
        read_pictures: Reader of the images that a page shows. It is called once for each page.
        min_confidence: Confidence, 0 to 1, below which `review.csv` lists an image, or None for no `review.csv`.
        root: Text before an image's name that makes it a path, for `review.csv`. With "", that file has no paths.
        left_out: Number of files of the source that were not read, by kind; see `Source.left_out`.
        notes: Sentences about the source; see `Source.notes`.
        plots: Whether to write the PNG files as well. Another process draws them, which takes about a second.
        versions: As for `tables.write_predictions`.
        began: Monotonic time at which the command that sent the images began, or None if it is not this command.

    Returns:
        The figures of the report. Its `notices` are for the user.

    Raises:
        UsageError: The folder has something else than a report, or cannot be written.
    """
    selection = select(results, min_confidence)
    summary = summarise(results, info, selection, left_out=left_out, notes=notes)
    charts = charts_of(results, info, summary, card)
    _log.info("Writing the report into %s", folder)
    with replacing_report(folder) as drafts, drawing() if plots else nullcontext() as drawn:
        first: dict[int, Picture] = {}

        def reading(indices: Sequence[int]) -> Mapping[int, Picture | None]:
            read = read_pictures(indices)
            first.update((index, found) for index in selection.shown_first[:MAX_PICTURES] if (found := read.get(index)))
            return read

        # The first page says how long the command took, so it is written last.
        mark = "" if began is None else f"time-{secrets.token_hex(8)}"
        pages = page.render(results, summary, selection, charts, card=card, read_pictures=reading, root=root, time=mark)
        first_page, late, without = "", 0, 0
        for written in pages:
            if written.name == PAGE:
                first_page = written.html
                if drawn:  # the other process draws while this one writes the other files
                    drawn.begin(plots_of(summary, charts, results, first))
            else:
                _write(drafts / written.name, written.html)
            late, without = late + written.late, without + written.without_picture
        notices = (*summary.notices, _not_read(late, info)) if late else summary.notices
        summary = replace(summary, without_picture=without, notices=notices)
        tables.write_predictions(drafts / PREDICTIONS, results, selection, versions)
        tables.write_errors(drafts / ERRORS, results)
        if min_confidence is not None:
            tables.write_review(drafts / REVIEW, results, selection, root)
        if drawn:
            summary = replace(summary, notices=(*_write_pngs(drafts, drawn), *summary.notices))
        if began is not None:
            summary = summary.with_command(time.monotonic() - began)
            first_page = first_page.replace(f"{mark}-seconds", duration(summary.command_seconds or 0.0))
            first_page = first_page.replace(f"{mark}-rate", number(summary.command_images_per_second or 0.0))
        _write(drafts / PAGE, first_page)
        _log.info("Wrote tables, pages and charts")
        _write(drafts / FIGURES, json.dumps(summary.as_json(), indent=1, allow_nan=False) + "\n")
    return summary


def _not_read(late: int, info: JobInfo) -> str:
    said = (
        f"Not all pictures of images to look at were read, because that would have taken long ({late:,} are missing)."
    )
    # The report of one job would not have the rows of earlier jobs.
    return said if info.earlier else f"{said} `digitmill review {info.job}` reads them."


def _write_pngs(folder: Path, drawn: Drawing) -> tuple[str, ...]:
    """Write the files that another process has drawn. Return notices for the user."""
    files, fault = drawn.finish()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return (fault,) if fault else ()


def _write(path: Path, text: str) -> None:
    # The name of an image can have bytes that are not UTF-8. They are written as Python prints them.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
