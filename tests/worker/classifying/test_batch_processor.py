"""Facts about a batch in a classifying process, from its doorbell to its answer."""

import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.errors import FailureCode
from model.inference.classifier import Classifier
from worker.classifying.batch_processor import BatchProcessor
from worker.classifying.canary import CanaryMonitor
from worker.classifying.models import LoadedModel, Models
from worker.contract.doorbell import Doorbell, make_app
from worker.contract.ledger import JobRecord, Part, Verdict, Window
from worker.contract.registry import LIVE, Registry, ServiceCounts
from worker.contract.wire import Batch, Manifest, Result
from worker.settings import Settings

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def canary(registry):
    """The canary monitor of the process."""
    return CanaryMonitor(Models(registry), registry, name="worker")


@pytest.fixture
def processor(server, ledger, registry, canary):
    """The batch processor of the process."""
    doorbell = Doorbell(make_app(server.url, Settings.from_environment({})))
    return BatchProcessor(
        ledger, doorbell, Models(registry), canary, name="worker", lease_seconds=60, time_limit_seconds=60
    )


@pytest.fixture
def submit(ledger):
    """Submit images as one batch of a new job. Return its part."""

    def run(images):
        ledger.create("job", JobRecord("test", LIVE, "test", {}, "test"))
        part = Part("job", 0, 0, len(images))
        manifest = Manifest(tuple(map(str, range(len(images)))), (None,) * len(images), {})
        ledger.submit(part, Batch(images), manifest, Window(10, 10**9), detached=False)
        return part

    return run


def test_a_batch_is_answered_in_order_and_each_image_is_counted_once(
    processor, submit, ledger, registry, canary, digits, png
):
    """An image that cannot be decoded gets an error row. It neither shifts its neighbours nor counts."""
    files = tuple(png(image) for image in digits.images[:6])
    part = submit((*files[:3], b"not an image", *files[3:]))
    processor.process(part)
    processor.process(part)  # a doorbell that rings twice does no harm
    result = Result.from_wire(ledger.results([part])[part])
    assert result.model == BASELINE_VERSION
    assert {index: failure.code for index, failure in result.failures.items()} == {3: FailureCode.NOT_AN_IMAGE}
    expected = Models(registry)(LIVE).classifier.classify(digits.images[:6]).digits
    assert np.array_equal(np.delete(result.digits, 3), expected)
    canary.report()
    assert registry.service_counts(BASELINE_VERSION).images == 6


class FailingClassifier(Classifier):
    """A classifier that cannot classify anything."""

    def __init__(self):
        pass

    def classify(self, images):
        """Fail."""
        raise RuntimeError(f"cannot classify {len(images)} images")


def test_a_batch_on_which_the_model_fails_is_given_back_and_counts_against_the_model(
    processor, submit, ledger, registry, canary, digits
):
    """A blank image does not count, because no answer about it would have been used."""
    processor._models = lambda version: LoadedModel(version, FailingClassifier())
    images = digits.images[:6].copy()
    images[2] = 0
    part = submit(images)
    processor.process(part)
    assert ledger.results([part]) == {}
    canary.report()
    assert registry.service_counts(LIVE) == ServiceCounts(errors=5)
    assert ledger.due(overdue_seconds=-60) == [part], "a worker will try it again"


def test_many_costly_images_are_answered_in_several_parts_without_an_attempt_too_many(
    server, submit, ledger, registry, canary, digits, png
):
    """When half of its time has passed, a worker answers what it has, and hands the rest on. No image is to blame."""
    doorbell = Doorbell(make_app(server.url, Settings.from_environment({})))
    processor = BatchProcessor(
        ledger, doorbell, Models(registry), canary, name="worker", lease_seconds=60, time_limit_seconds=0
    )
    files = tuple(png(image) for image in digits.images[:5])
    part = submit((*files[:2], b"not an image", *files[2:]))
    waiting = [part]
    found: dict[Part, bytes] = {}
    while waiting:
        processor.process(waiting[0])
        found |= ledger.results(list(ledger.answered_parts("job")))
        waiting = ledger.due(overdue_seconds=0)
    assert sorted(found) == [Part("job", 0, index, index + 1) for index in range(6)]
    results = [Result.from_wire(found[each]) for each in sorted(found)]
    assert [failure.code for result in results for failure in result.failures.values()] == [FailureCode.NOT_AN_IMAGE]
    expected = Models(registry)(LIVE).classifier.classify(digits.images[:5]).digits
    assert [result.digits[0] for result in results if not result.failures] == list(expected)
    assert ledger.job("job").answered == 6


def test_a_part_that_another_worker_took_meanwhile_is_not_cut(
    server, submit, ledger, registry, canary, digits, png, monkeypatch
):
    """The answers of the slow worker come too late, and change nothing."""
    doorbell = Doorbell(make_app(server.url, Settings.from_environment({})))
    processor = BatchProcessor(
        ledger, doorbell, Models(registry), canary, name="slow", lease_seconds=0.001, time_limit_seconds=0
    )
    part = submit(tuple(png(image) for image in digits.images[:3]))

    def overtake(version):
        while ledger.claim(part, token=version, holder="fast", lease_seconds=60).verdict is Verdict.BUSY:
            pass  # for a millisecond
        return Models(registry)(version)

    monkeypatch.setattr(processor, "_models", overtake)
    processor.process(part)
    assert ledger.answered_parts("job") == set()
    assert ledger.release(part, holder="fast", refund=True), "it is still whole, and in the other worker's hands"
