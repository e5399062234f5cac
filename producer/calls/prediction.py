"""What a program gets for one image."""

from collections.abc import Sequence
from typing import Any, Self

from msgspec import Struct

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt
from producer.public.answers import LOW_CONFIDENCE, Reason
from worker.contract.wire import Result

DECIMALS = 6
"""Decimals of the probabilities that are printed or written: finer than any calibration."""


class Prediction(Struct, frozen=True):  # and not a frozen dataclass, because making one takes ten times as long
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
        error: Why the image has no answer, as a code and a sentence; or None.
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

    def review_reason(self, *, review: bool) -> Reason | None:
        """Return why a person should look at the image, or None if `review` says that nobody need."""
        if not review:
            return None
        if self.doubt:
            return Reason(code=str(self.doubt.code), message=self.doubt.reason)
        if self.error:
            return _as_reason(self.error)
        return Reason(code=LOW_CONFIDENCE, message="The confidence is low, so it may not be a digit.")

    def values(self, *, numbers: bool, probabilities: bool = True, review: bool | None = None) -> dict[str, Any]:
        """Return the attributes of `producer.public.answers.Answer`, without the name.

        Args:
            numbers: Whether numbers are read.
            probabilities: Whether to include the probabilities.
            review: Whether a person should look at the image, if it is not as `self.review` says.
        """
        review = self.review if review is None else review
        values: dict[str, Any] = {
            "digit": self.digit,
            "confidence": None if self.confidence is None else round(self.confidence, DECIMALS),
            "review": review,
            "review_reason": self.review_reason(review=review),
            "model": self.model,
            "error": _as_reason(self.error) if self.error else None,
        }
        if numbers:
            values["number"] = self.number
            values["confidences"] = _rounded(self.confidences)
        elif probabilities:
            values["probabilities"] = self.probabilities and _rounded(self.probabilities)
        return values


def _rounded(shares: Sequence[float]) -> list[float]:
    return [round(share, DECIMALS) for share in shares]


def _as_reason(failure: Failure) -> Reason:
    return Reason(code=str(failure.code), message=failure.sentence)


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
