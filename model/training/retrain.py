"""Train for a mill: `python -m model.training.retrain FOLDER`. It can be killed at any time and started again.

The folder holds the assignment (`order.json`), the live model (`live/`), the best model that ever was live (`best/`)
and the model that a refinement starts with (`start/`). The process writes the candidate (`candidate/`) with the gate's
decision. It reports its progress on standard output, one JSON object a line. It uses no queue: the trainer
(`worker.trainer`) starts and watches it, so the trainer itself never loads TensorFlow.
"""
# ruff: noqa: T201 - the trainer reads what this process prints

import argparse
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from model.cards.card import BASELINE, CARD, WEIGHTS, Card, read_file, read_model
from model.cards.changes import CHANGES, Changes
from model.cards.decision import DECISION, Decision
from model.cards.page import write_card
from model.data.digits import Dataset, Digits, hold_out
from model.data.taught import TaughtFolder, mixed
from model.errors import DigitmillError, ModelError, NotTried, UsageError
from model.evaluation.changed import changes_between
from model.evaluation.gate import Answers, Labels, ask, decide
from model.evaluation.judge import MIN_AGREEMENT
from model.inference.classifier import require_litert
from model.network.saving import writing
from model.network.tensorflow_import import import_tensorflow
from model.training.assignment import BEST, CANDIDATE, LIVE, START, TrainingAssignment
from model.training.countdown import Countdown
from model.training.duration import Duration
from model.training.train import train

if TYPE_CHECKING:
    import keras

    from model.training.fit import EpochReport


_LOCK = "lock"

_TEMPORARY = "tmp"

_MAX_ERROR = 300
"""Maximum number of characters of an unexpected error that are reported."""


def retrain(folder: Path, on_time_left: Callable[[float], None] = lambda _: None) -> Decision:
    """Train a candidate, unless the folder already holds one, and let the gate decide on it.

    Args:
        folder: Folder of the training, as the trainer prepares it.
        on_time_left: Progress callback, called after each step with the estimated seconds until the gate has decided.

    Returns:
        The gate's decision. It is also written into the candidate's folder.

    Raises:
        UsageError: The assignment cannot be read, a package is missing, the model to refine has no weights, or
            the candidate cannot be written.
        DataError: The data set is missing, altered or too small.
        ModelError: The live model is altered, the training diverged, the candidate's export does not agree with its
            network, or the candidate or the live model fails on the images of the gate.
        NotTried: A model could not be run. That says nothing about it.
    """
    require_litert()
    began = perf_counter()
    assignment = TrainingAssignment.read(folder)
    data, recipe = assignment.dataset(), assignment.recipe()
    taught, held = TaughtFolder(Path(assignment.taught)).load()
    _, validation = hold_out(data.train, recipe.validation)
    live, live_model = read_model(folder / LIVE)
    candidate = folder / CANDIDATE
    if not (candidate / CARD).exists():
        import_tensorflow()
        _limit_threads(assignment.threads)
        name = data.name if not len(taught) else f"{data.name} and {len(taught):,} taught"
        dataset = Dataset(name, mixed(data.train, taught, recipe.share), data.test)
        duration = Duration(recipe, len(dataset.train), len(dataset.test))
        on_time_left(duration.seconds_left_when_loaded(perf_counter() - began))
        train(
            dataset,
            recipe,
            candidate,
            seed=assignment.options.seed,
            parent=live.version,
            start=_start(folder / START) if recipe.refines else None,
            taught=len(dataset.train) - len(data.train),
            on_epoch=_report_epoch,
            on_time_left=on_time_left,
        )
    else:
        on_time_left(0)
    _report(stage="judging", epoch=0, epochs=0)
    card, model = read_model(candidate)
    found, known = (ask(*each, validation, held) for each in ((card, model), (live, live_model)))
    best = _ask_best(folder, known, validation, held)
    labels = Labels(validation.labels, held.labels)
    decision = decide(found, known, best, labels, card.agreement, MIN_AGREEMENT)
    _write_judgement(decision, changes_between(known, found, validation, held), card, candidate)
    return decision


def _start(folder: Path) -> "tuple[str, keras.Model]":
    """Load the model that a refinement starts with. Return its version and its network.

    Raises:
        ModelError: The folder holds no model.
        UsageError: The model has no weights of this network, for example because it was pushed without them.
    """
    from model.network.network import load_weights

    card = Card.read(folder)
    try:
        read_file(folder, card, WEIGHTS)  # the folder may still hold the weights of an earlier attempt's model
        return card.version, load_weights(folder / WEIGHTS)
    except ModelError as fault:
        raise UsageError(f"{card.version} cannot be refined. {fault} Or train a new one instead.") from fault


def _ask_best(folder: Path, live: Answers, validation: Digits, held: Digits) -> Answers:
    """Let the best model that ever was live classify the held-out images. If it fails, the baseline stands in for it.

    It may fail because another release exported it. It must not stop all trainings from then on.

    Raises:
        ModelError: The baseline fails, too.
        NotTried: A model could not be run.
    """
    try:
        return _ask_unless_live(folder / BEST, live, validation, held)
    except NotTried:
        raise
    except ModelError as fault:
        print(f"The gate compares with the baseline instead of the best model. {fault}", file=sys.stderr)
        return _ask_unless_live(BASELINE, live, validation, held)


def _ask_unless_live(folder: Path, live: Answers, validation: Digits, held: Digits) -> Answers:
    card, model = read_model(folder)
    return live if card.version == live.version else ask(card, model, validation, held)


def _write_judgement(decision: Decision, changes: Changes, card: Card, folder: Path) -> None:
    """Write decision and changes into the candidate's folder, and then the card, which vouches for them.

    Raises:
        UsageError: The folder cannot be written.
    """
    contents = {DECISION: decision.dumps(), CHANGES: changes.dumps()}
    files = {**card.files, **{name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}}
    with writing(folder):
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        write_card(dataclasses.replace(card, files=files), folder)


def _keep_temporary_files_in(folder: Path) -> None:
    """Let Python's temporary files lie in a folder, and remove those of an earlier process, which may have been killed.

    Raises:
        UsageError: The folder cannot be made.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with writing(folder):
        folder.mkdir()
    tempfile.tempdir = str(folder)


def _limit_threads(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _report_epoch(progress: "EpochReport") -> None:
    epoch = progress.epoch
    accuracy = round(epoch.validation_accuracy, 6)
    if progress.ends_training:
        _report(stage="judging", epoch=0, epochs=0, accuracy=accuracy)
    else:
        _report(stage=progress.network, epoch=epoch.number, epochs=progress.epochs, accuracy=accuracy)


def _report(**values: Any) -> None:
    """Print a report. Two threads do, so each line is written at once."""
    sys.stdout.write(f"{json.dumps(values)}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """End this process when standard input is closed, because its parent is gone and may have been replaced."""
    # This reads the descriptor itself: Python aborts at its end if a thread still waits inside sys.stdin.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: Arguments of the command. By default those of the process.
    """
    parser = argparse.ArgumentParser(
        "python -m model.training.retrain", description="Train as FOLDER/order.json says. The trainer starts this."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder that the trainer has prepared")
    folder = parser.parse_args(arguments).folder
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        with writing(folder):
            lock = (folder / _LOCK).open("wb")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the process of a trainer that seemed dead may still be training here
            _keep_temporary_files_in(folder / _TEMPORARY)
            with Countdown(lambda seconds: _report(seconds_left=round(seconds, 1))) as countdown:
                retrain(folder, countdown.set)
    except NotTried as fault:
        _report(failed=str(fault))
    except ModelError as fault:
        _report(refused=str(fault))
    except DigitmillError as fault:
        _report(failed=str(fault))
    except Exception as fault:  # whatever it is, whoever asked for the training must hear of it
        traceback.print_exc()
        error = " ".join(traceback.format_exception_only(fault)[-1].split())[:_MAX_ERROR]
        _report(failed=f"The training met an unexpected error. The trainer's log has all of it; report it. {error}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
