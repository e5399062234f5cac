"""Doubt the labels of a job as a whole, because most of them contradict the predictions."""

from dataclasses import dataclass

import numpy as np

from producer.jobs.results import NONE, Results


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """Limits by which labels are doubted.

    Attributes:
        images: Minimum number of labelled images with a prediction. A few mistakes prove nothing.
        confidence: Minimum confidence of a prediction that contradicts a label, 0 to 1. The baseline is that sure of
            9,766 of MNIST's 10,000 test images, and misreads 7 of those.
        share: Minimum share of the labels that such predictions contradict.
        agreement: Share of the labels that agree with the predictions below which the images are doubted, where the
            predictions are unsure. Guessing gives 0.1; of MNIST's test images transposed, 0.18 agree.
        shift: Minimum share of the labels that are off by the same number, for that to be said.
    """

    images: int = 20
    confidence: float = 0.95
    share: float = 0.5
    agreement: float = 0.3
    shift: float = 0.8


LIMITS = LabelLimits()


def doubt_labels(results: Results) -> str | None:
    """Return a sentence that doubts the labels or the images of a job as a whole, or None if they may be right.

    Args:
        results: All images of the job.
    """
    known = (results.labels != NONE) & (results.digits != NONE)
    labels, digits = results.labels[known].astype(np.int64), results.digits[known].astype(np.int64)
    contradicted = (labels != digits) & (results.confidences[known] >= LIMITS.confidence)
    if len(labels) < LIMITS.images:
        return None
    agreed = float((labels == digits).mean())
    said = f"Only {100 * agreed:.1f} % of the labels agree with the predictions"
    if contradicted.mean() < LIMITS.share:
        unsure = f"{said}, few of which are confident: perhaps the images are turned, mirrored or not digits."
        return unsure if agreed < LIMITS.agreement else None
    shifts = np.bincount((labels - digits) % 10, minlength=10)
    shift = int(shifts.argmax())
    if shifts[shift] >= LIMITS.shift * len(labels):
        words = f"{shift} too high" if shift <= 5 else f"{10 - shift} too low"
        reason = f"most of them are {words}"
    else:
        reason = "perhaps they are in another order, or belong to other images"
    return f"{said}, most of which are confident: {reason}."
