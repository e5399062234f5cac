"""The training loop."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model.augment import augment
from model.calibration import cross_entropy
from model.card import Epoch
from model.digits import Digits
from model.network import build, logits
from model.recipe import Recipe


def fit(
    train: Digits, validation: Digits, recipe: Recipe, *, seed: int, on_epoch: Callable[[Epoch], None]
) -> tuple[keras.Model, list[Epoch]]:
    """Train a network and return it with its training curve.

    The same arguments on the same machine and number of threads give the same weights, bit for bit. For that it sets
    the process's random seeds and TensorFlow's deterministic mode.

    Args:
        train: what it learns from, augmented anew in each epoch.
        validation: what it is judged on after each epoch; decides nothing here.
        recipe: how.
        seed: of every random number.
        on_epoch: told after each epoch; what it raises ends the training.

    Returns:
        The network with the averaged weights after the last epoch, and the epochs.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    random = np.random.default_rng(seed)
    network, average = build(recipe.dropout), build()
    batch_size = min(recipe.batch_size, len(train))
    steps = len(train) // batch_size
    step = _step(network, average, recipe, steps)
    epochs = []
    for number in range(1, recipe.epochs + 1):
        started = perf_counter()
        loss, correct = np.sum([step(*batch) for batch in _batches(train, batch_size, recipe, random)], axis=0)
        outputs = logits(average, validation.images)
        epoch = Epoch(
            number,
            float(loss) / steps,
            float(correct) / (steps * batch_size),
            cross_entropy(outputs, validation.labels),
            float(np.mean(outputs.argmax(axis=1) == validation.labels)),
            perf_counter() - started,
        )
        epochs.append(epoch)
        on_epoch(epoch)
    return average, epochs


def _batches(
    train: Digits, size: int, recipe: Recipe, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """One epoch: every image once, in random order, except that what fills no whole batch waits for another epoch."""
    order = random.permutation(len(train))
    for start in range(0, len(train) - size + 1, size):
        batch = train[order[start : start + size]]
        yield augment(batch.images, recipe.augmentation, random)[..., np.newaxis], batch.labels


def _step(network: keras.Model, average: keras.Model, recipe: Recipe, steps: int) -> Callable[..., Any]:
    """One step of Adam on `network`, whose weights `average` follows; returns loss and number of correct images."""
    total = recipe.epochs * steps
    warmup = min(steps, total // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, total - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)
    objective = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = network(images, training=True)
            loss = objective(labels, outputs)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        # A young average must not remember the random start, so its decay grows to the recipe's.
        done = tf.cast(optimizer.iterations, tf.float32)
        decay = tf.minimum(recipe.averaging, (1 + done) / (10 + done))
        for mean, variable in zip(average.trainable_variables, network.trainable_variables, strict=True):
            mean.assign_sub((1 - decay) * (mean - variable))
        correct = tf.math.count_nonzero(tf.argmax(outputs, axis=1) == tf.cast(labels, tf.int64))
        return loss, tf.cast(correct, tf.float32)

    compiled: Callable[..., Any] = tf.function(step)
    return compiled
