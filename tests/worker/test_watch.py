"""When a version in service is bad enough to be taken out of it, and how it is counted."""

import numpy as np
import pytest

from model.card import BASELINE, Card
from model.review import REVIEW_BELOW
from worker.models import Models
from worker.registry import Registry, Tally
from worker.registry.tally import ENOUGH, WATCHED
from worker.watch import SHADOW_EVERY, Watch

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
def watch(models, registry):
    """What watches them."""
    return Watch(models, registry, name="worker")


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(), ""),
        (Tally(images=10_000, shadowed=1250, disagreed=100, review_here=200, review_before=100, review=1600), ""),
        (Tally(images=ENOUGH - 1, shadowed=ENOUGH - 1, disagreed=ENOUGH - 1), ""),
        (Tally(images=ENOUGH, shadowed=ENOUGH, disagreed=ENOUGH // 2), "disagrees"),
        (Tally(images=ENOUGH, shadowed=ENOUGH, review_here=ENOUGH // 2, review_before=5), "for review"),
        (Tally(images=ENOUGH, shadowed=ENOUGH, review_here=ENOUGH // 2, review_before=ENOUGH // 2), ""),
        (Tally(errors=ENOUGH), "failed on"),
        (Tally(images=9_990, errors=10), ""),
    ],
)
def test_a_version_is_judged_by_its_errors_its_doubts_and_the_version_before(tally, words):
    """Never on less than so many images; what is hard for both is no fault."""
    assert (words in tally.fault()) if words else tally.fault() == ""


def test_what_is_classified_is_counted_and_what_is_no_image_is_not(watch, models, registry, digits):
    """Images, doubts, the sum of confidences; passed on at the next look."""
    images = digits.images[:100]
    predictions = watch.classify(models(BASELINE_VERSION), images, {0: None, 99: None})
    watch.look()
    tally = registry.tally(BASELINE_VERSION)
    confidences = predictions.confidences[1:99]
    assert (tally.images, tally.review) == (98, (confidences < REVIEW_BELOW).sum())
    assert tally.confidence == round(1000 * float(confidences.sum()))
    assert tally.shadowed == 0, "the baseline is not watched"


def test_images_on_which_classifying_fails_are_errors_of_the_version(watch, models, registry):
    """And the batch fails as it did."""
    with pytest.raises(ValueError, match="uint8"):
        watch.classify(models(BASELINE_VERSION), np.zeros((7, 3, 3), np.uint8), {2: None})
    watch.look()
    assert registry.tally(BASELINE_VERSION) == Tally(errors=6)


def test_a_watched_version_is_compared_until_it_has_passed(watch, models, registry, variant, digits):
    """One in eight of its images goes to the version before as well, and no other version's; then none."""
    card, files = variant("new", temperature=1.5)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    watch.look()
    watch.classify(models(card.version), digits.images[:800], {})
    watch.classify(models(BASELINE_VERSION), digits.images[:800], {})
    watch.look()
    tally = registry.tally(card.version)
    assert (tally.shadowed, tally.disagreed) == (800 // SHADOW_EVERY, 0)
    assert registry.tally(BASELINE_VERSION).shadowed == 0
    registry.count(card.version, Tally(shadowed=WATCHED))
    watch.look()
    watch.classify(models(card.version), digits.images[:800], {})
    watch.look()
    assert registry.tally(card.version).shadowed == 800 // SHADOW_EVERY + WATCHED


def test_only_a_promotion_is_watched_and_begins_a_new_tally(watch, registry, variant):
    """A rollback is not, lest two versions roll each other back for ever; nor a promotion that should not be."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.count(card.version, Tally(images=5))
    registry.promote(card.version, reason="test")
    assert registry.watched() == (card.version, BASELINE_VERSION)
    assert registry.tally(card.version) == Tally()
    registry.rollback(reason="test")
    assert registry.watched() is None
    registry.count(BASELINE_VERSION, Tally(errors=10_000))
    watch.look()
    assert registry.live() == BASELINE_VERSION
    registry.promote(card.version, reason="whatever it does", watch=False)
    assert registry.watched() is None


def test_a_version_that_fails_is_rolled_back_once(watch, models, registry, variant):
    """Of many workers that see it, one does it; the others find it done."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    registry.count(card.version, Tally(errors=ENOUGH))
    for each in (watch, Watch(models, registry, name="another")):
        each.look()
    assert registry.live() == BASELINE_VERSION
    assert [move.action for move in registry.history()] == ["rollback", "promote"]
    assert registry.history()[0].reason == f"it failed on {ENOUGH} of its first {ENOUGH} images"
