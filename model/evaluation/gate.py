"""The gate decides whether a newly trained model may replace the live one. It uses no queue and changes nothing.

Both models classify the same images, and neither was trained on them: images held out of the data set's training
images, and images held out of the taught images. The test images decide nothing.
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
"""Share of the validation images by which a candidate may be worse: five of 5,000, as much as a new seed changes."""

TAUGHT_MARGIN = 0.02
"""Share of the held-out taught images by which a candidate may be worse. One image is always allowed."""

SPEED_IMAGES = 1024
SPEED_ROUNDS = 3
"""The speed is measured in three rounds of 1,024 images, and the fastest round counts."""


def assess(version: str, classifier: Classifier, size: int, validation: Digits, taught: Digits) -> ModelAssessment:
    """Measure one model.

    Args:
        version: Name of the model.
        classifier: Classifier of its model.tflite.
        size: Size of that file, in bytes.
        validation: Images of the data set that the model was not trained on.
        taught: Taught images that the model was not trained on. May be empty.

    Returns:
        Its accuracies, recall by digit, size and speed.
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
    """Let the candidate pass if it is as accurate as the live model, within the margins, and its export is faithful.

    Args:
        candidate: Figures of the new model.
        live: Figures of the model that it would replace, measured on the same images.
        agreement: Validation images on which the candidate's int8 export and its float network name the same digit.
        min_agreement: Minimum share of such images, 0 to 1.

    Returns:
        The decision, with its reason in one sentence.
    """
    faults = [
        *_fault("validation", candidate.validation, live.validation, VALIDATION_MARGIN),
        *_fault("held-out taught", candidate.taught, live.taught, TAUGHT_MARGIN),
    ]
    # A few images may differ by chance, so the upper end of the interval decides, as in judging.
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
    found = f"{candidate.accuracy:.2%} of the {candidate.total:,} {what} images right"
    return [f"{found}, but {live.accuracy:.2%} with the live model; at most {allowed} fewer are allowed"]


def _speed(classify: Callable[[], object]) -> float:
    seconds = []
    for _ in range(SPEED_ROUNDS):
        started = perf_counter()
        classify()
        seconds.append(perf_counter() - started)
    return SPEED_IMAGES / min(seconds)
