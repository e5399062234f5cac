"""What a candidate changes against the live model, image by image."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model.cards.changes import MAX_KEPT, ChangedImage, Changes
from model.data.digits import Digits
from model.evaluation.gate import Answers


def changes_between(live: Answers, candidate: Answers, validation: Digits, taught: Digits) -> Changes:
    """Return the images that only one of two models reads.

    Args:
        live: Answers of the live model.
        candidate: Answers of the candidate.
        validation: Images of `Answers.validation`.
        taught: Images of `Answers.taught`.
    """
    kinds = {"taught": taught, "validation": validation}
    return Changes(
        live.version,
        [
            image
            for kind, digits in kinds.items()
            for image in _changed(kind, digits, getattr(live, kind), getattr(candidate, kind))
        ],
    )


def _changed(kind: str, digits: Digits, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Iterator[ChangedImage]:
    was_right, is_right = before == digits.labels, after == digits.labels
    for changed in (is_right & ~was_right, was_right & ~is_right):
        for index in np.flatnonzero(changed)[:MAX_KEPT].tolist():
            yield ChangedImage.of(
                kind, int(digits.labels[index]), int(before[index]), int(after[index]), digits.images[index]
            )
