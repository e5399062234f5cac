"""The answers to single images: a line or a JSON value for each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from producer.cli.json_output import print_json
from producer.cli.notices import printable, tell
from producer.public.answers import LOW_CONFIDENCE, Answer, Answers

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

    def as_json(self, *, probabilities: bool = True) -> list[Answer]:
        """Return the name and the answer of each image for programs, in their order."""
        return [
            Answer(
                name=name,
                **prediction.values(
                    numbers=self.reads_numbers,
                    probabilities=probabilities,
                    review=prediction.review and self.reviews,
                ),
            )
            for name, prediction in zip(self.names, self.predictions, strict=True)
        ]


def print_answers(answered: Answered, *, as_json: bool) -> None:
    """Print a line for each image: name, digit or number and confidence, or the reason why there is none."""
    rows = answered.as_json()
    if as_json:
        print_json(Answers(predictions=rows))
        return
    names = [printable(name) for name in answered.names]
    width = min(max(map(len, names), default=0), 60)
    for row, name in zip(rows, names, strict=True):
        tell(f"{name:{width}}  {answer_text(row)}")


def answer_text(answer: Answer, *, styled: bool = True) -> str:
    """Return an answer in words: digit or number and confidence, or why there is none."""
    style = click.style if styled else lambda text, **_: text
    if answer.error:
        return f"{style('-', fg='red')}  {answer.error.code}: {printable(answer.error.message)}"
    words = f"{style(str(answer.number or answer.digit), bold=True)}  {100 * (answer.confidence or 0):.1f} %"
    if not answer.review_reason:
        return words
    unsure = answer.review_reason.code == LOW_CONFIDENCE
    why = "unsure, may not be a digit" if unsure else answer.review_reason.message
    return words + style(f"  {printable(why)}: review", fg="yellow")
