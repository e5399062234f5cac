"""How well a model reads images that went bad: the same images under each of `model.evaluation.corruptions`.

In two ways: the network shown the images as they are, and files of them going the way of a user's image, through
decoding and normalising. They differ: normalising takes grey paper and specks away before the network sees them.
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
"""From `Images` to digits, integers (n,), with `metrics.NONE` for an image that is refused."""


class Reading(NamedTuple):
    """What became of the images under one corruption."""

    name: str
    images: Images
    digits: Integers


def directly(classifier: Classifier) -> Reader:
    """The classifier alone, shown the images as they are."""
    return lambda images: classifier.classify(images).digits


def as_files(classifier: Classifier) -> Reader:
    """All of a worker's way: each image as a PNG file, decoded, normalised, classified; about 0.4 ms an image."""
    return partial(_read_files, classifier)


def readings(read: Reader, images: Images, *, seed: int = 0) -> Iterator[Reading]:
    """What is read under each of the `CORRUPTIONS`, in their order.

    The same images and seed give the same corrupted images, whatever reads them.
    """
    for name in CORRUPTIONS:
        changed = corrupted(name, images, seed)
        yield Reading(name, changed, read(changed))


def robustness(read: Reader, digits: Digits, *, seed: int = 0) -> dict[str, Score]:
    """Accuracy under each of the `CORRUPTIONS`, by name; an image that is refused is wrong.

    Args:
        read: `directly` or `as_files`, of a classifier.
        digits: images that the model was not trained on.
        seed: of the corruptions.
    """
    return {name: Score.between(digits.labels, found) for name, _, found in readings(read, digits.images, seed=seed)}


def evenly(digits: Digits, most: int) -> Digits:
    """At most `most` of the digits, from all over, for what is too slow to be measured on every one."""
    return digits[:: -(-len(digits) // most)]


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
