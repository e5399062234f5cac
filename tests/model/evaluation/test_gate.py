"""The gate lets candidates pass that are as accurate as the live model, within the margins, and refuses the others."""

import numpy as np
import pytest

from model.cards.card import BASELINE, WEIGHTS, Score, read_model
from model.cards.decision import ModelAssessment
from model.data.digits import Digits, hold_out
from model.evaluation.gate import assess, decide
from model.evaluation.judge import MIN_AGREEMENT
from model.inference.classifier import Classifier
from model.training.recipe import Recipe

TRUE = Score.of(5000, 5000)


def assessed(correct, taught=None, *, version="v"):
    """Return figures of a model that reads `correct` of 5,000 validation images and `taught` of 50 taught images."""
    scores = None if taught is None else Score.of(taught, 50)
    return ModelAssessment(version, Score.of(correct, 5000), scores, [1.0] * 10, 1, 1.0)


@pytest.mark.parametrize(
    ("candidate", "live", "passed"),
    [
        (assessed(4980), assessed(4980), True),
        (assessed(4975), assessed(4980), True),
        (assessed(4974), assessed(4980), False),
        (assessed(4999, 40), assessed(4980, 41), True),
        (assessed(4999, 39), assessed(4980, 41), False),
        (assessed(4980, 50), assessed(4980, 10), True),
        (assessed(4980, None), assessed(4980, None), True),
    ],
)
def test_a_candidate_passes_within_the_margins(candidate, live, passed):
    """A candidate passes within 0.1 % of the validation images, and within 2 % of the taught images or one of them."""
    decision = decide(candidate, live, TRUE, MIN_AGREEMENT)
    assert decision.passed is passed
    assert decision.reason.startswith("Passed" if passed else "Refused")


def test_an_export_that_disagrees_with_its_network_is_refused():
    """A candidate whose export disagrees with its network is refused, even if it is more accurate."""
    decision = decide(assessed(5000), assessed(4000), Score.of(4900, 5000), MIN_AGREEMENT)
    assert not decision.passed
    assert "98.00%" in decision.reason


def test_a_model_is_measured_on_the_given_images(samples):
    """The baseline reads over 90 % of some sample digits. If their labels are all wrong, it has none right."""
    card, model = read_model(BASELINE)
    classifier = Classifier(model, temperature=card.temperature)
    few = samples.test[:100]
    measured = assess(card.version, classifier, len(model), few, few[:0])
    assert measured.validation.accuracy > 0.9
    assert measured.taught is None
    assert measured.images_per_second > 0
    assert len(measured.recall) == 10
    spoiled = Digits(few.images, ((classifier.classify(few.images).digits + 1) % 10).astype(np.uint8))
    taught = assess(card.version, classifier, len(model), few, spoiled).taught
    assert taught is not None
    assert (taught.correct, taught.total) == (0, 100)


def test_a_candidate_of_spoiled_labels_is_refused(network, samples):
    """The gate refuses a network that knows each digit under the next label, though it is accurate on such data."""
    from model.network.export import to_int8

    rolled = network.load_weights(BASELINE / WEIGHTS)
    for variable in rolled.get_layer("logits").trainable_variables:
        variable.assign(np.roll(np.asarray(variable), 1, axis=-1))
    spoiled = Classifier(to_int8(rolled, samples.train.images[:100]))
    _, validation = hold_out(samples.train, Recipe.small().validation)
    assert np.mean(spoiled.classify(validation.images).digits == (validation.labels + 1) % 10) > 0.9
    card, model = read_model(BASELINE)
    candidate, live = (
        assess(version, classifier, len(model), validation, validation[:0])
        for version, classifier in (("spoiled", spoiled), (card.version, Classifier(model)))
    )
    decision = decide(candidate, live, TRUE, MIN_AGREEMENT)
    assert not decision.passed
    assert candidate.validation.accuracy < 0.1
    assert decision.reason == (
        f"Refused: {candidate.validation.accuracy:.2%} of the {len(validation)} validation images right, but "
        f"{live.validation.accuracy:.2%} with the live model; at most 1 fewer are allowed."
    )
