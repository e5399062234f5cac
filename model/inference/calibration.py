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


def cross_entropy(
    logits: NDArray[np.float32], labels: NDArray[np.uint8], *, temperature: float = 1.0, doubt: float = 0.0
) -> float:
    """Mean of -ln(probability of the true digit), in nats; `logits` (n, 10), `labels` (n,).

    `doubt`, 0 to 1, is the share of each label that is spread over the other nine digits.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    surprise = np.log(np.exp(scaled).sum(axis=1, keepdims=True)) - scaled
    true = surprise[np.arange(len(labels)), labels]
    others = (surprise.sum(axis=1) - true) / 9
    return float(np.mean((1 - doubt) * true + doubt * others))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """The temperature at which `logits` (n, 10) explain `labels` (n,) best, between 0.05 and 20.

    Where every image is right, the best would be 0: no doubt left. So each label is doubted by 1/(n + 2), Platt's
    remedy ("Probabilistic Outputs for Support Vector Machines", 1999, section 2.1): nothing is surer than n examples
    can make it. The cross-entropy has a single minimum in 1/temperature, hence in ln(temperature), which is searched.
    """
    doubt = 1 / (len(labels) + 2)
    return exp(
        _minimum(lambda x: cross_entropy(logits, labels, temperature=exp(x), doubt=doubt), log(_COLDEST), log(_HOTTEST))
    )


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with a single minimum between `low` and `high` has it, within 0.001: golden-section search."""
    while high - low > 1e-3:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2
