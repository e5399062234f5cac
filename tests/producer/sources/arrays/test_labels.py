"""Labels beside images: one-hot, as columns, floats and texts; and what is said if they are not understood."""

import gzip
import re

import numpy as np
import pytest

from model.data import idx
from model.errors import UsageError
from producer.sources import Source, open_source
from worker.contract.wire import Label


def labels(source: Source) -> list[Label | None]:
    """Return the labels of a source."""
    return [image.label for image in source]


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y.astype(np.int64),
        lambda y: y[:, None],
        lambda y: y[None],
        lambda y: y.astype(np.float32),
        lambda y: y.astype(np.float64)[:, None],
        lambda y: y.astype(np.str_),
        lambda y: y.astype(np.float64).astype(np.str_),
        lambda y: y.astype(np.bytes_),
        lambda y: np.eye(10)[y],
        lambda y: np.eye(10, dtype=bool)[y],
        lambda y: np.eye(10, dtype=np.uint8)[y],
    ],
)
@pytest.mark.parametrize("count", [1, 2, 10, 40])
def test_labels_are_taken_in_each_of_the_usual_ways(save, some, make, count):
    """Columns, floats, texts and one-hot rows of any type give the same labels as integers."""
    path = save(images=some.images[:count], labels=make(some.labels[:count]))
    assert labels(open_source(path)) == some.labels[:count].tolist()
    assert labels(open_source(path, labels="none")) == [None] * count


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y.astype(np.int64) + 1,
        lambda y: y + 0.5,
        lambda y: np.full(len(y), np.nan),
        lambda y: np.array(["a digit"] * len(y)),
        lambda y: np.eye(10)[y] * 0.9 + 0.01,
        lambda y: np.zeros((len(y), 10)),
        lambda y: y[:-1],
        lambda y: np.eye(11)[y],
    ],
)
def test_labels_that_are_not_digits_are_not_taken_and_a_note_says_so(save, some, make):
    """The note names the array and what it holds. `--labels none` needs no note."""
    path = save(images=some.images, labels=make(some.labels))
    source = open_source(path)
    assert labels(source) == [None] * 40
    (note,) = source.notes
    assert note.startswith("No labels: 'labels' is ")
    assert open_source(path, labels="none").notes == ()


def test_of_several_arrays_the_one_with_a_usual_name_has_the_labels(save, some):
    """Other arrays of small numbers, such as the writer's, do not disturb. Arrays that agree count as one."""
    writers = np.arange(40) % 7
    assert labels(open_source(save(x=some.images, y=some.labels, writers=writers))) == some.labels.tolist()
    one_hot = np.eye(10)[some.labels]
    assert labels(open_source(save(x=some.images, y=some.labels, target=one_hot))) == some.labels.tolist()
    source = open_source(save(x=some.images, one=some.labels, other=writers))
    assert labels(source) == [None] * 40
    assert source.notes == ("No labels: 'one' and 'other' may all be labels. Keep one of these arrays.",)


def test_images_are_found_among_other_arrays(save, some):
    """Other arrays may be means, features, masks of other sizes, or labels as many as an image has pixels."""
    others = {"mean": some.images.mean(axis=0), "features": np.ones((40, 100)), "mask": np.ones((28, 28), bool)}
    source = open_source(save(digits=some.images, labels=some.labels, **others))
    assert (source.total, labels(source)) == (40, some.labels.tolist())
    many = np.zeros((784, 28, 28), np.uint8)
    source = open_source(save(a=many, b=np.arange(784) % 10))
    assert (source.total, labels(source)[:3]) == (784, [0, 1, 2])


def test_several_arrays_of_images_are_refused_with_a_command_that_makes_one_file(save, some):
    """Keras' mnist.npz is such a file. The command keeps the test images with their labels."""
    arrays = {"x_train": some.images, "y_train": some.labels, "x_test": some.images[:9], "y_test": some.labels[:9]}
    with pytest.raises(UsageError, match=r"several arrays of images \(x_train, x_test\)") as refused:
        open_source(save(**arrays))
    assert "np.savez('x_test.npz', images=a['x_test'], labels=a['y_test'])" in str(refused.value)


@pytest.mark.parametrize("name", ["y.npy", "y.npz", "labels-idx1-ubyte", "labels-idx1-ubyte.gz"])
def test_labels_in_an_array_file_of_their_own_label_an_array(tmp_path, save, some, name):
    """`--labels` takes a NumPy or IDX file with a digit for each image, in order. Globs keep them together."""
    digits = tmp_path / name
    if name == "y.npy":
        np.save(digits, np.eye(10)[some.labels])
    elif name == "y.npz":
        np.savez(digits, some.labels)
    else:
        content = idx.dump(some.labels)
        digits.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    path = save(some.images)
    assert labels(open_source(path, labels=str(digits))) == some.labels.tolist()
    assert labels(open_source(path, labels=str(digits), include=["0000[37]"])) == some.labels[[3, 7]].tolist()
    with pytest.raises(UsageError, match="not a digit 0 to 9 for each of the 39 images"):
        open_source(save(some.images[:39]), labels=str(digits))


def test_damaged_label_arrays_are_one_clear_error(tmp_path, save, some):
    """Pickles in them are not loaded."""
    objects = np.empty(40, object)
    np.save(tmp_path / "y.npy", objects, allow_pickle=True)
    (tmp_path / "y.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "y").write_bytes(b"\0\0\x08\x01\0\0\0\x28" + bytes(7))
    for name in ("y.npy", "y.npz", "y"):
        with pytest.raises(UsageError, match=r"cannot be read|shorter") as refused:
            open_source(save(some.images), labels=str(tmp_path / name))
        assert len(re.findall("Write it again|Save numbers|Put the original", str(refused.value))) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda y: np.array([f"{number:03}" for number in y]),
        lambda y: np.array([f"{number:03}" for number in y], np.bytes_)[:, None],
        lambda y: y.astype(np.uint16),
        lambda y: y.astype(np.float64),
    ],
)
def test_labels_may_be_numbers_if_those_are_asked_for(save, some, make):
    """Texts keep their zeros. Pictures of numbers are of any size, and become files."""
    truths = np.arange(100, 140) % 130
    wide = np.concatenate([some.images, some.images], axis=2)
    path = save(images=wide, labels=make(truths))
    plain = make(truths).dtype.kind not in "US"
    expected = [number if plain else f"{number:03}" for number in truths.tolist()]
    source = open_source(path, numbers=True)
    assert labels(source) == expected
    assert all(isinstance(image.content, bytes) for image in source)
    assert labels(open_source(path)) == [None] * 40
    np.save(path.with_name("labels.npy"), make(truths))
    beside = open_source(path, labels=str(path.with_name("labels.npy")), numbers=True)
    assert labels(beside) == expected
    np.save(path.with_name("labels.npy"), np.array(["a number"] * 40))
    with pytest.raises(UsageError, match="not a number for each of the 40 images"):
        open_source(path, labels=str(path.with_name("labels.npy")), numbers=True)


def test_whole_numbers_without_a_usual_name_are_not_labels(save, some):
    """They may be pages, so only texts are taken from any array."""
    path = save(images=some.images, pages=np.arange(40))
    assert labels(open_source(path, numbers=True)) == [None] * 40
    path = save(images=some.images, readings=np.array([f"{number:02}" for number in range(40)]))
    assert labels(open_source(path, numbers=True))[:2] == ["00", "01"]
