"""Making confidences mean what they say: temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

from collections.abc import Callable
from math import exp, log

import numpy as np
from numpy.typing import NDArray

_COLDEST, _HOTTEST = 0.05, 20.0  # far beyond what any trained network needs
_GOLDEN = (5**0.5 - 1) / 2


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities (n, 10) from logits (n, 10); a higher temperature makes them less sure, never reorders them."""
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)  # the largest becomes exp(0): nothing overflows
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def negative_log_likelihood(logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float = 1.0) -> float:
    """Mean of -ln(probability of the true digit), in nats; `logits` (n, 10), `labels` (n,)."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    true = scaled[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - true))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """The temperature at which `logits` (n, 10) explain `labels` (n,) best, between 0.05 and 20.

    The negative log likelihood has one minimum in 1/temperature, hence in ln(temperature): golden-section search.
    """
    return exp(_minimum(lambda x: negative_log_likelihood(logits, labels, exp(x)), log(_COLDEST), log(_HOTTEST)))


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with a single minimum between `low` and `high` has it, within 0.001."""
    while high - low > 1e-3:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2
