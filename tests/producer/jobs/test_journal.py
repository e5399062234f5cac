"""What a client has kept outlives it, whole batch by whole batch, and comes out as rows in the order of submission."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import DataError, Failure, FailureCode, UsageError
from producer.jobs.journal import AnsweredBatch, Journal, merge, read_journal
from producer.jobs.results import NONE
from worker.contract.wire import Manifest, Result

unhurried = settings(deadline=None)  # each example writes to the disk, and waits for it


def answered(sequence, *, size, failed_at_source=(), parts=(), failed_at_worker=(), probabilities=False):
    """A batch of which image number i got the digit `(sequence + i) % 10` with confidence `i / size`.

    Args:
        sequence: its number.
        size: images in its manifest.
        failed_at_source: rows that never left the client.
        parts: where its results are split, counted in the images that were sent.
        failed_at_worker: rows that came back as failures.
        probabilities: whether they are there.
    """
    rows = [row for row in range(size) if row not in failed_at_source]
    bounds = [0, *sorted({part for part in parts if 0 < part < len(rows)}), len(rows)]
    results = []
    for start, stop in itertools.pairwise(bounds):
        part = rows[start:stop]
        digits = np.array([(sequence + row) % 10 for row in part], np.uint8)
        failures = {
            part.index(row): Failure(FailureCode.BLANK, f"{row} is blank.") for row in failed_at_worker if row in part
        }
        confidences = np.array([row / size for row in part], np.float32)
        ten = np.eye(10, dtype=np.float32)[digits] if probabilities else None
        results.append(Result(f"model-{start}", "worker", digits, confidences, ten, failures))
    manifest = Manifest(
        tuple(f"{sequence}/{row}" for row in range(size)),
        tuple(None if row % 2 else row % 10 for row in range(size)),
        {row: Failure(FailureCode.EMPTY, f"{row} is empty.") for row in failed_at_source if row < size},
    )
    return AnsweredBatch(sequence, manifest, results)


@st.composite
def batches_of_jobs(draw):
    """Some batches of one job, in any order of arrival, with every kind of gap and split."""
    count = draw(st.integers(0, 6))
    probabilities = draw(st.booleans())
    batches = []
    for sequence in draw(st.permutations(range(count))):
        size = draw(st.integers(1, 12))
        rows = st.sets(st.integers(0, size - 1))
        batches.append(
            answered(
                sequence,
                size=size,
                failed_at_source=draw(rows),
                parts=draw(rows),
                failed_at_worker=draw(rows),
                probabilities=probabilities,
            )
        )
    return batches


def wire(batches):
    """Batches as values that can be compared."""
    return [
        (batch.sequence, batch.manifest.to_wire(), [result.to_wire() for result in batch.results]) for batch in batches
    ]


def fresh(tmp_path_factory):
    """A path at which no journal is yet."""
    return tmp_path_factory.mktemp("jobs") / "job.journal"


@unhurried
@given(batches_of_jobs())
def test_what_was_kept_is_read_back_as_it_was(tmp_path_factory, batches):
    """In the order of arrival, by this process and by the next."""
    path = fresh(tmp_path_factory)
    with Journal(path) as journal:
        for batch in batches:
            journal.keep([batch])
        assert wire(journal.batches()) == wire(batches)
    with Journal(path) as again:
        assert wire(again.batches()) == wire(batches)
        assert again.kept == {batch.sequence for batch in batches}


@unhurried
@given(batches_of_jobs(), st.data())
def test_of_a_torn_journal_all_whole_batches_are_left_and_it_goes_on(tmp_path_factory, batches, data):
    """Cut off at any byte: the batches that were wholly written are there, and later ones are kept behind them."""
    path = fresh(tmp_path_factory)
    ends = [0]
    with Journal(path) as journal:
        for batch in batches:
            journal.keep([batch])
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    with path.open("r+b") as file:
        file.truncate(cut)
    whole = sum(end <= cut for end in ends) - 1

    with Journal(path) as journal:
        assert wire(journal.batches()) == wire(batches[:whole])
        assert journal.kept == {batch.sequence for batch in batches[:whole]}
        assert path.stat().st_size == ends[whole]
        journal.keep(batches[whole:])
    with Journal(path) as journal:
        assert wire(journal.batches()) == wire(batches)


@unhurried
@given(batches_of_jobs())
def test_rows_come_in_the_order_of_submission_with_every_answer_in_its_place(batches):
    """However late a batch arrived, in however many parts, and whatever of it failed at the source or in the worker."""
    results = merge(batches)
    ordered = sorted(batches, key=lambda batch: batch.sequence)
    places = [(batch, row) for batch in ordered for row in range(len(batch.manifest.names))]
    assert results.names == [batch.manifest.names[row] for batch, row in places]
    for index, (batch, row) in enumerate(places):
        assert results.labels[index] == (NONE if row % 2 else row % 10)
        at_source = batch.manifest.failures.get(row)
        sent = row - sum(failed < row for failed in batch.manifest.failures)
        failure, model, ten = at_source, "", None
        if not at_source:
            for result in batch.results:
                if sent < len(result):
                    failure, model = result.failures.get(sent), result.model
                    ten = None if result.probabilities is None else result.probabilities[sent]
                    break
                sent -= len(result)
        assert results.failures.get(index) == failure
        assert results.models[index] == model
        if failure:
            assert results.digits[index] == NONE
            assert np.isnan(results.confidences[index])
            assert results.probabilities is None or np.isnan(results.probabilities[index]).all()
            continue
        assert results.digits[index] == (batch.sequence + row) % 10
        assert results.confidences[index] == np.float32(row / len(batch.manifest.names))
        if ten is not None:
            assert results.probabilities is not None
            np.testing.assert_array_equal(results.probabilities[index], ten)


def test_no_batches_are_no_rows():
    """A job without any image has columns of length zero."""
    results = merge([])
    assert len(results) == len(results.labels) == len(results.digits) == len(results.confidences) == 0


def test_failures_come_in_the_order_of_rows():
    """Also where the source's and the worker's alternate within one batch."""
    results = merge([answered(0, size=6, failed_at_source={1, 4}, failed_at_worker={0, 5})])
    assert list(results.failures) == [0, 1, 4, 5]


@pytest.mark.parametrize(("parts", "complete"), [(1, False), (2, False), (3, True)])
def test_a_batch_is_complete_with_the_last_of_its_parts(parts, complete):
    """Images that failed at the source need no answer."""
    whole = answered(0, size=8, failed_at_source={2}, parts={2, 5})
    assert AnsweredBatch(0, whole.manifest, whole.results[:parts]).complete is complete


def test_a_journal_has_one_writer(tmp_path):
    """A second client of the same job would keep every answer twice; it is told so, and may read."""
    path = tmp_path / "job.journal"
    batch = answered(0, size=3)
    with Journal(path) as journal:
        with pytest.raises(UsageError, match="nother process"):
            Journal(path)
        journal.keep([batch])
        assert wire(read_journal(path)) == wire([batch])
    with Journal(path) as again:
        assert again.kept == {0}


def test_reading_a_journal_leaves_a_record_that_is_just_being_written(tmp_path):
    """Its client may be at work: only who goes on with a journal cuts it."""
    path = tmp_path / "job.journal"
    with Journal(path) as journal:
        journal.keep([answered(0, size=3), answered(1, size=3)])
    torn = path.read_bytes()[:-5]
    path.write_bytes(torn)
    assert [batch.sequence for batch in read_journal(path)] == [0]
    assert path.read_bytes() == torn


@pytest.mark.parametrize("content", [b"\x01\x02\x03", b"name,label\n1.png,7\n", b"\x93\x01\x02\x03"])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path, content):
    """It may be anything of the user's."""
    path = tmp_path / "job.journal"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no journal"):
        Journal(path)
    assert path.read_bytes() == content
