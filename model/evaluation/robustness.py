"""A model's accuracy on corrupted images: the same images under each of `model.evaluation.corruptions`.

There are two ways to measure it. Either the network sees the images as they are, or it sees them after they were saved,
decoded and normalised, like a user's images. The results differ, because normalisation removes grey paper and specks.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from model.cards.card import Score
from model.data.digits import Digits
from model.errors import ImageError
from model.evaluation.corruptions import CORRUPTIONS, Images, corrupted
from model.images.preprocess import preprocess
from model.inference.classifier import Classifier
from model.metrics import NONE, Integers

Reader: TypeAlias = Callable[[Images], Integers]
"""A function that takes `Images` and returns digits, integers (n,), with `metrics.NONE` for a refused image."""


class Reading(NamedTuple):
    """The images under one corruption, and the digits that were read in them."""

    name: str
    images: Images
    digits: Integers


def directly(classifier: Classifier) -> Reader:
    """Return a reader that shows the images to the classifier as they are."""
    return lambda images: classifier.classify(images).digits


def as_files(classifier: Classifier) -> Reader:
    """Return a reader that saves each image as a PNG file, and decodes, normalises and classifies it as a worker does.

    The reader takes about 0.4 ms an image.
    """
    return partial(_read_files, classifier)


def readings(read: Reader, images: Images, *, seed: int = 0) -> Iterator[Reading]:
    """Read the images under each of the `CORRUPTIONS`.

    Args:
        read: Reader, from `directly` or `as_files`.
        images: Images, uint8 (n, 28, 28), light ink on black.
        seed: Seed of the corruptions. The same images and seed always give the same corrupted images.

    Yields:
        One reading for each corruption, in the order of `CORRUPTIONS`.
    """
    for name in CORRUPTIONS:
        changed = corrupted(name, images, seed)
        yield Reading(name, changed, read(changed))


def robustness(read: Reader, digits: Digits, *, seed: int = 0) -> dict[str, Score]:
    """Return the accuracy under each of the `CORRUPTIONS`, by name. An image that is refused counts as wrong.

    Args:
        read: Reader, from `directly` or `as_files`.
        digits: Images that the model was not trained on.
        seed: Seed of the corruptions.
    """
    return {name: Score.between(digits.labels, found) for name, _, found in readings(read, digits.images, seed=seed)}


def evenly(digits: Digits, limit: int) -> Digits:
    """Choose at most `limit` of the digits, evenly spaced, for measurements that are too slow for all of them."""
    return digits[:: -(-len(digits) // limit)]


def _read_files(classifier: Classifier, images: Images) -> Integers:
    shown = np.zeros_like(images)
    refused = np.zeros(len(images), bool)
    for index, image in enumerate(images):
        _, file = cv2.imencode(".png", image)
        try:
            shown[index] = preprocess(file.tobytes())
        except ImageError:
            refused[index] = True
    return np.where(refused, NONE, classifier.classify(shown).digits.astype(np.int64))
