"""Which images of a job deserve a look: the mistakes, the least certain, those to be reviewed."""

import numpy as np
from numpy.typing import NDArray

from producer.jobs.results import NONE, Results


def mistakes(results: Results) -> NDArray[np.intp]:
    """Return the indices of the images predicted wrong, the most confident first: these teach the most.

    Images that failed count as wrong, but were not mistaken for anything: they are not among these.
    """
    wrong = np.flatnonzero((results.labels != NONE) & (results.digits != NONE) & (results.labels != results.digits))
    return wrong[np.argsort(-results.confidences[wrong], kind="stable")]


def least_certain(results: Results, limit: int) -> NDArray[np.intp]:
    """Return the indices of up to `limit` classified images, the least confident first."""
    return _by_confidence(results, np.flatnonzero(results.digits != NONE))[:limit]


def doubted(results: Results, min_confidence: float | None) -> NDArray[np.bool_]:
    """Return of each image whether it was classified with a confidence below `min_confidence`; None doubts nothing."""
    below: NDArray[np.bool_] = (results.digits != NONE) & (results.confidences < (min_confidence or 0))
    return below


def for_review(results: Results, min_confidence: float) -> NDArray[np.intp]:
    """Return the indices of the images whose confidence is below `min_confidence`, the least confident first."""
    return _by_confidence(results, np.flatnonzero(doubted(results, min_confidence)))


def _by_confidence(results: Results, indices: NDArray[np.intp]) -> NDArray[np.intp]:
    return indices[np.argsort(results.confidences[indices], kind="stable")]
