"""`train`: requests a training, shows it, follows it to its end, or cancels it."""

import contextlib
import sys
import time
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from model.errors import UsageError
from producer.cli.display.training import describe
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JSON
from producer.public.training import OneTraining, training
from worker.contract.errors import JobFailed, Unreachable, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.training.options import TrainingOptions
    from producer.mill.connection import Connection
    from worker.contract.training import Trainings, TrainingStatus

POLL_SECONDS = 0.5
"""Interval at which `--follow` asks Redis about the training, in seconds."""

TIMEOUT_SECONDS = 60.0
"""Seconds without Redis after which a command gives up."""

CANCEL_SECONDS = 10.0
"""Longest wait of `--cancel` for the end of the training, in seconds. A trainer needs a second or two."""

NO_TRAINER = "no trainer is running, so the training waits for one; `python -m worker.trainer` starts a trainer"


NOTHING_NEW = "Nothing was taught since the last training, so a new model has nothing new to learn."

_REQUESTING_NOTHING = ("status", "follow", "cancel")


@click.command()
@click.option("--status", is_flag=True, help="Show the last training. This requests none.")
@click.option(
    "--follow", is_flag=True, help="Show the progress of the last training until it ends. Ctrl-C leaves it running."
)
@click.option("--cancel", is_flag=True, help="Cancel the open training.")
@click.option("--quick", is_flag=True, help="Refine a model, which takes a few minutes, instead of training a new one.")
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
@click.option("--anyway", is_flag=True, help="Train even if nothing was taught since the last training.")
@click.option("--wait", is_flag=True, hidden=True)
@JSON
@exit_on_error
@click.pass_context
def train(
    context: click.Context,
    status: bool,
    follow: bool,
    cancel: bool,
    quick: bool,
    epochs: int | None,
    seed: int,
    data: str,
    anyway: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Request a training. Its model goes live if it passes the gate.

    It passes if it is not worse than the live model and the best one that ever was live, and better than the live one
    at what was taught or at MNIST. The gate compares them on images that none of them was trained on. A refused model
    stays the candidate.

    The workers continue to classify during a training. Only one training is open at a time: it waits for a trainer, or
    runs. A request joins the open training.

    \b
    Examples:
      digitmill train --quick
      digitmill train --follow
      digitmill train --cancel
    """
    from model.training.options import TrainingOptions
    from producer.mill.finding import open_running_mill
    from worker.contract.training import Trainings
    from worker.settings import Settings

    _refuse_request(context)
    settings = Settings.from_environment()
    connection = open_running_mill(settings)
    trainings = Trainings(connection.client)
    if cancel:
        _cancel(connection, trainings, as_json=as_json)
        return
    if status:
        _show(_latest(connection, trainings), as_json=as_json)
    elif follow:
        latest = _latest(connection, trainings)
        if latest is None:
            raise UsageError("No training was requested yet. `digitmill train` requests one.")
        _follow(connection, trainings, latest.identifier, as_json=as_json)
    elif anyway or _is_worthwhile(connection, trainings, may_ask=not (wait or as_json)):
        options = TrainingOptions(data=data, quick=quick, epochs=epochs, seed=seed)
        _request(connection, trainings, options, wait=wait, as_json=as_json)


def _refuse_request(context: click.Context) -> None:
    """Raise an error if an option that requests nothing is given together with another one.

    Raises:
        UsageError: It is.
    """
    given = [
        name
        for name in context.params
        if name != "as_json" and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    alone = [name for name in given if name in _REQUESTING_NOTHING]
    if alone and len(given) > 1:
        other = next(name for name in given if name != alone[0])
        raise UsageError(f"--{alone[0]} does not request a training, so --{other} cannot go with it. Omit one of them.")


def _is_worthwhile(connection: "Connection", trainings: "Trainings", *, may_ask: bool) -> bool:
    """Return whether a training is open, there is something new to learn, or the user wants to train all the same.

    Args:
        connection: Connection to the mill.
        trainings: The mill's trainings.
        may_ask: Whether this command may ask a user at a terminal.

    Raises:
        NotPermitted: The Redis user may not request a training.
        UsageError: Nothing was taught since the last training, and nobody can be asked.
    """
    from worker.contract.queues import TRAIN_QUEUE
    from worker.contract.teaching import Teaching
    from worker.contract.training import keys

    requesting = (
        ("EVALSHA", "0" * 40, "3", keys.CURRENT, keys.TRAININGS, keys.training("-")),
        ("LPUSH", TRAIN_QUEUE, "-"),
        ("ZRANGEBYSCORE", keys.TRAINERS, "0", "0"),  # to say whether a trainer is running
    )
    connection.check_rights(requesting, timeout=TIMEOUT_SECONDS)  # before anybody is asked
    teaching = Teaching(connection.client)
    if connection.retry_transient(teaching.new_since_last_training, timeout=TIMEOUT_SECONDS):
        return True
    with contextlib.suppress(WireError):  # the last record is damaged, which a new training overcomes
        if (latest := _latest(connection, trainings)) and not latest.state.ended:
            return True
    if not (may_ask and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{NOTHING_NEW} --anyway requests a training all the same.")
    return click.confirm(f"{NOTHING_NEW} Train all the same?", err=True)


def _latest(connection: "Connection", trainings: "Trainings") -> "TrainingStatus | None":
    """Return the training that was requested last, or None if none was."""
    return connection.retry_transient(trainings.latest, timeout=TIMEOUT_SECONDS)


def _request(
    connection: "Connection", trainings: "Trainings", options: "TrainingOptions", *, wait: bool, as_json: bool
) -> None:
    """Request a training, or join the open one, and say what to do next."""
    identifier, joined = _ask(connection, trainings, options)
    connection.doorbell.ring_trainer()
    if joined:
        print_notice(f"training {identifier} was requested before and has not ended; this command joins it")
        if (other := _status(connection, trainings, identifier).options) != options:
            print_notice(
                f"that training is not the one that you asked for: it is `{_words(other)}`. To get yours, run "
                "`digitmill train --cancel`, and then this command again"
            )
    if not trainings.trainers():
        print_notice(NO_TRAINER)
    if wait:
        print_notice("--wait is now `digitmill train --follow`, after `digitmill train`; version 0.4 removes --wait.")
        _follow(connection, trainings, identifier, as_json=as_json)
    elif as_json:
        print_json(OneTraining(training=training(_status(connection, trainings, identifier)), joined=joined))
    else:
        tell(f"Training {printable(identifier)} is requested")
        tell("digitmill train --follow  shows its progress, and so does digitmill status")
        tell("digitmill train --cancel  cancels it")


def _words(options: "TrainingOptions") -> str:
    """Return the command that requests a training with these options."""
    words = [f"--data {options.data}"]
    words += ["--quick"] if options.quick else []
    words += [] if options.epochs is None else [f"--epochs {options.epochs}"]
    return " ".join(["digitmill train", *words, f"--seed {options.seed}"])


def _show(latest: "TrainingStatus | None", *, as_json: bool) -> None:
    """Print the training that was requested last."""
    if as_json:
        print_json(OneTraining(training=training(latest) if latest else None, joined=False))
    elif latest is None:
        tell("No training was requested yet")
    else:
        tell(printable(f"Training {latest.identifier}: {describe(latest)}"))


def _follow(connection: "Connection", trainings: "Trainings", identifier: str, *, as_json: bool) -> None:
    """Show a training until it has ended, and then how it ended."""
    _show_end(_await_end(connection, trainings, identifier, quiet=as_json), as_json=as_json)


def _ask(connection: "Connection", trainings: "Trainings", options: "TrainingOptions") -> tuple[str, bool]:
    """Request a training. Return the identifier of the open training, and whether someone had requested it before."""
    from worker.contract.validation import identifiers

    identifier = identifiers.new_job_identifier()
    who = identifiers.this_process()
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
        print_json(OneTraining(training=training(status), joined=False))
    elif status.state.ended:
        tell(printable(f"Training {status.identifier} is {status.state}"))
    else:
        tell(f"Training {printable(status.identifier)} ends as soon as its trainer learns that it is cancelled")


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
                status = _status(
                    connection,
                    trainings,
                    identifier,
                    on_wait=lambda fault: progress.show(f"waits for Redis ({fault})", 0, 0),
                )
                if status.state.ended:
                    return status
                progress.show(describe(status), status.epoch, status.epochs)
                time.sleep(POLL_SECONDS)
    except Unreachable as fault:
        raise type(fault)(
            f"{fault} Training {identifier} continues without Redis; `digitmill train --follow` shows it again."
        ) from fault
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"training {identifier} continues; `digitmill train --follow` shows it again, and "
            "`digitmill train --cancel` cancels it"
        ) from None


def _show_end(status: "TrainingStatus", *, as_json: bool) -> None:
    """Print how a training ended.

    Raises:
        JobFailed: The training failed or was cancelled.
    """
    if as_json:
        print_json(OneTraining(training=training(status), joined=False))
    if status.state in ("failed", "cancelled"):
        raise JobFailed(f"Training {status.identifier} is {describe(status)}")
    if as_json:
        return
    tell(printable(f"Training {status.identifier} is {describe(status)}"))
    if status.state == "done":
        tell(f"{printable(status.version)} is live; `digitmill models compare` shows it beside the previous one")
    elif status.version:
        tell(
            f"{printable(status.version)} stays the candidate; `digitmill models compare candidate` shows it beside "
            "the live one"
        )
    if status.version:
        report = f"digitmill models report {status.version}"
        tell(printable(f"`{report}` writes a page with its curves and with pictures of what changed"))


def _status(
    connection: "Connection",
    trainings: "Trainings",
    identifier: str,
    *,
    on_wait: "Callable[[object], None] | None" = None,
) -> "TrainingStatus":
    """Return the status of a training.

    Args:
        connection: Connection to the mill.
        trainings: The mill's trainings.
        identifier: Identifier of the training.
        on_wait: Callback that gets each fault of Redis before the call is repeated.

    Raises:
        JobFailed: The record of the training is gone.
        Unreachable: Redis did not answer in time.
    """
    status = connection.retry_transient(lambda: trainings.status(identifier), timeout=TIMEOUT_SECONDS, on_wait=on_wait)
    if status is None:
        raise JobFailed(f"The record of training {identifier} is gone. Request another training.")
    return status
