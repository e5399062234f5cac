"""Figures that judge predictions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from model import metrics

NONE = metrics.NONE


def pairs(least: int):
    """True and predicted digits of some images, `least` or -1 upwards."""
    digit = st.integers(least, 9)
    return st.lists(st.tuples(digit, digit), min_size=1, max_size=80).map(
        lambda rows: tuple(np.array(column, np.int8) for column in zip(*rows, strict=True))
    )


def test_failed_images_count_as_wrong():
    """Of four labelled images two are right: one is mistaken, one failed. The fifth has no label."""
    labels, digits = np.array([1, 2, 3, 4, NONE]), np.array([1, 2, 8, NONE, 5])
    assert metrics.accuracy(labels, digits) == 0.5


def test_no_labels_no_accuracy():
    """Without labels, accuracy and calibration error are NaN rather than 0 or 1."""
    unlabelled = np.full(3, NONE)
    assert math.isnan(metrics.accuracy(unlabelled, np.array([1, 2, 3])))
    assert math.isnan(metrics.expected_calibration_error(unlabelled, np.array([1, 2, 3]), np.ones(3)))
    assert metrics.confusion(unlabelled, np.array([1, 2, 3])).sum() == 0


@given(pairs(least=0))
def test_they_agree_with_scikit_learn(columns):
    """Where nothing failed, confusion, precision, recall, F1 and support are scikit-learn's, 0 for 0/0 included."""
    labels, digits = columns
    assert np.array_equal(metrics.confusion(labels, digits), confusion_matrix(labels, digits, labels=range(10)))
    expected = precision_recall_fscore_support(labels, digits, labels=range(10), zero_division=0)
    assert np.allclose(np.array(metrics.per_class(labels, digits)).T, expected)


@given(pairs(least=NONE))
def test_confusion_and_accuracy_tell_the_same(columns):
    """The diagonal holds the right ones; rows and failures together hold every labelled image."""
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


def test_wilson_of_nothing():
    """Where nothing was counted, everything is possible."""
    assert metrics.wilson(0, 0) == (0, 1)


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_holds_what_was_counted(counts):
    """The interval lies within 0 and 1 and holds the counted share."""
    correct, total = counts
    low, high = metrics.wilson(correct, total)
    assert 0 <= low <= correct / total + 1e-12
    assert correct / total - 1e-12 <= high <= 1


def test_calibration_error_by_hand():
    """Two bins: 0.95 sure and half right, three times 0.55 sure and all right: (2·0.45 + 3·0.45) / 5."""
    labels, digits = np.zeros(5, int), np.array([0, 1, 0, 0, 0])
    confidences = np.array([0.95, 0.95, 0.55, 0.55, 0.55])
    assert metrics.expected_calibration_error(labels, digits, confidences) == pytest.approx(0.45)


def test_bins_include_their_upper_edge():
    """Confidence 0 is in the first bin, 1/15 too, 1 in the last; failed images are in none."""
    labels, digits = np.zeros(4, int), np.array([0, 0, 0, NONE])
    images, accuracy, confidence = metrics.reliability(labels, digits, np.array([0.0, 1 / 15, 1.0, np.nan]))
    assert images.tolist() == [2] + [0] * 13 + [1]
    assert accuracy[[0, 14]].tolist() == [1, 1]
    assert confidence[0] == pytest.approx(1 / 30)
    assert np.isnan(accuracy[1:14]).all()
