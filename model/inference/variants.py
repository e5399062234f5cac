"""Read an image in several variants if the network is not sure of it, and answer with the mean.

This is test-time augmentation, as in A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012. The network seldom repeats a misreading when the image changes a little. So
the mean is right more often, and less sure where it is wrong. Images in MNIST's form are read once. So a job of MNIST's
files gets the same answers as the classifier in process.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.images.variants import variants_of
from model.inference.predictions import Predictions

SURE = 0.98
"""Confidence from which an image is read once. See EXPERIMENTS.md, "images read in variants".

With 0.9, 109 of 11,000 held-out digits on paper and screen are confidently wrong, with 0.98 97, with 0.995 94. One in
twelve of them has less than 0.98."""

AT_ONCE = 1024
"""Number of images whose variants are made and classified together. The variants have 8 MB."""

Classify: TypeAlias = Callable[[NDArray[np.uint8]], Predictions]
"""A function that classifies images, uint8 (n, 28, 28)."""


class Inputs(NamedTuple):
    """Images for the network, and which of them may be read in variants.

    Attributes:
        images: uint8 (n, 28, 28), light ink on black.
        redrawn: Whether normalisation drew the image anew, bool (n,). The others are read once: images in MNIST's form,
            arrays, and images that failed.
    """

    images: NDArray[np.uint8]
    redrawn: NDArray[np.bool_]

    def at(self, images: slice | NDArray[np.intp]) -> "Inputs":
        """Return some of the inputs, by their indices."""
        return Inputs(self.images[images], self.redrawn[images])


class Readings(NamedTuple):
    """What the network reads in n images.

    Attributes:
        predictions: Answers, in which the mean counts for each image that was read in variants.
        surest: Confidence in the digit that is answered, float32 (n,): the mean one, or that of the image alone,
            whichever is higher.
    """

    predictions: Predictions
    surest: NDArray[np.float32]


def read_inputs(classify: Classify, inputs: Inputs) -> Readings:
    """Classify images, and the variants of those that are redrawn and not read surely.

    Args:
        classify: Function that classifies images. It is called once, and once more for each `AT_ONCE` unsure images.
        inputs: Images.

    Raises:
        ModelError: The model fails on the images or on their variants.
    """
    first = classify(inputs.images)
    unsure = np.flatnonzero(inputs.redrawn & (first.confidences < SURE))
    if not len(unsure):
        return Readings(first, first.confidences)
    probabilities = first.probabilities.copy()
    for start in range(0, len(unsure), AT_ONCE):
        some = unsure[start : start + AT_ONCE]
        variants = variants_of(inputs.images[some])
        varied = classify(variants.reshape(-1, *variants.shape[2:])).probabilities.reshape(*variants.shape[:2], -1)
        probabilities[some] = (probabilities[some] + varied.sum(axis=1)) / np.float32(variants.shape[1] + 1)
    answers = Predictions.of(probabilities)
    alone = first.probabilities[np.arange(len(first)), answers.digits]
    return Readings(answers, np.maximum(answers.confidences, alone))
