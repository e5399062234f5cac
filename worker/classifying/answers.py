"""From predictions to the answers to a batch: a digit for each image, or a number where all digits are wanted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure
from model.images.doubts import Doubt
from model.inference.predictions import Predictions
from worker.contract.wire import Result


@dataclass(frozen=True, slots=True)
class Answers:
    """What the network answered to n images, and to the parts of those that may show several digits.

    Attributes:
        predictions: Predictions for the n images, and after them for the parts.
        count: Number n of images.
        failures: Failures by index of the image.
        numbers: Indices of the digits among the predictions, for each image that shows several, by its index. Empty
            unless all digits are wanted.
        doubts: Doubts of the image path, by index of the image. An image that failed needs none.
    """

    predictions: Predictions
    count: int
    failures: Mapping[int, Failure]
    numbers: Mapping[int, range]
    doubts: Mapping[int, Doubt]

    @property
    def least_certain(self) -> slice | NDArray[np.intp]:
        """Index of the prediction that stands for each image, (n,): of a number, that of its least certain digit."""
        if not self.numbers:
            return slice(self.count)  # copies nothing
        indices = np.arange(self.count)
        for image, digits in self.numbers.items():
            indices[image] = digits[int(self.predictions.confidences[digits].argmin())]
        return indices

    def result(self, model: str, worker: str, *, probabilities: bool, several: bool) -> Result:
        """Return the result that travels.

        Args:
            model: Version of the model.
            worker: Name of the worker.
            probabilities: Whether the client asked for the ten probabilities of each image.
            several: Whether it asked for all digits of each image. Then it gets no probabilities.
        """
        doubts = {image: doubt for image, doubt in self.doubts.items() if image not in self.failures}
        if several:
            digits = [self._digits_of(image) for image in range(self.count)]
            found = self.predictions.at([index for each in digits for index in each])
            counts = np.array([len(each) for each in digits], np.uint8)
            return Result(model, worker, found.digits, found.confidences, None, dict(self.failures), counts, doubts)
        found = self.predictions.at(slice(self.count))
        ten = found.probabilities if probabilities else None
        return Result(model, worker, found.digits, found.confidences, ten, dict(self.failures), doubts=doubts)

    def _digits_of(self, image: int) -> range:
        if image in self.failures:
            return range(0)
        return self.numbers.get(image, range(image, image + 1))
