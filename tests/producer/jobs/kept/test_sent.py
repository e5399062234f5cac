"""The log of what was sent: digests tell one batch from another, and a torn end costs only the last record."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Failure, FailureCode, UsageError
from producer.jobs.kept.sent import SentLog, digest_of, read_manifests, read_sent
from worker.contract.wire import Batch, Manifest

NAMES = Manifest(("a", "b"), (1, None), {1: Failure(FailureCode.EMPTY, "Empty.")})
ENCODED = NAMES.to_wire()


@given(st.integers(0, 2), st.integers(0, 27), st.integers(0, 27), st.integers(1, 255))
def test_a_changed_pixel_changes_the_digest(image: int, row: int, column: int, by: int) -> None:
    """It does not matter which one, or by how much."""
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    before = digest_of(Batch(images), b"")
    changed = images.copy()
    changed[image, row, column] = (int(images[image, row, column]) + by) % 256
    assert digest_of(Batch(changed), b"") != before == digest_of(Batch(images.copy()), b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images[::-1],
        lambda images: images[:2],
        lambda images: np.roll(images, 8, axis=2),
        lambda images: images.transpose(0, 2, 1),
    ],
)
def test_moved_images_and_pixels_change_the_digest(change: Callable[..., np.ndarray]) -> None:
    """All pixels are the same, in another order."""
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    assert digest_of(Batch(change(images)), b"") != digest_of(Batch(images), b"")


def test_the_digest_covers_files_names_and_what_was_asked_for() -> None:
    """Bytes that move from one file to the next change it too."""
    different = [
        digest_of(Batch((b"ab", b"c")), ENCODED),
        digest_of(Batch((b"a", b"bc")), ENCODED),
        digest_of(Batch((b"ab", b"c")), b"other names"),
        digest_of(Batch((b"ab", b"c"), probabilities=True), ENCODED),
        digest_of(Batch((b"ab", b"c"), several=True), ENCODED),
        digest_of(Batch(()), ENCODED),
    ]
    assert len(set(different)) == len(different)


@given(st.integers(0, 400))
def test_a_torn_log_keeps_its_whole_records_and_goes_on(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """After a cut at any byte, the names of every whole record can be read, and of those that are added."""
    path = tmp_path_factory.mktemp("jobs") / "job.sent"
    ends = [0]
    with SentLog(path) as log:
        for sequence in range(4):
            log.add(sequence, Batch((b"x",)), 2, bytes([sequence]) * 32, ENCODED)
            ends.append(path.stat().st_size)
    with path.open("r+b") as file:
        file.truncate(min(cut, ends[-1]))
    whole = sum(end <= cut for end in ends) - 1
    assert list(read_sent(path)) == list(range(whole))
    with SentLog(path) as log:
        log.add(9, Batch((b"x",)), 2, b"nine", ENCODED)
        log.add(9, Batch((b"y",)), 2, b"again", ENCODED)
    sent = read_sent(path)
    assert list(sent) == [*range(whole), 9]
    assert (sent[9].images, sent[9].rows, sent[9].digest) == (1, 2, b"again"), "the later record counts"
    assert set(map(repr, read_manifests(path, sent).values())) == {repr(NAMES)}


def test_a_log_knows_the_end_of_its_source(tmp_path: Path) -> None:
    """It records the end once, and a log without it belongs to a client that was interrupted."""
    path = tmp_path / "job.sent"
    with SentLog(path) as log:
        log.add(0, Batch((b"x",)), 1, b"zero", ENCODED)
        assert log.total is None
        log.finish(1)
    size = path.stat().st_size
    with SentLog(path) as log:
        assert log.total == 1
        log.finish(1)
    assert path.stat().st_size == size
    assert list(read_sent(path)) == [0]


def test_a_log_has_one_writer(tmp_path: Path) -> None:
    """A second sender of the same job is refused."""
    with SentLog(tmp_path / "job.sent"), pytest.raises(UsageError, match="Another process"):
        SentLog(tmp_path / "job.sent")
