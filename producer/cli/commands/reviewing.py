"""`review`: opens the page on which a person looks at a job's doubtful images and corrects them."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JOB, JSON, OUT, TIMEOUT, report_folder
from producer.public.jobs import Reviewed

if TYPE_CHECKING:
    from worker.settings import Settings


@click.command()
@JOB
@OUT
@click.option("--no-open", is_flag=True, help="Only write the page and print its path.")
@TIMEOUT
@JSON
@exit_on_error
def review(job: str, out: Path | None, no_open: bool, timeout: float, as_json: bool) -> None:
    """Open the page with a job's mistakes and its images for review.

    The page is that of the job's report, which is written unless it has all pictures already. Each image is there as
    you sent it and as the network saw it. You correct readings with the keyboard, and save them as corrections.csv for
    `digitmill teach --csv`.

    \b
    Examples:
      digitmill review last
      digitmill review last --no-open --out reports/latest
    """
    from producer.report.place import PAGE, find_report
    from worker.settings import Settings

    settings = Settings.from_environment()
    identifier = _identify(job, settings, timeout)
    folder = out or report_folder(identifier)
    found = find_report(folder, identifier)
    # A page that has rows of earlier jobs as well (`submit --new`) stays, because a report of this job would lack them.
    if found is None or (found.get("without_picture") != 0 and not found.get("earlier")):
        _write(identifier, folder, settings, timeout, exists=found is not None, quiet=as_json)
    page = (folder / PAGE).absolute()
    if as_json:
        print_json(Reviewed(job=identifier, report=str(page)))
    else:
        tell(printable(str(page)))
    if not no_open and not as_json and not _open(page):
        print_notice("no browser was found here; open the page in yours")


def _identify(job: str, settings: "Settings", timeout: float) -> str:
    """Return the identifier of the job that is meant, also without a mill if the order of the job is here.

    Raises:
        Unreachable: There is neither a mill nor an order.
        UsageError: No job is meant, or several are.
    """
    from producer.jobs.finding import find_job
    from producer.jobs.kept.order import find_order
    from producer.mill.finding import open_running_mill
    from worker.contract.errors import Unreachable

    try:
        return find_job(open_running_mill(settings, timeout=timeout), job, settings)
    except Unreachable:
        order = find_order(settings, job)
        if order is None:
            raise
        return order.job


def _write(identifier: str, folder: Path, settings: "Settings", timeout: float, *, exists: bool, quiet: bool) -> None:
    """Write the report of a job with all pictures, unless one is there and the images are not."""
    from producer.cli.commands.jobs import gather
    from producer.cli.display.job_results import write_job_report
    from producer.mill.finding import find_mill_url, open_running_mill
    from producer.report.earlier import check_not_joined
    from producer.report.place import check_place
    from worker.contract.errors import Unreachable

    try:
        connection = open_running_mill(settings, timeout=timeout)
    except Unreachable as fault:
        if not exists:
            raise
        print_notice(f"some pictures are missing: {fault}")
        return
    gathered = gather(connection, identifier, settings, timeout=timeout, quiet=quiet)
    if gathered.fault:
        print_notice(f"some pictures are missing: {gathered.fault}")
        if exists:
            return
    check_place(folder)
    check_not_joined(folder)
    summary = write_job_report(
        gathered.finished,
        folder,
        gathered.source,
        gathered.min_confidence,
        mill=find_mill_url(settings),
        all_pictures=True,
        quiet=quiet,
    )
    for notice in summary.notices:
        print_notice(notice)


def _open(page: Path) -> bool:
    """Open a page in the browser of the user. Return False if there is none with windows."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # A browser without windows would take the terminal, and has no scripts.
    return type(browser) is not webbrowser.GenericBrowser and browser.open(page.as_uri())
