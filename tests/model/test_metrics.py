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


numbers = st.text("0123456789", min_size=1, max_size=5)


def beside(label: str, number: str):
    """Return a true and a read number as two lines of the same length, with a dash where a digit has no partner."""
    aligned = metrics.align([label], [number], [[0.5] * len(number)])
    texts = ["".join("-" if digit == NONE else str(digit) for digit in row) for row in aligned[:2]]
    return " ".join(texts)


@pytest.mark.parametrize(
    ("label", "number", "aligned"),
    [
        ("42", "42", "42 42"),
        ("12", "21", "12 21"),
        ("042", "42", "042 -42"),
        ("42", "482", "4-2 482"),
        ("11", "1", "11 -1"),
        ("12345", "2345", "12345 -2345"),
        ("1234", "2345", "1234 2345"),
        ("123", "", "123 ---"),
        ("7", "134", "--7 134"),
    ],
)
def test_the_digits_of_numbers_are_brought_side_by_side(label, number, aligned):
    """Numbers of the same length are compared place by place. Otherwise as little as possible is without a partner."""
    assert beside(label, number) == aligned


def levenshtein(label: str, number: str) -> int:
    """Count the digits to change, to leave out or to add, in the textbook's way."""
    if not label or not number:
        return len(label) + len(number)
    kept = levenshtein(label[1:], number[1:]) + (label[0] != number[0])
    return min(kept, levenshtein(label[1:], number) + 1, levenshtein(label, number[1:]) + 1)


@given(numbers, st.just("") | numbers)
def test_no_digit_is_lost_and_no_way_needs_fewer_changes(label, number):
    """Each digit of both numbers is there once, in its order."""
    true, read = beside(label, number).split(" ")
    assert (true.replace("-", ""), read.replace("-", "")) == (label, number)
    if len(label) != len(number):
        assert sum(one != other for one, other in zip(true, read, strict=True)) == levenshtein(label, number)
        assert not any(one == other == "-" for one, other in zip(true, read, strict=True))


def test_digits_are_scored_with_what_is_missing_and_extra():
    """Of seven true digits four are right, one is wrong, two are missing; and one was read that is not there."""
    aligned = metrics.align(["42", "042", "7", "9"], ["48", "42", "17", ""], [[0.9, 0.5], [1, 1], [0.25, 0.75], []])
    score = metrics.score_digits(aligned)
    assert astuple(score) == (7, 4, 2, 1, 4 / 7)
    assert metrics.confusion(aligned.labels, aligned.digits).sum() == 5, "only digits with a partner"
    assert metrics.per_class(aligned.labels, aligned.digits)[9].support == 1, "also the digit of an image that failed"
    np.testing.assert_array_equal(aligned.confidences, np.array([0.9, 0.5, np.nan, 1, 1, 0.25, 0.75, np.nan], "f4"))
    assert math.isnan(metrics.score_digits(metrics.align([], [], [])).accuracy)
