"""`train`: ask for a training, watch it, stop it."""

import json
import os
import socket
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.exits import at_the_edge, complain, printable
from producer.cli.options import JSON
from worker.contract.errors import JobFailed

if TYPE_CHECKING:
    from producer.mill.connection import Connection
    from worker.contract.training import ScheduleStatus, TrainingOptions, Trainings, TrainingStatus

LOOK_SECONDS = 0.5
TIMEOUT_SECONDS = 60.0
CANCEL_SECONDS = 10.0
"""How long `--cancel` waits to see the training end; a trainer takes a second or two."""

NO_TRAINER = "no trainer is running, so this waits for one: `python -m worker.trainer` starts it"


@click.command()
@click.option("--wait", is_flag=True, help="Show how it gets on until it has ended; Ctrl-C leaves it running.")
@click.option("--quick", is_flag=True, help="Refine the live model, in about a minute, instead of training a new one.")
@click.option("--epochs", metavar="N", type=click.IntRange(1, 1000), help="So many, instead of the recipe's.")
@click.option("--seed", metavar="N", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option(
    "--data",
    type=click.Choice(["mnist", "samples"]),
    default="mnist",
    show_default=True,
    help="What was taught is added to either; samples: scikit-learn's 1,797 digits, for trying things out.",
)
@click.option("--cancel", is_flag=True, help="Stop the training that runs or waits.")
@JSON
@at_the_edge
def train(wait: bool, quick: bool, epochs: int | None, seed: int, data: str, cancel: bool, as_json: bool) -> None:
    """Train a new model, which goes live if it is no worse.

    No worse, that is, than the one that is live, on images that neither was trained on.

    A trainer does it while the workers go on classifying. One training runs at a time: who asks while one does is
    shown that one. A refused model stays the candidate.

    \b
    Examples:
      digitmill train --wait
      digitmill train --quick
      digitmill train --cancel
    """
    from producer.mill.finding import find_mill_url, open_running_mill
    from worker.contract.doorbell import make_app
    from worker.contract.training import TrainingOptions, Trainings
    from worker.contract.training.bell import ring
    from worker.settings import DEFAULT_REDIS_URL, Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings)
    trainings = Trainings(connection.client)
    if cancel:
        _cancel(connection, trainings, as_json=as_json)
        return
    identifier, joined = _ask(connection, trainings, TrainingOptions(data=data, quick=quick, epochs=epochs, seed=seed))
    ring(make_app(find_mill_url(settings) or DEFAULT_REDIS_URL, settings))
    if joined:
        complain(f"training {identifier} was asked for before and has not ended, so this is that one")
    if not trainings.trainers():
        complain(NO_TRAINER)
    if wait:
        _show_end(_await_end(connection, trainings, identifier, quiet=as_json), as_json=as_json)
    elif as_json:
        click.echo(json.dumps({"training": identifier, "joined": joined}))
    else:
        click.echo(f"Training {identifier} is asked for")
        click.echo("digitmill train --wait  shows how it gets on; digitmill status also does")
        click.echo("digitmill train --cancel  stops it")


def describe(status: "TrainingStatus") -> str:
    """How a training stands, in words."""
    if not status.state.ended and not status.held:
        return "waits for a trainer" if not status.attempts else "waits for another trainer: the one at it is gone"
    if status.state.ended:
        version = f" as {status.version}" if status.version else ""
        return f"{status.state}{version}{f': {status.reason}' if status.reason else ''}"
    if not status.epoch:
        return status.stage or "starting"
    left = f", {_duration(status.seconds_left)} left" if status.seconds_left else ""
    return f"{status.stage}, epoch {status.epoch} of {status.epochs}, {status.accuracy:.2%} so far{left}"


def describe_schedule(schedule: "ScheduleStatus") -> str:
    """How the schedule stands, in words."""
    if not schedule.cron:
        return "none: DIGITMILL_RETRAIN_CRON is not set where the scheduler runs"
    due = f", next at {_moment(schedule.next)}" if schedule.next else ""
    last = f"; {_moment(schedule.handled)}: {schedule.outcome}" if schedule.handled else ""
    return f"{schedule.cron}{due}{last}"


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def _ask(connection: "Connection", trainings: "Trainings", order: "TrainingOptions") -> tuple[str, bool]:
    """Ask for a training; return the id of the one that is open, and whether it is another than was asked for."""
    from worker.contract.ledger import new_job_identifier

    identifier = new_job_identifier()
    who = f"{socket.gethostname()}-{os.getpid()}"
    given = connection.retry_transient(lambda: trainings.ask(identifier, order, who=who), timeout=TIMEOUT_SECONDS)
    return given, given != identifier


def _cancel(connection: "Connection", trainings: "Trainings", *, as_json: bool) -> None:
    status = connection.retry_transient(trainings.cancel, timeout=TIMEOUT_SECONDS)
    if status is None:
        raise UsageError("No training runs or waits, so there is nothing to cancel.")
    deadline = time.monotonic() + CANCEL_SECONDS
    while not status.state.ended and time.monotonic() < deadline:
        time.sleep(0.1)
        status = _status(connection, trainings, status.identifier)
    if as_json:
        click.echo(json.dumps(asdict(status)))
    elif status.state.ended:
        click.echo(f"Training {status.identifier} is {status.state}")
    else:
        click.echo(f"Training {status.identifier} will be cancelled as soon as its trainer hears of it")


def _await_end(connection: "Connection", trainings: "Trainings", identifier: str, *, quiet: bool) -> "TrainingStatus":
    """Show how a training gets on until it has ended.

    Raises:
        KeyboardInterrupt: Ctrl-C; the training goes on.
    """
    from producer.cli.display.progress import TrainingProgressBar

    try:
        with TrainingProgressBar(quiet=quiet) as progress:
            while True:
                status = _status(connection, trainings, identifier)
                if status.state.ended:
                    return status
                progress.show(describe(status), status.epoch, status.epochs)
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"training {identifier} goes on; `digitmill train --wait` shows it again, and `digitmill train --cancel` "
            "stops it"
        ) from None


def _show_end(status: "TrainingStatus", *, as_json: bool) -> None:
    """Print how it ended.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    if as_json:
        click.echo(json.dumps(asdict(status)))
    if status.state in ("failed", "cancelled"):
        raise JobFailed(f"Training {status.identifier} is {printable(describe(status))}")
    if as_json:
        return
    click.echo(f"Training {status.identifier} is {printable(describe(status))}")
    if status.state == "done":
        click.echo(f"{status.version} is live; `digitmill models compare live previous` shows both")
    elif status.version:
        click.echo(f"{status.version} stays the candidate; `digitmill models compare candidate live` shows both")


def _status(connection: "Connection", trainings: "Trainings", identifier: str) -> "TrainingStatus":
    status = connection.retry_transient(lambda: trainings.status(identifier), timeout=TIMEOUT_SECONDS)
    if status is None:
        raise JobFailed(f"Nothing is known of training {identifier} any more. Ask for another.")
    return status
