"""Run a whole training: first the teacher networks, if the recipe has any, then the network, which distils from them.

G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from model.cards.card import Epoch
from model.data.digits import Digits, sha256
from model.errors import UsageError
from model.inference.calibration import softmax
from model.network.network import build, build_teacher, dump_weights, interpolate, logits
from model.training.batches import Batches
from model.training.checkpoint import Checkpoint
from model.training.duration import Duration
from model.training.network_trainer import NetworkTrainer
from model.training.precision import FULL, computing_in, fastest
from model.training.recipe import Recipe

NETWORK = "network"
"""Name, in reports, of the network that a training is for."""


class EpochReport(NamedTuple):
    """The state of a training after an epoch."""

    network: str  # name of the network that is being trained: "teacher 1", …, or `NETWORK`
    epochs: int  # number of epochs that this network trains
    epoch: Epoch  # the epoch that has just ended
    seconds_left: float | None  # estimate for the whole training and for judging the model; None if nothing is known

    @property
    def ends_training(self) -> bool:
        """Whether the model is judged next."""
        return self.network == NETWORK and self.epoch.number == self.epochs


def fit(
    train: Digits,
    validation: Digits,
    recipe: Recipe,
    *,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
    on_time_left: Callable[[float], None] = lambda _: None,
    judged: int = 0,
    start: keras.Model | None = None,
    taught: int = 0,
    checkpoints: Path | None = None,
) -> tuple[keras.Model, list[Epoch]]:
    """Train a network and return it with its training curve.

    The same arguments on the same machine and number of threads give the same weights, bit for bit, even if the
    training was stopped and resumed. To achieve this, the function sets the process's random seeds and TensorFlow's
    deterministic mode.

    Args:
        train: Images to train on, augmented anew in each epoch.
        validation: Images to judge the network on after each epoch. They decide nothing here.
        recipe: Recipe of the training.
        seed: Seed of all random numbers.
        on_epoch: Progress callback, called after each epoch of each network. An exception that it raises ends the
            training.
        on_time_left: Progress callback, called after each step with the estimated seconds left.
        judged: Number of test images on which the caller will judge the network, for that estimate.
        start: Network to start from and to copy, if the recipe refines.
        taught: Number of images at the end of `train` that users taught.
        checkpoints: Folder for the state after each epoch. If a training with the same arguments left its state there,
            this call resumes it.

    Returns:
        The network and its epochs, without the teachers' epochs. The network has the averaged weights after the last
        epoch, blended with those of `start`, if given.

    Raises:
        UsageError: `start` is given although the recipe does not refine, or is missing although it does; drawn digits
            and outliers would fill each batch; or a checkpoint cannot be written.
    """
    if recipe.refines != (start is not None):
        raise UsageError(
            "A recipe that refines needs a network to start from, and other recipes cannot take one. Change either."
        )
    tf.config.experimental.enable_op_determinism()
    training = _Training(train, validation, recipe, seed, on_epoch, on_time_left, judged, checkpoints, start, taught)
    if start is not None:
        teachers = [start]
    else:
        teachers = [training.train_network(build_teacher, number)[0] for number in range(1, recipe.teachers + 1)]
    network, epochs = training.train_network(lambda dropout=0.0: build(dropout, start), teachers=teachers)
    if start is not None:
        interpolate(start, network, recipe.blend)
    return network, epochs


class _Training:
    """The data and settings that all networks of one training share, and the estimate of the time left."""

    def __init__(
        self,
        train: Digits,
        validation: Digits,
        recipe: Recipe,
        seed: int,
        on_epoch: Callable[[EpochReport], None],
        on_time_left: Callable[[float], None],
        judged: int,
        checkpoints: Path | None,
        start: keras.Model | None,
        taught: int,
    ) -> None:
        self._train, self._validation, self._recipe, self._seed = train, validation, recipe, seed
        self._on_epoch, self._on_time_left, self._checkpoints = on_epoch, on_time_left, checkpoints
        self._taught = taught
        # Where the model is unsure, it takes the least to make it wrong.
        own = train.images[: len(train) - taught]
        self._doubts = -softmax(logits(start, own)).max(axis=1) if start is not None and recipe.replayed else None
        weights = hashlib.sha256(dump_weights(start)).hexdigest() if start is not None else ""
        # A refinement copies logits, which bfloat16 would round.
        self._policy = FULL if recipe.refines else fastest()
        inputs = json.dumps(
            [sha256(train, validation), asdict(recipe), seed, weights, taught, tf.__version__, self._policy]
        )
        self._identity = hashlib.sha256(inputs.encode()).hexdigest()
        self._duration = Duration(recipe, len(train), judged)

    def train_network(
        self, make: Callable[..., keras.Model], number: int = 0, teachers: Sequence[keras.Model] = ()
    ) -> tuple[keras.Model, list[Epoch]]:
        """Train one network and return it with its epochs.

        Args:
            make: Function that builds the network. Its only argument is the dropout, 0 by default.
            number: Number of the teacher, from 1, or 0 for the network that the training is for.
            teachers: Trained networks from which it distils.
        """
        name = f"teacher {number}" if number else NETWORK
        epochs = self._recipe.teacher_epochs if number else self._recipe.epochs
        seed = 1000 * self._seed + number
        keras.utils.set_random_seed(seed)
        with computing_in(self._policy):
            network = make(self._recipe.teacher_dropout if number else self._recipe.dropout)
        # A teacher's average gives opinions on every batch. The network's is the result, and nothing rounds it.
        with computing_in(self._policy if number else FULL):
            average = make()
        trainer = NetworkTrainer(
            network,
            average,
            Batches(self._train, self._recipe, seed, self._taught, self._doubts),
            self._recipe,
            epochs=epochs,
            teachers=teachers,
            checkpoint=Checkpoint(self._checkpoints / f"{name.replace(' ', '-')}.safetensors", self._identity)
            if self._checkpoints
            else None,
        )

        def on_step(done: float) -> None:
            left = self._duration.seconds_left(number, done)
            if left is not None:
                self._on_time_left(left)

        def report(epoch: Epoch) -> None:
            left = self._duration.seconds_left(number, epoch.number)
            self._on_epoch(EpochReport(name, epochs, epoch, left))

        return trainer.average, trainer.run(self._validation, report, on_step)
