"""The gate: whether a newly trained model may take the place of the one that is live. Pure; knows no queue.

Both classify the same images, which neither was trained on: those held out of MNIST's training part, and those held
out of what was taught. MNIST's test set decides nothing.
"""

from collections.abc import Callable
from time import perf_counter

import numpy as np

from model import metrics
from model.cards.card import Score
from model.cards.decision import Decision, ModelAssessment
from model.data.digits import Digits
from model.inference.classifier import Classifier

VALIDATION_MARGIN = 0.001
"""By which share of the validation images a candidate may be worse: five of 5,000, which another seed changes too."""

TAUGHT_MARGIN = 0.02
"""Likewise of the taught images that were held out; always at least one image."""

SPEED_IMAGES = 1024
SPEED_ROUNDS = 3


def assess(version: str, classifier: Classifier, size: int, validation: Digits, taught: Digits) -> ModelAssessment:
    """Measure one model.

    Args:
        version: its name.
        classifier: of its model.tflite.
        size: bytes of that file.
        validation: images that it was not trained on.
        taught: likewise, of what users taught; may be empty.
    """
    digits = classifier.classify(validation.images).digits
    return ModelAssessment(
        version,
        Score.between(validation.labels, digits),
        Score.between(taught.labels, classifier.classify(taught.images).digits) if len(taught) else None,
        [score.recall for score in metrics.per_class(validation.labels, digits)],
        size,
        _speed(lambda: classifier.classify(np.resize(validation.images, (SPEED_IMAGES, 28, 28)))),
    )


def decide(candidate: ModelAssessment, live: ModelAssessment, agreement: Score, min_agreement: float) -> Decision:
    """Let the candidate pass if it is no worse than the live model by more than the margins, and its export is true.

    Args:
        candidate: the new model.
        live: what it would replace, measured on the same images.
        agreement: on how many validation images the candidate's int8 export names the same digit as its network.
        min_agreement: on which share it must.
    """
    faults = [
        *_fault("validation", candidate.validation, live.validation, VALIDATION_MARGIN),
        *_fault("held-out taught", candidate.taught, live.taught, TAUGHT_MARGIN),
    ]
    # On few images one may differ by chance, so the upper end of the interval decides, as in judging.
    if agreement.high < min_agreement:
        faults.append(f"its int8 export agrees with its network on only {agreement.accuracy:.2%}")
    if faults:
        return Decision(False, f"Refused: {'; '.join(faults)}.", candidate, live, agreement)
    words = f"{candidate.validation.accuracy:.2%} of the validation images right ({live.version}: "
    words += f"{live.validation.accuracy:.2%})"
    if candidate.taught and live.taught:
        words += f", {candidate.taught.accuracy:.1%} of the held-out taught ones ({live.taught.accuracy:.1%})"
    return Decision(True, f"Passed: {words}.", candidate, live, agreement)


def _fault(what: str, candidate: Score | None, live: Score | None, margin: float) -> list[str]:
    if candidate is None or live is None:
        return []
    allowed = max(1, round(margin * live.total))
    if candidate.correct >= live.correct - allowed:
        return []
    found = f"{candidate.accuracy:.2%} of the {candidate.total:,} {what} images right, where {live.accuracy:.2%} are"
    return [f"{found} with the live model; at most {allowed} fewer would do"]


def _speed(classify: Callable[[], object]) -> float:
    seconds = []
    for _ in range(SPEED_ROUNDS):
        started = perf_counter()
        classify()
        seconds.append(perf_counter() - started)
    return SPEED_IMAGES / min(seconds)
