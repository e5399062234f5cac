"""Measure predictions: accuracy, confusion, precision, recall, calibration, numbers. This module needs only NumPy.

In this module `labels` holds true digits and `digits` holds predicted digits. Both are integers (n,); -1 means "none".
An image without a true label does not count in any figure. An image without a prediction (it failed) counts as wrong.

A number is a string of digits. `align` brings the digits of true and read numbers side by side, and all other functions
measure them like single digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
NONE = -1
BINS = 15  # as in Guo et al. 2017 and most later work; errors over another number of bins are not comparable

Integers: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.floating[Any]]


class Interval(NamedTuple):
    """A confidence interval of a proportion."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one digit is recognised. Precision, recall and F1 are 0 if their denominator is 0."""

    precision: float  # share of the images predicted as this digit that show it
    recall: float  # share of the images that show this digit and are predicted as it
    f1: float  # harmonic mean of precision and recall
    support: int  # number of images that show this digit, failed ones included


class AlignedDigits(NamedTuple):
    """The digits of numbers, side by side: m pairs of a true digit and the digit that was read in its place."""

    labels: NDArray[np.int8]  # (m,), NONE where a digit was read that is not there
    digits: NDArray[np.int8]  # (m,), NONE where a true digit was not read, perhaps because the image failed
    confidences: NDArray[np.float32]  # (m,), 0 to 1, of the digits that were read; NaN where none was


@dataclass(frozen=True, slots=True)
class DigitScore:
    """How well the digits of numbers are read. Of the true digits, all that are neither right nor missing are wrong."""

    total: int  # number of true digits
    right: int  # number of true digits in whose place the same digit was read
    missing: int  # number of true digits in whose place nothing was read
    extra: int  # number of digits that were read and are not there
    accuracy: float  # right / total, 0 to 1, or NaN without true digits


class Reliability(NamedTuple):
    """Confidence and accuracy in bins of confidence that have equal widths. An empty bin holds NaN."""

    images: NDArray[np.int64]  # (bins,), number of images
    accuracy: NDArray[np.float64]  # (bins,), 0 to 1
    confidence: NDArray[np.float64]  # (bins,), mean, 0 to 1


def accuracy(labels: Integers, digits: Integers) -> float:
    """Return the share of labelled images whose prediction is right, or NaN if no image has a label.

    The denominator includes images that failed.
    """
    labelled = labels != NONE
    total = int(labelled.sum())
    return int((labels == digits)[labelled].sum()) / total if total else nan


def wilson(correct: int, total: int, z: float = 1.959964) -> Interval:
    """Return Wilson's score interval of a proportion (Wilson 1927, doi:10.2307/2276774).

    Unlike the normal approximation it is sound near 100 %, where the accuracies of digit classifiers lie.

    Args:
        correct: Number of successes.
        total: Number of trials. If it is 0, the interval is (0, 1).
        z: Quantile of the normal distribution. The default gives a 95 % interval.
    """
    if not total:
        return Interval(0.0, 1.0)
    share = correct / total
    centre = share + z * z / (2 * total)
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def p_value(more: int, fewer: int) -> float:
    """Return the probability that one of two equally good models reads so many of the images that only one reads.

    This is McNemar's exact test, one-sided (Q. McNemar 1947, https://doi.org/10.1007/BF02295996).

    Args:
        more: Number of images that only this model reads.
        fewer: Number of images that only the other model reads.

    Returns:
        Probability of at least `more` heads if `more + fewer` coins are tossed.
    """
    tosses = more + fewer
    term = ways = 1  # exact, because Python's integers are
    for heads in range(fewer):  # by symmetry, at most `fewer` heads
        term = term * (tosses - heads) // (heads + 1)
        ways += term
    return float(ways / 2**tosses)


def paired_difference(both: int, first: int, second: int, neither: int) -> Interval:
    """Return the 95 % interval of a difference of two proportions on the same images, the second minus the first.

    It is method 10 of R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", 1998 (https://doi.org/10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C).

    Args:
        both: Number of images that both read.
        first: Number of images that only the first reads.
        second: Number of images that only the second reads.
        neither: Number of images that neither reads.
    """
    total = both + first + second + neither
    if not total:
        return Interval(-1.0, 1.0)
    one, other = (both + first) / total, (both + second) / total
    (low, high), (other_low, other_high) = wilson(both + first, total), wilson(both + second, total)
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    excess = float(both * neither - first * second)
    phi = (max(excess - total / 2, 0.0) if excess > 0 else excess) / sqrt(product) if product else 0.0

    def reach(down: float, up: float) -> float:
        return sqrt(max(down * down - 2 * phi * down * up + up * up, 0.0))

    difference = other - one
    return Interval(
        difference - reach(other - other_low, high - one), difference + reach(other_high - other, one - low)
    )


def confusion(labels: Integers, digits: Integers) -> NDArray[np.int64]:
    """Count how often each true digit (row) was predicted as each digit (column), int64 (10, 10).

    Only images with a label and a prediction count. So a row sums to its digit's `support` minus the failed images.
    """
    both = (labels != NONE) & (digits != NONE)
    cells = labels[both].astype(np.int64) * CLASSES + digits[both]
    return np.bincount(cells, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)


def per_class(labels: Integers, digits: Integers) -> list[ClassScore]:
    """Return the scores of the digits 0 to 9, in this order."""
    matrix = confusion(labels, digits)
    scores = []
    for digit in range(CLASSES):
        right = int(matrix[digit, digit])
        predicted, support = int(matrix[:, digit].sum()), int((labels == digit).sum())
        f1 = 2 * right / (predicted + support) if predicted + support else 0.0
        scores.append(ClassScore(_ratio(right, predicted), _ratio(right, support), f1, support))
    return scores


def reliability(labels: Integers, digits: Integers, confidences: Floats, bins: int = BINS) -> Reliability:
    """Return number of images, accuracy and mean confidence for each bin of confidence.

    Images without a label or without a prediction do not count.

    Args:
        labels: True digits, integers (n,).
        digits: Predicted digits, integers (n,).
        confidences: Confidences of the predictions, floats (n,), 0 to 1.
        bins: Number of bins. All have the same width, and each includes its upper edge.
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
    """Return the expected calibration error, 0 to 1, or NaN if no image counts.

    It is the mean of |confidence - accuracy| over the bins of `reliability`, weighted by their numbers of images
    (Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3). The arguments are those of `reliability`.
    """
    images, right, confidence = reliability(labels, digits, confidences, bins)
    total = int(images.sum())
    return float(np.nansum(images * np.abs(right - confidence)) / total) if total else nan


def align(labels: Sequence[str], numbers: Sequence[str], confidences: Sequence[Sequence[float]]) -> AlignedDigits:
    """Bring the digits of true and read numbers side by side.

    Numbers of the same length are compared place by place. Otherwise some digits remain without a partner: as few as
    possible are changed, left out or added to turn one number into the other, among these ways as many as possible are
    equal, and among those the first digits remain without a partner.

    Args:
        labels: n true numbers, each a string of one or more digits.
        numbers: n read numbers, "" where nothing was read.
        confidences: n lists of the confidences of the digits read, 0 to 1.
    """
    true: list[str] = []
    read: list[str] = []
    certain: list[float] = []
    for label, number, shares in zip(labels, numbers, confidences, strict=True):
        if len(label) == len(number):
            true.append(label)
            read.append(number)
            certain += shares
            continue
        for here, there in _places(label, number):
            true.append(_GAP if here is None else label[here])
            read.append(_GAP if there is None else number[there])
            certain.append(nan if there is None else shares[there])
    return AlignedDigits(_digits("".join(true)), _digits("".join(read)), np.array(certain, np.float32))


_GAP = chr(ord("0") + NONE)  # stands for `NONE` among the digits of a text


def _digits(text: str) -> NDArray[np.int8]:
    return np.frombuffer(text.encode("ascii"), np.int8) - np.int8(ord("0"))


def score_digits(aligned: AlignedDigits) -> DigitScore:
    """Count the digits of numbers that are right, missing and extra."""
    labels, digits, _ = aligned
    there, read = labels != NONE, digits != NONE
    total, right = int(there.sum()), int((labels == digits).sum())
    missing, extra = int((there & ~read).sum()), int((read & ~there).sum())
    return DigitScore(total, right, missing, extra, right / total if total else nan)


def _places(label: str, number: str) -> list[tuple[int | None, int | None]]:
    """Return pairs of places in numbers of different lengths, as `align` says, with None where one has no partner."""
    # For the first digits of each: number of changes, then minus the number of equal digits.
    best = {(0, 0): (0, 0)}
    steps: dict[tuple[int, int], tuple[int, int]] = {}
    for here in range(len(label) + 1):
        for there in range(len(number) + 1):
            ways = []
            if here and there:
                changes, equal = best[here - 1, there - 1]
                same = label[here - 1] == number[there - 1]
                ways.append((changes + (not same), equal - same, (1, 1)))
            if here:
                changes, equal = best[here - 1, there]
                ways.append((changes + 1, equal, (1, 0)))
            if there:
                changes, equal = best[here, there - 1]
                ways.append((changes + 1, equal, (0, 1)))
            if ways:
                changes, equal, step = min(ways, key=lambda way: way[:2])
                best[here, there], steps[here, there] = (changes, equal), step
    pairs: list[tuple[int | None, int | None]] = []
    here, there = len(label), len(number)
    while here or there:
        down, across = steps[here, there]
        here, there = here - down, there - across
        pairs.append((here if down else None, there if across else None))
    return pairs[::-1]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
