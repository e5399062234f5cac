"""Judging predictions: accuracy, confusion, precision and recall, calibration. NumPy alone.

Everywhere here `labels` holds true digits and `digits` predicted ones, integers (n,), where -1 means "none". An image
without a true label is left out of every figure. An image without a prediction (it failed) counts as wrong.
"""

from math import nan, sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
NONE = -1
BINS = 15  # of Guo et al. 2017 and nearly everyone since: other counts give other errors, not to be compared

Integers: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.floating[Any]]


class Interval(NamedTuple):
    """A confidence interval of a proportion."""

    low: float
    high: float


class ClassScore(NamedTuple):
    """How well one digit is recognised. Precision, recall and F1 are 0 where they would be 0/0."""

    precision: float  # of the images called this digit, how many are
    recall: float  # of the images that are this digit, how many are called so
    f1: float  # harmonic mean of the two
    support: int  # images that are this digit, failed ones included


class Reliability(NamedTuple):
    """Confidence against accuracy in equal-width bins of confidence; NaN where a bin is empty."""

    images: NDArray[np.int64]  # (bins,) how many
    accuracy: NDArray[np.float64]  # (bins,)
    confidence: NDArray[np.float64]  # (bins,) mean


def accuracy(labels: Integers, digits: Integers) -> float:
    """The share of labelled images predicted right, failed ones in the denominator; NaN if none is labelled."""
    labelled = labels != NONE
    total = int(labelled.sum())
    return int((labels == digits)[labelled].sum()) / total if total else nan


def wilson(correct: int, total: int, z: float = 1.959964) -> Interval:
    """Wilson's score interval of a proportion, by default at 95 %; (0, 1) where nothing was counted.

    Unlike the normal approximation it is sound near 100 %, where digits live (Wilson 1927, doi:10.2307/2276774).
    """
    if not total:
        return Interval(0.0, 1.0)
    share = correct / total
    centre = share + z * z / (2 * total)
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def confusion(labels: Integers, digits: Integers) -> NDArray[np.int64]:
    """How often each true digit (row) was predicted as each digit (column), int64 (10, 10).

    It counts the images that have both: a row may sum to less than its `support`, by the images that failed.
    """
    both = (labels != NONE) & (digits != NONE)
    cells = labels[both].astype(np.int64) * CLASSES + digits[both]
    return np.bincount(cells, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)


def per_class(labels: Integers, digits: Integers) -> list[ClassScore]:
    """Precision, recall, F1 and support of the digits 0 to 9, in this order."""
    matrix = confusion(labels, digits)
    scores = []
    for digit in range(CLASSES):
        right = int(matrix[digit, digit])
        called, support = int(matrix[:, digit].sum()), int((labels == digit).sum())
        f1 = 2 * right / (called + support) if called + support else 0.0
        scores.append(ClassScore(_ratio(right, called), _ratio(right, support), f1, support))
    return scores


def reliability(labels: Integers, digits: Integers, confidences: Floats, bins: int = BINS) -> Reliability:
    """Accuracy and mean confidence of the images whose confidence (n,), 0 to 1, falls in each of `bins` equal bins.

    A bin includes its upper edge. Images without a label or a prediction have no place in it.
    """
    both = (labels != NONE) & (digits != NONE)
    confidence = confidences[both].astype(np.float64)
    right = (labels == digits)[both].astype(np.float64)
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    images = np.bincount(places, minlength=bins)
    filled = np.where(images, images, nan)
    return Reliability(
        images,
        np.bincount(places, right, minlength=bins) / filled,
        np.bincount(places, confidence, minlength=bins) / filled,
    )


def expected_calibration_error(labels: Integers, digits: Integers, confidences: Floats, bins: int = BINS) -> float:
    """By how much confidence differs from accuracy: mean over bins, weighted by count; 0 to 1, NaN without images.

    Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3.
    """
    images, right, confidence = reliability(labels, digits, confidences, bins)
    total = int(images.sum())
    return float(np.nansum(images * np.abs(right - confidence)) / total) if total else nan


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
