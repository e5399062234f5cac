"""A journal keeps whole batches and survives its client; merging gives one row for each image, in submission order."""

import contextlib
import fcntl
import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import DataError, Failure, FailureCode, UsageError
from model.images.doubts import Doubt, DoubtCode
from producer.jobs.kept.columns import merge
from producer.jobs.kept.journal import AnsweredBatch, Journal, ReceivedBatch, read_journal
from producer.jobs.results import NONE, Numbers
from worker.contract.errors import WireError
from worker.contract.wire import Label, Manifest, Result

no_deadline = settings(deadline=None)  # each example writes to the disk and waits for it


def answered(
    sequence: int,
    *,
    size: int,
    failed_at_source: Collection[int] = (),
    parts: Collection[int] = (),
    failed_at_worker: Collection[int] = (),
    probabilities: bool = False,
) -> AnsweredBatch:
    """Return a batch in which image number i has the digit `(sequence + i) % 10` with confidence `i / size`.

    Args:
        sequence: Number of the batch.
        size: Number of images in its manifest.
        failed_at_source: Rows that never left the client.
        parts: Positions, among the images that were sent, at which its results are split.
        failed_at_worker: Rows that came back as failures.
        probabilities: Whether the results have probabilities.
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
    return AnsweredBatch(sequence, manifest, results, f"digest {sequence}".encode())


def received(batch: AnsweredBatch) -> ReceivedBatch:
    """Return a batch as its answers came from Redis."""
    return ReceivedBatch(batch.sequence, batch.manifest, [result.to_wire() for result in batch.results], batch.digest)


@st.composite
def batches_of_jobs(draw: st.DrawFn) -> list[AnsweredBatch]:
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


def wire(batches: Sequence[AnsweredBatch]) -> list[Any]:
    """Return batches as values that can be compared."""
    return [
        (batch.sequence, batch.manifest.to_wire(), [result.to_wire() for result in batch.results], batch.digest)
        for batch in batches
    ]


def new_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a path without a journal."""
    return tmp_path_factory.mktemp("jobs") / "job.journal"


@no_deadline
@given(batches_of_jobs())
def test_the_same_batches_come_back_as_were_kept(
    tmp_path_factory: pytest.TempPathFactory, batches: list[AnsweredBatch]
) -> None:
    """The batches keep their order of arrival, in this process and in the next one."""
    path = new_path(tmp_path_factory)
    with Journal(path) as journal:
        for batch in batches:
            assert wire(journal.keep([received(batch)])) == wire([batch])
        assert wire([*journal.batches.values()]) == wire(batches)
    with Journal(path) as again:
        assert wire([*again.batches.values()]) == wire(batches)


@no_deadline
@given(batches_of_jobs())
def test_the_file_has_the_bytes_that_came_from_redis(
    tmp_path_factory: pytest.TempPathFactory, batches: list[AnsweredBatch]
) -> None:
    """Each record is a sequence number, a manifest, the results and a digest; nothing encodes a result anew."""
    path = new_path(tmp_path_factory)
    with Journal(path) as journal:
        journal.keep([received(batch) for batch in batches])
    with path.open("rb") as file:
        records = list(msgpack.Unpacker(file))
    assert records == [
        [batch.sequence, batch.manifest.to_wire(), [result.to_wire() for result in batch.results], batch.digest]
        for batch in batches
    ]


@no_deadline
@given(batches_of_jobs(), st.data())
def test_a_torn_journal_keeps_its_whole_batches_and_can_continue(
    tmp_path_factory: pytest.TempPathFactory, batches: list[AnsweredBatch], data: st.DataObject
) -> None:
    """After a cut at any byte, the journal has the batches that were written whole, and can append more."""
    path = new_path(tmp_path_factory)
    ends = [0]
    with Journal(path) as journal:
        for batch in batches:
            journal.keep([received(batch)])
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    with path.open("r+b") as file:
        file.truncate(cut)
    whole = sum(end <= cut for end in ends) - 1

    with Journal(path) as journal:
        assert wire([*journal.batches.values()]) == wire(batches[:whole])
        assert path.stat().st_size == ends[whole]
        journal.keep([received(batch) for batch in batches[whole:]])
    with Journal(path) as journal:
        assert wire([*journal.batches.values()]) == wire(batches)


@no_deadline
@given(batches_of_jobs())
def test_rows_have_the_order_of_submission_and_each_its_own_answer(batches: list[AnsweredBatch]) -> None:
    """This holds for batches in any order of arrival, in any number of parts, with failures at source and worker."""
    results = merge(batches)
    ordered = sorted(batches, key=lambda batch: batch.sequence)
    places = [(batch, row) for batch in ordered for row in range(len(batch.manifest.names))]
    assert results.names == [batch.manifest.names[row] for batch, row in places]
    for index, (batch, row) in enumerate(places):
        assert results.labels[index] == (NONE if row % 2 else row % 10)
        failure = batch.manifest.failures.get(row)
        sent = row - sum(failed < row for failed in batch.manifest.failures)
        model, ten = "", None
        if not failure:
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


def test_merging_no_batches_gives_no_rows() -> None:
    """The columns of a job without images have length zero."""
    results = merge([])
    assert len(results) == len(results.labels) == len(results.digits) == len(results.confidences) == 0
    assert results.models == []


def test_failures_have_the_order_of_rows() -> None:
    """This is so even if failures at the source and in the worker alternate within one batch."""
    results = merge([answered(0, size=6, failed_at_source={1, 4}, failed_at_worker={0, 5})])
    assert list(results.failures) == [0, 1, 4, 5]


def test_a_doubt_belongs_to_its_image_unless_that_failed() -> None:
    """Rows that failed at the source and results of parts before it are counted in."""
    batch = answered(0, size=6, failed_at_source={0}, parts={2}, failed_at_worker={5})
    doubt = Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")
    results = [replace(result, doubts={len(result) - 1: doubt}) for result in batch.results]
    assert merge([answered(1, size=3), replace(batch, results=results)]).doubts == {2: doubt}


@pytest.mark.parametrize(("parts", "complete"), [(1, False), (2, False), (3, True)])
def test_a_batch_is_complete_with_the_last_of_its_parts(parts: int, complete: bool) -> None:
    """An image that failed at the source needs no answer."""
    whole = answered(0, size=8, failed_at_source={2}, parts={2, 5})
    assert AnsweredBatch(0, whole.manifest, whole.results[:parts]).complete is complete


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    """A second writer is refused, because it would keep every answer twice. A reader is not refused."""
    path = tmp_path / "job.journal"
    batch = answered(0, size=3)
    with Journal(path) as journal:
        with pytest.raises(UsageError, match="Another process"):
            Journal(path)
        journal.keep([received(batch)])
        assert wire([*read_journal(path).values()]) == wire([batch])
    with Journal(path) as again:
        assert wire([*again.batches.values()]) == wire([batch])


@pytest.mark.parametrize("removed", [False, True])
def test_a_short_look_at_a_journal_does_not_keep_its_client_away(tmp_path: Path, removed: bool) -> None:
    """If the journal is removed meanwhile, its client does not write where nobody would find the answers."""
    path = tmp_path / "job.journal"
    Journal(path).__exit__(None, None, None)
    file = path.open("rb")
    fcntl.flock(file, fcntl.LOCK_SH)

    def end_look() -> None:
        if removed:
            path.unlink()
        file.close()

    Timer(0.1, end_look).start()
    expected = pytest.raises(UsageError, match="were removed just now") if removed else contextlib.nullcontext()
    with expected, Journal(path):
        assert path.exists()


def test_reading_a_journal_leaves_a_record_that_is_being_written(tmp_path: Path) -> None:
    """Its client may still be running. Only a client that continues the journal cuts off a torn record."""
    path = tmp_path / "job.journal"
    with Journal(path) as journal:
        journal.keep([received(answered(0, size=3)), received(answered(1, size=3))])
    torn = path.read_bytes()[:-5]
    path.write_bytes(torn)
    assert list(read_journal(path)) == [0]
    assert path.read_bytes() == torn


def test_a_damaged_answer_is_not_written(tmp_path: Path) -> None:
    """Redis still has the batch, so the journal must not record it as answered."""
    path = tmp_path / "job.journal"
    good = received(answered(0, size=3))
    with Journal(path) as journal:
        with pytest.raises(WireError):
            journal.keep([good, good._replace(sequence=1, results=[b"damaged"])])
        assert not journal.batches
    assert path.read_bytes() == b""


@pytest.mark.parametrize("content", [b"\x01\x02\x03", b"name,label\n1.png,7\n", b"\x93\x01\x02\x03"])
def test_a_file_that_is_not_a_journal_is_refused_and_left_unchanged(tmp_path: Path, content: bytes) -> None:
    """The file may be any file of the user, so it keeps every byte."""
    path = tmp_path / "job.journal"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not the journal"):
        Journal(path)
    assert path.read_bytes() == content


def test_numbers_have_one_row_for_each_image() -> None:
    """Each row has all its digits; the least certain one decides. A failed image has none, and 042 keeps its zero."""
    blank = Failure(FailureCode.BLANK, "Nothing is drawn.")
    counts, shares = np.array([2, 0, 1], np.uint8), np.array([0.5, 0.75, 1], np.float32)
    result = Result("m", "w", np.array([0, 4, 7], np.uint8), shares, None, {1: blank}, counts)
    labels = ("042", None, "8", "7")
    unreadable = Failure(FailureCode.EMPTY, "It is empty.")
    manifest = Manifest(("a", "gone", "b", "c"), labels, {1: unreadable})
    raw = Result("m", "w", np.array([5, 6], np.uint8), np.array([0.25, 1], np.float32), None, {})
    batches = [
        AnsweredBatch(0, manifest, [result]),
        AnsweredBatch(1, Manifest(("d", "e"), (5, None), {}), [raw]),
    ]
    results = merge(batches, several=True)
    assert results.numbers is not None
    assert results.numbers.labels.tolist() == ["042", "", "8", "7", "5", ""]
    assert results.numbers.read.tolist() == ["04", "", "", "7", "5", "6"]
    assert results.numbers.confidences == [[0.5, 0.75], [], [], [1], [0.25], [1]]
    assert results.failures == {1: unreadable, 2: blank}
    assert results.labels.tolist() == [NONE, NONE, 8, 7, 5, NONE]
    assert results.digits.tolist() == [NONE, NONE, NONE, 7, 5, 6]
    np.testing.assert_array_equal(results.confidences, np.array([0.5, np.nan, np.nan, 1, 0.25, 1], np.float32))
    assert results.labelled.tolist() == [True, False, True, True, True, False]
    assert results.classified.tolist() == [True, False, False, True, True, True]
    assert results.right.tolist() == [False, False, False, True, True, False]
    assert [results.label(row) for row in range(6)] == ["042", None, "8", "7", "5", None]
    assert [results.answer(row) for row in range(6)] == ["04", None, None, "7", "5", "6"]
    assert results.aligned.labels.tolist() == [0, 4, 2, 8, 7, 5]
    assert results.aligned.digits.tolist() == [0, 4, NONE, NONE, 7, 5]
    assert merge(batches).numbers is not None, "also without the order of the job"


@no_deadline
@given(batches_of_jobs())
def test_a_job_of_single_digits_has_the_same_figures_either_way(batches: list[AnsweredBatch]) -> None:
    """Whether it asked for all digits changes no answer."""
    plain, several = merge(batches), merge(batches, several=True)
    assert plain.numbers is None
    assert several.numbers is not None
    for name in ("labels", "digits", "confidences", "labelled", "classified", "right"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(several, name))
    rows = plain.labelled
    for one, other in zip(plain.aligned, several.aligned, strict=True):
        np.testing.assert_array_equal(np.asarray(one)[rows], other)


@pytest.mark.parametrize(
    ("label", "read", "as_text"),
    [
        (7, "07", "07"),
        (7, "7", "7"),
        (7, "08", "07"),
        (7, "17", "7"),
        (0, "00", "00"),
        (42, "0042", "0042"),
        (142, "042", "142"),
        (5, "", "5"),
        ("7", "07", "7"),
        (None, "07", ""),
    ],
)
def test_an_integer_does_not_say_whether_a_number_begins_with_zeros(label: Label, read: str, as_text: str) -> None:
    """So it gets those that were read. A text keeps its own."""
    assert Numbers.of([label], [read], [[1.0] * len(read)]).labels.tolist() == [as_text]
