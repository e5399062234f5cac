"""Facts about new models in running workers: no batch is dropped or mixed, and no worker stays behind."""

import hashlib
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from model.cards.card import BASELINE, MODEL, Card
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.sources import mnist_source
from worker.contract.connection import connect
from worker.contract.registry import Registry
from worker.contract.registry import keys as registry_keys

BASELINE_VERSION = Card.read(BASELINE).version

MANY = 10_000
"""Number of images that keep the workers busy for a while."""


@pytest.fixture(scope="module")
def changing(tmp_path_factory, start_mill_in):
    """A mill whose models may be changed. Only this module uses it."""
    with start_mill_in(tmp_path_factory.mktemp("changing"), 2) as mill:
        yield mill


@pytest.fixture
def registry(changing):
    """The registry of that mill. Nothing is published, and all workers serve the baseline."""
    registry = Registry(connect(changing.stack.url))
    published = [registry_keys.model(each.version) for each in registry.versions()]
    changing.connection.client.delete(registry_keys.MODELS, registry_keys.ALIASES, registry_keys.MOVES, *published)
    serving(changing, BASELINE_VERSION)
    return registry


@pytest.fixture
def soft(registry, variant):
    """A second version, published. It gives the baseline's digits with other confidences."""
    card, files = variant("soft", temperature=1.6)
    registry.publish(card, files)
    return card


@pytest.fixture
def scrambled(registry, variant):
    """A version of random weights with the right checksums. Only its answers show that it is broken."""
    card, files = variant("scrambled")
    content = bytearray(files[MODEL])
    content[len(content) // 4 : 3 * len(content) // 4] = np.random.default_rng(1).bytes(len(content) // 2)
    files = {**files, MODEL: bytes(content)}
    card = replace(card, files={**card.files, MODEL: hashlib.sha256(files[MODEL]).hexdigest()})
    registry.publish(card, files)
    return card


def serving(mill, version, *, seconds=30.0):
    """Wait until all workers serve a version. Return the seconds that it took."""
    began = time.monotonic()
    while {worker.model for worker in mill.connection.ledger.workers() if worker.ready} != {version}:
        assert time.monotonic() < began + seconds, f"not all workers serve {version} after {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - began


def submit(mill, digits, *, model=None, repeat=1):
    """Classify the digits in small batches, so that many begin between two promotions. Return the results."""
    source = mnist_source(digits.images, digits.labels, repeat=repeat)
    order = SubmitOptions(path="test", model=model, batch_size=100)
    job = create_job(mill.connection, order, source.description, mill.settings, detached=False)
    finished = gather_job(mill.connection, job, order, source, mill.settings)
    assert finished.card
    assert finished.card.version in finished.results.models, "the report shows the card of a model that answered"
    return finished.results


def assert_answered_as_named(results, digits, classifiers):
    """Check that each row has the digit and the confidence of the version that it names."""
    for version in set(results.models):
        rows = np.flatnonzero(np.array(results.models) == version)
        expected = classifiers[version].classify(digits.images[rows % len(digits)])
        assert np.array_equal(results.digits[rows], expected.digits)
        assert np.allclose(results.confidences[rows], expected.confidences, atol=1e-6)


@pytest.mark.slow
def test_under_load_no_batch_fails_or_mixes_versions_and_pinned_jobs_stay_on_theirs(changing, registry, soft, digits):
    """While the live version keeps changing, one job follows it, one is pinned by default, and one by name."""
    content = registry.fetch(soft.version)[1][MODEL]
    classifiers = {
        BASELINE_VERSION: Classifier.baseline(),
        soft.version: Classifier(content, temperature=soft.temperature),
    }
    repeat = max(1, MANY // len(digits))
    jobs = {"follows": "live", "by default": None, "by name": soft.version}
    results = {}

    def run(name):
        results[name] = submit(changing, digits, model=jobs[name], repeat=repeat)

    threads = [threading.Thread(target=run, args=[name]) for name in jobs]
    for thread in threads:
        thread.start()
    moves = 0
    registry.promote(soft.version, reason="first")
    while any(thread.is_alive() for thread in threads):
        registry.rollback(reason="again")
        moves += 1
        time.sleep(0.2)
    for thread in threads:
        thread.join()

    assert moves >= 4
    for name in jobs:
        assert not results[name].failures
        assert len(results[name]) == repeat * len(digits)
        assert_answered_as_named(results[name], digits, classifiers)
    assert set(results["follows"].models) == {BASELINE_VERSION, soft.version}
    assert len(set(results["by default"].models)) == 1
    assert set(results["by name"].models) == {soft.version}


def test_idle_workers_serve_a_new_version_within_a_second(changing, registry, soft):
    """The best of five counts, because the machine may be busy."""
    registry.promote(soft.version, reason="test")
    seconds = [serving(changing, soft.version)]
    seconds += [serving(changing, registry.rollback(reason="test")) for _ in range(4)]
    assert min(seconds) < 1.0


def test_a_process_that_replaces_a_killed_one_serves_the_live_version(changing, registry, soft, digits):
    """It does not serve the baseline that it was forked with."""
    registry.promote(soft.version, reason="test")
    serving(changing, soft.version)
    for worker in changing.connection.ledger.workers():
        os.kill(worker.process, signal.SIGKILL)
    results = submit(changing, digits, model="live")
    assert set(results.models) == {soft.version}
    assert not results.failures


@pytest.mark.slow
def test_a_job_whose_version_is_damaged_waits_for_it_and_says_so(changing, registry, variant, digits, eventually):
    """Its batches are neither lost nor answered by another model. Once the version is repaired, it answers them."""
    card, files = variant("broken", temperature=5.0)
    registry.publish(card, files)
    client = changing.connection.client
    client.hset(registry_keys.model(card.version), registry_keys.file(MODEL), files[MODEL][:-1])
    results = []
    thread = threading.Thread(target=lambda: results.append(submit(changing, digits[:300], model=card.version)))
    thread.start()
    eventually(
        lambda: any("not what its card vouches for" in job.problem for job in changing.connection.ledger.jobs()),
        seconds=30,
        what="the job's problem",
    )
    registry.publish(card, files)
    thread.join(timeout=60)
    assert set(results[0].models) == {card.version}
    assert not results[0].failures


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["scrambled", "unsure"])
def test_a_broken_version_is_rolled_back_by_itself_with_its_reason(
    changing, registry, scrambled, variant, digits, fault
):
    """Its answers to real traffic are compared with the previous version's. After the rollback, nothing changes."""
    card = scrambled
    if fault == "unsure":
        card, files = variant("unsure", temperature=30.0)
        registry.publish(card, files)
    registry.promote(card.version, reason="a mistake")
    serving(changing, card.version)
    while registry.live() == card.version:
        results = submit(changing, digits[:4000], model="live")
        assert not results.failures
    serving(changing, BASELINE_VERSION)
    [rollback, promotion] = registry.history()
    assert (rollback.action, rollback.version, rollback.before) == ("rollback", BASELINE_VERSION, card.version)
    assert "canary" in rollback.who
    assert "the previous version" in rollback.reason
    assert promotion.reason == "a mistake"
    assert set(submit(changing, digits[:4000], model="live").models) == {BASELINE_VERSION}
    assert len(registry.history()) == 2


@pytest.mark.slow
def test_a_good_version_passes_and_all_that_it_answers_is_counted(changing, registry, soft, digits, eventually):
    """Part of it is compared with the previous version. It is not rolled back."""
    registry.promote(soft.version, reason="test")
    serving(changing, soft.version)
    results = submit(changing, digits, model="live")
    counts = eventually(
        lambda: (found := registry.service_counts(soft.version)).images == len(results) and found,
        what="the counts of all images",
    )
    expected = (results.confidences < REVIEW_BELOW).sum()
    assert (counts.errors, counts.review) == (0, expected)
    assert abs(counts.confidence / 1000 / counts.images - results.confidences.mean()) < 0.001
    assert counts.shadowed > 100
    assert counts.disagreed == 0, "the same weights"
    assert registry.live() == soft.version
