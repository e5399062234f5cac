"""One network's training: the steps of an epoch, the averaged weights, the state that a checkpoint keeps."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model.cards.card import Epoch
from model.data.digits import Digits
from model.inference.calibration import cross_entropy
from model.network.network import logits
from model.training.batches import NO_DIGIT, Batches
from model.training.checkpoint import Checkpoint
from model.training.recipe import Recipe

CLASSES = 10


class NetworkTrainer:
    """A network that is being trained.

    Args:
        network: freshly initialised.
        average: of the same architecture; gets the moving average of the weights, which is what is kept.
        batches: what the network is shown.
        recipe: how it learns.
        epochs: passes over the training images.
        teachers: trained networks, whose opinion of each image it also learns.
        checkpoint: where its state is kept after each epoch; what is found there goes on.
    """

    def __init__(
        self,
        network: keras.Model,
        average: keras.Model,
        batches: Batches,
        recipe: Recipe,
        *,
        epochs: int,
        teachers: Sequence[keras.Model] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.average = average
        self._network, self._batches, self._recipe = network, batches, recipe
        self._epochs, self._teachers, self._checkpoint = epochs, teachers, checkpoint
        self._optimizer = self._make_optimizer()
        for mean, variable in zip(_weights(average), _weights(network), strict=True):
            mean.assign(variable)

    def run(self, validation: Digits, on_epoch: Callable[[Epoch], None]) -> list[Epoch]:
        """Train to the end, and return the epochs, those of a run before included.

        Args:
            validation: what the averaged weights are judged on after each epoch; decides nothing.
            on_epoch: told after each epoch that this call has trained; what it raises ends the training.
        """
        epochs = self._resumed()
        step = tf.function(self._step)
        for number in range(len(epochs) + 1, self._epochs + 1):
            started, augmenting = perf_counter(), self._batches.seconds
            sums = np.sum([step(*batch) for batch in self._batches.epoch(number)], axis=0)
            outputs = logits(self.average, validation.images)
            epoch = Epoch(
                number,
                float(sums[0]) / self._batches.steps,
                float(sums[1] / sums[2]),
                cross_entropy(outputs, validation.labels),
                float(np.mean(outputs.argmax(axis=1) == validation.labels)),
                perf_counter() - started,
                self._batches.seconds - augmenting,
            )
            epochs.append(epoch)
            if self._checkpoint:
                self._checkpoint.save(epochs, [np.asarray(variable) for variable in self._state()])
            on_epoch(epoch)
        return epochs

    def _resumed(self) -> list[Epoch]:
        found = self._checkpoint and self._checkpoint.load()
        if not found:
            return []
        epochs, arrays = found
        for variable, array in zip(self._state(), arrays, strict=True):
            variable.assign(array)
        return epochs

    def _state(self) -> list[Any]:
        """All that the next epoch depends on, dropout's random state included; its batches depend on its number."""
        return [*self._network.variables, *self._optimizer.variables, *_weights(self.average)]

    def _make_optimizer(self) -> Any:
        steps, total = self._batches.steps, self._epochs * self._batches.steps
        warmup = min(steps, total // 2)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total - warmup, warmup_target=self._recipe.learning_rate, warmup_steps=warmup
        )
        optimizer = keras.optimizers.Adam(rate)
        optimizer.build(self._network.trainable_variables)
        return optimizer

    def _step(self, images: Any, labels: Any) -> Any:
        """One step of Adam, which the average follows; returns loss, how many digits were right, and of how many."""
        targets = self._targets(images, labels)
        with tf.GradientTape() as tape:
            outputs = self._network(images, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, outputs))
        variables = self._network.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        # A young average must not remember the random start, so its decay grows to the recipe's.
        done = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(self._recipe.averaging, (1 + done) / (10 + done))
        for mean, variable in zip(_weights(self.average), _weights(self._network), strict=True):
            mean.assign_sub((1 - decay) * (mean - variable))
        right = tf.math.count_nonzero(tf.argmax(outputs, axis=1) == labels, dtype=tf.float32)
        return loss, right, tf.math.count_nonzero(labels != NO_DIGIT, dtype=tf.float32)

    def _targets(self, images: Any, labels: Any) -> Any:
        """What the network should say: the label, or that it could be anything; mixed with what its teachers say."""
        unsure = tf.cast(labels == NO_DIGIT, tf.float32)[:, tf.newaxis] / CLASSES
        targets = tf.one_hot(labels, CLASSES) + unsure
        if not self._teachers:
            return targets
        opinions = [tf.nn.softmax(teacher(images, training=False)) for teacher in self._teachers]
        opinion = tf.add_n(opinions) / len(opinions)
        share = self._recipe.distillation
        if self._recipe.refines:
            # The model before has yet to learn what was taught, so where it contradicts the label it is not heeded.
            heeded = (labels == NO_DIGIT) | (labels == tf.argmax(opinion, axis=1))
            share *= tf.cast(heeded, tf.float32)[:, tf.newaxis]
        return (1 - share) * targets + share * opinion


def _weights(network: keras.Model) -> list[Any]:
    """What is averaged: the weights that are learnt, and the statistics of normalisation; no random state."""
    return [variable for variable in network.variables if variable.dtype == "float32"]
