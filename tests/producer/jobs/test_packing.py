"""Every image is in exactly one manifest, in order, and no batch exceeds its limits."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import Failure, FailureCode
from producer.jobs import packing
from producer.jobs.packing import pack
from producer.sources import ImageContent, SourceBlock, SourceImage
from worker.contract.validation.bounds import MAX_IMAGES, MAX_MANIFEST_BYTES, MAX_NAMES_BYTES
from worker.contract.wire import Batch, Manifest

RAW, FILE, LARGE_FILE, FAILED = "raw", "file", "large file", "failed"
LARGE = bytes(packing.BYTES * 2 // 5)  # two fit into a batch, three do not

mixes = st.lists(
    # Runs of one kind, as sources give them. Only such runs are long enough to fill a batch.
    st.tuples(st.sampled_from([RAW, FILE, LARGE_FILE, FAILED]), st.integers(1, 40)),
    max_size=8,
)
no_deadline = settings(deadline=None)  # other work on the same cores must not fail a test
Mix = list[tuple[str, int]]
batch_sizes = st.one_of(st.none(), st.integers(1, 50))


def images_of(mix: Mix) -> list[SourceImage]:
    """Return one image for each place of a mix. Raw images and small files differ from their neighbours."""
    kinds = [kind for kind, count in mix for _ in range(count)]
    return [SourceImage(str(index), label_of(index), content_of(kind, index)) for index, kind in enumerate(kinds)]


def label_of(index: int) -> int | None:
    """Return a label for two images in three."""
    return None if index % 3 == 0 else index % 10


def content_of(kind: str, index: int) -> ImageContent | Failure:
    """Return the content of an image."""
    match kind:
        case "raw":
            return np.full((28, 28), index % 256, np.uint8)
        case "file":
            return b"file %d" % index
        case "large file":
            return LARGE
        case _:
            return Failure(FailureCode.EMPTY, f"{index} is empty.")


def unpacked(batches: Iterable[tuple[Batch, Manifest]]) -> Iterator[SourceImage]:
    """Return the images that went into batches, from each batch and its manifest."""
    for batch, manifest in batches:
        sent = iter(batch.images)
        for row, (name, label) in enumerate(zip(manifest.names, manifest.labels, strict=True)):
            content = manifest.failures[row] if row in manifest.failures else next(sent)
            yield SourceImage(name, label, content)
        assert next(sent, None) is None, "a batch has more images than its manifest has names for"


@no_deadline
@given(mixes, batch_sizes)
def test_every_image_is_packed_once_in_order_with_its_label(mix: Mix, batch_size: int | None) -> None:
    """This holds for any mix of raw arrays, files and failures, and any batch size."""
    images = images_of(mix)
    packed = list(unpacked(pack(images, batch_size=batch_size)))
    assert [(image.name, image.label) for image in packed] == [(image.name, image.label) for image in images]
    for before, after in zip(images, packed, strict=True):
        if isinstance(before.content, np.ndarray):
            np.testing.assert_array_equal(after.content, before.content)
        else:
            assert after.content == before.content


@no_deadline
@given(mixes, batch_sizes)
def test_no_batch_exceeds_its_limits(mix: Mix, batch_size: int | None) -> None:
    """The limits are the batch size, or else the default for the kind of image, and the bytes of the files."""
    for batch, manifest in pack(images_of(mix), batch_size=batch_size):
        raw = isinstance(batch.images, np.ndarray)
        assert 0 < len(manifest.names) <= (batch_size or packing.RAW_IMAGES)
        assert len(batch) == len(manifest.names) - len(manifest.failures)
        if not raw:
            assert len(batch) <= (batch_size or packing.FILES)
            assert len(batch) == 1 or sum(map(len, batch.images)) <= packing.BYTES


@no_deadline
@given(mixes, batch_sizes)
def test_raw_images_and_files_never_share_a_batch(mix: Mix, batch_size: int | None) -> None:
    """A batch is one array, or a tuple of files."""
    for batch, _ in pack(images_of(mix), batch_size=batch_size):
        if isinstance(batch.images, np.ndarray):
            assert batch.images.dtype == np.uint8
            assert batch.images.shape[1:] == (28, 28)
        else:
            assert all(isinstance(file, bytes) for file in batch.images)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3))
def test_a_file_above_the_limit_of_bytes_travels_alone(before: int, after: int) -> None:
    """It is a batch of its own. Its neighbours are in the batches before and after it."""
    small = [SourceImage("small", None, b"x")] * 3
    large = SourceImage("large", None, bytes(packing.BYTES + 1))
    batches = [manifest.names for _, manifest in pack([*small[:before], large, *small[:after]])]
    assert ("large",) in batches
    assert sum(map(len, batches)) == before + 1 + after


@no_deadline
@given(st.lists(st.tuples(st.sampled_from([RAW, FILE, FAILED]), st.integers(1, 40)), max_size=8), batch_sizes)
def test_blocks_are_packed_like_their_images(mix: Mix, batch_size: int | None) -> None:
    """The batches and manifests of blocks are those of the same images one by one, so a job resumes either way."""
    images = images_of(mix)
    runs: list[SourceImage | SourceBlock] = []
    for _, group in groupby(images, key=lambda image: isinstance(image.content, np.ndarray)):
        run = list(group)
        pixels = [image.content for image in run if isinstance(image.content, np.ndarray)]
        names, labels = tuple(image.name for image in run), tuple(image.label for image in run)
        runs += [SourceBlock(names, labels, np.stack(pixels))] if pixels else run
    expected = pack(images, batch_size=batch_size)
    for (batch, manifest), (one, its_manifest) in zip(pack(runs, batch_size=batch_size), expected, strict=True):
        assert (batch.to_wire(), manifest) == (one.to_wire(), its_manifest)


@pytest.mark.parametrize(("kind", "most"), [(RAW, packing.RAW_IMAGES), (FILE, packing.FILES)])
def test_batches_grow_to_the_size_for_their_kind(kind: str, most: int) -> None:
    """The first batches of a job are small, so that a small job occupies several workers."""
    images = images_of([(kind, 4 * most)])
    sizes = [len(batch) for batch, _ in pack(images)]
    growing = [most // 32, most // 16, most // 8, most // 4, most // 2]
    assert sizes[:12] == [*sorted(growing * 2), most, most]
    assert [len(batch) for batch, _ in pack(images)] == sizes, "a resumed job packs other batches"


@no_deadline
@given(mixes, batch_sizes, batch_sizes, st.integers(0, 10))
def test_batches_that_were_sent_keep_their_sizes(mix: Mix, before: int | None, now: int | None, sent: int) -> None:
    """A job is resumed with the same batches, although another version of the program may have begun it."""
    begun = list(pack(images_of(mix), batch_size=before))[:sent]
    sizes = {number: len(manifest.names) for number, (_, manifest) in enumerate(begun)}
    again = list(pack(images_of(mix), batch_size=now, sizes=sizes))
    for (batch, manifest), (one, its_manifest) in zip(begun, again, strict=False):
        assert (batch.to_wire(), manifest) == (one.to_wire(), its_manifest)
    assert sum(len(manifest.names) for _, manifest in again) == len(images_of(mix))


def test_heavy_files_fill_a_batch_sooner() -> None:
    """A batch has fewer files the larger they are, unless the user says how many."""
    images = [SourceImage(str(index), None, bytes(packing.HEAVY_BYTES * 2)) for index in range(400)]
    sizes = [len(batch) for batch, _ in pack(images)]
    assert max(sizes) == packing.HEAVY_FILES
    assert max(len(batch) for batch, _ in pack(images, batch_size=50)) == 50


def test_images_are_packed_as_they_come() -> None:
    """The first batch is ready before the last image is read, so a source of millions never fills the memory."""
    read: list[int] = []

    def source() -> Iterator[SourceImage]:
        for index in range(10):
            read.append(index)
            yield SourceImage(str(index), None, b"file")

    next(pack(source(), batch_size=2))
    assert len(read) <= 3


def test_no_images_make_no_batch() -> None:
    """An empty source does not make an empty batch."""
    assert list(pack([])) == []


def test_every_batch_asks_for_probabilities_if_they_are_wanted() -> None:
    """All batches ask for them if the job wants them, and none asks otherwise."""
    images = images_of([(RAW, 3)])
    assert all(batch.probabilities for batch, _ in pack(images, batch_size=1, probabilities=True))
    assert not any(batch.probabilities for batch, _ in pack(images, batch_size=1))


def test_batches_stay_within_the_bounds_of_the_contract_whatever_is_asked_for() -> None:
    """Neither a batch size from a damaged record nor very long names make a batch that no worker accepts."""
    blank = np.zeros((28, 28), np.uint8)
    images = [SourceImage(str(index), None, blank) for index in range(MAX_IMAGES + 1)]
    assert [len(batch) for batch, _ in pack(images, batch_size=10**9)] == [MAX_IMAGES, 1]
    long = "n" * (MAX_NAMES_BYTES // 3)
    sizes = [len(manifest.to_wire()) for _, manifest in pack(SourceImage(long, None, blank) for _ in range(40))]
    assert len(sizes) == 10
    block = SourceBlock((long,) * 40, (None,) * 40, np.zeros((40, 28, 28), np.uint8))
    assert [len(manifest.to_wire()) for _, manifest in pack([block])] == sizes
    assert max(sizes) < 2 * MAX_NAMES_BYTES < MAX_MANIFEST_BYTES


@no_deadline
@given(mixes)
def test_all_digits_are_asked_for_in_batches_of_files_alone(mix: Mix) -> None:
    """A raw image has one digit, so workers of older versions may answer it. A batch without images needs no answer."""
    for batch, _ in pack(images_of(mix), several=True):
        assert batch.several == (isinstance(batch.images, tuple) and len(batch) > 0)
    assert not any(batch.several for batch, _ in pack(images_of(mix)))
