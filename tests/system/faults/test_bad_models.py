"""Versions that harm their workers. They are rolled back by themselves, and no image suffers."""

import contextlib
import os
import signal
import time

import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.errors import FailureCode
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job, send_job
from producer.sources import mnist_source
from tests.support.models import Harm, harmful, marked
from tests.system.faults.injected.marks import MARK_KILL

BASELINE_VERSION = Card.read(BASELINE).version


def classify(mill, images, *, model=None, timeout=60.0):
    """Classify images with a version. Return the results."""
    source = mnist_source(images, np.zeros(len(images), np.uint8))
    order = SubmitOptions(path="test", model=model, batch_size=50)
    job = create_job(mill.connection, order, source.description, mill.settings, detached=False)
    return gather_job(mill.connection, job, order, source, mill.settings, timeout=timeout).results


def send(mill, version, images):
    """Send a detached job that is pinned to a version. Return its id."""
    options = SubmitOptions(path="test", model=version)
    job = create_job(mill.connection, options, "test", mill.settings, detached=True)
    source = mnist_source(images, np.zeros(len(images), np.uint8))
    send_job(mill.connection, job, options, source, mill.settings, timeout=60)
    return job


def promote(mill, card, files):
    """Publish a version and make it live."""
    registry = mill.connection.registry
    registry.publish(card, files)
    registry.promote(card.version, reason="test")


def serving(mill, version, eventually):
    """Wait until all workers serve a version."""
    eventually(
        lambda: {worker.model for worker in mill.connection.ledger.workers() if worker.ready} == {version},
        seconds=60,
        what=f"workers that serve {version}",
    )


@pytest.mark.slow
@pytest.mark.parametrize("harm", [Harm.TILE, Harm.CRASH])
def test_a_version_that_cannot_be_loaded_goes_off_line_by_itself(start_mill, digits, eventually, harm):
    """No process dies. A job that is pinned to it names the problem, and new jobs are answered."""
    with start_mill(2) as mill:
        registry, ledger = mill.connection.registry, mill.connection.ledger
        before = {worker.name: worker.process for worker in ledger.workers()}
        card, files = harmful(harm)
        promote(mill, card, files)
        eventually(lambda: registry.live() == BASELINE_VERSION, seconds=60, what="the rollback")
        change = registry.history()[0]
        assert (change.action, change.before) == ("rollback", card.version)
        assert "did not pass its trial" in change.reason
        results = classify(mill, digits.images[:200])
        assert set(results.models) == {BASELINE_VERSION}
        assert not results.failures
        assert {worker.name: worker.process for worker in ledger.workers()} == before
        job = send(mill, card.version, digits.images[:10])
        problem = eventually(lambda: ledger.job(job).problem, seconds=60, what="the job's problem")
        assert "did not pass its trial" in problem


@pytest.mark.slow
def test_a_version_that_crashes_on_some_images_is_rolled_back_and_all_are_answered(start_mill, digits, eventually):
    """It passes its trial, and then ends one process with each batch. The job follows what is live."""
    with start_mill(2) as mill:
        card, files = harmful(Harm.CRASH, only_marked=True)
        promote(mill, card, files)
        serving(mill, card.version, eventually)
        assert set(classify(mill, digits.images[:100], model="live").models) == {card.version}
        results = classify(mill, marked(digits.images[:400]), model="live")
        assert not results.failures
        assert set(results.models) == {BASELINE_VERSION}
        [rollback, _] = mill.connection.registry.history()
        assert (rollback.version, rollback.before) == (BASELINE_VERSION, card.version)
        assert "SIGFPE" in rollback.reason
        assert mill.worker_logs().count("SIGFPE)'") <= 8
        assert mill.stack.supervisor.restarts() == {"server": 0, "worker-1": 0, "worker-2": 0}
        # A job that is pinned to the version waits and says why, and the others go on.
        job = send(mill, card.version, marked(digits.images[:10]))
        problem = eventually(lambda: mill.connection.ledger.job(job).problem, seconds=60)
        assert "out of service" in problem or "SIGFPE" in problem
        assert set(classify(mill, digits.images[:100]).models) == {BASELINE_VERSION}


@pytest.mark.slow
def test_a_version_that_hangs_on_some_images_is_rolled_back_and_all_are_answered(start_mill, digits, eventually):
    """The time limit ends its process once. In a process with limits it is found out."""
    with start_mill(1, DIGITMILL_TIME_LIMIT_SECONDS="3") as mill:
        card, files = harmful(Harm.LOOP, only_marked=True)
        promote(mill, card, files)
        serving(mill, card.version, eventually)
        results = classify(mill, marked(digits.images[:20]), model="live", timeout=120)
        assert not results.failures
        assert set(results.models) == {BASELINE_VERSION}
        assert mill.connection.registry.history()[0].before == card.version


@pytest.mark.slow
def test_a_poison_image_and_kills_from_outside_do_not_roll_back_a_good_version(
    start_mill, variant, digits, folder_of, begin_job, undisturbed, check, eventually
):
    """The image is quarantined alone. Whoever kills processes again and again says nothing about the model."""
    with start_mill(2) as mill:
        registry = mill.connection.registry
        card, files = variant("good", temperature=1.1)
        promote(mill, card, files)
        serving(mill, card.version, eventually)
        results = begin_job(mill, folder_of(60, {17: MARK_KILL})).result(timeout=90)
        check(results, undisturbed[:60], failed=(17,))
        assert results.failures[17].code is FailureCode.QUARANTINED

        job = begin_job(mill, mnist_source(digits.images, digits.labels, repeat=max(1, 20_000 // len(digits))))
        for _ in range(4):
            time.sleep(0.5)
            for worker in mill.connection.ledger.workers():
                with contextlib.suppress(ProcessLookupError):  # killed before, and not yet replaced
                    os.kill(worker.process, signal.SIGKILL)
        assert not job.result(timeout=120).failures
        assert registry.live() == card.version
        assert registry.fault(card.version) == ""
