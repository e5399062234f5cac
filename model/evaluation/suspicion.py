"""Find labels that a model contradicts wholesale, among images that users want to teach.

Users teach what the model misreads, so a contradiction alone is not suspicious. But two kinds of contradiction differ.
If the label is wrong, the image looks like the digit that the model names, and the model is as sure of it as of that
digit's own images. If the style is new, the model is rarely so sure, even where it is confident. Confident learning
takes the model's mean confidence in a digit's own images as the limit (C. G. Northcutt, L. Jiang, I. L. Chuang,
"Confident Learning: Estimating Uncertainty in Dataset Labels", https://arxiv.org/abs/1911.00068, section 3.1). An image
that reaches it is typical of the digit that the model names.

Of images that are misread although their labels are right, few are typical: at most the share `TYPICAL_IF_MISREAD`. So
the number of typical ones among n contradicted images is at most binomial, and an exact test says whether chance
explains it. One image never proves anything, and five can. `benchmarks/suspicious_labels.py` measures both errors.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import ceil, exp, lgamma, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.metrics import Integers

TYPICAL: Final = 0.99
"""Mean confidence in a digit's own images, for models whose card does not have it."""

TYPICAL_IF_MISREAD: Final = 0.25
"""Largest usual share of typical images among misread ones. EXPERIMENTS.md has the measurements."""

LEVEL: Final = 0.001
"""Labels are suspicious if right ones would be contradicted so surely with a lower probability than this."""

FEWEST: Final = ceil(log(LEVEL) / log(TYPICAL_IF_MISREAD))
"""Number of images below which no labels are suspicious."""


def suspicious(
    labels: Integers, digits: Integers, confidences: NDArray[np.float32], typical: Sequence[float] = ()
) -> NDArray[np.bool_]:
    """Mark the images whose labels the model contradicts wholesale.

    Three kinds of groups are tested, each without what an earlier one explains: the images with one label that the
    model reads as one other digit, all contradicted images with one label, and all contradicted images.

    Args:
        labels: What each image is said to show, (n,), 0 to 9.
        digits: Digit that the model reads in each image, (n,).
        confidences: Probability of that digit, (n,), 0 to 1.
        typical: Mean confidence of the model in each digit's own images. If there are not ten, `TYPICAL` for each.

    Returns:
        Marks, bool (n,).
    """
    limits = np.array(typical if len(typical) == 10 else [TYPICAL] * 10)
    sure = confidences >= limits[digits]
    found = np.zeros(len(labels), np.bool_)
    for group in _groups(labels, digits):
        rest = group & (labels != digits) & ~found
        if _chance(int((rest & sure).sum()), int(rest.sum())) < LEVEL:
            found |= rest
    return found


def _groups(labels: Integers, digits: Integers) -> Iterator[NDArray[np.bool_]]:
    for label, digit in product(range(10), range(10)):
        yield (labels == label) & (digits == digit)
    for label in range(10):
        yield labels == label
    yield np.ones(len(labels), np.bool_)


def _chance(typical: int, misread: int) -> float:
    """Return the probability of at least so many typical images among misread ones whose labels are right."""
    share = TYPICAL_IF_MISREAD
    if typical <= share * misread:
        return 1.0
    logs = (
        lgamma(misread + 1)
        - lgamma(count + 1)
        - lgamma(misread - count + 1)
        + count * log(share)
        + (misread - count) * log(1 - share)
        for count in range(typical, misread + 1)
    )
    return sum(map(exp, logs))
