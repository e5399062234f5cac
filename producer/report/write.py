"""Writing a report: every figure from one `Summary`, every file replaced in one piece."""

import json
from dataclasses import replace
from pathlib import Path

from model.errors import UsageError
from producer.jobs.results import JobInfo, Results
from producer.report import page, tables
from producer.report.files import replacing
from producer.report.page import Picture
from producer.report.summary import Summary, summarise

PAGE, FIGURES = "report.html", "report.json"
PREDICTIONS, ERRORS, REVIEW = "predictions.csv", "errors.csv", "review.csv"
CONFUSION, CALIBRATION, THROUGHPUT = "confusion.png", "calibration.png", "throughput.png"

WITHOUT_MATPLOTLIB = (
    "The PNG plots were left out, for matplotlib is not installed; report.html has the same figures. "
    "To get them: pip install 'digitmill[report]'."
)


def write_report(
    folder: Path,
    results: Results,
    run: JobInfo,
    *,
    card: dict[str, object] | None,
    picture: Picture,
    min_confidence: float | None = None,
    root: str = "",
    plots: bool = True,
) -> Summary:
    """Write the report of a job into `folder`, made if need be; an earlier report there is replaced.

    Each file is replaced in one piece, and `report.json` last: a program that waits for it finds the others ready.

    Args:
        folder: where the files of `producer.report` go. Other files in it stay as they are.
        results: every image of the job and its answer.
        run: the circumstances of the job.
        card: of the model that classified it, as in card.json; None if it is not known.
        picture: gives the image with an index as the network saw it, (28, 28) uint8, light ink on black, or None where
            the source is no longer at hand. It is asked for at most 240 images.
        min_confidence: 0 to 1; images below it are listed in `review.csv`. None: there is no such list.
        root: what to put before an image's name to have its path, for `review.csv`; "" if that leads nowhere.
        plots: also write the PNG files. It takes about a second, most of it the import of matplotlib.

    Returns:
        The figures of the report, and in `notices` what the user should be told.

    Raises:
        UsageError: the folder cannot be written.
    """
    summary = summarise(results, run, min_confidence=min_confidence)
    html = page.render(results, run, summary, card=card, picture=picture, teachable=bool(root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tables.write_predictions(folder / PREDICTIONS, results, min_confidence)
        tables.write_errors(folder / ERRORS, results)
        written = set()
        if min_confidence is not None:
            tables.write_review(folder / REVIEW, results, min_confidence, root)
            written.add(REVIEW)
        if plots:
            drawn, notices = _write_plots(folder, results, run, summary)
            written |= drawn
            summary = replace(summary, notices=notices)
        for name in {REVIEW, CONFUSION, CALIBRATION, THROUGHPUT} - written:
            (folder / name).unlink(missing_ok=True)  # an earlier report's: it would speak of another job
        _write(folder / PAGE, html)
        _write(folder / FIGURES, json.dumps(summary.as_json(), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise UsageError(
            f"Cannot write the report into {folder} ({error.strerror or error}). Make the folder writable, or choose "
            "another with --out."
        ) from error
    return summary


def _write_plots(folder: Path, results: Results, run: JobInfo, summary: Summary) -> tuple[set[str], tuple[str, ...]]:
    """Write those PNG files that there is something to draw for; return their names, and notices for the user."""
    try:
        from producer.report import plots
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return set(), (WITHOUT_MATPLOTLIB,)
    figures = {
        CONFUSION: plots.confusion(summary),
        CALIBRATION: plots.calibration(results, summary),
        THROUGHPUT: plots.throughput(run, summary),
    }
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    for name, figure in drawn.items():
        with replacing(folder / name) as draft:
            figure.savefig(draft, format="png", dpi=120)
    return set(drawn), ()


def _write(path: Path, text: str) -> None:
    # A file's name can hold bytes that are no UTF-8; they are written as Python prints them.
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
