"""Which images of a job deserve a look: mistakes, least certain images, images to be reviewed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from producer.jobs.results import NONE, Results

MAX_MISTAKES = 200
MAX_LEAST_CERTAIN = 40


@dataclass(frozen=True, slots=True)
class Selection:
    """The images of a job that deserve a look. Indices are those of the job's results.

    Attributes:
        min_confidence: Confidence, 0 to 1, below which an image is to be reviewed, or None for no review.
        doubted: bool (n,), whether each image was classified with a confidence below `min_confidence`.
        for_review: intp, indices of the doubted images, the least confident first.
        mistakes: intp, indices of the images predicted wrong, the most confident first: these teach the most. Failed
            images count as wrong, but were not mistaken for anything, so they are not among these.
        least_certain: intp, indices of up to `MAX_LEAST_CERTAIN` classified images, the least confident first. If any
            image is to be reviewed, these are all to be reviewed.
    """

    min_confidence: float | None
    doubted: NDArray[np.bool_]
    for_review: NDArray[np.intp]
    mistakes: NDArray[np.intp]
    least_certain: NDArray[np.intp]

    @property
    def shown_mistakes(self) -> list[int]:
        """The mistakes that the page shows."""
        return [int(index) for index in self.mistakes[:MAX_MISTAKES]]

    @property
    def pictured(self) -> list[int]:
        """All images that the page shows as pictures, each once."""
        return list(dict.fromkeys([*self.shown_mistakes, *self.least_certain.tolist()]))


def select(results: Results, min_confidence: float | None = None) -> Selection:
    """Find the images that deserve a look.

    Args:
        results: All images of a job.
        min_confidence: Confidence, 0 to 1, below which an image is to be reviewed. With None, no image is.
    """
    labels, digits, confidences = results.labels, results.digits, results.confidences
    classified = digits != NONE
    below = doubted(results, min_confidence)
    wrong = np.flatnonzero((labels != NONE) & classified & (labels != digits))
    by_confidence = np.flatnonzero(classified)
    by_confidence = by_confidence[np.argsort(confidences[by_confidence], kind="stable")]
    for_review = by_confidence[below[by_confidence]]
    return Selection(
        min_confidence,
        below,
        for_review,
        mistakes=wrong[np.argsort(-confidences[wrong], kind="stable")],
        least_certain=by_confidence[: min(len(for_review) or MAX_LEAST_CERTAIN, MAX_LEAST_CERTAIN)],
    )


def doubted(results: Results, min_confidence: float | None) -> NDArray[np.bool_]:
    """Return, for each image, whether it was classified with a confidence below `min_confidence`.

    With None, no image is doubted.
    """
    below: NDArray[np.bool_] = (results.digits != NONE) & (results.confidences < (min_confidence or 0))
    return below
