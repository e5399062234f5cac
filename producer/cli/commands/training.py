"""`train`: requests a training, shows its progress and cancels it."""

import json
import os
import socket
import time
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.display import json_output
from producer.cli.display.training import describe
from producer.cli.exits import exit_on_error
from producer.cli.notices import print_notice, printable
from producer.cli.options import JSON
from worker.contract.errors import JobFailed

if TYPE_CHECKING:
    from model.training.options import TrainingOptions
    from producer.mill.connection import Connection
    from worker.contract.training import Trainings, TrainingStatus

POLL_SECONDS = 0.5
"""Interval at which `--wait` asks Redis about the training, in seconds."""

TIMEOUT_SECONDS = 60.0
"""Seconds without Redis after which a command gives up."""

CANCEL_SECONDS = 10.0
"""Longest wait of `--cancel` for the end of the training, in seconds. A trainer needs a second or two."""

NO_TRAINER = "no trainer is running, so the training waits for one; `python -m worker.trainer` starts a trainer"


@click.command()
@click.option("--wait", is_flag=True, help="Show the progress until the training has ended. Ctrl-C leaves it running.")
@click.option(
    "--quick", is_flag=True, help="Refine the live model, which takes about a minute, instead of training a new one."
)
@click.option("--epochs", metavar="N", type=click.IntRange(1, 1000), help="Number of epochs, instead of the recipe's.")
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    show_default=True,
    help="Seed of all random numbers.",
)
@click.option(
    "--data",
    type=click.Choice(["mnist", "samples"]),
    default="mnist",
    show_default=True,
    help="Images to train on. `samples` are the 1,797 digits that ship with digitmill, for trying things out. Taught "
    "images are added to both.",
)
@click.option("--cancel", is_flag=True, help="Cancel the training that runs or waits.")
@JSON
@exit_on_error
def train(wait: bool, quick: bool, epochs: int | None, seed: int, data: str, cancel: bool, as_json: bool) -> None:
    """Train a model that goes live if it passes the gate.

    It passes if it is not worse than the live model and the best one that ever was live, and better than the live one
    at what was taught or at MNIST. The gate compares them on images that none of them was trained on. A refused model
    stays the candidate.

    The workers continue to classify during a training. Only one training runs at a time. A request during a training
    joins that training.

    \b
    Examples:
      digitmill train --wait
      digitmill train --quick
      digitmill train --cancel
    """
    from model.training.options import TrainingOptions
    from producer.mill.finding import open_running_mill
    from worker.contract.training import Trainings
    from worker.settings import Settings

    settings = Settings.from_environment()
    connection = open_running_mill(settings)
    trainings = Trainings(connection.client)
    if cancel:
        _cancel(connection, trainings, as_json=as_json)
        return
    identifier, joined = _ask(connection, trainings, TrainingOptions(data=data, quick=quick, epochs=epochs, seed=seed))
    connection.doorbell.ring_trainer()
    if joined:
        print_notice(f"training {identifier} was requested before and has not ended; this command joins it")
    if not trainings.trainers():
        print_notice(NO_TRAINER)
    if wait:
        _show_end(_await_end(connection, trainings, identifier, quiet=as_json), as_json=as_json)
    elif as_json:
        click.echo(json.dumps({"training": identifier, "joined": joined}))
    else:
        click.echo(f"Training {printable(identifier)} is requested")
        click.echo("digitmill train --wait    shows its progress, and so does digitmill status")
        click.echo("digitmill train --cancel  cancels it")


def _ask(connection: "Connection", trainings: "Trainings", options: "TrainingOptions") -> tuple[str, bool]:
    """Request a training. Return the identifier of the open training, and whether someone had requested it before."""
    from worker.contract.validation import identifiers

    identifier = identifiers.new_job_identifier()
    who = identifiers.process_name(socket.gethostname(), os.getpid())
    open_training = connection.retry_transient(
        lambda: trainings.ask(identifier, options, who=who), timeout=TIMEOUT_SECONDS
    )
    return open_training, open_training != identifier


def _cancel(connection: "Connection", trainings: "Trainings", *, as_json: bool) -> None:
    """Cancel the open training, wait a moment for its end, and print its state.

    Raises:
        UsageError: No training runs or waits.
    """
    status = connection.retry_transient(trainings.cancel, timeout=TIMEOUT_SECONDS)
    if status is None:
        raise UsageError("No training runs or waits, so there is nothing to cancel.")
    deadline = time.monotonic() + CANCEL_SECONDS
    while not status.state.ended and time.monotonic() < deadline:
        time.sleep(0.1)
        status = _status(connection, trainings, status.identifier)
    if as_json:
        click.echo(json.dumps(json_output.training(status)))
    elif status.state.ended:
        click.echo(printable(f"Training {status.identifier} is {status.state}"))
    else:
        click.echo(f"Training {printable(status.identifier)} ends as soon as its trainer learns that it is cancelled")


def _await_end(connection: "Connection", trainings: "Trainings", identifier: str, *, quiet: bool) -> "TrainingStatus":
    """Show the progress of a training until it has ended; return its final status.

    Raises:
        JobFailed: The record of the training is gone.
        KeyboardInterrupt: The user pressed Ctrl-C. The training continues.
        Unreachable: Redis did not answer in time.
    """
    from producer.cli.display.progress import TrainingProgressBar

    try:
        with TrainingProgressBar(quiet=quiet) as progress:
            while True:
                status = _status(connection, trainings, identifier)
                if status.state.ended:
                    return status
                progress.show(describe(status), status.epoch, status.epochs)
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"training {identifier} continues; `digitmill train --wait` shows it again, and `digitmill train --cancel` "
            "cancels it"
        ) from None


def _show_end(status: "TrainingStatus", *, as_json: bool) -> None:
    """Print how a training ended.

    Raises:
        JobFailed: The training failed or was cancelled.
    """
    if as_json:
        click.echo(json.dumps(json_output.training(status)))
    if status.state in ("failed", "cancelled"):
        raise JobFailed(f"Training {status.identifier} is {describe(status)}")
    if as_json:
        return
    click.echo(printable(f"Training {status.identifier} is {describe(status)}"))
    if status.state == "done":
        click.echo(f"{printable(status.version)} is live; `digitmill models compare live previous` shows both")
    elif status.version:
        click.echo(
            f"{printable(status.version)} stays the candidate; `digitmill models compare candidate live` shows both"
        )


def _status(connection: "Connection", trainings: "Trainings", identifier: str) -> "TrainingStatus":
    """Return the status of a training.

    Raises:
        JobFailed: The record of the training is gone.
        Unreachable: Redis did not answer in time.
    """
    status = connection.retry_transient(lambda: trainings.status(identifier), timeout=TIMEOUT_SECONDS)
    if status is None:
        raise JobFailed(f"The record of training {identifier} is gone. Request another training.")
    return status
