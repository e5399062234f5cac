"""`demo` and `up`: a whole mill on this machine."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from producer.cli.exits import at_the_edge, complain
from producer.cli.options import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from producer.mill.stack import Stack
    from worker.roles import Role
    from worker.settings import Settings

WORKERS = click.option(
    "--workers", metavar="N", type=click.IntRange(1, 1024), help="How many workers.  [default: one per core]"
)


@click.command()
@WORKERS
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports/demo"),
    show_default=True,
    help="Folder of the report.",
)
@JSON
@at_the_edge
def demo(workers: int | None, out: Path, as_json: bool) -> None:
    """Show the whole mill at work on MNIST's test set.

    A server, a worker per core, 10,000 images through the queue, a report. All that it starts is stopped when it
    returns; all it leaves is the report.

    \b
    Example:
      digitmill demo
    """
    from dataclasses import replace

    from model.data.sample_digits import write_folder
    from model.errors import DataError
    from producer.cli.display.answers import report_job
    from producer.cli.display.progress import JobProgressBar
    from producer.jobs.submission import MNIST, SubmitOptions, create_job, gather_job, open_submitted
    from producer.mill.finding import await_workers, open_mill
    from producer.mill.stack import Stack
    from worker.cores import cores
    from worker.settings import Settings

    settings = Settings.from_environment()
    with tempfile.TemporaryDirectory(prefix="digitmill-demo-") as private:
        # The demo's own mill and journal, whatever else runs or is set on this machine.
        settings = replace(settings, redis_url=None, data=Path(private))
        order = SubmitOptions(path=MNIST)
        try:
            source = open_submitted(order, settings)
        except DataError:
            complain(
                "MNIST is neither in DIGITMILL_MNIST nor to be downloaded; using the digits that scikit-learn carries"
            )
            digits = Path(private) / "digits"
            write_folder(digits)
            order = SubmitOptions(path=str(digits), labels="folder")
            source = open_submitted(order, settings)
            description = "scikit-learn's digits, as PNG files"
        else:
            description = source.description
        count = workers or cores()
        with Stack(Path(private) / "mill", count) as stack:
            connection = open_mill(stack.url, settings)
            _expect_workers(await_workers(connection, stack))
            if not as_json:
                click.echo(f"A mill is running: 1 server, {_workers(count)}. {source.total:,} images go in.")
            job = create_job(connection, order, description, settings, detached=False)
            with JobProgressBar(source.total, quiet=as_json) as progress:
                finished = gather_job(connection, job, order, source, settings, on_progress=progress.on_progress)
            finished = replace(finished, info=replace(finished.info, source=description))
        code = report_job(finished, out, source, order.min_confidence, as_json=as_json)
        if not as_json:
            click.echo(f"next      {_this_program()} submit YOUR-FOLDER")
    sys.exit(code)


@click.command()
@WORKERS
@JSON
@at_the_edge
def up(workers: int | None, as_json: bool) -> None:
    """Run the whole mill on this machine until Ctrl-C.

    An embedded server and supervised workers; other commands find them by themselves. What was submitted outlives a
    restart. With TensorFlow there is a trainer as well, and with DIGITMILL_RETRAIN_CRON a scheduler. Where
    DIGITMILL_REDIS_URL is set, that server is used, and a trainer has to be started where what is taught is to be kept.

    \b
    Example:
      digitmill up --workers 4
    """
    from producer.mill.finding import await_workers, open_mill, stack_folder
    from producer.mill.stack import Stack
    from worker.cores import cores
    from worker.settings import Settings

    settings = Settings.from_environment()
    with Stack(stack_folder(settings), workers or cores(), redis_url=settings.redis_url) as stack:
        try:
            connection = open_mill(stack.url, settings)
            _expect_workers(await_workers(connection, stack))
            others = _others(settings)
            for role in others:
                stack.run(role)
            _say_what_runs(stack, connection.where, settings, others, as_json=as_json)
            _watch_over(stack)
        except KeyboardInterrupt:
            click.echo("\nStopping: workers finish the batch in hand.", err=True)


def _others(settings: "Settings") -> "list[Role]":
    """What runs beside the workers, after them: somebody waits for those."""
    from worker.roles import Role

    # Where Redis is elsewhere, so may be the trainer; of two with folders of their own, one would know nothing taught.
    trainer = [Role.TRAINER] if settings.redis_url is None and _has_tensorflow() else []
    return trainer + ([Role.SCHEDULER] if settings.retrain_cron else [])


def _has_tensorflow() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorflow") is not None


def _say_what_runs(
    stack: "Stack", where: str, settings: "Settings", others: "Sequence[Role]", *, as_json: bool
) -> None:
    if as_json:
        click.echo(json.dumps({"redis": where, "workers": stack.workers, "others": others, "logs": str(stack.logs)}))
        return
    click.echo(f"The mill is running with {_workers(stack.workers)}. Ctrl-C stops it.")
    click.echo(f"redis     {where}")
    if settings.redis_url is None:
        missing = "none: it needs TensorFlow, which `pip install 'digitmill[train]'` gets"
        click.echo(f"trainer   {'1, for `digitmill train`' if 'trainer' in others else missing}")
    if settings.retrain_cron:
        click.echo(f"schedule  {settings.retrain_cron} (UTC)")
    click.echo(f"logs      {stack.logs}")
    click.echo("In another terminal: digitmill submit PATH, digitmill status")


def _watch_over(stack: "Stack") -> NoReturn:
    """Say of every process that has ended that it was started again."""
    told: dict[str, int] = {}
    while True:
        time.sleep(1.0)
        restarts = stack.supervisor.restarts()
        for name in restarts:
            if restarts[name] > told.get(name, 0):
                complain(f"{name} had ended and was started again; its log in {stack.logs} says why")
        told = restarts


def _expect_workers(ready: bool) -> None:
    if not ready:
        complain("not all workers are ready yet; going on with those that are")


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _this_program() -> str:
    """What to type for this program: its path, unless the shell finds it by name (`make` does not put it there)."""
    program = Path(sys.argv[0])
    return program.name if shutil.which(program.name) == str(program) else str(program)
