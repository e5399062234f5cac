"""When a version in service is bad enough to be taken out of it, and how it is counted."""

import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.inference.review import REVIEW_BELOW
from worker.classifying.canary import SHADOW_EVERY, CanaryMonitor
from worker.classifying.models import Models
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
def canary(models, registry):
    """What watches them."""
    return CanaryMonitor(models, registry, name="worker")


@pytest.mark.parametrize(
    ("tally", "words"),
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
def test_a_version_is_judged_by_its_errors_its_doubts_and_the_version_before(tally, words):
    """Never on less than so many images; what is hard for both is no fault."""
    assert (words in tally.fault()) if words else tally.fault() == ""


def test_what_is_classified_is_counted_and_what_is_no_image_is_not(canary, models, registry, digits):
    """Images, doubts, the sum of confidences; passed on at the next look."""
    images = digits.images[:100]
    predictions = canary.classify(models(BASELINE_VERSION), images, {0: None, 99: None})
    canary.look()
    tally = registry.service_counts(BASELINE_VERSION)
    confidences = predictions.confidences[1:99]
    assert (tally.images, tally.review) == (98, (confidences < REVIEW_BELOW).sum())
    assert tally.confidence == round(1000 * float(confidences.sum()))
    assert tally.shadowed == 0, "the baseline is not watched"


def test_images_on_which_classifying_fails_are_errors_of_the_version(canary, models, registry):
    """And the batch fails as it did."""
    with pytest.raises(ValueError, match="uint8"):
        canary.classify(models(BASELINE_VERSION), np.zeros((7, 3, 3), np.uint8), {2: None})
    canary.look()
    assert registry.service_counts(BASELINE_VERSION) == ServiceCounts(errors=6)


def test_a_watched_version_is_compared_until_it_has_passed(canary, models, registry, variant, digits):
    """One in eight of its images goes to the version before as well, and no other version's; then none."""
    card, files = variant("new", temperature=1.5)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    canary.look()
    canary.classify(models(card.version), digits.images[:800], {})
    canary.classify(models(BASELINE_VERSION), digits.images[:800], {})
    canary.look()
    tally = registry.service_counts(card.version)
    assert (tally.shadowed, tally.disagreed) == (800 // SHADOW_EVERY, 0)
    assert registry.service_counts(BASELINE_VERSION).shadowed == 0
    registry.count(card.version, ServiceCounts(shadowed=CANARY_IMAGES))
    canary.look()
    canary.classify(models(card.version), digits.images[:800], {})
    canary.look()
    assert registry.service_counts(card.version).shadowed == 800 // SHADOW_EVERY + CANARY_IMAGES


def test_only_a_promotion_is_watched_and_begins_a_new_tally(canary, registry, variant):
    """A rollback is not, lest two versions roll each other back for ever; nor a promotion that should not be."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.count(card.version, ServiceCounts(images=5))
    registry.promote(card.version, reason="test")
    assert registry.canary() == (card.version, BASELINE_VERSION)
    assert registry.service_counts(card.version) == ServiceCounts()
    registry.rollback(reason="test")
    assert registry.canary() is None
    registry.count(BASELINE_VERSION, ServiceCounts(errors=10_000))
    canary.look()
    assert registry.live() == BASELINE_VERSION
    registry.promote(card.version, reason="whatever it does", canary=False)
    assert registry.canary() is None


def test_a_version_that_fails_is_rolled_back_once(canary, models, registry, variant):
    """Of many workers that see it, one does it; the others find it done."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    registry.count(card.version, ServiceCounts(errors=ENOUGH))
    for each in (canary, CanaryMonitor(models, registry, name="another")):
        each.look()
    assert registry.live() == BASELINE_VERSION
    assert [move.action for move in registry.history()] == ["rollback", "promote"]
    assert registry.history()[0].reason == f"it failed on {ENOUGH} of its first {ENOUGH} images"
