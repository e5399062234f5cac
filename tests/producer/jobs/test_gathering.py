"""Each image that goes into a real mill gets exactly one row, in order."""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.data.digits import Digits
from model.errors import Failure, FailureCode, UsageError
from model.inference.classifier import Classifier
from model.inference.predictions import Predictions
from producer.jobs.collecting import collect_job
from producer.jobs.gathering import Gatherer
from producer.jobs.kept.columns import merge
from producer.jobs.kept.journal import Journal
from producer.jobs.kept.order import SubmitOptions, job_file, jobs_folder, journal_path, order_of
from producer.jobs.kept.sent import SentLog
from producer.jobs.ownership import JobClient
from producer.jobs.packing import pack
from producer.jobs.results import NONE, FinishedJob, Results
from producer.jobs.sending import DetachedSender, window_for
from producer.jobs.submission import create_job, gather_job, send_job
from producer.mill.connection import Connection, RetryingCaller
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from producer.sources import ImageContent, Source, SourceImage, array_source, mnist_source
from tests.support.mill import Mill
from worker.contract.errors import JobFailed, NoWorkers, Unreachable
from worker.contract.ledger import JobState, Ledger, Submitted, Window
from worker.contract.wire import Batch, Manifest, Result
from worker.settings import Settings

BROKEN = Failure(FailureCode.UNREADABLE, "It cannot be read.")


Batches = Iterable[tuple[Batch, Manifest]]


class Stopped(Exception):
    """A client stops here."""


class Images:
    """A source of images that a test chooses; see `producer.sources.Source`."""

    description = "images of a test"
    root = ""
    form = None
    left_out: Mapping[str, int] = MappingProxyType({})
    notes: tuple[str, ...] = ()

    def __init__(self, images: Sequence[SourceImage]) -> None:
        self._images = images
        self.names: Collection[str] = tuple(image.name for image in images)
        self.total = len(images)
        self.is_listed = True

    def only(self, names: Collection[str]) -> "Images":
        """See `Source.only`."""
        return Images([image for image in self._images if image.name in names])

    def __iter__(self) -> Iterator[SourceImage]:
        return iter(self._images)

    def runs(self) -> Iterator[SourceImage]:
        """See `Source.runs`."""
        return iter(self)

    def read(self, name: str) -> ImageContent | None:
        """See `Source.read`."""
        return self.read_many({name}).get(name)

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """See `Source.read_many`."""
        return dict(self.read_each(names))

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, ImageContent]]:
        """See `Source.read_each`."""
        for image in self._images:
            if image.name in names and not isinstance(image.content, Failure):
                yield image.name, image.content


@pytest.fixture(scope="session")
def undisturbed(digits: Digits) -> Predictions:
    """Predictions of the model in this process, without any queue."""
    return Classifier.baseline().classify(digits.images)


MixedSource = Callable[[int], Images]


@pytest.fixture
def mixed(digits: Digits, png: Callable[[NDArray[np.uint8]], bytes]) -> MixedSource:
    """Return a function that makes a source of so many digits: raw images, files, and some that cannot be read."""

    def content(index: int) -> ImageContent | Failure:
        if index % 7 == 5:
            return BROKEN
        image = digits.images[index]
        return image if index % 7 < 3 else png(image)

    def make(count: int) -> Images:
        return Images([SourceImage(str(index), int(digits.labels[index]), content(index)) for index in range(count)])

    return make


def gather(
    mill: Mill, source: Source, settings: Settings | None = None, *, job: str | None = None, **options: Any
) -> FinishedJob:
    """Run a job to its end, and return it."""
    submitted = SubmitOptions(path="test", **options)
    settings = settings or mill.settings
    job = job or create_job(mill.connection, submitted, source.description, settings, detached=False)
    return gather_job(mill.connection, job, submitted, source, settings, timeout=30.0)


@contextlib.contextmanager
def gatherer_of(mill: Mill, job: str, window: Window) -> Iterator[tuple[Gatherer, Journal]]:
    """Yield the gatherer of a job and its journal."""
    path = journal_path(mill.settings, job)
    with Journal(path) as journal, SentLog(path.with_suffix(".sent")) as log, client_of(mill, job, journal) as client:
        yield Gatherer(mill.connection, client, journal, log, window, timeout=30.0), journal


def client_of(mill: Mill, job: str, journal: Journal | None) -> JobClient:
    """Return a client of a job."""
    return JobClient(
        mill.connection,
        order_of(mill.settings, job),
        str(jobs_folder(mill.settings)),
        lock=journal.lock if journal else "",
        call=RetryingCaller(mill.connection, 30.0),
    )


def send_detached(
    connection: Connection, settings: Settings, job: str, batches: Batches, window: Window, *, timeout: float
) -> None:
    """Send the batches of a detached job."""
    order, call = order_of(settings, job), RetryingCaller(connection, timeout)
    with (
        SentLog(job_file(settings, job, "sent")) as log,
        JobClient(connection, order, str(jobs_folder(settings)), lock="", call=call) as client,
    ):
        DetachedSender(connection, client, log, window, timeout=timeout).run(batches)


@pytest.mark.parametrize(
    ("count", "batch_size"), [(0, None), (1, None), (1, 1), (5, 1), (50, 7), (300, 300), (300, None)]
)
def test_n_images_get_n_rows_in_order_with_the_digits_of_the_model(
    mill: Mill, mixed: MixedSource, undisturbed: Predictions, count: int, batch_size: int | None
) -> None:
    """Raw images and files get the digits that the model gives them directly; unreadable ones get their failure."""
    source = mixed(count)
    finished = gather(mill, source, batch_size=batch_size)
    results = finished.results
    failed = {row for row in range(count) if row % 7 == 5}
    assert results.names == list(source.names)
    assert results.failures == dict.fromkeys(sorted(failed), BROKEN)
    expected = undisturbed.digits[:count].astype(np.int8)
    expected[list(failed)] = NONE
    np.testing.assert_array_equal(results.digits, expected)
    kept = results.digits != NONE
    # A file reaches the network as the same pixels. Only the batch that it shares may change its rounding.
    np.testing.assert_allclose(results.confidences[kept], undisturbed.confidences[:count][kept], atol=1e-5)
    assert np.isnan(results.confidences[~kept]).all()
    assert finished.info.state == ("done with errors" if failed else "done")
    assert sum(finished.info.workers.values()) == count - len(failed)


def test_a_job_of_failures_alone_ends(mill: Mill) -> None:
    """Each image gets its row, although no batch has an image for a worker."""
    source = Images([SourceImage(str(index), None, BROKEN) for index in range(5)])
    finished = gather(mill, source, batch_size=2)
    assert finished.results.failures == dict.fromkeys(range(5), BROKEN)
    assert finished.info.state == "done with errors"


def test_probabilities_come_only_where_they_are_asked_for(mill: Mill, digits: Digits, undisturbed: Predictions) -> None:
    """A job that asks for them gets ten for each image. Another job gets none."""
    source = mnist_source(digits.images[:20], digits.labels[:20])
    assert gather(mill, source).results.probabilities is None
    probabilities = gather(mill, source, probabilities=True).results.probabilities
    assert probabilities is not None
    np.testing.assert_allclose(probabilities, undisturbed.probabilities[:20], atol=1e-5)


def test_redis_keeps_only_the_record_of_a_gathered_job(mill: Mill, digits: Digits) -> None:
    """Acknowledging deletes payloads, answers and manifests, so the window bounds the memory of Redis."""
    source = mnist_source(digits.images[:100], digits.labels[:100])
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    gather(mill, source, job=job, batch_size=10)
    left = {key.decode() for key in mill.connection.client.scan_iter(f"*{job}*")}
    assert left == {f"digitmill:job:{job}"}


def test_each_answer_is_decoded_once(mill: Mill, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal keeps it as the bytes that came, and decoded in memory for the rows."""
    decoded: list[bytes] = []
    from_wire = Result.from_wire

    def count(data: bytes) -> Result:
        decoded.append(data)
        return from_wire(data)

    monkeypatch.setattr(Result, "from_wire", count)
    results = gather(mill, mnist_source(digits.images[:40], digits.labels[:40]), batch_size=10).results
    assert len(results) == 40
    assert len(decoded) == 4


def test_a_client_sends_each_batch_once(mill: Mill, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits for room in its window, and sends no batch that the ledger would refuse."""
    outcomes: Counter[Submitted] = Counter()
    submit = Ledger.submit

    def count(*arguments: Any, **options: Any) -> Submitted:
        outcome = submit(*arguments, **options)
        outcomes[outcome] += 1
        return outcome

    monkeypatch.setattr(Ledger, "submit", count)
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    batches = pack(mnist_source(digits.images[:60], digits.labels[:60]), batch_size=5)
    with gatherer_of(mill, job, Window(batches=2, bytes=10**6)) as (gatherer, _):
        assert gatherer.run(batches) is JobState.DONE
    assert outcomes == {Submitted.STORED: 12}


def test_a_batch_without_room_in_bytes_waits_for_the_others(
    mill: Mill, digits: Digits, undisturbed: Predictions
) -> None:
    """The ledger refuses the batch until there is room, and the client sends it again. No image is lost."""
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    batches = pack(mnist_source(digits.images[:60], digits.labels[:60]), batch_size=10)
    with gatherer_of(mill, job, Window(batches=100, bytes=1)) as (gatherer, journal):
        assert gatherer.run(batches) is JobState.DONE
        np.testing.assert_array_equal(merge(journal.batches).digits, undisturbed.digits[:60])


def test_the_window_grows_with_the_workers_and_is_never_empty() -> None:
    """It has room where no worker is known, holds more batches for more workers, and never more bytes."""
    assert window_for(0).batches > 0
    assert window_for(64).batches > window_for(4).batches
    assert window_for(64).bytes == window_for(0).bytes


def test_any_client_can_collect_a_detached_job(
    mill: Mill, mixed: MixedSource, undisturbed: Predictions, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """The answers wait in Redis, and collecting them a second time gives the same rows."""
    source, options = mixed(40), SubmitOptions(path="test", batch_size=3)
    job = create_job(mill.connection, options, "test", mill.settings, detached=True)
    send_job(mill.connection, job, options, source, mill.settings)
    eventually(lambda: mill.connection.ledger.job(job).state.ended, what=f"the end of job {job}")
    elsewhere = replace(mill.settings, data=tmp_path)
    for _ in range(2):
        results = collect_job(mill.connection, mill.connection.ledger.job(job), elsewhere).results
        assert results.names == list(source.names)
        sent = [row for row in range(40) if row % 7 != 5]
        np.testing.assert_array_equal(results.digits[sent], undisturbed.digits[sent])


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_an_interrupted_job_continues_where_it_stopped(
    mill: Mill, digits: Digits, undisturbed: Predictions, kept: int
) -> None:
    """The resumed job gives the rows of an uninterrupted run, and the ledger counts each image once."""
    source = mnist_source(digits.images[:60], digits.labels[:60])
    options = SubmitOptions(path="test", batch_size=10)
    job = create_job(mill.connection, options, "test", mill.settings, detached=False)

    def stop_early(batches: Batches) -> Batches:
        for sequence, batch in enumerate(batches):
            if sequence > kept:
                raise Stopped
            yield batch

    with gatherer_of(mill, job, window_for(2)) as (gatherer, _), pytest.raises(Stopped):
        gatherer.run(stop_early(pack(source, batch_size=10)))
    finished = gather(mill, source, job=job, batch_size=10)
    assert finished.results.names == list(source.names)
    np.testing.assert_array_equal(finished.results.digits, undisturbed.digits[:60])
    assert mill.connection.ledger.job(job).images == 60


@pytest.mark.parametrize("kept", [0, 3])
def test_a_job_continues_with_the_batches_of_the_version_that_began_it(
    mill: Mill, digits: Digits, undisturbed: Predictions, kept: int
) -> None:
    """Its batches may have other sizes than those that this version would make of the same images."""
    source = mnist_source(digits.images[:60], digits.labels[:60])
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)

    def begin_as_another_version() -> Batches:
        yield from list(pack(source, batch_size=7))[: kept + 1]
        raise Stopped

    with gatherer_of(mill, job, window_for(2)) as (gatherer, _), pytest.raises(Stopped):
        gatherer.run(begin_as_another_version())
    finished = gather(mill, source, job=job)
    assert finished.results.names == list(source.names)
    np.testing.assert_array_equal(finished.results.digits, undisturbed.digits[:60])
    assert mill.connection.ledger.job(job).images == 60


def changed(digits: Digits, how: str) -> Source:
    """Return a source of thirty digits, changed in a way that `how` names, or unchanged."""
    images, labels = digits.images[:30], digits.labels[:30].copy()
    match how:
        case "another label":
            labels[4] = (labels[4] + 1) % 10
        case "other pixels":
            images = np.concatenate([images[:3], 255 - images[3:]])
        case "fewer images":
            images, labels = images[:10], labels[:10]
        case "none":
            return array_source(images[:0], "nothing")
    return mnist_source(images, labels)


@pytest.mark.parametrize("how", ["another label", "other pixels", "fewer images", "none"])
@pytest.mark.parametrize("detached", [False, True])
def test_a_job_cannot_be_resumed_when_its_source_has_changed(
    mill: Mill, digits: Digits, how: str, detached: bool
) -> None:
    """Otherwise answers to the old images would stand beside new names, or rows would be missing."""
    options = SubmitOptions(path="test", batch_size=10)
    job = create_job(mill.connection, options, "test", mill.settings, detached=detached)

    def stop_early() -> Batches:
        yield from list(pack(changed(digits, "not at all"), batch_size=10))[:2]
        raise Stopped

    def begin() -> None:
        if detached:
            send_detached(mill.connection, mill.settings, job, stop_early(), window_for(2), timeout=30.0)
        with gatherer_of(mill, job, window_for(2)) as (gatherer, _):
            gatherer.run(stop_early())

    with pytest.raises(Stopped):
        begin()
    resume: Callable[..., object] = send_job if detached else gather_job
    with pytest.raises(JobFailed, match="has changed"):
        resume(mill.connection, job, options, changed(digits, how), mill.settings)
    assert not mill.connection.ledger.job(job).state.ended


def test_a_cancelled_job_takes_no_more_images(mill: Mill, digits: Digits) -> None:
    """The client fails when it sends the next batch."""
    source = mnist_source(digits.images[:30], digits.labels[:30])
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    assert mill.connection.ledger.cancel(job)
    with pytest.raises(JobFailed, match="cancelled"):
        gather(mill, source, job=job)


def test_a_job_for_an_unknown_model_is_not_created(mill: Mill) -> None:
    """The message names the command that lists the models."""
    before = len(mill.connection.ledger.jobs())
    with pytest.raises(UsageError, match=r"not have model cnn-0.*models list"):
        create_job(mill.connection, SubmitOptions(path="test", model="cnn-0"), "test", mill.settings, detached=False)
    assert len(mill.connection.ledger.jobs()) == before


def test_without_workers_the_client_gives_up_and_the_job_can_be_resumed(
    tmp_path: Path, mill: Mill, digits: Digits
) -> None:
    """The message names the command that resumes the job, and the job has not ended."""
    settings = replace(mill.settings, data=tmp_path)
    options = SubmitOptions(path="test")
    source = mnist_source(digits.images[:10], digits.labels[:10])
    with Stack(tmp_path / "server", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, options, "test", settings, detached=False)
        with pytest.raises(NoWorkers, match=f"digitmill resume {job}"):
            gather_job(connection, job, options, source, settings, timeout=0.1)
        assert not connection.ledger.job(job).state.ended


def test_without_workers_a_detached_client_gives_up_when_the_window_is_full(
    tmp_path: Path, mill: Mill, digits: Digits
) -> None:
    """It sends the two batches that have room in the window, and gives up at the third."""
    settings = replace(mill.settings, data=tmp_path)
    batches = list(pack(mnist_source(digits.images[:3], digits.labels[:3]), batch_size=1))
    with Stack(tmp_path / "server", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, SubmitOptions(path="test"), "test", settings, detached=True)
        with pytest.raises(NoWorkers, match="No worker answered"):
            send_detached(connection, settings, job, batches, Window(batches=2, bytes=10**6), timeout=0.1)
        assert connection.ledger.job(job).images == 2


def test_a_message_about_redis_names_its_address_and_hides_its_password(mill: Mill) -> None:
    """When the timeout ends, the message has the host and the port, and not the password."""
    with pytest.raises(Unreachable, match=r"localhost:1\b") as fault:
        open_mill("redis://user:secret@localhost:1/0", mill.settings, timeout=0.2)
    assert "secret" not in str(fault.value)


def test_merging_the_journal_of_a_job_gives_its_results(mill: Mill, mixed: MixedSource) -> None:
    """The journal on the disk gives the same rows as the client that gathered them."""
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    finished = gather(mill, mixed(20), job=job)
    with Journal(journal_path(mill.settings, job)) as journal:
        again = merge(journal.batches)
    assert again.names == finished.results.names
    np.testing.assert_array_equal(again.digits, finished.results.digits)


def test_results_are_handed_on_in_order_each_as_soon_as_all_before_it_are_known(mill: Mill, mixed: MixedSource) -> None:
    """Together they are the results of the job. A resumed job begins with its first image again."""
    source, options = mixed(30), SubmitOptions(path="test", batch_size=2, probabilities=True)
    job = create_job(mill.connection, options, source.description, mill.settings, detached=False)
    for _ in range(2):
        parts: list[Results] = []
        whole = gather_job(mill.connection, job, options, source, mill.settings, on_results=parts.append).results
        assert len(parts) > 10
        assert [name for part in parts for name in part.names] == whole.names == list(source.names)
        for column in ("labels", "digits", "confidences", "probabilities"):
            joined = np.concatenate([getattr(part, column) for part in parts])
            np.testing.assert_array_equal(joined, getattr(whole, column))
