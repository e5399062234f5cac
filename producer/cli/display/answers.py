"""The answers to single images: a line or a JSON value for each."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from producer.cli.notices import printable

if TYPE_CHECKING:
    from producer.calls.prediction import Prediction


class Answered(NamedTuple):
    """Images and what was answered for each.

    Attributes:
        names: Name by which the user knows each image.
        predictions: Answers, in the same order.
        reads_numbers: Whether all digits of each image were wanted.
        reviews: Whether the user wants to know which images to look at.
    """

    names: Sequence[str]
    predictions: "Sequence[Prediction]"
    reads_numbers: bool
    reviews: bool

    @property
    def failed(self) -> bool:
        """Whether an image has no answer."""
        return any(prediction.error is not None for prediction in self.predictions)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the answer for each image as JSON values, in their order.

        Each answer has name, digit, confidence, review and model. It also has the probabilities if the image did not
        fail and no numbers are read, error and message if it failed, and doubt and message if the image path doubts the
        answer. If numbers are read, it also has the number as a text, and the lists digits and confidences; the digit
        is then None unless there is one, and the confidence that of the least certain.
        """
        return [self._answer(*each) for each in zip(self.names, self.predictions, strict=True)]

    def _answer(self, name: str, prediction: "Prediction") -> dict[str, Any]:
        answer: dict[str, Any] = {
            "name": name,
            "digit": prediction.digit,
            "confidence": None if prediction.confidence is None else round(prediction.confidence, 6),
            "review": prediction.review and self.reviews,
            "model": prediction.model,
        }
        if self.reads_numbers:
            answer["number"] = prediction.number
            answer["digits"] = [int(digit) for digit in prediction.number or ""]
            answer["confidences"] = [round(share, 6) for share in prediction.confidences]
        if prediction.probabilities is not None:
            answer["probabilities"] = [round(share, 6) for share in prediction.probabilities]
        if prediction.error:
            answer |= {"error": str(prediction.error.code), "message": prediction.error.sentence}
        if prediction.doubt:
            answer |= {"doubt": str(prediction.doubt.code), "message": prediction.doubt.reason}
        return answer


def print_answers(answered: Answered, *, as_json: bool) -> None:
    """Print a line for each image: name, digit or number and confidence, or the reason why there is none."""
    rows = answered.as_json()
    if as_json:
        click.echo(json.dumps(rows))
        return
    names = [printable(name) for name in answered.names]
    width = min(max(map(len, names), default=0), 60)
    for row, name in zip(rows, names, strict=True):
        click.echo(f"{name:{width}}  {answer_text(row)}")


def answer_text(answer: dict[str, Any], *, styled: bool = True) -> str:
    """Return an answer of `Answered.as_json` in words: digit or number and confidence, or why there is none."""
    style = click.style if styled else lambda text, **_: text
    if answer["confidence"] is None:
        return f"{style('-', fg='red')}  {answer['error']}: {printable(answer['message'])}"
    words = f"{style(str(answer.get('number') or answer['digit']), bold=True)}  {100 * answer['confidence']:.1f} %"
    if not answer["review"]:
        return words
    why = answer["message"] if "doubt" in answer else "unsure, may not be a digit"
    return words + style(f"  {printable(why)}: review", fg="yellow")
