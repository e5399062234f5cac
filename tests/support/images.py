"""The images of tests: real handwritten digits, and the answers of the model that ships with the program."""

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.augmentation.drawn_digits import Style, draw_style
from model.data import sample_digits
from model.data.digits import Digits
from model.data.mnist import load_test

MNIST = os.environ.get("DIGITMILL_MNIST")

_FIRST = (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)
"""Labels of the first of MNIST's test images, which tests rely on."""


def real_digits() -> Digits:
    """Return MNIST's test images, or the sample digits if MNIST is not there.

    The sample digits come in an order in which tests can use them like MNIST's: the first ones show the same digits,
    and those that the model reads most surely and rightly come before all others.
    """
    if MNIST:
        return load_test(Path(MNIST))
    digits = sample_digits.load().train
    surest = np.argsort(-_sureness(digits), kind="stable").tolist()
    first = []
    for label in _FIRST:
        first.append(next(index for index in surest if digits.labels[index] == label))
        surest.remove(first[-1])
    return digits[np.array(first + surest)]


def as_png(image: NDArray[np.uint8]) -> bytes:
    """Encode an image as PNG."""
    target = io.BytesIO()
    Image.fromarray(image).save(target, "PNG")
    return target.getvalue()


def undisturbed_answers(images: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the digits that the model names in this process, without a queue."""
    from model.inference.classifier import Classifier

    return Classifier.baseline().classify(images).digits.astype(np.int8)


def number_picture(digits: Digits, number: str) -> NDArray[np.uint8]:
    """Return a picture of a number, made of real digits side by side: uint8 (28, 28 n).

    Of the first 300 digits, they are those that the model reads most surely and rightly.
    """
    some = digits[np.arange(300)]
    sure = _sureness(some)
    return np.hstack([some.images[np.where(some.labels == int(digit), sure, 0).argmax()] for digit in number])


def _sureness(digits: Digits) -> NDArray[np.float32]:
    """Return the confidence of the model in each digit, float32 (n,); 0 if it misreads the digit."""
    from model.inference.classifier import Classifier

    read = Classifier.baseline().classify(digits.images)
    sureness: NDArray[np.float32] = np.where(read.digits == digits.labels, read.confidences, np.float32(0))
    return sureness


def slashed_zeros(count: int, *, seed: int) -> NDArray[np.uint8]:
    """Draw zeros as programmers write them, uint8 (count, 28, 28).

    No training draws them (`model.augmentation.drawn_digits`), and the baseline misreads half of them.
    """
    return draw_style(Style("~40 11 04 17 38 57 64 51 30 20|70 08", 1), count, np.random.default_rng(seed))
