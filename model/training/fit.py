"""The whole training: teachers first, if the recipe has any, then the network, which learns from them too.

G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import keras
import tensorflow as tf

from model.cards.card import Epoch
from model.data.digits import Digits, sha256
from model.errors import UsageError
from model.network.network import build, build_teacher, dump_weights, interpolate
from model.training.batches import Batches
from model.training.checkpoint import Checkpoint
from model.training.network_trainer import NetworkTrainer
from model.training.recipe import Recipe

_TEACHER, _ASKING = 2.8, 0.5
"""What an epoch of a teacher costs, and what asking one costs in an epoch of the network, against one without."""


class EpochReport(NamedTuple):
    """Where a training stands, after an epoch."""

    stage: str  # "teacher 1", …, or "network"
    epochs: int  # of this stage
    epoch: Epoch  # that has just ended
    seconds_left: float  # of all stages


def fit(
    train: Digits,
    validation: Digits,
    recipe: Recipe,
    *,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
    start: keras.Model | None = None,
    checkpoints: Path | None = None,
) -> tuple[keras.Model, list[Epoch]]:
    """Train a network and return it with its training curve.

    The same arguments on the same machine and number of threads give the same weights, bit for bit, whether the
    training was stopped in between or not. For that it sets the process's random seeds and TensorFlow's deterministic
    mode.

    Args:
        train: what it learns from, augmented anew in each epoch.
        validation: what it is judged on after each epoch; decides nothing here.
        recipe: how.
        seed: of every random number.
        on_epoch: told after each epoch of each stage; what it raises ends the training.
        start: what to begin with, if the recipe refines.
        checkpoints: a folder for the state after each epoch; a training of these same arguments found there goes on.

    Returns:
        The network with the averaged weights after the last epoch, blended with those of `start`, and its epochs; the
        teachers' are not among them.

    Raises:
        UsageError: there is a `start` where the recipe does not refine, or none where it does.
    """
    if recipe.refines != (start is not None):
        raise UsageError("A recipe that refines needs a network to begin with, and no other takes one. Change either.")
    tf.config.experimental.enable_op_determinism()
    training = _Training(train, validation, recipe, seed, on_epoch, checkpoints, start)
    teachers = [training.stage(build_teacher, number)[0] for number in range(1, recipe.teachers + 1)]
    if start is not None:
        teachers.append(start)
    network, epochs = training.stage(lambda dropout=0.0: build(dropout, start), teachers=teachers)
    if start is not None:
        interpolate(start, network, recipe.blend)
    return network, epochs


class _Training:
    """What the stages of one training have in common, and how long those that are left will take."""

    def __init__(
        self,
        train: Digits,
        validation: Digits,
        recipe: Recipe,
        seed: int,
        on_epoch: Callable[[EpochReport], None],
        checkpoints: Path | None,
        start: keras.Model | None,
    ) -> None:
        self._train, self._validation, self._recipe, self._seed = train, validation, recipe, seed
        self._on_epoch, self._checkpoints = on_epoch, checkpoints
        begun = hashlib.sha256(dump_weights(start)).hexdigest() if start is not None else None
        same = json.dumps([sha256(train, validation), asdict(recipe), seed, begun, tf.__version__])
        self._name = hashlib.sha256(same.encode()).hexdigest()
        self._done, self._started = 0.0, perf_counter()

    def stage(
        self, make: Callable[..., keras.Model], number: int = 0, teachers: Sequence[keras.Model] = ()
    ) -> tuple[keras.Model, list[Epoch]]:
        """Train one network: a teacher, counted from 1, or with number 0 the one that all is about."""
        name = f"teacher {number}" if number else "network"
        epochs = self._recipe.teacher_epochs if number else self._recipe.epochs
        seed = 1000 * self._seed + number
        keras.utils.set_random_seed(seed)
        stage = NetworkTrainer(
            make(self._recipe.dropout),
            make(),
            Batches(self._train, self._recipe, seed),
            self._recipe,
            epochs=epochs,
            teachers=teachers,
            checkpoint=Checkpoint(self._checkpoints / f"{name.replace(' ', '-')}.safetensors", self._name)
            if self._checkpoints
            else None,
        )
        last = 1 + self._recipe.teachers * _ASKING
        cost = _TEACHER if number else last
        later = 0.0
        if number:
            teachers_left = self._recipe.teachers - number
            later = teachers_left * self._recipe.teacher_epochs * _TEACHER + self._recipe.epochs * last

        def told(epoch: Epoch) -> None:
            self._done += cost
            left = (epochs - epoch.number) * cost + later
            seconds_left = (perf_counter() - self._started) / self._done * left
            self._on_epoch(EpochReport(name, epochs, epoch, seconds_left))

        return stage.average, stage.run(self._validation, told)
