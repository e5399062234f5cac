"""Accuracy, confusion, precision, recall and calibration are what their definitions say."""

import math
import statistics
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import metrics

NONE = metrics.NONE


def pairs(minimum: int):
    """Draw true and predicted digits of some images, from `minimum` (0, or -1 for "none") to 9."""
    digit = st.integers(minimum, 9)
    return st.lists(st.tuples(digit, digit), min_size=1, max_size=80).map(
        lambda rows: tuple(np.array(column, np.int8) for column in zip(*rows, strict=True))
    )


def test_failed_images_count_as_wrong():
    """Of four labelled images two are right, one is misread and one failed: 0.5. The fifth image has no label."""
    labels, digits = np.array([1, 2, 3, 4, NONE]), np.array([1, 2, 8, NONE, 5])
    assert metrics.accuracy(labels, digits) == 0.5


def test_no_labels_no_accuracy():
    """Without labels, accuracy and calibration error are NaN, and the confusion matrix is empty."""
    unlabelled = np.full(3, NONE)
    assert math.isnan(metrics.accuracy(unlabelled, np.array([1, 2, 3])))
    assert math.isnan(metrics.expected_calibration_error(unlabelled, np.array([1, 2, 3]), np.ones(3)))
    assert metrics.confusion(unlabelled, np.array([1, 2, 3])).sum() == 0


def test_scores_by_hand():
    """The scores of three ones and two sevens are right, if a one is read as 7 and a seven failed."""
    labels, digits = np.array([1, 1, 1, 7, 7]), np.array([1, 1, 7, 7, NONE])
    scores = metrics.per_class(labels, digits)
    assert astuple(scores[1]) == pytest.approx((1, 2 / 3, 4 / 5, 3))
    assert astuple(scores[7]) == pytest.approx((1 / 2, 1 / 2, 1 / 2, 2))
    assert astuple(scores[0]) == (0, 0, 0, 0)
    assert metrics.confusion(labels, digits)[1].tolist() == [0, 2, 0, 0, 0, 0, 0, 1, 0, 0]


@given(pairs(minimum=0))
def test_scores_are_what_counting_gives(columns):
    """If nothing failed, precision and recall are the shares that counting image by image gives, and 0 for 0/0."""
    labels, digits = columns
    images = list(zip(labels.tolist(), digits.tolist(), strict=True))
    for digit, score in enumerate(metrics.per_class(labels, digits)):
        predicted = [true == digit for true, found in images if found == digit]
        shown = [found == digit for true, found in images if true == digit]
        precision = sum(predicted) / len(predicted) if predicted else 0
        recall = sum(shown) / len(shown) if shown else 0
        harmonic_mean = statistics.harmonic_mean([precision, recall])
        assert astuple(score) == pytest.approx((precision, recall, harmonic_mean, len(shown)))
        assert metrics.confusion(labels, digits)[digit].tolist() == [images.count((digit, each)) for each in range(10)]


@given(pairs(minimum=NONE))
def test_confusion_and_accuracy_tell_the_same(columns):
    """The diagonal counts the correct predictions. The matrix and the failed images add up to all labelled images."""
    labels, digits = columns
    matrix = metrics.confusion(labels, digits)
    scores = metrics.per_class(labels, digits)
    labelled = int((labels != NONE).sum())
    failed = int(((labels != NONE) & (digits == NONE)).sum())
    assert matrix.dtype == np.int64
    assert matrix.shape == (10, 10)
    assert matrix.sum() + failed == sum(score.support for score in scores) == labelled
    if labelled:
        assert metrics.accuracy(labels, digits) == pytest.approx(matrix.trace() / labelled)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(correct, total, low, high):
    """The intervals are those of Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857), table I, method 3."""
    assert metrics.wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_trials():
    """Without trials the interval is from 0 to 1."""
    assert metrics.wilson(0, 0) == (0, 1)


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_contains_the_counted_share(counts):
    """The interval lies within 0 and 1, and contains the counted share."""
    correct, total = counts
    low, high = metrics.wilson(correct, total)
    assert 0 <= low <= correct / total + 1e-12
    assert correct / total - 1e-12 <= high <= 1


def test_calibration_error_by_hand():
    """Two images of confidence 0.95, one right, and three of 0.55, all right, give (2·0.45 + 3·0.45) / 5."""
    labels, digits = np.zeros(5, int), np.array([0, 1, 0, 0, 0])
    confidences = np.array([0.95, 0.95, 0.55, 0.55, 0.55])
    assert metrics.expected_calibration_error(labels, digits, confidences) == pytest.approx(0.45)


def test_bins_include_their_upper_edge():
    """Confidences 0 and 1/15 are in the first bin, 1 is in the last. Failed images are in no bin."""
    labels, digits = np.zeros(4, int), np.array([0, 0, 0, NONE])
    images, accuracy, confidence = metrics.reliability(labels, digits, np.array([0.0, 1 / 15, 1.0, np.nan]))
    assert images.tolist() == [2] + [0] * 13 + [1]
    assert accuracy[[0, 14]].tolist() == [1, 1]
    assert confidence[0] == pytest.approx(1 / 30)
    assert np.isnan(accuracy[1:14]).all()
