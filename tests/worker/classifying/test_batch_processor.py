"""Facts about a batch in a classifying process, from its doorbell to its answer."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from model.cards.card import BASELINE, Card
from model.errors import FailureCode
from model.images import normalise
from model.images.doubts import Doubt, DoubtCode
from model.inference.classifier import Classifier
from tests.support.models import Harm, harmful, marked
from worker.classifying import reading
from worker.classifying.batch_processor import BatchProcessor
from worker.classifying.canary import CanaryMonitor
from worker.classifying.faults import STRIKES
from worker.classifying.models import LoadedModel, Models
from worker.contract import wire
from worker.contract.connection import connect
from worker.contract.doorbell import Doorbell
from worker.contract.drift import AnswerDays
from worker.contract.ledger import JobRecord, Part, Verdict, Window
from worker.contract.ledger import keys as ledger_keys
from worker.contract.ledger.ledger import ATTEMPTS, SPLIT_ATTEMPTS
from worker.contract.observation import RecentAnswers
from worker.contract.registry import LIVE, Registry, ServiceCounts
from worker.contract.registry import keys as registry_keys
from worker.contract.validation import bounds
from worker.contract.wire import SIDE, Batch, Manifest, Result

BASELINE_VERSION = Card.read(BASELINE).version


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def canary(registry, client):
    """The canary monitor of the process."""
    return CanaryMonitor(Models(registry), registry, AnswerDays(client), name="worker")


@pytest.fixture
def processor(server, ledger, registry, canary):
    """The batch processor of the process."""
    doorbell = Doorbell(connect(server.url))
    return BatchProcessor(
        ledger,
        doorbell,
        Models(registry),
        canary,
        RecentAnswers(),
        name="worker",
        lease_seconds=60,
        time_limit_seconds=60,
    )


@pytest.fixture
def submit(ledger):
    """Submit images as one batch of a new job. Return its part."""

    def run(images, *, several=False):
        ledger.create("job", JobRecord("test", LIVE, "test", {}, "test"))
        part = Part("job", 0, 0, len(images))
        manifest = Manifest(tuple(map(str, range(len(images)))), (None,) * len(images), {})
        ledger.submit(part, Batch(images, several=several), manifest, Window(10, 10**9), detached=False)
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


def test_an_image_of_several_digits_fails_and_does_not_disturb_its_neighbours(
    processor, submit, ledger, registry, canary, digits, png
):
    """Several digits get an error row, whether their arrangement says so or the network. The others are read."""
    four, six = digits.images[:2]
    certain = png(np.hstack([four, np.zeros_like(four), six]))
    one = np.full((200, 200), 255, np.uint8)
    one[40:160, 80:90] = one[40:160, 120:130] = 0  # an eleven, or a zero without its ends
    zero = np.full((200, 200), 255, np.uint8)
    for start in (-70, 110):
        cv2.ellipse(zero, (100, 100), (40, 60), 0, start, start + 140, 0, 10)
    part = submit((png(four), certain, png(one), png(zero), png(six)))
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    assert {index: failure.code for index, failure in result.failures.items()} == {
        1: FailureCode.SEVERAL_DIGITS,
        2: FailureCode.SEVERAL_DIGITS,
    }
    expected = Models(registry)(LIVE).classifier.classify(digits.images[:2]).digits
    assert result.digits[[0, 4]].tolist() == expected.tolist()
    assert result.digits[3] == 0
    canary.report()
    assert registry.service_counts(BASELINE_VERSION).images == 3


class FailingClassifier(Classifier):
    """A classifier that cannot classify anything."""

    def __init__(self):
        pass

    def classify(self, images):
        """Fail."""
        raise RuntimeError(f"cannot classify {len(images)} images")


class FailingModels(Models):
    """Models that cannot classify anything."""

    def __call__(self, version):
        """Return a model of that version."""
        return LoadedModel(version, FailingClassifier())


def test_a_batch_on_which_the_model_fails_is_given_back_and_counts_against_the_model(
    processor, submit, ledger, registry, canary, digits
):
    """A blank image does not count, because no answer about it would have been used."""
    processor._models = FailingModels(registry)
    images = digits.images[:6].copy()
    images[2] = 0
    part = submit(images)
    processor.process(part)
    assert ledger.results([part]) == {}
    canary.report()
    assert registry.service_counts(LIVE) == ServiceCounts(errors=5)
    assert ledger.due(overdue_seconds=-60) == [part], "a worker will try it again"


def damage(client, part, payload):
    """Write another payload over that of a batch."""
    client.hset(part.key, "payload", payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"nonsense",
        Batch((b"file",)).to_wire(),  # another number of images
        Batch(np.zeros((9, SIDE, SIDE), np.uint8)).to_wire(),
        bytes(bounds.MAX_BATCH_BYTES + 1),
    ],
)
@pytest.mark.parametrize("images", [1, 4])
def test_a_damaged_batch_ends_as_damaged_at_the_first_attempt(processor, submit, ledger, client, payload, images):
    """No later attempt could read it, so its images are not quarantined, and no worker tries it again."""
    part = submit(tuple(b"file" for _ in range(images)))
    damage(client, part, payload if images != 1 or payload != Batch((b"file",)).to_wire() else b"x")
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    assert len(result) == images
    assert {failure.code for failure in result.failures.values()} == {FailureCode.INTERNAL}
    assert len(result.failures) == images
    assert client.zcard(ledger_keys.OPEN) == 0


def test_a_batch_without_a_payload_ends_as_damaged(processor, submit, ledger, client):
    """Its field is gone, and no record of a batch is left."""
    part = submit((b"file", b"file"))
    client.hdel(part.key, "payload")
    processor.process(part)
    assert len(Result.from_wire(ledger.results([part])[part]).failures) == 2


def test_a_batch_that_cannot_be_split_ends_in_quarantine(processor, submit, ledger, client):
    """Workers died of it and of splitting it. All its images get an error row."""
    part = submit((b"file",) * 4)
    for attempt in range(ATTEMPTS + SPLIT_ATTEMPTS):
        ledger.claim(part, token=f"t-{attempt}", holder="dead", lease_seconds=60)
        ledger.release(part, holder="dead", refund=False)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    assert {failure.code for failure in result.failures.values()} == {FailureCode.QUARANTINED}
    assert "--batch-size" in result.failures[3].sentence
    assert client.zcard(ledger_keys.OPEN) == 0


def test_a_damaged_record_that_a_batch_needs_is_the_problem_of_its_job(processor, submit, ledger, client):
    """The batch waits until somebody mends it. The images are not to blame."""
    part = submit((b"file",))
    client.set("digitmill:aliases", "somebody else's")
    processor._models = lambda _: Registry(client).live()
    processor.process(part)
    assert ledger.results([part]) == {}
    assert "redis-cli DEL digitmill:aliases" in ledger.job("job").problem
    assert ledger.due(overdue_seconds=-60) == [part]


@pytest.fixture
def pin(client):
    """Pin the job of `submit` to a version, and say how often its batch was begun before."""

    def run(part, version, *, begun=0):
        client.hset(ledger_keys.job(part.job), "model", version)
        client.hset(part.key, "attempts", begun)

    return run


def attempts(client, part):
    """Return how many attempts at a part have counted."""
    return int(client.hget(part.key, "attempts"))


def test_a_version_that_fails_on_some_images_is_out_of_service_after_three_times_and_no_image_suffers(
    processor, submit, pin, ledger, registry, client, digits
):
    """Each batch is given back with its attempt, and its job names the problem. Then the version runs no more."""
    card, files = harmful(Harm.RAISE, only_marked=True)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    part = submit(marked(digits.images[:6]))
    pin(part, card.version)
    for number in range(STRIKES):
        assert registry.live() == card.version
        processor.process(part)
        assert attempts(client, part) == 0
        assert "cannot run this model" in ledger.job(part.job).problem, number
    assert registry.live() == BASELINE_VERSION
    assert "cannot run this model" in registry.history()[0].reason
    processor.process(part)
    assert "out of service" in ledger.job(part.job).problem
    assert attempts(client, part) == 0
    assert ledger.results([part]) == {}


def test_a_part_that_ended_a_process_is_classified_in_another_one(
    processor, submit, pin, ledger, registry, client, digits
):
    """If the version crashes there as well, it is to blame, and is rolled back at once. This process goes on."""
    card, files = harmful(Harm.CRASH, only_marked=True)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    part = submit(marked(digits.images[:6]))
    pin(part, card.version, begun=1)
    processor.process(part)
    assert attempts(client, part) == 1, "the attempt before counts, and this one does not"
    assert registry.live() == BASELINE_VERSION
    assert "SIGFPE" in registry.history()[0].reason
    assert "SIGFPE" in ledger.job(part.job).problem
    pin(part, LIVE, begun=1)
    processor.process(part)
    assert Result.from_wire(ledger.results([part])[part]).model == BASELINE_VERSION


def test_a_sound_version_answers_such_a_part_as_always(
    processor, submit, pin, ledger, registry, canary, variant, digits
):
    """Somebody else ended the process. The answers are the same, and count once."""
    card, files = variant("sound")
    registry.publish(card, files)
    part = submit(digits.images[:6])
    pin(part, card.version, begun=2)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    expected = Models(registry)(card.version).classifier.classify(digits.images[:6])
    assert result.model == card.version
    assert np.array_equal(result.digits, expected.digits)
    assert np.array_equal(result.confidences, expected.confidences)
    canary.report()
    assert registry.service_counts(card.version).images == 6


def test_a_pinned_version_that_is_lost_is_named_and_counts_against_no_image(
    processor, submit, pin, ledger, registry, client, variant, digits
):
    """Its batches wait, and the job says for what."""
    card, files = variant("lost")
    registry.publish(card, files)
    part = submit(digits.images[:6])
    pin(part, card.version)
    client.delete(registry_keys.model(card.version))
    processor.process(part)
    assert f"registry does not have model {card.version}" in ledger.job(part.job).problem
    assert attempts(client, part) == 0
    registry.publish(card, files)
    processor.process(part)
    assert Result.from_wire(ledger.results([part])[part]).model == card.version


def test_many_costly_images_are_answered_in_several_parts_without_an_attempt_too_many(
    server, submit, ledger, registry, canary, digits, png
):
    """When half of its time has passed, a worker answers what it has, and hands the rest on. No image is to blame."""
    doorbell = Doorbell(connect(server.url))
    processor = BatchProcessor(
        ledger,
        doorbell,
        Models(registry),
        canary,
        RecentAnswers(),
        name="worker",
        lease_seconds=60,
        time_limit_seconds=0,
    )
    files = tuple(png(image) for image in digits.images[:5])
    part = submit((*files[:2], b"not an image", *files[2:]))
    waiting = [part]
    found: dict[Part, bytes] = {}
    while waiting:
        for each in waiting:
            processor.process(each)
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
    doorbell = Doorbell(connect(server.url))
    processor = BatchProcessor(
        ledger,
        doorbell,
        Models(registry),
        canary,
        RecentAnswers(),
        name="slow",
        lease_seconds=0.001,
        time_limit_seconds=0,
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


@pytest.fixture
def mixed(digits, png):
    """Files of a single digit, of numbers, of nothing and of no image, and the numbers that are right."""
    images = digits.images
    files = (
        png(images[0]),
        png(np.hstack(images[2:4])),
        png(np.zeros((40, 60), np.uint8)),
        png(np.hstack(images[9:12])),
        b"not an image",
        png(images[1]),
    )
    labels = digits.labels.tolist()
    return files, [
        labels[:1],
        labels[2:4],
        [],
        labels[9:12],
        [],
        labels[1:2],
    ]


def numbers_in(result):
    """Return the digits of each image, and the confidence of its least certain digit, or None."""
    stops = np.cumsum(result.counts).tolist()
    places = [slice(stop - count, stop) for stop, count in zip(stops, result.counts.tolist(), strict=True)]
    least = [min(result.confidences[place], default=None) for place in places]
    return [result.digits[place].tolist() for place in places], least


def test_all_digits_of_an_image_are_read_where_they_are_wanted(processor, submit, ledger, registry, canary, mixed):
    """Each image has one answer with all its digits in reading order, or an error row, and counts once."""
    files, expected = mixed
    part = submit(files, several=True)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    numbers, shares = numbers_in(result)
    assert numbers == expected
    assert {index: failure.code for index, failure in result.failures.items()} == {
        2: FailureCode.BLANK,
        4: FailureCode.NOT_AN_IMAGE,
    }
    assert ledger.job("job").answered == 6
    canary.report()
    counts = registry.service_counts(BASELINE_VERSION)
    assert counts.images == 4
    assert counts.confidence == pytest.approx(1000 * sum(share for share in shares if share is not None), abs=1)


def test_an_image_of_several_digits_is_refused_where_one_is_wanted(processor, submit, ledger, registry, canary, mixed):
    """The other images of the batch have their digits, and the refused ones do not count."""
    files, expected = mixed
    part = submit(files)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    assert result.counts is None
    codes = {index: failure.code for index, failure in result.failures.items()}
    assert (codes[1], codes[3]) == (FailureCode.SEVERAL_DIGITS,) * 2
    assert [[result.digits[index]] for index in (0, 5)] == [expected[0], expected[5]]
    canary.report()
    assert registry.service_counts(BASELINE_VERSION).images == 2


@pytest.mark.parametrize("several", [False, True])
def test_the_answer_says_which_image_is_doubted_and_why(processor, submit, ledger, digits, png, several):
    """The image is answered. One that failed and one in MNIST's form are not doubted."""
    page = np.full((200, 200), 255, np.uint8)
    cv2.polylines(page, [np.array([[60, 40], [140, 40], [90, 160]])], False, 0, 12)
    cv2.line(page, (20, 130), (180, 70), 0, 10)
    part = submit((png(digits.images[0]), png(page), b"not an image"), several=several)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    assert result.doubts == {1: Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")}
    assert list(result.failures) == [2]


def test_raw_images_have_one_digit_each(processor, submit, ledger, digits):
    """So it does not matter whether all digits are wanted. A blank one has none."""
    images = digits.images[:4].copy()
    images[1] = 0
    part = submit(images, several=True)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    labels = digits.labels.tolist()
    assert numbers_in(result)[0] == [[labels[0]], [], [labels[2]], [labels[3]]]


def test_many_digits_are_answered_in_several_parts(processor, submit, ledger, digits, png, monkeypatch):
    """A worker takes only so many digits at a time, and other workers get the rest, as with costly images."""
    monkeypatch.setattr(reading, "MAX_PARTS", 3)
    files = tuple(png(np.hstack(digits.images[start : start + 2])) for start in range(10, 20, 2))
    waiting = [submit(files, several=True)]
    while waiting:
        for each in waiting:
            processor.process(each)
        waiting = ledger.due(overdue_seconds=0)
    parts = sorted(ledger.answered_parts("job"))
    assert len(parts) > 2
    results = [Result.from_wire(data) for data in ledger.results(parts).values()]
    read = [digit for result in results for number in numbers_in(result)[0] for digit in number]
    assert read == digits.labels[10:20].tolist()
    assert ledger.job("job").answered == 5


def test_an_image_of_more_digits_than_are_read_is_refused(processor, submit, ledger, digits, png, monkeypatch):
    """It never has the first of them as its answer. As many as are read can also travel."""
    assert normalise.LIMITS.max_parts <= bounds.MAX_DIGITS
    monkeypatch.setattr(normalise, "LIMITS", replace(normalise.LIMITS, max_parts=2))
    part = submit(tuple(png(np.hstack(digits.images[:count])) for count in (3, 2)), several=True)
    processor.process(part)
    result = Result.from_wire(ledger.results([part])[part])
    assert numbers_in(result)[0] == [[], digits.labels[:2].tolist()]
    assert result.failures[0].code is FailureCode.SEVERAL_DIGITS
    assert "3 digits, and at most 2 are read" in result.failures[0].sentence


def test_the_canary_is_compared_on_one_digit_of_each_image(processor, submit, registry, canary, variant, digits, png):
    """The same network at another temperature never disagrees, also about images that show several digits."""
    card, files = variant("canary", temperature=1.0)
    registry.publish(card, files)
    registry.promote(card.version, reason="test")
    canary.report()
    processor.process(submit(tuple(png(np.hstack(digits.images[i : i + 2])) for i in range(0, 80, 2)), several=True))
    canary.report()
    counts = registry.service_counts(card.version)
    assert (counts.images, counts.shadowed, counts.disagreed) == (40, 5, 0)


def test_a_worker_that_does_not_know_numbers_refuses_such_a_batch(
    processor, submit, ledger, client, mixed, monkeypatch
):
    """It never answers an image with one of its digits. The job says why, and no attempt counts."""
    part = submit(mixed[0], several=True)
    monkeypatch.setattr(wire, "_VERSIONS", (wire.VERSION,))  # as programs up to 0.2 read
    processor.process(part)
    assert ledger.results([part]) == {}
    assert ledger.job("job").problem == (
        "This batch record has format 2, and this program reads format 1. Run the same version of digitmill everywhere."
    )
    assert attempts(client, part) == 0
    monkeypatch.undo()
    processor.process(part)
    assert len(Result.from_wire(ledger.results([part])[part])) == 6
