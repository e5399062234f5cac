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
        """Return the name and the answer of each image as JSON values (`Prediction.as_json`), in their order."""
        return [self._answer(*each) for each in zip(self.names, self.predictions, strict=True)]

    def _answer(self, name: str, prediction: "Prediction") -> dict[str, Any]:
        answer = {"name": name, **prediction.as_json(numbers=self.reads_numbers)}
        answer["review"] = prediction.review and self.reviews
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
