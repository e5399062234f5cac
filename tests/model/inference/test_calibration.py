"""Probabilities from logits, and the temperature that makes them true."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from model.inference.calibration import cross_entropy, fit_temperature, softmax

logits = st_numpy.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(10)), elements=st.floats(-1e4, 1e4, width=32))


@given(logits, st.floats(0.05, 20))
def test_softmax_gives_probabilities(outputs, temperature):
    """However large the logits, each row sums to 1, and the likeliest digit is the one with the largest logit."""
    probabilities = softmax(outputs, temperature)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    best = outputs.argmax(axis=1)[:, np.newaxis]
    assert np.array_equal(np.take_along_axis(probabilities, best, axis=1)[:, 0], probabilities.max(axis=1, initial=0))


def test_cross_entropy_of_a_guess():
    """Knowing nothing costs ln 10, whatever the temperature and the doubt."""
    for temperature, doubt in ((1, 0), (0.3, 0), (2, 0.1)):
        found = cross_entropy(np.zeros((3, 10), np.float32), np.array([1, 2, 3]), temperature=temperature, doubt=doubt)
        assert found == pytest.approx(np.log(10))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_true_temperature_is_found(temperature):
    """When labels are drawn as a temperature says, fitting finds that temperature."""
    random = np.random.default_rng(1)
    outputs = random.normal(0, 3, (20_000, 10)).astype(np.float32)
    cumulated = softmax(outputs, temperature).cumsum(axis=1)
    labels = (random.random((len(outputs), 1)) > cumulated).sum(axis=1).clip(max=9)
    assert fit_temperature(outputs, labels) == pytest.approx(temperature, rel=0.05)


def test_a_perfect_record_leaves_doubt():
    """A hundred images, all right: confidences settle near 1 - 1/102 instead of 1."""
    labels = np.arange(100) % 10
    outputs = np.where(np.arange(10) == labels[:, np.newaxis], 5, 0).astype(np.float32)
    confidences = softmax(outputs, fit_temperature(outputs, labels)).max(axis=1)
    assert confidences == pytest.approx(1 - 1 / 102, abs=1e-3)
