"""What a classifying process holds in memory, and what it does when what is live cannot be loaded."""

import hashlib
import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from model.cards.card import BASELINE, MODEL, Card
from model.errors import ModelError
from worker.classifying.models import MAX_LOADED, Models
from worker.contract.registry import LIVE, Registry
from worker.contract.registry import keys as registry_keys

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def models(registry):
    """The models of a process that has just started."""
    return Models(registry)


def test_the_baseline_serves_until_something_is_live(models):
    """By its own name and as the live one."""
    assert models(LIVE).version == models(BASELINE_VERSION).version == models.live == BASELINE_VERSION


def test_following_swaps_and_keeps_the_old_one_loaded(models, registry, variant, digits):
    """The new one serves at once, with its own temperature; the old one is the same object as before."""
    card, files = variant("new", temperature=3.0)
    registry.publish(card, files)
    old = models(LIVE)
    registry.promote(card.version, reason="test")
    assert models(LIVE) is old, "nobody has looked yet"
    models.follow()
    assert models(LIVE).version == card.version
    assert models(BASELINE_VERSION) is old
    images = digits.images[:50]
    certain = [loaded.classifier.classify(images).confidences.mean() for loaded in (old, models(LIVE))]
    assert certain[1] < certain[0]
    registry.rollback(reason="test")
    models.follow()
    assert models(LIVE) is old


def test_a_process_that_never_looked_looks_before_it_serves_what_is_live(models, registry, variant):
    """A worker that starts while Redis is away must not answer a live batch with the baseline."""
    card, files = variant("live-already")
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    assert models(LIVE).version == card.version


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("harm", ["missing", "cut", "flipped", "no model", "no temperature"])
def test_a_live_version_that_cannot_be_loaded_leaves_the_old_one_serving(
    models, registry, client, variant, caplog, harm
):
    """It is said why, once; when it is mended, it serves."""
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
    models._try_again = 0.0  # as if the pause were over
    models.follow()
    assert models(LIVE).version == card.version
    assert models.fault == ""


def _forge(client, card, harm):
    """Store, with the right sums, what is of no use: what they cannot tell, loading must."""
    fields = {}
    if harm == "no model":
        fields[registry_keys.file(MODEL)] = content = b"no model at all" * 100
        card = replace(card, files={**card.files, MODEL: hashlib.sha256(content).hexdigest()})
    else:
        card = replace(card, temperature=0.0)
    fields[registry_keys.CARD] = text = card.dumps().encode()
    fields[registry_keys.SHA256] = hashlib.sha256(text).hexdigest().encode()
    client.hset(registry_keys.model(card.version), mapping=fields)


def test_a_version_that_a_job_is_pinned_to_and_that_is_not_there_is_refused(models):
    """The message names it and what to do."""
    with pytest.raises(ModelError, match="no model cnn-0 in the registry"):
        models("cnn-0")


def test_only_the_last_few_stay_loaded(models, registry, variant):
    """The least recently used goes first; the live one never."""
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
    """More versions in turn than stay loaded, in a process of its own: within five percent."""
    versions = []
    for number in range(MAX_LOADED + 2):
        card, files = variant(f"v{number}")
        registry.publish(card, files)
        versions.append(card.version)
    command = [sys.executable, "-c", MANY_LOADS, server.url, *versions]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    few, many = map(int, done.stdout.split())
    assert many < 1.05 * few


def test_what_is_loaded_classifies_as_its_card_says(models, registry, variant, digits):
    """Same weights, another temperature: the same digits, other confidences."""
    card, files = variant("soft", temperature=4.0)
    registry.publish(card, files)
    images = digits.images[:100]
    base, soft = models(BASELINE_VERSION).classifier.classify(images), models(card.version).classifier.classify(images)
    assert np.array_equal(base.digits, soft.digits)
    assert not np.allclose(base.confidences, soft.confidences)
