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


def real_digits() -> Digits:
    """Return MNIST's test images, or the sample digits if MNIST is not there."""
    return load_test(Path(MNIST)) if MNIST else sample_digits.load().train


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
    from model.inference.classifier import Classifier

    images, labels = digits.images[:300], digits.labels[:300]
    read = Classifier.baseline().classify(images)
    sure = np.where(read.digits == labels, read.confidences, 0)
    return np.hstack([images[np.where(labels == int(digit), sure, 0).argmax()] for digit in number])


def slashed_zeros(count: int, *, seed: int) -> NDArray[np.uint8]:
    """Draw zeros as programmers write them, uint8 (count, 28, 28).

    No training draws them (`model.augmentation.drawn_digits`), and the baseline misreads half of them.
    """
    return draw_style(Style("~40 11 04 17 38 57 64 51 30 20|70 08", 1), count, np.random.default_rng(seed))
