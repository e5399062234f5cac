"""What a classifier predicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Predictions:
    """A classifier's predictions for n images, in their order.

    Attributes:
        digits: Most probable digits, uint8 (n,).
        confidences: Probabilities of these digits, float32 (n,), 0 to 1.
        probabilities: Probabilities of all digits, float32 (n, 10). Each row sums to 1.
    """

    digits: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    @classmethod
    def of(cls, probabilities: NDArray[np.float32]) -> "Predictions":
        """Return the predictions that these probabilities make, float32 (n, 10)."""
        return cls(probabilities.argmax(axis=1).astype(np.uint8), probabilities.max(axis=1), probabilities)

    def __len__(self) -> int:
        return len(self.digits)

    def at(self, images: slice | Sequence[int] | NDArray[np.intp]) -> "Predictions":
        """Return the predictions for some of the images, by their indices."""
        if not isinstance(images, slice):
            images = np.asarray(images, np.intp)
        return Predictions(self.digits[images], self.confidences[images], self.probabilities[images])
