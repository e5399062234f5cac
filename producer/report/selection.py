"""The images of a job that people should look at: mistakes, the least certain, several digits, images for review."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode
from producer.jobs.results import Results

MAX_MISTAKES = 200
"""Maximum number of mistakes that the page shows."""

MAX_LEAST_CERTAIN = 40
"""Maximum number of the least certain images that the page shows."""

MAX_SEVERAL = 40
"""Maximum number of images of several digits that the page shows."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The images of a job that people should look at, by their index in the results of the job.

    Attributes:
        min_confidence: Confidence, 0 to 1, below which an image is listed for review, or None for no review.
        doubted: bool (n,), whether each image is for review: it was classified with a confidence below
            `min_confidence`, or the image path doubts it, or it shows several digits.
        for_review: intp, indices of the doubted images: first those that the image path doubts, then the others, the
            least confident first, and those of several digits last.
        mistakes: intp, indices of the images with a wrong prediction, the most confident first, because these say most
            about the model. Failed images are not among them: they count as wrong, but have no prediction.
        least_certain: intp, indices of up to `MAX_LEAST_CERTAIN` classified images, the least confident first. If
            some are for review, it has only such images, in their order.
        several: intp, indices of the images that show several digits. They have no prediction.
    """

    min_confidence: float | None
    doubted: NDArray[np.bool_]
    for_review: NDArray[np.intp]
    mistakes: NDArray[np.intp]
    least_certain: NDArray[np.intp]
    several: NDArray[np.intp]

    @property
    def cards(self) -> list[int]:
        """Indices of all images that the page has a card for, each once: the mistakes, and then those for review.

        If there are neither, these are the least certain images.
        """
        both = dict.fromkeys([*self.mistakes.tolist(), *self.for_review.tolist(), *self.several.tolist()])
        return list(both or dict.fromkeys(self.least_certain.tolist()))

    @property
    def shown_mistakes(self) -> list[int]:
        """Indices of the mistakes that the page shows."""
        return [int(index) for index in self.mistakes[:MAX_MISTAKES]]

    @property
    def shown_first(self) -> list[int]:
        """Indices of the images that the page shows as pictures without its script, each once."""
        return list(dict.fromkeys([*self.shown_mistakes, *self.least_certain.tolist(), *self.shown_several]))

    @property
    def shown_several(self) -> list[int]:
        """Indices of the images of several digits that the page shows."""
        return [int(index) for index in self.several[:MAX_SEVERAL]]


def select(results: Results, min_confidence: float | None = None) -> Selection:
    """Return the images that people should look at.

    Args:
        results: All images of a job.
        min_confidence: Confidence, 0 to 1, below which an image is listed for review. With None, no image is.
    """
    classified, confidences = results.classified, results.confidences
    below = doubted(results, min_confidence)
    wrong = np.flatnonzero(results.labelled & classified & ~results.right)
    unsure = _by_confidence(classified & below, confidences)
    has_reason = np.isin(unsure, list(results.doubts))
    unsure = np.concatenate([unsure[has_reason], unsure[~has_reason]])
    several = _of_several_digits(results)
    return Selection(
        min_confidence,
        below,
        np.concatenate([unsure, several[below[several]]]),
        mistakes=wrong[np.argsort(-confidences[wrong], kind="stable")],
        least_certain=(unsure if len(unsure) else _by_confidence(classified, confidences))[:MAX_LEAST_CERTAIN],
        several=several,
    )


def _by_confidence(chosen: NDArray[np.bool_], confidences: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the indices of the chosen images, the least confident first."""
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(confidences[indices], kind="stable")]


def doubted(results: Results, min_confidence: float | None) -> NDArray[np.bool_]:
    """Return whether each image is for review, as bool (n,).

    These are the images that were classified with a confidence below `min_confidence`, those that the image path
    doubts, and those of several digits. With None, no image is doubted.
    """
    if min_confidence is None:
        return np.zeros(len(results), np.bool_)
    below: NDArray[np.bool_] = results.classified & (results.confidences < min_confidence)
    below[[*results.doubts, *_of_several_digits(results).tolist()]] = True
    return below


def _of_several_digits(results: Results) -> NDArray[np.intp]:
    several = [index for index, failure in results.failures.items() if failure.code is FailureCode.SEVERAL_DIGITS]
    return np.array(sorted(several), np.intp)
