"""The gate decides whether a newly trained model may go live. It uses no queue and changes nothing.

It compares the candidate with the live model and with the best model that ever was live. All of them classify the same
images, and none was trained on these: images held out of the data set's training images, and images held out of the
taught images. The test images decide nothing.

The candidate must not be worse than either of the two, and it must gain something over the live one. Otherwise each
model could be a little worse than the one before, and a year of trainings could ruin what is live.

Two models are compared image by image, by McNemar's exact test. An image that both read, or that both misread, says
nothing about which of them is better. Of n images that only one of them reads, each is as likely to be read by one as
by the other if both are equally good. So the number that one of them reads is binomial, with n trials of probability
1/2. Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
Psychometrika 12 (1947), https://doi.org/10.1007/BF02295996; T. G. Dietterich, "Approximate statistical tests for
comparing supervised classification learning algorithms", Neural Computation 10 (1998),
https://doi.org/10.1162/089976698300017197, recommends it where a training is too slow to be repeated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model import metrics
from model.cards.card import Card, Score
from model.cards.decision import FEW, Comparison, Decision, ModelAssessment, scored, share
from model.data.digits import Digits
from model.inference.apart import time_apart
from model.metrics import p_value
from model.wording import percent

LOSS_LEVEL = 0.1
"""A candidate is worse than another model if equally good models differ so much with a lower probability than this.

The higher this level, the smaller the losses that pass, and the more trainings are in vain: a candidate that is as good
as the other model is refused at most so often, and one that paid the usual price for a style more often. EXPERIMENTS.md
has the measurements of `benchmarks/renewal.py` with this and other levels."""

GAIN_LEVEL = 0.05
"""A candidate gains something over the live model if equally good models differ so much with a lower probability."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model answered at the gate.

    Attributes:
        version: Name of the model.
        validation: Digits that it read in the validation images, uint8 (n,).
        taught: Digits that it read in the held-out taught images, uint8 (m,); m may be 0.
        bytes: Size of its model.tflite.
        images_per_second: Number of images per second of CPU time.
    """

    version: str
    validation: NDArray[np.uint8]
    taught: NDArray[np.uint8]
    bytes: int
    images_per_second: float


class Labels(NamedTuple):
    """The true digits of the images of `Answers`: integers (n,) and (m,)."""

    validation: metrics.Integers
    taught: metrics.Integers


def ask(card: Card, model: bytes, validation: Digits, taught: Digits) -> Answers:
    """Let a model classify the held-out images, in a process with limits.

    Args:
        card: Card of the model.
        model: Content of its model.tflite.
        validation: Images of the data set that the model was not trained on.
        taught: Taught images that the model was not trained on. May be empty.

    Raises:
        ModelError: The model fails, crashes or exceeds a limit on these images.
        NotTried: The process could not run. That says nothing about the model.
    """
    images = np.concatenate([validation.images, taught.images])
    predictions, seconds = time_apart(card.version, model, card.temperature, images)
    digits = predictions.digits
    return Answers(
        card.version, digits[: len(validation)], digits[len(validation) :], len(model), len(images) / seconds
    )


def decide(
    candidate: Answers, live: Answers, best: Answers, labels: Labels, agreement: Score, min_agreement: float
) -> Decision:
    """Let the candidate pass if it gains something and loses nothing, beyond what chance explains.

    It must not be worse than the live and the best model on either set of images, and must be better than the live
    model on one of them. On a set of fewer than `FEW` images, one more is a gain, because so few can prove nothing. Its
    export must be faithful, too.

    Args:
        candidate: Answers of the new model.
        live: Answers of the model that it would replace.
        best: Answers of the best model that ever was live. It may be the live one.
        labels: True digits of the images.
        agreement: Validation images on which the candidate's int8 export and its float network name the same digit.
        min_agreement: Minimum share of such images, 0 to 1.

    Returns:
        The decision, with its reason in one sentence.
    """
    is_best = best.version == live.version
    others = {
        "live and best version" if is_best else "live version": live,
        **({} if is_best else {"best version": best}),
    }
    matches = [
        _Match.between(candidate, other, f"the {name} {other.version}", images, getattr(labels, images))
        for images in ("taught", "validation")
        if len(getattr(labels, images))
        for name, other in others.items()
    ]
    with_live = [match for match in matches if match.comparison.version == live.version]
    faults = [match.fault for match in matches if match.is_worse]
    # A few images may differ by chance, so the upper end of the interval decides, as in judging.
    if agreement.high < min_agreement:
        faults.append(
            f"its int8 export agrees with its network on only {scored(agreement, 'validation images')}; "
            f"{percent(min_agreement, 1)} would have passed"
        )
    if not faults and not any(match.is_better for match in with_live):
        none = "" if len(labels.taught) else "no taught image is held out to be judged on, and "
        faults.append(f"nothing is gained: {none}{', and '.join(match.missed for match in with_live)}")
    return Decision(
        not faults,
        f"Refused: {'; '.join(faults)}." if faults else f"Passed: {'; '.join(_found(matches))}.",
        _assessment(candidate, labels),
        _assessment(live, labels),
        agreement,
        None if is_best else _assessment(best, labels),
        [match.comparison for match in matches],
    )


def largest_loss(wrong: int) -> int:
    """Return how many validation images fewer than the best model the live one can read after any number of trainings.

    The best model never becomes worse, and the gate compares each candidate with it. A candidate can only win images
    that the best model misreads.

    Args:
        wrong: Number of validation images that the best model misreads.
    """
    return max(explained(won, LOSS_LEVEL) - won for won in range(wrong + 1))


def explained(fewer: int, level: float) -> int:
    """Return the largest number of images that only one model reads and that chance still explains.

    Args:
        fewer: Number of images that only the other model reads.
        level: Level of the test, 0 to 1.

    Returns:
        Largest number of images for which `p_value` is not below the level; at least `fewer`.
    """
    more = fewer
    while p_value(more + 1, fewer) >= level:
        more += 1
    return more


@dataclass(frozen=True, slots=True)
class _Match:
    """The candidate and another model on one set of images.

    Attributes:
        comparison: What each reads alone.
        other: The other model, in words.
        right: Score of the candidate.
        other_right: Score of the other model.
    """

    comparison: Comparison
    other: str
    right: Score
    other_right: Score

    @classmethod
    def between(cls, candidate: Answers, other: Answers, name: str, images: str, labels: metrics.Integers) -> "_Match":
        ours, theirs = (getattr(answers, images) == labels for answers in (candidate, other))
        won, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        scores = (Score.of(int(right.sum()), len(labels)) for right in (ours, theirs))
        return cls(Comparison(other.version, images, won, lost), name, *scores)

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is worse than the other model, beyond what chance explains."""
        won, lost = self.comparison.won, self.comparison.lost
        return lost > won and p_value(lost, won) < LOSS_LEVEL

    @property
    def is_better(self) -> bool:
        """Whether the candidate is better than the other model, beyond what chance explains where that can be known."""
        won, lost = self.comparison.won, self.comparison.lost
        return won > lost and (self.few or p_value(won, lost) < GAIN_LEVEL)

    @property
    def fault(self) -> str:
        """What is wrong with a candidate that is worse, and what would have passed."""
        won = self.comparison.won
        enough = self.other_right.correct + won - explained(won, LOSS_LEVEL)
        return f"{self.scored}, but {self.other_scored}; {enough:,} would have passed"

    @property
    def missed(self) -> str:
        """What a candidate reads that is not better, and what would have been better."""
        lost = self.comparison.lost
        needed = self.other_right.correct - lost + 1 + (lost if self.few else explained(lost, GAIN_LEVEL))
        would = f"{needed:,} would have passed" if needed <= self.right.total else "too few are left to show a gain"
        return f"{self.scored}, {self.other_scored}; {would}"

    @property
    def few(self) -> bool:
        """Whether so few images prove nothing."""
        return self.right.total < FEW

    @property
    def scored(self) -> str:
        """What the candidate reads."""
        what = "validation" if self.comparison.images == "validation" else "held-out taught"
        return scored(self.right, f"{what} images right")

    @property
    def other_scored(self) -> str:
        """What the other model reads."""
        return f"{self.other_right.correct:,}{share(self.other_right)} with {self.other}"


def _found(matches: Sequence[_Match]) -> Iterator[str]:
    """Yield what a candidate reads of each set, and what the other models do."""
    for scored_here, group in groupby(matches, lambda match: match.scored):
        found = list(group)
        note = " (too few to prove anything)" if found[0].few else ""
        yield f"{scored_here}{note}, {' and '.join(match.other_scored for match in found)}"


def _assessment(answers: Answers, labels: Labels) -> ModelAssessment:
    return ModelAssessment(
        answers.version,
        Score.between(labels.validation, answers.validation),
        Score.between(labels.taught, answers.taught) if len(labels.taught) else None,
        [score.recall for score in metrics.per_class(labels.validation, answers.validation)],
        answers.bytes,
        answers.images_per_second,
    )
