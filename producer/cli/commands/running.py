"""`demo` and `up`: a whole mill on this machine."""

import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from model.errors import UsageError
from producer.cli.display.wording import counted
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, say, tell
from producer.cli.options import JSON
from producer.public.operating import Started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from producer.mill.stack import Stack
    from worker.roles import Role
    from worker.settings import Settings

WORKERS = click.option(
    "--workers", metavar="N", type=click.IntRange(1, 1024), help="Number of workers.  [default: one per core]"
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
@exit_on_error
def demo(workers: int | None, out: Path, as_json: bool) -> None:
    """Classify MNIST's test set with a mill on this machine.

    The demo starts a server and one worker per core, sends 10,000 images through the queue, and writes a report. At
    the end it stops what it started. It leaves only the report.

    \b
    Example:
      digitmill demo
    """
    from dataclasses import replace

    from model.data.sample_digits import write_folder
    from model.errors import DataError
    from producer.cli.display.job_results import print_report, write_job_report
    from producer.cli.display.progress import JobProgressBar
    from producer.jobs.kept.order import SubmitOptions
    from producer.jobs.submission import MNIST, create_job, gather_job, open_submitted
    from producer.mill.finding import await_workers, open_mill
    from producer.mill.stack import Stack
    from producer.report.earlier import check_not_joined
    from producer.report.place import check_place
    from worker.cores import cores
    from worker.settings import Settings

    settings = Settings.from_environment()
    check_place(out)
    check_not_joined(out)
    with tempfile.TemporaryDirectory(prefix="digitmill-demo-") as private:
        # The demo has its own mill and journal, even if another mill runs here or the environment names one.
        settings = replace(settings, redis_url=None, data=Path(private))
        options = SubmitOptions(path=MNIST)
        try:
            source = open_submitted(options, settings)
        except DataError:
            print_notice("MNIST cannot be found or downloaded; using the 1,797 sample digits that ship with digitmill")
            digits = Path(private) / "digits"
            write_folder(digits)
            options = SubmitOptions(path=str(digits), labels="folder")
            source = open_submitted(options, settings)
            description = "sample digits, as PNG files"
        else:
            description = source.description
        count = workers or cores()
        with Stack(Path(private) / "mill", count) as stack:
            connection = open_mill(stack.url, settings)
            _warn_unless_ready(await_workers(connection, stack))
            say(f"A mill is running: 1 server, {counted(count, 'worker')}. {source.total:,} images go in.")
            job = create_job(connection, options, description, settings, detached=False)
            with JobProgressBar(source.total, quiet=as_json) as progress:
                finished = gather_job(
                    connection, job, options, source, settings, on_progress=progress.on_progress, keep=False
                )
            finished = replace(finished, info=replace(finished.info, source=description))
            summary = write_job_report(
                finished,
                out,
                source,
                options.min_confidence,
                mill=stack.url,
                quiet=as_json,
                is_kept=False,
                sent_here=True,
            )
        code = print_report(summary, finished, out, as_json=as_json)
        if not as_json:
            tell(f"next      {_this_program()} submit YOUR-FOLDER")
    sys.exit(code)


@click.command()
@WORKERS
@JSON
@exit_on_error
def up(workers: int | None, as_json: bool) -> None:
    """Run the whole mill on this machine until Ctrl-C.

    The mill has an embedded server and supervised workers. Other commands find it without options. Submitted jobs
    survive a restart. With TensorFlow the mill has a trainer as well, and with DIGITMILL_RETRAIN_CRON a scheduler. If
    DIGITMILL_REDIS_URL is set, the mill uses that server and has no trainer. In that case, start a trainer on the
    machine that should keep the taught images.

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
            _warn_unless_ready(await_workers(connection, stack))
            others = _other_roles(settings)
            for role in others:
                stack.run(role)
            _print_roles(stack, connection.where, settings, others, as_json=as_json)
            _report_restarts(stack)
        except KeyboardInterrupt:
            say("")  # Ctrl-C shows on the line
            say("Stopping. Workers finish their current batches.")


def _other_roles(settings: "Settings") -> "list[Role]":
    """Return the roles that run beside the workers. They start after the workers, for which the user waits."""
    from worker.roles import Role

    # If Redis is elsewhere, a trainer may run there too. Each of two trainers would keep only some taught images.
    trainer = [Role.TRAINER] if settings.redis_url is None and _can_train() else []
    return trainer + ([Role.SCHEDULER] if settings.retrain_cron or settings.retrain_on_drift else [])


def _can_train() -> bool:
    """Return whether all libraries that a trainer needs are installed."""
    from worker.roles import Role

    try:
        Role.TRAINER.check_installed()
    except UsageError:
        return False
    return True


def _print_roles(stack: "Stack", where: str, settings: "Settings", others: "Sequence[Role]", *, as_json: bool) -> None:
    if as_json:
        roles = [str(role) for role in others]
        print_json(Started(redis=where, workers=stack.workers, others=roles, logs=str(stack.logs)))
        return
    tell(f"The mill is running with {counted(stack.workers, 'worker')}. Ctrl-C stops it.")
    tell(f"redis     {printable(where)}")
    if settings.redis_url is None:
        missing = "none: it needs TensorFlow and other libraries, which `pip install 'digitmill[train]'` installs"
        tell(f"trainer   {'1, for `digitmill train`' if 'trainer' in others else missing}")
    if settings.retrain_cron:
        tell(f"schedule  {settings.retrain_cron} (UTC)")
    tell(f"logs      {printable(str(stack.logs))}")
    tell("In another terminal: digitmill submit PATH, digitmill status")


def _report_restarts(stack: "Stack") -> NoReturn:
    """Print a notice whenever a process has ended and was started again."""
    reported: dict[str, int] = {}
    while True:
        time.sleep(1.0)
        restarts = stack.supervisor.restarts()
        for name in restarts:
            if restarts[name] > reported.get(name, 0):
                print_notice(f"{name} ended and was started again; its log in {stack.logs} says why")
        reported = restarts


def _warn_unless_ready(ready: bool) -> None:
    if not ready:
        print_notice("not all workers are ready yet; continuing with those that are")


def _this_program() -> str:
    """Return what the user types to start this program again from the current folder."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return f"{_as_shell_word(Path(sys.executable))} -m {program.absolute().parent.name}"
    # The name is enough if the shell finds this program by it. A virtual environment may not be on the search path.
    found = shutil.which(program.name)
    return program.name if found and program.exists() and program.samefile(found) else _as_shell_word(program)


def _as_shell_word(program: Path) -> str:
    """Return the path of a program, quoted for the shell, and relative to the current folder if it lies below it."""
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return shlex.quote(str(program) if len(program.parts) > 1 else f"./{program}")
