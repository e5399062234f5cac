"""As many rows out as images went in, in order, each exactly once, through a real mill."""

import functools
import time
from dataclasses import replace

import numpy as np
import pytest

from model.errors import Failure, FailureCode, UsageError
from model.inference.classifier import Classifier
from producer.jobs.client import Gathering, submit_detached, window_for
from producer.jobs.journal import Journal, merge
from producer.jobs.packing import pack
from producer.jobs.results import NONE
from producer.jobs.submission import SubmitOptions, collect_job, create_job, gather_job, journal_path, send_job
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from producer.sources import SourceImage, mnist_source
from worker.contract.errors import JobFailed, NoWorkers, Unreachable

BROKEN = Failure(FailureCode.UNREADABLE, "It cannot be read.")


class Stopped(Exception):
    """A client ends here."""


class Images:
    """A source of what a test lays into it; see `producer.sources.Source`."""

    description = "images of a test"
    root = ""
    ignored = 0
    notes = ()

    def __init__(self, images):
        self._images = images
        self.names = tuple(image.name for image in images)
        self.total = len(images)

    def __iter__(self):
        return iter(self._images)

    def read(self, name):
        """See `Source.read`."""
        return self.read_many({name}).get(name)

    def read_many(self, names):
        """See `Source.read_many`."""
        return {image.name: image.content for image in self._images if image.name in names}


@pytest.fixture(scope="session")
def undisturbed(digits):
    """What the model makes of the digits in this process, without any queue."""
    return Classifier.baseline().classify(digits.images)


@pytest.fixture
def mixed(digits, png):
    """Make a source of so many digits: in turn raw images, files, and one that cannot be read."""

    def make(count):
        contents = [
            (digits.images[index], png(digits.images[index]), BROKEN)[
                0 if index % 7 < 3 else 2 if index % 7 == 5 else 1
            ]
            for index in range(count)
        ]
        return Images([SourceImage(str(i), int(digits.labels[i]), content) for i, content in enumerate(contents)])

    return make


def gather(mill, source, settings=None, *, job=None, **options):
    """Run a job to its end."""
    order = SubmitOptions(path="test", **options)
    settings = settings or mill.settings
    job = job or create_job(mill.connection, order, source.description, settings, detached=False)
    return gather_job(mill.connection, job, order, source, settings, timeout=30.0)


@pytest.mark.parametrize(
    ("count", "batch_size"), [(0, None), (1, None), (1, 1), (5, 1), (50, 7), (300, 300), (300, None)]
)
def test_n_images_in_n_rows_out_in_order_with_the_digits_of_the_model(mill, mixed, undisturbed, count, batch_size):
    """Whether images are raw, files or unreadable; digits are those of the model asked directly."""
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
    # A file reaches the network as the same pixels; only the batch it shares may differ in rounding.
    np.testing.assert_allclose(results.confidences[kept], undisturbed.confidences[:count][kept], atol=1e-5)
    assert np.isnan(results.confidences[~kept]).all()
    assert finished.run.state == ("done with errors" if failed else "done")
    assert sum(finished.run.workers.values()) == count - len(failed)


def test_a_job_of_failures_alone_needs_no_worker(mill):
    """Every row is there, and nothing waits for answers that nobody will give."""
    source = Images([SourceImage(str(index), None, BROKEN) for index in range(5)])
    finished = gather(mill, source, batch_size=2)
    assert finished.results.failures == dict.fromkeys(range(5), BROKEN)
    assert finished.run.state == "done with errors"


def test_probabilities_come_where_they_are_asked_for(mill, digits, undisturbed):
    """Ten for each image, and none unless they are wanted."""
    source = mnist_source(digits.images[:20], digits.labels[:20])
    assert gather(mill, source).results.probabilities is None
    probabilities = gather(mill, source, probabilities=True).results.probabilities
    np.testing.assert_allclose(probabilities, undisturbed.probabilities[:20], atol=1e-5)


def test_nothing_of_a_gathered_job_stays_in_redis_but_its_record(mill, digits):
    """Payloads, answers and manifests go as they are kept; memory is bounded by the windows alone."""
    source = mnist_source(digits.images[:100], digits.labels[:100])
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    gather(mill, source, job=job, batch_size=10)
    left = {key.decode() for key in mill.connection.client.scan_iter(f"*{job}*")}
    assert left == {f"digitmill:job:{job}"}


def test_the_window_grows_with_the_workers_and_is_never_empty():
    """Enough for all workers to be busy; something even where none is known yet."""
    assert window_for(0).batches > 0
    assert window_for(64).batches > window_for(4).batches
    assert window_for(64).bytes == window_for(0).bytes


def test_a_job_is_gathered_by_any_client_after_its_own_has_left(mill, mixed, undisturbed, tmp_path):
    """Detached, its answers wait in Redis, and reading them takes nothing away."""
    source, order = mixed(40), SubmitOptions(path="test", batch_size=3)
    job = create_job(mill.connection, order, "test", mill.settings, detached=True)
    send_job(mill.connection, job, order, source)
    elsewhere = replace(mill.settings, data=tmp_path)
    finished = await_end(mill, job, elsewhere), await_end(mill, job, elsewhere)
    for results in (finish.results for finish in finished):
        assert results.names == list(source.names)
        sent = [row for row in range(40) if row % 7 != 5]
        np.testing.assert_array_equal(results.digits[sent], undisturbed.digits[sent])


def await_end(mill, job, settings):
    """Collect a detached job when it has ended."""
    deadline = time.monotonic() + 20
    while not (status := mill.connection.ledger.job(job)).state.ended:
        assert time.monotonic() < deadline, f"job {job} does not end"
        time.sleep(0.05)
    return collect_job(mill.connection, status, settings)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_an_interrupted_job_goes_on_where_it_stopped(mill, digits, undisturbed, kept):
    """Whatever was kept before is not asked again, and the rows are those of an undisturbed run."""
    source = mnist_source(digits.images[:60], digits.labels[:60])
    order = SubmitOptions(path="test", batch_size=10)
    job = create_job(mill.connection, order, "test", mill.settings, detached=False)

    def stop_early(batches):
        for sequence, batch in enumerate(batches):
            if sequence > kept:
                raise Stopped
            yield batch

    with Journal(journal_path(mill.settings, job)) as journal:
        gathering = Gathering(mill.connection, job, journal, timeout=30.0)
        with pytest.raises(Stopped):
            gathering.run(stop_early(pack(source, batch_size=10)), window_for(2))
    finished = gather(mill, source, job=job, batch_size=10)
    assert finished.results.names == list(source.names)
    np.testing.assert_array_equal(finished.results.digits, undisturbed.digits[:60])
    assert mill.connection.ledger.job(job).images == 60


def changed(digits, how):
    """Thirty digits, and what became of them."""
    images, labels = digits.images[:30], digits.labels[:30].copy()
    match how:
        case "another label":
            labels[4] = (labels[4] + 1) % 10
        case "fewer images":
            images, labels = images[:10], labels[:10]
        case "none":
            images, labels = images[:0], labels[:0]
    return mnist_source(images, labels)


@pytest.mark.parametrize("how", ["another label", "fewer images", "none"])
@pytest.mark.parametrize("detached", [False, True])
def test_a_job_is_not_resumed_over_a_changed_source(mill, digits, how, detached):
    """Answers of the old images would stand beside the names of the new, or rows be missing."""
    order = SubmitOptions(path="test", batch_size=10)
    job = create_job(mill.connection, order, "test", mill.settings, detached=detached)

    def stop_early():
        yield from list(pack(changed(digits, "not at all"), batch_size=10))[:2]
        raise Stopped

    def begin():
        if detached:
            submit_detached(mill.connection, job, stop_early(), window_for(2), timeout=30.0)
        with Journal(journal_path(mill.settings, job)) as journal:
            Gathering(mill.connection, job, journal, timeout=30.0).run(stop_early(), window_for(2))

    with pytest.raises(Stopped):
        begin()
    go_on = send_job if detached else functools.partial(gather_job, settings=mill.settings)
    with pytest.raises(JobFailed, match="changed"):
        go_on(mill.connection, job, order, changed(digits, how))
    assert not mill.connection.ledger.job(job).state.ended


def test_a_cancelled_job_takes_no_more_images(mill, digits):
    """Its client hears of it with the next batch, or while it waits."""
    source = mnist_source(digits.images[:30], digits.labels[:30])
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    assert mill.connection.ledger.cancel(job)
    with pytest.raises(JobFailed, match="cancelled"):
        gather(mill, source, job=job)


def test_a_model_that_is_not_there_is_refused_before_the_job_is_made(mill):
    """The message says where those that are there are listed."""
    before = len(mill.connection.ledger.jobs())
    with pytest.raises(UsageError, match=r"no model cnn-0.*models list"):
        create_job(mill.connection, SubmitOptions(path="test", model="cnn-0"), "test", mill.settings, detached=False)
    assert len(mill.connection.ledger.jobs()) == before


def test_without_workers_the_client_gives_up_and_the_job_can_go_on(tmp_path, mill, digits):
    """It says how to go on; nothing that was sent is lost."""
    settings = replace(mill.settings, data=tmp_path)
    order = SubmitOptions(path="test")
    source = mnist_source(digits.images[:10], digits.labels[:10])
    with Stack(tmp_path / "server", 0) as stack:
        connection = open_mill(stack.url, settings)
        job = create_job(connection, order, "test", settings, detached=False)
        with pytest.raises(NoWorkers, match=f"digitmill resume {job}"):
            gather_job(connection, job, order, source, settings, timeout=1.0)
        assert not connection.ledger.job(job).state.ended


def test_without_redis_the_client_says_so_by_address_and_not_by_password(mill):
    """Within its patience."""
    with pytest.raises(Unreachable, match=r"localhost:1\b") as fault:
        open_mill("redis://user:secret@localhost:1/0", mill.settings, timeout=0.2)
    assert "secret" not in str(fault.value)


def test_merging_the_journal_of_a_job_gives_its_results(mill, mixed):
    """What is on the disk is all there is to a report."""
    source = mixed(20)
    job = create_job(mill.connection, SubmitOptions(path="test"), "test", mill.settings, detached=False)
    finished = gather(mill, source, job=job)
    with Journal(journal_path(mill.settings, job)) as journal:
        again = merge(journal.batches())
    assert again.names == finished.results.names
    np.testing.assert_array_equal(again.digits, finished.results.digits)
