"""Facts about the canary: what is counted for a version in service, and when it is rolled back."""

import dataclasses

import numpy as np
import pytest

from model.augmentation.distortion import Augmentation, distort
from model.cards.card import BASELINE, Card
from model.inference.review import REVIEW_BELOW
from model.inference.variants import Inputs, read_inputs
from tests.support.models import spoiled
from worker.classifying.canary import SHADOW_EVERY, CanaryMonitor
from worker.classifying.models import Models
from worker.contract.drift import AnswerDays
from worker.contract.registry import Registry, ServiceCounts
from worker.contract.registry.service_counts import CANARY_IMAGES, ENOUGH

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def models(registry):
    """The models of a process that has just started."""
    return Models(registry)


@pytest.fixture
def days(client):
    """What Redis keeps of the answers of each day."""
    return AnswerDays(client)


@pytest.fixture
def canary(models, registry, days):
    """The canary monitor of that process."""
    return CanaryMonitor(models, registry, days, name="worker")


@pytest.fixture
def classify(models, canary):
    """Let a version classify images while the canary monitor observes it."""

    def run(version, images, failed=(), doubted=()):
        predictions = models(version).classifier.classify(images)
        inputs = Inputs(images, np.zeros(len(images), bool))
        canary.observe(version, inputs, predictions, failed, doubted=doubted)
        return predictions

    return run


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (ServiceCounts(), ""),
        (
            ServiceCounts(images=10_000, shadowed=1250, disagreed=100, review_here=200, review_before=100, review=1600),
            "",
        ),
        (ServiceCounts(images=ENOUGH - 1, shadowed=ENOUGH - 1, disagreed=ENOUGH - 1), ""),
        (ServiceCounts(images=ENOUGH, shadowed=ENOUGH, disagreed=ENOUGH // 2), "disagrees"),
        (ServiceCounts(images=ENOUGH, shadowed=ENOUGH, review_here=ENOUGH // 2, review_before=5), "for review"),
        (ServiceCounts(images=ENOUGH, shadowed=ENOUGH, review_here=ENOUGH // 2, review_before=ENOUGH // 2), ""),
        (ServiceCounts(errors=ENOUGH), "failed on"),
        (ServiceCounts(images=9_990, errors=10), ""),
    ],
)
def test_a_version_is_judged_by_its_errors_its_doubts_and_the_version_before(counts, words):
    """It is judged only by `ENOUGH` images or more. Images that are hard for both versions do not count against it."""
    assert (words in counts.fault()) if words else counts.fault() == ""


def test_classified_images_are_counted_and_failed_ones_are_not(canary, classify, registry, digits):
    """The next report has the images, the doubtful ones among them, and the sum of confidences."""
    predictions = classify(BASELINE_VERSION, digits.images[:100], failed=[0, 99])
    canary.report()
    counts = registry.service_counts(BASELINE_VERSION)
    confidences = predictions.confidences[1:99]
    assert (counts.images, counts.review) == (98, (confidences < REVIEW_BELOW).sum())
    assert counts.confidence == round(1000 * float(confidences.sum()))
    assert counts.shadowed == 0, "the baseline is not a canary"


def test_answers_are_counted_for_their_day(canary, classify, days, digits):
    """So are their digits. Doubts of the image path are for review, and images that failed are not counted."""
    predictions = classify(BASELINE_VERSION, digits.images[:100], failed=[0, 99], doubted=[1, 2])
    classify(BASELINE_VERSION, digits.images[:50])
    canary.report()
    [counts] = days.read(BASELINE_VERSION).values()
    unsure = predictions.confidences < REVIEW_BELOW
    expected = np.concatenate([predictions.digits[1:99], predictions.digits[:50]])
    assert (counts.images, counts.digits) == (148, tuple(np.bincount(expected, minlength=10)))
    assert counts.review == 2 + unsure[3:99].sum() + unsure[:50].sum()


def test_images_on_which_a_version_fails_are_counted_as_its_errors(canary, registry):
    """They reach the registry with the next report."""
    canary.observe_error(BASELINE_VERSION, 6)
    canary.report()
    assert registry.service_counts(BASELINE_VERSION) == ServiceCounts(errors=6)


def test_a_canary_is_compared_until_it_has_passed(canary, classify, registry, variant, digits):
    """Until then, the previous version also classifies one in eight of the canary's images, and no others."""
    card, files = variant("new", temperature=1.5)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    canary.report()
    classify(card.version, digits.images[:800])
    classify(BASELINE_VERSION, digits.images[:800])
    canary.report()
    counts = registry.service_counts(card.version)
    assert (counts.shadowed, counts.disagreed) == (800 // SHADOW_EVERY, 0)
    assert registry.service_counts(BASELINE_VERSION).shadowed == 0
    registry.count(card.version, ServiceCounts(shadowed=CANARY_IMAGES))
    canary.report()
    classify(card.version, digits.images[:800])
    canary.report()
    assert registry.service_counts(card.version).shadowed == 800 // SHADOW_EVERY + CANARY_IMAGES


def test_the_version_before_reads_variants_too(canary, models, registry, variant, digits):
    """A canary with the network of the version before reads unsure images as that does, so it cannot look worse."""
    card, files = variant("new", temperature=Card.read(BASELINE).temperature)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    canary.report()
    classify = models(card.version).classifier.classify
    far = distort(
        np.tile(digits.images[:800], (5, 1, 1)), Augmentation(rotation=30, shear=0.5), np.random.default_rng(1)
    )
    inputs = Inputs(far, np.ones(len(far), bool))
    doubted = read_inputs(classify, inputs).predictions.confidences < REVIEW_BELOW
    inputs = inputs.at(np.flatnonzero(doubted & (classify(far).confidences >= REVIEW_BELOW)))  # once, all are sure
    assert len(inputs.images) >= SHADOW_EVERY
    canary.observe(card.version, inputs, read_inputs(classify, inputs).predictions, [])
    canary.report()
    counts = registry.service_counts(card.version)
    assert counts.disagreed == 0
    assert counts.shadowed == counts.review_here == counts.review_before > 0


@pytest.mark.parametrize(("sure", "disagreed"), [(True, 100), (False, 0)])
def test_only_what_the_version_before_is_sure_of_counts(canary, classify, registry, digits, sure, disagreed):
    """A style that was just taught is read differently, and a job may show nothing else."""
    card, files = spoiled()
    card = dataclasses.replace(card, temperature=0.05 if sure else 20.0)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    registry.promote(BASELINE_VERSION, reason="test")
    canary.report()
    classify(BASELINE_VERSION, digits.images[:800])
    canary.report()
    counts = registry.service_counts(BASELINE_VERSION)
    assert counts.shadowed == 100
    assert counts.disagreed == pytest.approx(disagreed, abs=40)


def test_only_a_promotion_makes_a_canary_and_begins_new_counts(canary, registry, variant):
    """A rollback does not, or two versions could roll each other back forever. `canary=False` does not either."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.count(card.version, ServiceCounts(images=5))
    registry.promote(card.version, reason="test")
    assert registry.canary() == (card.version, BASELINE_VERSION)
    assert registry.service_counts(card.version) == ServiceCounts()
    registry.rollback(reason="test")
    assert registry.canary() is None
    registry.count(BASELINE_VERSION, ServiceCounts(errors=10_000))
    canary.report()
    assert registry.live() == BASELINE_VERSION
    registry.promote(card.version, reason="whatever it does", canary=False)
    assert registry.canary() is None


def test_a_version_that_fails_is_rolled_back_once(canary, models, registry, days, variant):
    """Many workers see it fail. One rolls it back; the others find that done."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    registry.count(card.version, ServiceCounts(errors=ENOUGH))
    for each in (canary, CanaryMonitor(models, registry, days, name="another")):
        each.report()
    assert registry.live() == BASELINE_VERSION
    assert [move.action for move in registry.history()] == ["rollback", "promote"]
    assert registry.history()[0].reason == f"it failed on {ENOUGH} of its first {ENOUGH} images"
