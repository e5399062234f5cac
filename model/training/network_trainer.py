"""Train one network: the steps of an epoch, the averaged weights, and the state for a checkpoint."""

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
    """The trainer of one network.

    Args:
        network: Network to train, as it starts.
        average: Network of the same architecture. It gets the moving average of the weights, and is the result.
        batches: Batches of images to train on.
        recipe: Recipe of the training.
        epochs: Number of epochs.
        teachers: Trained networks from which the network distils, or the one that it copies if the recipe refines.
        checkpoint: File for the state after each epoch. If it holds a state already, the training resumes there.

    Attributes:
        average: Network that has the averaged weights.
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

    def run(
        self, validation: Digits, on_epoch: Callable[[Epoch], None], on_step: Callable[[float], None]
    ) -> list[Epoch]:
        """Train to the end, and return all epochs, including those that a checkpoint holds.

        Args:
            validation: Images to judge the averaged weights on after each epoch. They decide nothing.
            on_epoch: Progress callback, called after each epoch of this call. An exception that it raises ends the
                training.
            on_step: Progress callback, called after each step with the number of epochs that are done.

        Raises:
            UsageError: The checkpoint cannot be written.
        """
        epochs = self._resumed()
        # Its ifs and loops are those of Python. Looking for others takes longer than all else before the first step.
        step = tf.function(self._step, autograph=False)
        for number in range(len(epochs) + 1, self._epochs + 1):
            started, augmenting = perf_counter(), self._batches.seconds
            counts = []
            for batch in self._batches.epoch(number):
                counts.append(step(*batch))
                on_step(number - 1 + len(counts) / self._batches.steps)
            sums = np.sum(counts, axis=0)
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
        """Return all variables that the next epoch depends on. Its batches depend only on its number."""
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

    def _step(self, images: Any, labels: Any, taught: Any) -> Any:
        """Do one step of Adam, and update the average. Return the loss and the numbers of correct and of all digits."""
        opinions = [teacher(images, training=False) for teacher in self._teachers]
        targets = self._targets(opinions, labels, taught)
        with tf.GradientTape() as tape:
            outputs = self._network(images, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, outputs))
            if self._recipe.fidelity and self._recipe.refines:
                # A probability near 1 or 0 says little about a logit, so the logits themselves are compared.
                away = tf.reduce_mean(tf.square(_centred(outputs) - _centred(opinions[0])), axis=1)
                loss += self._recipe.fidelity * tf.reduce_mean(tf.where(taught, 0.0, away))
        variables = self._network.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        # A young average must forget the random start quickly, so its decay grows up to the recipe's.
        done = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(self._recipe.averaging, (1 + done) / (10 + done))
        for mean, variable in zip(_weights(self.average), _weights(self._network), strict=True):
            mean.assign_sub((1 - decay) * (mean - variable))
        right = tf.math.count_nonzero(tf.argmax(outputs, axis=1) == labels, dtype=tf.float32)
        return loss, right, tf.math.count_nonzero(labels != NO_DIGIT, dtype=tf.float32)

    def _targets(self, opinions: Sequence[Any], labels: Any, taught: Any) -> Any:
        """Return the probabilities, float32 (n, 10), that the network should learn.

        They mix the teachers' mean opinion with 1 for the label, or with 1/10 for each digit if the image has none. In
        a refinement, they are the opinion alone, or the label alone if a user taught the image.

        Args:
            opinions: Logits of each teacher, float32 (n, 10).
            labels: Labels, int64 (n,).
            taught: Whether a user taught each image, bool (n,).
        """
        unsure = tf.cast(labels == NO_DIGIT, tf.float32)[:, tf.newaxis] / CLASSES
        targets = tf.one_hot(labels, CLASSES) + unsure
        if not opinions:
            return targets
        opinion = tf.add_n([tf.nn.softmax(each) for each in opinions]) / len(opinions)
        if self._recipe.refines:
            return tf.where(taught[:, tf.newaxis], targets, opinion)
        share = self._recipe.distillation
        return (1 - share) * targets + share * opinion


def _centred(outputs: Any) -> Any:
    """Return logits whose mean is 0 for each image. The probabilities stay the same."""
    return outputs - tf.reduce_mean(outputs, axis=1, keepdims=True)


def _weights(network: keras.Model) -> list[Any]:
    """Return the variables to average: the learnt weights and the statistics of normalisation, without random state."""
    return [variable for variable in network.variables if variable.dtype == "float32"]
