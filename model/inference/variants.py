"""Read an image in several variants where the network is not sure of it, and answer with the mean.

This is test-time augmentation, as in A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012. A misreading seldom survives each small change, so the mean is right more
often, and less sure where it is wrong. Images that came in MNIST's form are read once, so that MNIST is read through
the queue as in process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images.fitting import SIDE
from model.inference.classifier import Predictions

Classify: TypeAlias = Callable[[NDArray[np.uint8]], Predictions]
"""A function that classifies images, uint8 (n, 28, 28)."""


@dataclass(frozen=True, slots=True)
class VariantLimits:
    """Which images are read in variants, and how much these differ. See EXPERIMENTS.md, "images read in variants"."""

    sure: float = 0.98
    """Confidence from which an image is read once.

    With 0.9, 109 of 11,000 held-out digits on paper and screen are confidently wrong, with 0.98 97, with 0.995 94.
    Below 0.98 are one in twelve of them."""

    moves: tuple[float, ...] = (0.5, 1.0)
    """Distances by which the digit moves, right or left and up or down, in pixels. Half a pixel also smooths it."""

    slant: float = 0.25
    """Slant of the digit, either way, as the horizontal shift per unit of height. As much as in training."""


LIMITS = VariantLimits()


def _maps(limits: VariantLimits) -> NDArray[np.float32]:
    centre = (SIDE - 1) / 2
    moved = [[[1, 0, right * by], [0, 1, down * by]] for by in limits.moves for right in (-1, 1) for down in (-1, 1)]
    slanted = [[[1, slant, -slant * centre], [0, 1, 0]] for slant in (-limits.slant, limits.slant)]
    return np.array(moved + slanted, np.float32)


MAPS = _maps(LIMITS)
"""Affine maps of the variants, in pixels, float32 (n, 2, 3). With each map, they contain its inverse."""


class Inputs(NamedTuple):
    """Images for the network, and which of them may be read in variants.

    Attributes:
        images: uint8 (n, 28, 28), light ink on black.
        redrawn: Whether normalisation drew the image anew, bool (n,). The others came in MNIST's form.
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
        surest: Confidence in the digit that is answered, float32 (n,): the mean one, or the one before the variants,
            whichever is higher.
    """

    predictions: Predictions
    surest: NDArray[np.float32]


def read_inputs(classify: Classify, inputs: Inputs) -> Readings:
    """Classify images, and those that are redrawn and not read surely in variants.

    Args:
        classify: Function that classifies images. It is called once or twice.
        inputs: Images.

    Raises:
        ModelError: The model fails on the images or on their variants.
    """
    first = classify(inputs.images)
    unsure = np.flatnonzero(inputs.redrawn & (first.confidences < LIMITS.sure))
    if not len(unsure):
        return Readings(first, first.confidences)
    varied = classify(_variants(inputs.images[unsure])).probabilities.reshape(len(unsure), len(MAPS), -1)
    probabilities = first.probabilities.copy()
    probabilities[unsure] = (probabilities[unsure] + varied.sum(axis=1)) / np.float32(len(MAPS) + 1)
    answers = Predictions.of(probabilities)
    before = first.probabilities[np.arange(len(first)), answers.digits]
    return Readings(answers, np.maximum(answers.confidences, before))


def _variants(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return all variants of each image, uint8 (n × variants, 28, 28)."""
    variants = np.empty((len(images), len(MAPS), SIDE, SIDE), np.uint8)
    for image, drawn in zip(images, variants, strict=True):
        for change, variant in zip(MAPS, drawn, strict=True):
            cv2.warpAffine(image, change, (SIDE, SIDE), dst=variant, flags=cv2.INTER_LINEAR)
    return variants.reshape(-1, SIDE, SIDE)
