"""A model's accuracy on corrupted images: the same images under each corruption of a family.

There are two ways to measure it. Either the network sees the images as they are, or it sees them after they were saved,
decoded and normalised, like a user's images. The results differ, because normalisation removes grey paper and specks.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from model.cards.card import FamilyRobustness, Score
from model.data.digits import Digits
from model.evaluation.corrupting import Family, Images, corrupted
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.inference.several import FilesRead, read_files
from model.metrics import NONE, Integers


class Answers(NamedTuple):
    """What was read in n images."""

    digits: Integers  # (n,), with `metrics.NONE` for a refused image
    confidences: NDArray[np.floating]  # (n,), 0 to 1; 0 for an image that is reviewed whatever the network says

    @classmethod
    def of(cls, read: FilesRead) -> "Answers":
        """Return what was read in files. Those that failed are refused, and those that are doubted are reviewed."""
        digits, confidences = read.predictions.digits.astype(np.int64), read.predictions.confidences.copy()
        refused = list(read.failures)
        digits[refused] = NONE
        confidences[[*refused, *read.doubts]] = 0
        return cls(digits, confidences)

    def confidently_wrong(self, labels: Integers) -> Score:
        """Return the share of the images that were misread with a confidence of `REVIEW_BELOW` or more.

        This is the worst failure, because nobody is asked to look at such an image.

        Args:
            labels: The right digits, integers (n,); n must not be 0.
        """
        wrong = (self.digits != labels) & (self.digits != NONE) & (self.confidences >= REVIEW_BELOW)
        return Score.of(int(wrong.sum()), len(wrong))


Reader: TypeAlias = Callable[[Images], Answers]
"""A function that takes `Images` and returns what it reads in them."""


class Reading(NamedTuple):
    """The images under one corruption, and what was read in them."""

    name: str
    images: Images
    answers: Answers


def directly(classifier: Classifier) -> Reader:
    """Return a reader that shows the images to the classifier as they are."""

    def read(images: Images) -> Answers:
        found = classifier.classify(images)
        return Answers(found.digits, found.confidences)

    return read


def as_files(classifier: Classifier) -> Reader:
    """Return a reader that saves each image as a PNG file, and decodes, normalises and classifies it as a worker does.

    The reader takes about 1 ms an image.
    """

    def read(images: Images) -> Answers:
        files = (cv2.imencode(".png", image)[1].tobytes() for image in images)
        return Answers.of(read_files(classifier.classify, files))

    return read


def readings(read: Reader, images: Images, kinds: Family, *, seed: int = 0) -> Iterator[Reading]:
    """Read the images under each corruption of a family.

    Args:
        read: Reader, from `directly` or `as_files`.
        images: Images, uint8 (n, 28, 28), light ink on black.
        kinds: Family of corruptions.
        seed: Seed of the corruptions. The same images and seed always give the same corrupted images.

    Yields:
        One reading for each corruption, in the order of the family.
    """
    for name in kinds:
        changed = corrupted(kinds, name, images, seed)
        yield Reading(name, changed, read(changed))


def robustness(read: Reader, digits: Digits, kinds: Family, *, seed: int = 0) -> dict[str, Score]:
    """Return the accuracy under each corruption of a family, by name. An image that is refused counts as wrong.

    Args:
        read: Reader, from `directly` or `as_files`.
        digits: Images that the model was not trained on.
        kinds: Family of corruptions.
        seed: Seed of the corruptions.
    """
    return {
        name: Score.between(digits.labels, answers.digits)
        for name, _, answers in readings(read, digits.images, kinds, seed=seed)
    }


def whole_robustness(classifier: Classifier, digits: Digits, kinds: Family, *, seed: int = 0) -> FamilyRobustness:
    """Return the accuracy under each corruption both ways, on the same images, and what files make confidently wrong.

    Args:
        classifier: Classifier of the model.
        digits: Images that the model was not trained on.
        kinds: Family of corruptions.
        seed: Seed of the corruptions.
    """
    found = list(readings(as_files(classifier), digits.images, kinds, seed=seed))
    return FamilyRobustness(
        seed,
        {name: Score.between(digits.labels, directly(classifier)(images).digits) for name, images, _ in found},
        {name: Score.between(digits.labels, answers.digits) for name, _, answers in found},
        {name: answers.confidently_wrong(digits.labels) for name, _, answers in found},
    )


def evenly(digits: Digits, limit: int) -> Digits:
    """Choose at most `limit` of the digits, evenly spaced, for measurements that are too slow for all of them."""
    return digits[:: -(-len(digits) // limit)]
