"""Labels are suspicious where a model contradicts them wholesale, and as surely as it reads ordinary digits."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from model.augmentation.drawn_digits import Style, draw_style
from model.evaluation import suspicion
from model.evaluation.suspicion import FEWEST, suspicious
from model.inference.classifier import Classifier

TENS = np.repeat(np.arange(10), 20)
"""Twenty images of each digit."""


def marks(labels, digits, confidence=0.999, typical=()):
    """Return the marks of images that are all read with this confidence, or with one each."""
    digits = np.asarray(digits)
    return suspicious(np.asarray(labels), digits, np.broadcast_to(np.float32(confidence), digits.shape), typical)


@pytest.mark.parametrize(
    ("labels", "share"),
    [
        (np.where(TENS == 1, 7, TENS), 0.1),
        (np.where(TENS == 3, 8, np.where(TENS == 8, 3, TENS)), 0.2),
        ((TENS + 1) % 10, 1),
        (np.random.default_rng(1).permutation(TENS), 0.9),
    ],
    ids=["one digit", "two swapped", "shifted by one", "of another order"],
)
def test_wrong_labels_are_marked_and_right_ones_are_not(labels, share):
    """The model reads every image rightly. Every wrong label is found, and nothing else."""
    found = marks(labels, TENS)
    np.testing.assert_array_equal(found, labels != TENS)
    assert found.mean() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.98])
def test_a_style_that_is_misread_is_not_marked_however_many_images_there_are(confidence):
    """The model is confident, but not as sure as of that digit's own images."""
    assert not marks([0] * 1000, [8] * 1000, confidence).any()


def test_a_few_images_are_never_marked():
    """Five that are all contradicted as surely as possible are marked. Fewer may be what users teach."""
    assert FEWEST == 5
    for count in range(1, 9):
        for digits in ([1] * count, np.arange(count) % 7):
            assert marks([7] * count, digits, 1.0).all() == (count >= FEWEST)


def test_single_wrong_labels_among_right_ones_pass():
    """Users teach what the model misreads, and chance explains two or three of them."""
    assert not marks([7] * 200, [1] * 3 + [7] * 197).any()
    assert marks([7] * 200, [1] * 10 + [7] * 190).sum() == 10


def test_wrong_labels_are_told_from_a_style_beside_them():
    """A style is taught together with images of another digit that have the same label by mistake."""
    digits = np.array([8] * 100 + [7] * 20)
    confidence = np.array([0.9] * 100 + [0.999] * 20, np.float32)
    np.testing.assert_array_equal(marks([0] * 120, digits, confidence), digits == 7)


def test_a_model_that_is_less_sure_of_a_digit_is_measured_by_that():
    """The mean confidence in each digit's own images is the limit, where it is known."""
    typical = [0.99] * 7 + [0.9] + [0.99] * 2
    assert marks([1] * 20, [7] * 20, 0.95, typical).all()
    assert not marks([7] * 20, [1] * 20, 0.95, typical).any()
    assert not marks([1] * 20, [7] * 20, 0.95).any()


@pytest.mark.parametrize(("typical", "misread"), [(0, 0), (0, 9), (3, 9), (6, 9), (9, 9), (40, 100), (100, 300)])
def test_the_probability_is_that_of_the_binomial_distribution(typical, misread):
    """It is exact. Where chance explains as many at least half of the time, it may be said to be 1."""
    share = Fraction(suspicion.TYPICAL_IF_MISREAD)
    exact = sum(
        comb(misread, count) * share**count * (1 - share) ** (misread - count) for count in range(typical, misread + 1)
    )
    found = suspicion._chance(typical, misread)
    assert found == (1 if typical <= share * misread else pytest.approx(float(exact), rel=1e-9))


def test_real_digits_with_wrong_labels_are_told_from_a_style_that_the_baseline_misreads(digits):
    """Ones as sevens are marked. Zeros with a slash are not, although the baseline misreads nearly half of them."""
    classifier = Classifier.baseline()
    ones = classifier.classify(digits.images[digits.labels == 1][:50])
    assert suspicious(np.full(50, 7), ones.digits, ones.confidences).mean() > 0.9
    zeros = classifier.classify(
        draw_style(Style("~40 11 04 17 38 57 64 51 30 20|70 08", 1), 100, np.random.default_rng(1))
    )
    assert (zeros.digits != 0).sum() > 20
    assert not suspicious(np.zeros(100, np.int64), zeros.digits, zeros.confidences).any()
