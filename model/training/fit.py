"""Run a whole training: first the teacher networks, if the recipe has any, then the network, which distils from them.

G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
In its last epochs the network may distil from itself: from the mean opinion that it had of each image and its variants.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from model.cards.card import Epoch
from model.data.digits import Digits, sha256
from model.errors import UsageError
from model.inference.calibration import softmax
from model.network.network import build, build_teacher, dump_weights, interpolate, logits
from model.network.variants import averaging_variants
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
        teachers = [
            training.train_network(_Phase.of_teacher(recipe, number), build_teacher)[0]
            for number in range(1, recipe.teachers + 1)
        ]
    network, epochs = training.train_network(_Phase.of_network(recipe), lambda dropout: build(dropout, start), teachers)
    if start is not None:
        interpolate(start, network, recipe.blend)
    if recipe.variant_epochs:
        trained = network
        network, later = training.train_network(
            _Phase.with_variants(recipe), lambda dropout: build(dropout, trained), [training.asked_in_variants(trained)]
        )
        epochs = epochs + later
    return network, epochs


class _Phase(NamedTuple):
    """A part of a training: the training of one teacher, or of the network, with one learning rate."""

    name: str  # of the network in reports
    file: str  # of its checkpoint, without the suffix
    teacher: int  # number of the teacher, from 1, or 0 for the network
    seed: int  # no other phase has it
    earlier: int  # number of epochs that the network had before
    epochs: int
    learning_rate: float
    dropout: float

    @classmethod
    def of_teacher(cls, recipe: Recipe, number: int) -> "_Phase":
        name, file, rate = f"teacher {number}", f"teacher-{number}", recipe.learning_rate
        return cls(name, file, number, number, 0, recipe.teacher_epochs, rate, recipe.teacher_dropout)

    @classmethod
    def of_network(cls, recipe: Recipe) -> "_Phase":
        return cls(NETWORK, NETWORK, 0, 0, 0, recipe.epochs, recipe.learning_rate, recipe.dropout)

    @classmethod
    def with_variants(cls, recipe: Recipe) -> "_Phase":
        seed, rate = recipe.teachers + 1, recipe.variant_learning_rate
        return cls(NETWORK, "variants", 0, seed, recipe.epochs, recipe.variant_epochs, rate, recipe.dropout)


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
            [sha256(train, validation), dataclasses.asdict(recipe), seed, weights, taught, tf.__version__, self._policy]
        )
        self._identity = hashlib.sha256(inputs.encode()).hexdigest()
        self._duration = Duration(recipe, len(train), judged)

    def asked_in_variants(self, network: keras.Model) -> keras.Model:
        """Return a teacher that gives a network's mean opinion of several variants of each image."""
        with computing_in(self._policy):
            return averaging_variants(build(start=network))

    def train_network(
        self, phase: _Phase, make: Callable[[float], keras.Model], teachers: Sequence[keras.Model] = ()
    ) -> tuple[keras.Model, list[Epoch]]:
        """Train one network in one phase, and return it with the phase's epochs.

        Args:
            phase: Phase.
            make: Function that builds the network with a dropout.
            teachers: Trained networks from which it distils.
        """
        seed = 1000 * self._seed + phase.seed
        keras.utils.set_random_seed(seed)
        with computing_in(self._policy):
            network = make(phase.dropout)
        # A teacher's average gives opinions on every batch. The network's is the result, and nothing rounds it.
        with computing_in(self._policy if phase.teacher else FULL):
            average = make(0.0)
        trainer = NetworkTrainer(
            network,
            average,
            Batches(self._train, self._recipe, seed, self._taught, self._doubts),
            dataclasses.replace(self._recipe, learning_rate=phase.learning_rate),
            epochs=phase.epochs,
            teachers=teachers,
            checkpoint=Checkpoint(self._checkpoints / f"{phase.file}.safetensors", self._identity)
            if self._checkpoints
            else None,
        )

        def on_step(done: float) -> None:
            left = self._duration.seconds_left(phase.teacher, phase.earlier + done)
            if left is not None:
                self._on_time_left(left)

        def numbered(epoch: Epoch) -> Epoch:
            return dataclasses.replace(epoch, number=phase.earlier + epoch.number)

        def report(epoch: Epoch) -> None:
            left = self._duration.seconds_left(phase.teacher, phase.earlier + epoch.number)
            epochs = phase.epochs if phase.teacher else self._recipe.epochs + self._recipe.variant_epochs
            self._on_epoch(EpochReport(phase.name, epochs, numbered(epoch), left))

        epochs = trainer.run(self._validation, report, on_step)
        return trainer.average, [numbered(epoch) for epoch in epochs]
