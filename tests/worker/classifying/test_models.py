"""Facts about the models in a classifying process, and about a live version that cannot be loaded."""

import hashlib
import logging
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from model.cards.card import BASELINE, MODEL, Card
from model.errors import ModelError, NotTried
from tests.support.clock import Clock
from tests.support.models import Harm, harmful
from worker.classifying.models import MAX_LOADED, RETRY_SECONDS, Models
from worker.classifying.notes import ProcessNotes
from worker.contract.connection import connect
from worker.contract.registry import LIVE, Registry
from worker.contract.registry import keys as registry_keys

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def clock():
    """The clock of `models`."""
    return Clock(100.0)


@pytest.fixture
def models(registry, clock):
    """The models of a process that has just started."""
    return Models(registry, clock=clock)


def test_the_baseline_serves_until_something_is_live(models):
    """It serves under its own name, and as the live version."""
    assert models(LIVE).version == models(BASELINE_VERSION).version == models.live == BASELINE_VERSION


def test_a_process_starts_while_redis_is_away(tmp_path):
    """A worker that loses its classifying process then would otherwise never have another that works."""
    models = Models(Registry(connect(f"unix://{tmp_path}/nobody-listens.sock")))
    assert models(BASELINE_VERSION).version == models.live == BASELINE_VERSION


def test_following_swaps_and_keeps_the_old_one_loaded(models, registry, variant, digits):
    """The new version serves at once, with its own temperature. The old one is still the same object."""
    card, files = variant("new", temperature=3.0)
    registry.publish(card, files)
    old = models(LIVE)
    registry.promote(card.version, reason="test")
    assert models(LIVE) is old, "only `follow` changes it"
    models.follow()
    assert models(LIVE).version == card.version
    assert models(BASELINE_VERSION) is old
    images = digits.images[:50]
    certain = [loaded.classifier.classify(images).confidences.mean() for loaded in (old, models(LIVE))]
    assert certain[1] < certain[0]
    registry.rollback(reason="test")
    models.follow()
    assert models(LIVE) is old


def test_a_process_follows_once_before_it_serves_the_live_version(models, registry, variant):
    """Otherwise a worker that starts while Redis is away would answer a live batch with the baseline."""
    card, files = variant("live-already")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    assert models(LIVE).version == card.version


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("harm", ["missing", "cut", "flipped", "no model", "no temperature"])
def test_a_live_version_that_cannot_be_loaded_leaves_the_old_one_serving(
    models, clock, registry, client, variant, caplog, harm
):
    """The reason is logged once. Once the version is repaired, the next retry serves it."""
    card, files = variant("bad")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    key, field = registry_keys.model(card.version), registry_keys.file(MODEL)
    content = client.hget(key, field)
    whole = client.hgetall(key)
    match harm:
        case "missing":
            client.delete(key)
        case "cut":
            client.hset(key, field, content[:1000])
        case "flipped":
            client.hset(key, field, content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
        case "no model" | "no temperature":
            _forge(client, card, harm)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            models.follow()
            assert models(LIVE).version == models.live == BASELINE_VERSION
    assert card.version in models.fault
    assert len(caplog.records) == 1
    assert f"{BASELINE_VERSION} goes on serving" in caplog.text

    client.hset(key, mapping=whole)
    clock.now += RETRY_SECONDS - 1
    models.follow()
    assert models.live == BASELINE_VERSION, "the pause is not over"
    clock.now += 1
    models.follow()
    assert models(LIVE).version == card.version
    assert models.fault == ""


def _forge(client, card, harm):
    """Store a useless model whose checksums are right. Only loading it can tell."""
    fields = {}
    if harm == "no model":
        fields[registry_keys.file(MODEL)] = content = b"no model at all" * 100
        card = replace(card, files={**card.files, MODEL: hashlib.sha256(content).hexdigest()})
    else:
        card = replace(card, temperature=0.0)
    fields[registry_keys.CARD] = text = card.dumps().encode()
    fields[registry_keys.SHA256] = hashlib.sha256(text).hexdigest().encode()
    client.hset(registry_keys.model(card.version), mapping=fields)


def test_a_version_that_does_not_exist_is_refused(models):
    """The message names it, and says what to do."""
    with pytest.raises(ModelError, match="registry does not have model cnn-0"):
        models("cnn-0")


def test_a_harmful_version_never_reaches_the_process_and_is_not_tried_for_each_batch(models, registry):
    """Its trial runs in a process with limits. What it found is remembered for a while."""
    card, files = harmful(Harm.CRASH)
    registry.publish(card, files)
    with pytest.raises(ModelError, match="SIGFPE"):
        models(card.version)
    registry.promote(card.version, reason="test")
    models.follow()
    assert models.live == BASELINE_VERSION
    assert "SIGFPE" in models.fault
    version, fault = models.unloadable
    assert version == card.version
    assert "cannot be loaded" in fault
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(ModelError, match="SIGFPE"):
            models(card.version)
    assert time.monotonic() - began < 20, "a trial takes half a second"
    registry.rollback(reason="test")
    models.follow()
    assert models.unloadable == ("", "")


def test_a_model_that_has_passed_is_not_tried_by_the_next_process(registry, variant, monkeypatch):
    """A process that replaces another shares its notes. Another temperature makes another model."""
    card, files = variant("sound")
    other, _ = variant("other", temperature=3.0)
    registry.publish(card, files)
    registry.publish(other, files)
    notes = ProcessNotes()
    Models(registry, notes)(card.version)
    monkeypatch.setattr(sys, "executable", "/does/not/exist")
    again = Models(registry, notes)
    again(card.version)
    with pytest.raises(NotTried):
        again(other.version)
    registry.promote(other.version, reason="test")
    again.follow()
    assert again.live == BASELINE_VERSION
    assert "could not be tried" in again.fault
    assert again.unloadable == ("", ""), "nobody knows whether it is bad"


def test_a_condemned_version_is_refused_with_its_reason_until_it_is_promoted(models, registry, variant):
    """The process that has it loaded keeps it until it forgets it."""
    card, files = variant("condemned")
    registry.publish(card, files)
    models(card.version)
    registry.condemn(card.version, "it ended three processes")
    models(card.version)
    models.forget(card.version)
    with pytest.raises(ModelError, match="out of service, because it ended three processes"):
        models(card.version)
    registry.promote(card.version, reason="try again")
    assert models(card.version).version == card.version


def test_only_the_last_few_stay_loaded(models, registry, variant):
    """The least recently used version goes first. The live one never goes."""
    versions = []
    for number in range(MAX_LOADED + 2):
        card, files = variant(f"v{number}")
        registry.publish(card, files)
        versions.append(card.version)
    registry.promote(versions[0], reason="test")
    models.follow()
    live = models(LIVE)
    second = models(versions[1])
    for version in versions[2:]:
        models(version)
    assert models(versions[0]) is live
    assert models(versions[1]) is not second
    assert len(models._loaded) == MAX_LOADED


MANY_LOADS = """
import sys, psutil
from worker.contract.connection import connect
from worker.classifying.models import Models
from worker.contract.registry import Registry
models, process = Models(Registry(connect(sys.argv[1]))), psutil.Process()
for turn in range(201):
    models(sys.argv[2 + turn % (len(sys.argv) - 2)])
    if turn in (5, 200):
        print(process.memory_full_info().uss)
"""


@pytest.mark.slow
def test_two_hundred_loads_leave_memory_as_five_did(server, registry, variant):
    """A process of its own loads more versions in turn than stay loaded. It grows by less than five percent."""
    versions = []
    for number in range(MAX_LOADED + 2):
        card, files = variant(f"v{number}")
        registry.publish(card, files)
        versions.append(card.version)
    command = [sys.executable, "-c", MANY_LOADS, server.url, *versions]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    few, many = map(int, done.stdout.split())
    assert many < 1.05 * few


def test_a_model_classifies_with_the_temperature_of_its_card(models, registry, variant, digits):
    """The same weights at another temperature give the same digits with other confidences."""
    card, files = variant("soft", temperature=4.0)
    registry.publish(card, files)
    images = digits.images[:100]
    base, soft = models(BASELINE_VERSION).classifier.classify(images), models(card.version).classifier.classify(images)
    assert np.array_equal(base.digits, soft.digits)
    assert not np.allclose(base.confidences, soft.confidences)
