"""`compare`: two jobs on the same images."""

from pathlib import Path

import click

from producer.cli.completion import complete_jobs
from producer.cli.exits import exit_on_error
from producer.cli.notices import print_notice
from producer.cli.options import JSON, TIMEOUT, FiniteRange, not_empty, page_option


@click.command()
@click.argument("a", metavar="A", callback=not_empty, shell_complete=complete_jobs)
@click.argument("b", metavar="B", callback=not_empty, shell_complete=complete_jobs)
@page_option("reports/A-B.html")
@click.option(
    "--min-confidence",
    metavar="P",
    type=FiniteRange(0, 1),
    help="An image is for review in a job if its confidence there is below P (0 to 1).  [default: as submitted]",
)
@TIMEOUT
@JSON
@exit_on_error
def compare(a: str, b: str, out: Path | None, min_confidence: float | None, timeout: float, as_json: bool) -> None:
    """Compare two jobs on the same images: two models, or two days.

    A and B are jobs, as for `show`. An image of A and one of B are the same if their names are the same, or, if a
    folder was moved, the ends of their names. If there are labels, the command says which job reads more, and whether
    that may be chance. Without labels, it says how often both agree. The page shows what changed, as pictures, if the
    images are still where they were submitted. `models compare` compares two versions by their cards.

    \b
    Examples:
      digitmill compare 261126-0830 last
      digitmill compare 261126-0830 last --out changes.html
    """
    from producer.cli.commands.jobs import gather
    from producer.cli.display.comparison import print_comparison, print_doubts, public_comparison, read_pictures
    from producer.cli.json_output import print_json
    from producer.jobs.finding import find_job
    from producer.jobs.kept.order import job_file
    from producer.jobs.kept.sent import content_differs
    from producer.mill.finding import open_running_mill
    from producer.report.comparison.matching import compare as match
    from producer.report.comparison.page import write_comparison
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings, timeout=timeout)
    one, other = (
        gather(connection, find_job(connection, job, settings), settings, timeout=timeout, quiet=as_json)
        for job in (a, b)
    )
    if not (source := other.source or one.source):
        print_notice(f"this comparison has no pictures: {other.fault}")
    below = [job.min_confidence if min_confidence is None else min_confidence or None for job in (one, other)]
    compared = match(one.finished, other.finished, *below)
    logs = [job_file(settings, job.finished.info.job, "sent") for job in (one, other)]
    print_doubts(compared, same_content=not content_differs(*logs))
    path = out or Path("reports") / f"{one.finished.info.job}-{other.finished.info.job}.html"
    write_comparison(path, compared, read_pictures(compared, source, quiet=as_json))
    if as_json:
        print_json(public_comparison(compared, path))
    else:
        print_comparison(compared, path)
