"""Training for a mill: `python -m model.training.retrain FOLDER`, a process that can be ended at any moment and begun again.

The folder says what to do (`order.json`) and what is live (`live/`), and gets the candidate (`candidate/`) with the
gate's decision. Each line on standard output is a JSON object that tells how far it is. Nothing here knows a queue:
the trainer (`worker.trainer`) starts this process and watches it, and so never loads TensorFlow itself.
"""
# ruff: noqa: T201 - its output is how it talks

import argparse
import dataclasses
import fcntl
import hashlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.cards.card import CARD, WEIGHTS, Card, read_file, read_model
from model.cards.decision import DECISION, Decision, ModelAssessment
from model.cards.page import write_card
from model.data.digits import Dataset, Digits, hold_out
from model.data.taught import TaughtFolder, mixed
from model.errors import DigitmillError, ModelError, UsageError
from model.evaluation.gate import assess, decide
from model.evaluation.judge import MIN_AGREEMENT
from model.inference.classifier import Classifier
from model.network.tensorflow_import import import_tensorflow
from model.training.assignment import CANDIDATE, LIVE, TrainingAssignment
from model.training.train import train

if TYPE_CHECKING:
    import keras

    from model.training.fit import EpochReport


_LOCK = "lock"


def retrain(folder: Path) -> Decision:
    """Train a candidate, unless it is there already, and compare it with the live model.

    Raises:
        DigitmillError: of any kind; the message says what to do.
    """
    order = TrainingAssignment.read(folder)
    data, recipe = order.dataset(), order.recipe()
    taught, held = TaughtFolder(Path(order.taught)).load()
    _, validation = hold_out(data.train, recipe.validation)
    live, live_model = read_model(folder / LIVE)
    candidate = folder / CANDIDATE
    if not (candidate / CARD).exists():
        import_tensorflow()
        _limit_threads(order.threads)
        name = data.name if not len(taught) else f"{data.name} and {len(taught):,} taught"
        dataset = Dataset(name, mixed(data.train, taught), data.test)
        start = _network(live, folder / LIVE) if recipe.refines else None
        train(
            dataset, recipe, candidate, seed=order.options.seed, parent=live.version, start=start, on_epoch=_tell_epoch
        )
    _tell(stage="judging", epoch=0, epochs=0, seconds_left=0)
    card, model = read_model(candidate)
    decision = decide(
        _side(card, model, validation, held), _side(live, live_model, validation, held), card.agreement, MIN_AGREEMENT
    )
    _keep(decision, card, candidate)
    return decision


def _network(live: Card, folder: Path) -> "keras.Model":
    """What is live, to be refined.

    Raises:
        UsageError: it has no weights of this network; whoever pushed it left them out, say.
    """
    from model.network.network import load_weights

    try:
        read_file(folder, live, WEIGHTS)  # those of what was live at an earlier attempt may lie there still
        return load_weights(folder / WEIGHTS)
    except ModelError as fault:
        raise UsageError(f"{live.version} cannot be refined. {fault} Or train a new one instead.") from fault


def _side(card: Card, model: bytes, validation: Digits, held: Digits) -> ModelAssessment:
    return assess(card.version, Classifier(model, temperature=card.temperature), len(model), validation, held)


def _keep(decision: Decision, card: Card, folder: Path) -> None:
    """Put the decision among the candidate's files; the card, which vouches for it, is written last."""
    content = decision.dumps()
    (folder / DECISION).write_bytes(content)
    write_card(dataclasses.replace(card, files={**card.files, DECISION: hashlib.sha256(content).hexdigest()}), folder)


def _limit_threads(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _tell_epoch(progress: "EpochReport") -> None:
    epoch = progress.epoch
    _tell(
        stage=progress.stage,
        epoch=epoch.number,
        epochs=progress.epochs,
        accuracy=round(epoch.validation_accuracy, 6),
        seconds_left=round(progress.seconds_left, 1),
    )


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def _end_with_parent() -> None:
    """End when standard input is closed: whoever started this is gone, and may have been replaced."""
    # Not through sys.stdin: Python aborts at its end where a thread is still waiting inside of that.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser("python -m model.training.retrain", description="Train as FOLDER/order.json says.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args(arguments).folder
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the process of a trainer that was only thought dead may still be at it
        try:
            retrain(folder)
        except ModelError as fault:
            _tell(refused=str(fault))
        except DigitmillError as fault:
            _tell(failed=str(fault))
        else:
            return 0
        return 1


if __name__ == "__main__":
    sys.exit(main())
