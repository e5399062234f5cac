"""What a program gets for one image."""

from dataclasses import dataclass
from typing import Self

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt
from worker.contract.wire import Result


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image.

    Attributes:
        digit: Digit 0 to 9, or None if the image failed or shows a number of several digits.
        confidence: Probability of the digit, 0 to 1, or of the least certain digit of a number; None if the image
            failed.
        probabilities: Probabilities of the digits 0 to 9, or None if the image failed or numbers are read.
        model: Version of the model that classified, or "" if the image failed before it reached one.
        review: Whether a person should look at the image: its confidence is low, `doubt` gives a reason, or it shows
            several digits and they are not read.
        doubt: Reason to doubt the answer whatever the confidence is, as a code and words; or None.
        error: Why there is no answer, as a code and a sentence; or None.
        number: All digits of the image in reading order, if numbers are read and the image did not fail; or None.
        confidences: Probabilities of the digits of the number, 0 to 1; empty unless numbers are read.
    """

    digit: int | None
    confidence: float | None
    probabilities: tuple[float, ...] | None
    model: str
    review: bool
    doubt: Doubt | None = None
    error: Failure | None = None
    number: str | None = None
    confidences: tuple[float, ...] = ()

    @classmethod
    def failed(cls, failure: Failure, *, model: str = "") -> Self:
        """Return the answer for an image that failed."""
        return cls(None, None, None, model, failure.code is FailureCode.SEVERAL_DIGITS, error=failure)


def predictions_of(result: Result, min_confidence: float) -> list[Prediction]:
    """Return the predictions for the images of a result, in their order.

    Args:
        result: Answers of a worker.
        min_confidence: Confidence, 0 to 1, below which a person should look at an image.
    """
    if result.counts is not None:
        return _numbers(result, min_confidence)
    failures, doubts, model = result.failures, result.doubts, result.model
    rows = [None] * len(result) if result.probabilities is None else [*map(tuple, result.probabilities.tolist())]
    columns = zip(result.digits.tolist(), result.confidences.tolist(), rows, strict=True)
    if not failures and not doubts:
        return [
            Prediction(digit, confidence, row, model, confidence < min_confidence) for digit, confidence, row in columns
        ]
    return [
        Prediction.failed(failures[index], model=model)
        if index in failures
        else Prediction(
            digit, confidence, row, model, confidence < min_confidence or index in doubts, doubts.get(index)
        )
        for index, (digit, confidence, row) in enumerate(columns)
    ]


def _numbers(result: Result, min_confidence: float) -> list[Prediction]:
    found, start = [], 0
    digits, confidences = result.digits.tolist(), result.confidences.tolist()
    for index, count in enumerate(() if result.counts is None else result.counts.tolist()):
        read, shares = digits[start : start + count], tuple(confidences[start : start + count])
        start += count
        if index in result.failures:
            found.append(Prediction.failed(result.failures[index], model=result.model))
            continue
        least, doubt = min(shares), result.doubts.get(index)
        found.append(
            Prediction(
                read[0] if count == 1 else None,
                least,
                None,
                result.model,
                least < min_confidence or doubt is not None,
                doubt,
                number="".join(map(str, read)),
                confidences=shares,
            )
        )
    return found
