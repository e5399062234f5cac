"""Logits become probabilities, and the fitted temperature calibrates them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from model.inference.calibration import cross_entropy, fit_temperature, softmax

logits = st_numpy.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(10)), elements=st.floats(-1e4, 1e4, width=32))


@given(logits, st.floats(0.05, 20))
def test_softmax_gives_probabilities(outputs, temperature):
    """However large the logits are, each row sums to 1, and the digit with the largest logit is the most probable."""
    probabilities = softmax(outputs, temperature)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    best = outputs.argmax(axis=1)[:, np.newaxis]
    assert np.array_equal(np.take_along_axis(probabilities, best, axis=1)[:, 0], probabilities.max(axis=1, initial=0))


def test_cross_entropy_of_a_guess():
    """The cross-entropy of equal logits is ln 10, whatever the temperature and the doubt."""
    for temperature, doubt in ((1, 0), (0.3, 0), (2, 0.1)):
        found = cross_entropy(np.zeros((3, 10), np.float32), np.array([1, 2, 3]), temperature=temperature, doubt=doubt)
        assert found == pytest.approx(np.log(10))


def test_cross_entropy_by_hand():
    """With probability 0.6 for the true digit and 0.2 for two others, doubt spreads over nine digits."""
    probabilities = np.full((1, 10), 1e-3, np.float32)
    probabilities[0, [4, 5, 6]] = 0.6, 0.2, 0.193
    outputs, labels = np.log(probabilities), np.array([4], np.uint8)
    assert cross_entropy(outputs, labels) == pytest.approx(-np.log(0.6), abs=1e-6)
    others = -(np.log(0.2) + np.log(0.193) + 7 * np.log(1e-3)) / 9
    assert cross_entropy(outputs, labels, doubt=0.5) == pytest.approx(-np.log(0.6) / 2 + others / 2, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_true_temperature_is_found(temperature):
    """If labels are drawn with the probabilities at one temperature, fitting finds that temperature."""
    random = np.random.default_rng(1)
    outputs = random.normal(0, 3, (20_000, 10)).astype(np.float32)
    cumulated = softmax(outputs, temperature).cumsum(axis=1)
    labels = (random.random((len(outputs), 1)) > cumulated).sum(axis=1).clip(max=9)
    assert fit_temperature(outputs, labels) == pytest.approx(temperature, rel=0.05)


def test_perfect_predictions_leave_doubt():
    """If all of 100 predictions are right, the confidences become about 1 - 1/102 instead of 1."""
    labels = (np.arange(100) % 10).astype(np.uint8)
    outputs = np.where(np.arange(10) == labels[:, np.newaxis], 5, 0).astype(np.float32)
    confidences = softmax(outputs, fit_temperature(outputs, labels)).max(axis=1)
    assert confidences == pytest.approx(1 - 1 / 102, abs=1e-3)
