"""Facts about versions that harm the processes that classify with them."""

import pytest

from model.cards.card import BASELINE, Card
from worker.classifying.faults import STRIKES, VersionFaults
from worker.contract.registry import STRIKES_SECONDS, Registry, ServiceCounts
from worker.contract.registry import keys as registry_keys

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def faults(registry):
    """What one worker records."""
    return VersionFaults(registry, name="worker")


@pytest.fixture
def live(registry, variant):
    """A version that is live."""
    card, files = variant("new")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    return card.version


def test_a_version_that_ends_processes_again_and_again_is_rolled_back_with_its_reason(faults, registry, live):
    """Strikes of all workers count together. Then no worker loads it, until somebody promotes it again."""
    other = VersionFaults(registry, name="other")
    for number in range(STRIKES):
        assert registry.live() == live
        (faults if number % 2 else other).strike(live, "it ended its process (SIGSEGV)")
    assert registry.live() == BASELINE_VERSION
    change = registry.history()[0]
    assert (change.action, change.version, change.before) == ("rollback", BASELINE_VERSION, live)
    assert "SIGSEGV" in change.reason
    assert "SIGSEGV" in registry.fault(live)
    registry.promote(live, reason="try again")
    assert registry.fault(live) == ""


@pytest.mark.parametrize("seconds", [-STRIKES_SECONDS - 1, 3600], ids=["past", "future"])
def test_strikes_far_apart_do_not_count_together(faults, registry, client, live, seconds):
    """A version that serves for months may meet an accident now and then, or its clock is set back."""
    key = registry_keys.service_counts(live)
    for _ in range(2 * STRIKES):
        faults.strike(live, "it ended its process (SIGSEGV)")
        client.hincrby(key, "struck", 1000 * seconds)
    assert registry.live() == live
    assert registry.fault(live) == ""


def test_strikes_do_not_disturb_the_counts_of_answers(faults, registry, live):
    """Both are in one hash."""
    registry.count(live, ServiceCounts(images=5))
    faults.strike(live, "it failed")
    assert registry.service_counts(live) == ServiceCounts(images=5)


def test_the_baseline_is_never_out_of_service(faults, registry, live):
    """Nothing could replace it, and the version before it was rolled back."""
    registry.rollback(reason="test")
    for _ in range(2 * STRIKES):
        faults.strike(BASELINE_VERSION, "it ended its process (SIGSEGV)")
    faults.withdraw(BASELINE_VERSION, "it fails")
    assert registry.live() == BASELINE_VERSION
    assert registry.fault(BASELINE_VERSION) == ""
    assert registry.fault(live) == ""


def test_a_condemned_version_that_is_not_live_changes_nothing_else(faults, registry, live, variant):
    """A job may be pinned to it. The live version stays."""
    card, files = variant("pinned")
    registry.publish(card, files)
    faults.condemn(card.version, "it fails")
    assert registry.live() == live
    assert registry.fault(card.version) == "it fails"


def test_two_bad_versions_do_not_replace_each_other_for_ever(faults, registry, live, variant):
    """A version that was itself rolled back does not serve again by itself. The baseline does."""
    card, files = variant("newer")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    faults.withdraw(card.version, "it cannot be loaded")
    assert registry.live() == live
    faults.withdraw(card.version, "another worker says so too, and later")
    assert registry.live() == live
    faults.withdraw(live, "it cannot be loaded either")
    assert registry.live() == BASELINE_VERSION
    assert len(registry.history()) == 4


@pytest.mark.parametrize("harm", ["missing", "condemned", "same"])
def test_the_baseline_serves_if_the_previous_version_cannot(faults, registry, client, live, variant, harm):
    """A rollback never leads to a version that is missing or out of service."""
    card, files = variant("newer")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    match harm:
        case "missing":
            client.delete(registry_keys.model(live))
        case "condemned":
            registry.condemn(live, "it failed before")
        case "same":
            client.hset(registry_keys.ALIASES, "previous", card.version)
    faults.withdraw(card.version, "it cannot be loaded")
    assert registry.live() == BASELINE_VERSION
