"""Facts about the gate: what passes, what is refused, and that both models are measured on the same images."""

from dataclasses import replace

import numpy as np
import pytest

from model.cards.card import BASELINE, Score, read_model
from model.cards.decision import ModelAssessment
from model.data.digits import Dataset, Digits, hold_out
from model.evaluation.gate import assess, decide
from model.evaluation.judge import MIN_AGREEMENT
from model.inference.classifier import Classifier
from model.training.recipe import Recipe
from model.training.train import train

TRUE = Score.of(5000, 5000)


def side(correct, taught=None, *, version="v"):
    """A model that reads so many of 5,000 validation images, and of 50 taught ones."""
    scores = None if taught is None else Score.of(taught, 50)
    return ModelAssessment(version, Score.of(correct, 5000), scores, [1.0] * 10, 1, 1.0)


@pytest.mark.parametrize(
    ("candidate", "live", "passed"),
    [
        (side(4980), side(4980), True),
        (side(4975), side(4980), True),
        (side(4974), side(4980), False),
        (side(4999, 40), side(4980, 41), True),
        (side(4999, 39), side(4980, 41), False),
        (side(4980, 50), side(4980, 10), True),
        (side(4980, None), side(4980, None), True),
    ],
)
def test_a_candidate_passes_if_it_is_no_worse_by_more_than_the_margins(candidate, live, passed):
    """0.1 % of the validation images, and 2 % of the taught ones or one of them."""
    decision = decide(candidate, live, TRUE, MIN_AGREEMENT)
    assert decision.passed is passed
    assert decision.reason.startswith("Passed" if passed else "Refused")


def test_an_export_that_is_not_its_network_is_refused():
    """However right it is."""
    decision = decide(side(5000), side(4000), Score.of(4900, 5000), MIN_AGREEMENT)
    assert not decision.passed
    assert "98.00%" in decision.reason


def test_a_model_is_measured_on_the_images_that_are_given(samples):
    """The baseline, on scikit-learn's digits; with labels that are all wrong it reads none."""
    card, model = read_model(BASELINE)
    classifier = Classifier(model, temperature=card.temperature)
    few = samples.test[:100]
    measured = assess(card.version, classifier, len(model), few, few[:0])
    assert measured.validation.accuracy > 0.9
    assert measured.taught is None
    assert measured.images_per_second > 0
    assert len(measured.recall) == 10
    spoiled = Digits(few.images, ((classifier.classify(few.images).digits + 1) % 10).astype(np.uint8))
    assert assess(card.version, classifier, len(model), few, spoiled).taught.correct == 0


def test_a_candidate_of_spoiled_labels_is_refused(samples, tmp_path):
    """A network that really learned each digit under the next one's name: only the gate's true labels tell."""
    spoiled = Digits(samples.train.images, (samples.train.labels + 1) % 10)
    recipe = replace(Recipe.small(), epochs=8)
    trained = train(Dataset("spoiled", spoiled, samples.test), recipe, tmp_path)
    assert trained.validation.int8.accuracy > 0.9
    _, validation = hold_out(samples.train, recipe.validation)
    candidate, live = (
        assess(card.version, Classifier(model, temperature=card.temperature), len(model), validation, validation[:0])
        for card, model in map(read_model, (tmp_path, BASELINE))
    )
    decision = decide(candidate, live, trained.agreement, MIN_AGREEMENT)
    assert not decision.passed
    assert candidate.validation.accuracy < 0.1
    assert decision.reason == (
        f"Refused: {candidate.validation.accuracy:.2%} of the {len(validation)} validation images right, where "
        f"{live.validation.accuracy:.2%} are with the live model; at most 1 fewer would do."
    )
