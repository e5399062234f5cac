"""The batches of a training: mixed from training images and drawn images, distorted and degraded.

A thread prepares them while the network trains.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import thread_time
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.augmentation import drawn_digits, outliers
from model.augmentation.degradation import degrade
from model.augmentation.distortion import distort
from model.augmentation.worn import normalised
from model.data.digits import Digits
from model.errors import UsageError
from model.training.recipe import Recipe

NO_DIGIT: Final = -1
"""The label of an image without a digit."""

AHEAD = 16
"""Number of batches that are prepared ahead. If augmentation is faster than the network, the network never waits."""

EPOCHS_DRAWN = 4
"""The number of digits and outliers drawn beforehand would last for this many epochs.

Each batch chooses from all of them at random, and distorts its choice anew."""


DOUBTFUL = 0.1
"""Share of the training images that count as those of which a model is the least sure."""


class Batch(NamedTuple):
    """The images of one step, with their labels."""

    images: NDArray[np.uint8]  # (n, 28, 28, 1)
    labels: NDArray[np.int64]  # (n,), 0 to 9 or NO_DIGIT
    taught: NDArray[np.bool_]  # (n,), whether a user taught the image


class Batches:
    """The batches of a training, epoch by epoch.

    The same arguments give the same batches for an epoch, whether the earlier epochs were made or not.

    Args:
        train: Training images. An epoch shows the recipe's share of them, each at most once, in whole batches.
        recipe: Recipe that says how images are mixed and distorted.
        seed: Seed of all random numbers.
        taught: Number of images at the end of `train` that users taught.
        doubts: How much the model that is refined doubts each of the images before these, floats (m,). Without them,
            none is replayed.

    Attributes:
        steps: Number of batches per epoch.
        seconds: Processor time that making batches has taken so far, in seconds.

    Raises:
        UsageError: Drawn digits and outliers would fill the whole batch.
    """

    def __init__(
        self,
        train: Digits,
        recipe: Recipe,
        seed: int,
        taught: int = 0,
        doubts: NDArray[np.float32] | None = None,
    ) -> None:
        self._train, self._recipe, self._seed = train, recipe, seed
        self._first_taught = len(train) - taught
        size = min(recipe.batch_size, len(train))
        self._drawn, self._outliers = round(recipe.drawn * size), round(recipe.outliers * size)
        self._collected = size - self._drawn - self._outliers
        if self._collected < 1:  # the shares are below 1, but their numbers of images are rounded
            raise UsageError(
                f"A batch of {size} would hold {self._drawn} drawn digits and {self._outliers} outliers, and none of "
                "the training images. Give a smaller share of either, or a larger batch size."
            )
        self._replayed = 0 if doubts is None else round(recipe.replayed * size)
        doubted = np.argsort(np.empty(0) if doubts is None else -doubts, kind="stable")
        self._doubted = doubted[: round(DOUBTFUL * len(doubted))]
        self.steps = max(1, round(recipe.share * len(train)) // self._collected)
        random = np.random.default_rng((seed, 0))
        self.seconds = -thread_time()
        self._drawn_digits = Digits(*drawn_digits.draw(EPOCHS_DRAWN * self.steps * self._drawn, random))
        self._drawn_outliers = outliers.draw(EPOCHS_DRAWN * self.steps * self._outliers, random, train)
        self.seconds += thread_time()

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of one epoch. A thread makes the next batches while the caller uses one.

        Args:
            number: Number of the epoch, from 1.
        """
        batches = self._made(np.random.default_rng((self._seed, number)))
        with ThreadPoolExecutor(1, "batches") as thread:
            waiting = deque(thread.submit(next, batches, None) for _ in range(AHEAD))
            while (batch := waiting.popleft().result()) is not None:
                waiting.append(thread.submit(next, batches, None))
                yield batch

    def _made(self, random: np.random.Generator) -> Iterator[Batch]:
        order = random.permutation(len(self._train))
        for step in range(self.steps):
            self.seconds -= thread_time()
            batch = self._batch(order[step * self._collected :][: self._collected], random)
            self.seconds += thread_time()
            yield batch

    def _batch(self, rows: NDArray[np.intp], random: np.random.Generator) -> Batch:
        collected = self._train[rows]
        drawn = self._drawn_digits[random.integers(max(1, len(self._drawn_digits)), size=self._drawn)]
        without_digit = self._drawn_outliers[random.integers(max(1, len(self._drawn_outliers)), size=self._outliers)]
        images = np.concatenate([collected.images, drawn.images, without_digit])
        images = degrade(distort(images, self._recipe.augmentation, random), self._recipe.degradation, random)
        worn = np.flatnonzero(random.random(len(images)) < self._recipe.normalised)
        images[worn] = normalised(images[worn], random)
        again = self._train[self._doubted[random.integers(max(1, len(self._doubted)), size=self._replayed)]]
        images = np.concatenate([images, again.images])
        labels = np.concatenate([collected.labels, drawn.labels, np.full(len(without_digit), NO_DIGIT), again.labels])
        taught = np.zeros(len(labels), np.bool_)
        taught[: len(rows)] = rows >= self._first_taught
        return Batch(images[..., np.newaxis], labels, taught)
