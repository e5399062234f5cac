"""A model's accuracy on corrupted images: the same images under each of `model.evaluation.corruptions`.

There are two ways to measure it. The network sees the images as they are, or it sees what decoding and normalising make
of their files, as for a user's images. The two differ, because normalising removes grey paper and specks.
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
"""A function from `Images` to digits, integers (n,), with `metrics.NONE` for an image that is refused."""


class Reading(NamedTuple):
    """The images under one corruption, and the digits that were read in them."""

    name: str
    images: Images
    digits: Integers


def directly(classifier: Classifier) -> Reader:
    """Return a reader that shows the images to the classifier as they are."""
    return lambda images: classifier.classify(images).digits


def as_files(classifier: Classifier) -> Reader:
    """Return a reader that does all that a worker does: it decodes, normalises and classifies each image as a PNG file.

    It takes about 0.4 ms an image.
    """
    return partial(_read_files, classifier)


def readings(read: Reader, images: Images, *, seed: int = 0) -> Iterator[Reading]:
    """Read the images under each of the `CORRUPTIONS`, in their order.

    Args:
        read: Reader, from `directly` or `as_files`.
        images: Images, uint8 (n, 28, 28).
        seed: Seed of the corruptions. The same images and seed always give the same corrupted images.
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
    """Choose at most `limit` of the digits at equal distances, for measurements that are too slow for all of them."""
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
