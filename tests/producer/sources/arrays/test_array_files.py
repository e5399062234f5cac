"""Arrays as sources: NumPy files, IDX files and MNIST in memory."""

import functools
import gzip
import math
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.data import idx
from model.errors import Failure, FailureCode, UsageError
from producer.sources import Source, SourceBlock, mnist_source, open_several, open_source
from producer.sources.arrays.formats import idx_files, numpy_files

_GENERATOR = np.random.default_rng(0)
IMAGES = _GENERATOR.integers(0, 256, (12, 28, 28), dtype=np.uint8)
DIGITS = _GENERATOR.integers(0, 10, 12, dtype=np.uint8)


def contents(source: Source) -> dict[str, np.ndarray]:
    """Return the array of every row."""
    return {image.name: image.content for image in source if isinstance(image.content, np.ndarray)}


def assert_holds_images(source: Source, labels: list[int] | None) -> None:
    """Check that the source has all images in order, with these labels, and reads them again by name."""
    rows = list(source)
    assert [row.name for row in rows] == [f"{index:05}" for index in range(12)]
    assert [row.label for row in rows] == (labels or list[int | None]([None] * 12))
    assert all(type(row.content) is np.ndarray for row in rows)
    np.testing.assert_array_equal(np.stack([row.content for row in rows]), IMAGES)
    assert source.total == 12
    np.testing.assert_array_equal(source.read("00007"), IMAGES[7])
    assert list(source.read_many(["00003", "00001", "99999", "3"])) == ["00001", "00003"]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_numpy_file_gives_its_images(tmp_path, order):
    """The array may be in C or Fortran order. It has no labels."""
    np.save(tmp_path / "a.npy", np.asarray(IMAGES, order=order))
    assert_holds_images(open_source(tmp_path / "a.npy"), None)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_numpy_archive_gives_its_images_and_labels(tmp_path, save):
    """One array of n digits gives the labels. Two such arrays, or an array of other values, give none."""
    path = tmp_path / "a.npz"
    save(path, images=IMAGES, labels=DIGITS.astype(np.int64))
    assert_holds_images(open_source(path), DIGITS.tolist())
    assert_holds_images(open_source(path, labels="none"), None)
    save(path, images=IMAGES, mean=np.float32(3))
    assert_holds_images(open_source(path), None)
    save(path, images=IMAGES, one=DIGITS, other=DIGITS[::-1])
    assert_holds_images(open_source(path), None)
    save(path, images=IMAGES, pages=np.arange(12))
    assert_holds_images(open_source(path), None)


def test_the_labels_in_a_numpy_archive_may_be_numbers(tmp_path):
    """If numbers are asked for, they are integers of at least 0, or texts of digits, which keep their zeros."""
    path = tmp_path / "a.npz"
    texts = [f"{number:03}" for number in range(12)]
    for saved, expected in (
        (np.array(texts), texts),
        (np.array(texts, "S3"), texts),
        (np.arange(12, dtype=np.uint16), list(range(12))),
        (np.arange(12) - 1, [None] * 12),
        (np.array([f"{number}x" for number in range(12)]), [None] * 12),
    ):
        np.savez(path, images=IMAGES, labels=saved)
        assert [row.label for row in open_source(path, numbers=True)] == expected


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte.gz", "digits"])
def test_an_idx_file_gives_its_images_and_the_labels_beside_it(tmp_path, name):
    """MNIST is published in this format, gzipped or not. The first bytes identify it, whatever the name is."""

    def write(path: Path, content: bytes) -> None:
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)

    path = tmp_path / name
    write(path, idx.dump(IMAGES))
    assert_holds_images(open_source(path), None)
    if "images" in name:
        write(tmp_path / name.replace("images", "labels").replace("idx3", "idx1"), idx.dump(DIGITS))
        assert_holds_images(open_source(path), DIGITS.tolist())
        write(tmp_path / name.replace("images", "labels").replace("idx3", "idx1"), idx.dump(DIGITS + 5))
        with pytest.raises(UsageError, match="holds labels other than 0 to 9"):
            open_source(path)


def test_mnist_itself_is_read_from_its_idx_files():
    """The source has all 10,000 images, and the first and the last have the right labels."""
    folder = os.environ.get("DIGITMILL_MNIST")
    if not folder:
        pytest.skip("MNIST is not at hand: DIGITMILL_MNIST is not set")
    (path,) = Path(folder).glob("t10k-images*")
    rows = list(open_source(path))
    assert [rows[0].label, rows[9999].label] == [7, 6]
    assert len(rows) == 10_000


def test_a_label_file_may_label_an_array(tmp_path):
    """The label file names images by index. An index beyond the array is a failure."""
    np.save(tmp_path / "a.npy", IMAGES)
    (tmp_path / "truth.csv").write_text("name,label\n00003,3\n00012,1\n")
    source = open_source(tmp_path / "a.npy", labels=str(tmp_path / "truth.csv"))
    rows = list(source)
    assert {row.name: row.label for row in rows if row.label is not None} == {"00003": 3, "00012": 1}
    assert isinstance(rows[12].content, Failure)
    assert rows[12].content.code is FailureCode.MISSING


def test_globs_select_a_part_of_an_array(tmp_path):
    """The globs match the indices, and labels stay with their images."""
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=DIGITS)
    source = open_source(tmp_path / "a.npz", include=["0000[13]"])
    assert {row.name: row.label for row in source} == {"00001": DIGITS[1], "00003": DIGITS[3]}


@pytest.mark.parametrize("numbers", ["bytes", "floats", "one not finite", "in two files"])
def test_blocks_of_an_array_have_each_image_with_its_name_and_label(tmp_path, numbers):
    """A block has up to 1,024 images. One that cannot be read has a row of its own, and those beside it are read."""
    images = np.random.default_rng(7).integers(0, 256, (2500, 28, 28), np.uint8)
    labels = np.arange(2500) % 10
    saved = images / 255 if numbers in {"floats", "one not finite"} else images.copy()
    if numbers == "one not finite":
        saved[1100, 5, 5] = np.nan
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", images=saved, labels=labels)
    if numbers == "in two files":
        source = open_several([str(tmp_path / "a.npz"), str(tmp_path / "b.npz")], exclude=("02000",))
        names = [f"{name}.npz/{index:05d}" for name in ("a", "b") for index in range(2500) if index != 2000]
    else:
        source = open_source(tmp_path / "a.npz", exclude=("02000",))
        names = [f"{index:05d}" for index in range(2500) if index != 2000]
    runs = list(source.runs())
    read = [image for run in runs for image in (run if isinstance(run, SourceBlock) else [run])]
    assert [image.name for image in read] == names
    for image in read:
        index = int(image.name[-5:])
        assert image.label == labels[index]
        if (numbers, index) == ("one not finite", 1100):
            assert isinstance(image.content, Failure)
        else:
            assert np.array_equal(image.content, images[index])
    assert max(len(run) for run in runs if isinstance(run, SourceBlock)) == 1024


@pytest.mark.parametrize("order", ["the same", "turned round", "with gaps"])
def test_labels_of_blocks_may_come_in_any_order(tmp_path, order):
    """A label file names the images as it likes, and need not name all."""
    images, labels = np.zeros((2500, 28, 28), np.uint8), np.arange(2500) % 10
    rows = [f"test/{index:05d},{label}\n" for index, label in enumerate(labels) if order != "with gaps" or index % 1500]
    (tmp_path / "truth.csv").write_text("name,label\n" + "".join(rows[::-1] if order == "turned round" else rows))
    source = mnist_source(images, np.zeros(2500, np.uint8), labelled_by=str(tmp_path / "truth.csv"))
    known = {image.name: image.label for image in source}
    expected = {row[:10]: int(row[11]) for row in rows}
    assert known == dict.fromkeys(known) | expected
    assert len(known) == 2500


def test_mnist_in_memory_can_be_repeated():
    """Every image has another name in each repetition, and keeps its label."""
    once = mnist_source(IMAGES, DIGITS)
    assert [(row.name, row.label) for row in once] == [(f"test/{i:05}", DIGITS[i]) for i in range(12)]
    assert (once.description, once.total) == ("mnist test", 12)
    thrice = mnist_source(IMAGES, DIGITS, repeat=3)
    assert [row.name for row in thrice] == [f"test/{i:05}#{round_}" for round_ in (1, 2, 3) for i in range(12)]
    assert [row.label for row in thrice] == DIGITS.tolist() * 3
    np.testing.assert_array_equal(thrice.read("test/00005#3"), IMAGES[5])
    assert thrice.total == 36


def test_mnist_obeys_the_same_options_as_a_file(tmp_path):
    """Its own labels are only those that nobody has chosen otherwise."""
    assert [row.label for row in mnist_source(IMAGES, DIGITS, labelled_by="none")] == [None] * 12
    some = mnist_source(IMAGES, DIGITS, include=["0000[0-3]"], exclude=["00002"])
    assert [(row.name, row.label) for row in some] == [(f"test/{i:05}", DIGITS[i]) for i in (0, 1, 3)]
    (tmp_path / "truth.csv").write_text("name,label\ntest/00000,4\ntest/00001,7\n")
    from_file = mnist_source(IMAGES[:3], DIGITS[:3], labelled_by=str(tmp_path / "truth.csv"))
    assert [row.label for row in from_file] == [4, 7, None]
    np.save(tmp_path / "truth.npy", DIGITS[::-1])
    assert [row.label for row in mnist_source(IMAGES, DIGITS, labelled_by=str(tmp_path / "truth.npy"))] == [
        *DIGITS[::-1]
    ]
    with pytest.raises(UsageError, match="leave none of the images in 'mnist test'"):
        mnist_source(IMAGES, DIGITS, include=["nothing"])
    with pytest.raises(UsageError, match="does not lie in a folder named 0 to 9"):
        mnist_source(IMAGES, DIGITS, labelled_by="folder")


@pytest.mark.parametrize(
    "array",
    [
        IMAGES.astype(np.complex64),
        IMAGES.astype(np.str_),
        IMAGES.reshape(-1, 49),
        np.zeros((3, 28, 28, 5), np.uint8),
        np.zeros((3, 2, 28), np.uint8),
        np.uint8(3),
    ],
)
def test_arrays_of_another_form_are_one_clear_error(tmp_path, array):
    """The message has the shape of the array and the shape that is needed."""
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", images=array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UsageError, match=r"uint8 \(n, 28, 28\)") as caught:
            open_source(tmp_path / name)
        assert str(array.shape) in str(caught.value)


def test_an_array_without_images_is_one_clear_error(tmp_path):
    """An array of no images raises a UsageError from each kind of file."""
    np.save(tmp_path / "a.npy", IMAGES[:0])
    np.savez(tmp_path / "a.npz", images=IMAGES[:0])
    (tmp_path / "a.idx").write_bytes(idx.dump(IMAGES[:0]))
    for name in ("a.npy", "a.npz", "a.idx"):
        with pytest.raises(UsageError):
            open_source(tmp_path / name)


def test_several_arrays_of_images_are_one_clear_error(tmp_path):
    """The message names the arrays."""
    np.savez(tmp_path / "mnist.npz", x_train=IMAGES, x_test=IMAGES)
    with pytest.raises(UsageError, match=r"several arrays of images \(x_train, x_test\)"):
        open_source(tmp_path / "mnist.npz")


def test_labels_given_as_images_are_one_clear_error(tmp_path):
    """The message says that an IDX file of labels has no images."""
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx.dump(np.arange(10, dtype=np.uint8).repeat(3)))
    with pytest.raises(UsageError, match="not images"):
        open_source(tmp_path / "t10k-labels-idx1-ubyte")


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        """Make unpickling create a file."""
        return Path.touch, (self.path,)


def test_no_pickle_is_ever_loaded(tmp_path):
    """Neither a plain pickle nor one in an array of objects runs its code."""
    trace = tmp_path / "trace"
    objects = np.empty(1, object)
    objects[0] = Trap(trace)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=IMAGES, objects=objects)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap(trace)))
    for name in ("a.npy", "a.npz", "b.npy"):
        with pytest.raises(UsageError, match="cannot be read"):
            open_source(tmp_path / name)
    assert not trace.exists()


def test_an_array_that_would_fill_the_memory_is_one_clear_error(tmp_path, monkeypatch):
    """The limit, lowered here from 2 GiB, holds for the unpacked size of a compressed file."""
    monkeypatch.setattr(numpy_files, "MAX_BYTES", 1000)
    monkeypatch.setattr(idx_files, "MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", np.zeros((12, 28, 28), np.uint8))
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx.dump(np.zeros((12, 28, 28), np.uint8))))
    for name in ("a.npz", "a.gz"):
        with pytest.raises(UsageError, match="unpacks to more than"):
            open_source(tmp_path / name)


def test_headers_that_declare_more_than_the_file_has_are_one_clear_error(tmp_path):
    """Each kind of file raises a UsageError, and no memory is allocated for the declared size."""
    (tmp_path / "a.idx").write_bytes(idx.dump(IMAGES)[:4] + b"\xff\xff\xff\xff" + idx.dump(IMAGES)[8:])
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28), }"
    npy = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(784)
    (tmp_path / "a.npy").write_bytes(npy)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", npy)
    for name in ("a.idx", "a.npy", "a.npz"):
        with pytest.raises(UsageError):
            open_source(tmp_path / name)


@functools.cache
def whole() -> dict[str, bytes]:
    """Return a whole file of each kind, as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/a.npy", IMAGES)
        np.savez(f"{folder}/a.npz", images=IMAGES, labels=DIGITS)
        Path(f"{folder}/a.idx").write_bytes(idx.dump(IMAGES))
        np.savetxt(f"{folder}/a.csv", IMAGES.reshape(-1, 784), "%d", ",")
        Path(f"{folder}/a.gz").write_bytes(gzip.compress(idx.dump(IMAGES)))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["a.npy", "a.npz", "a.idx", "a.gz", "a.csv"]),
    changes=st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=8)), max_size=3),
    cut=st.floats(0, 1),
)
@example(name="a.gz", changes=[(10, b"\0")], cut=1.0)
def test_damaged_array_files_end_in_rows_or_one_usage_error(name, changes, cut):
    """There is no other error."""
    content = bytearray(whole()[name])
    for start, what in changes:
        content[start : start + len(what)] = what
    content = content[: int(cut * len(content))] if cut < 0.3 else content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            source = open_source(path)
        except UsageError:
            return
        assert len(list(source)) == source.total


SIZES = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 10, 16, 28, 29, 64, 784])
DTYPES = st.sampled_from(
    ["?", "i1", "u1", ">i2", "u2", "i4", ">u4", "i8", "u8", "f2", ">f4", "f8", "g", "c8", "U1", "S3", "M8[s]", "V4"]
)


@settings(max_examples=150, deadline=None)
@given(
    shape=st.lists(SIZES, max_size=4).map(tuple).filter(lambda shape: math.prod(shape) <= 60_000),
    dtype=DTYPES,
    seed=st.integers(0, 2**32 - 1),
    order=st.sampled_from("CF"),
    as_is=st.booleans(),
)
@example(shape=(4, 28, 28), dtype="f2", seed=1, order="C", as_is=False)
def test_any_array_ends_in_rows_or_one_usage_error(shape, dtype, seed, order, as_is):
    """Whatever its shape, its type and its bytes are. Each row is an image of 28 by 28 pixels, a file or a failure."""
    count = math.prod(shape)
    data = np.random.default_rng(seed).bytes(count * np.dtype(dtype).itemsize)
    array = np.frombuffer(data, "u1" if dtype == "?" else dtype, count).reshape(shape)
    if dtype == "?":
        array = array > 127
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/a.npy", np.asarray(array, order=order))
        try:
            source = open_source(f"{folder}/a.npy", as_is=as_is)
        except UsageError:
            return
        rows = list(source)
        assert len(rows) == source.total
        for row in rows:
            content = row.content
            assert not isinstance(content, np.ndarray) or (content.shape == (28, 28) and content.dtype == np.uint8)
