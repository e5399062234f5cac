"""Calibrate confidences by temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

from collections.abc import Callable
from math import exp, log

import numpy as np
from numpy.typing import NDArray

_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.05, 20.0  # a much wider range than trained networks need
_GOLDEN = (5**0.5 - 1) / 2


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Return the probabilities of the digits, float32 (n, 10).

    Args:
        logits: Outputs of the network, float32 (n, 10).
        temperature: Divisor of the logits. A higher one lowers the confidences and keeps the order of the digits.
    """
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)  # the largest becomes exp(0), so nothing overflows
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def cross_entropy(
    logits: NDArray[np.float32], labels: NDArray[np.uint8], *, temperature: float = 1.0, doubt: float = 0.0
) -> float:
    """Return the mean of -ln(probability of the true digit), in nats.

    Args:
        logits: Outputs of the network, float32 (n, 10).
        labels: True digits, uint8 (n,).
        temperature: Divisor of the logits.
        doubt: Share of each label, 0 to 1, that is spread over the other nine digits.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    surprise = np.log(np.exp(scaled).sum(axis=1, keepdims=True)) - scaled
    true = surprise[np.arange(len(labels)), labels]
    others = (surprise.sum(axis=1) - true) / 9
    return float(np.mean((1 - doubt) * true + doubt * others))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Find the temperature between 0.05 and 20 at which the logits explain the labels best.

    If every prediction were right and the labels certain, the best temperature would be 0. So each label has a doubt of
    1/(n + 2), because n examples do not prove more (J. Platt, "Probabilistic Outputs for Support Vector Machines",
    1999, section 2.1). The cross-entropy has a single minimum over 1/temperature, hence also over ln(temperature). The
    function searches along the latter.

    Args:
        logits: Outputs of the network, float32 (n, 10).
        labels: True digits, uint8 (n,).
    """
    doubt = 1 / (len(labels) + 2)
    return exp(
        _minimum(
            lambda x: cross_entropy(logits, labels, temperature=exp(x), doubt=doubt),
            log(_MIN_TEMPERATURE),
            log(_MAX_TEMPERATURE),
        )
    )


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Find the only minimum of a function between `low` and `high`, within 0.001, by golden-section search."""
    while high - low > 1e-3:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2
