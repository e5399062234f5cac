"""Parquet files, as Hugging Face publishes MNIST."""

import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import Failure, UsageError
from producer.sources import open_source


def test_without_pyarrow_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    """It comes before any job exists, and names the extra."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in ("test-00000-of-00001.parquet", "without-suffix"):
        (tmp_path / name).write_bytes(b"PAR1" + bytes(100) + b"PAR1")
        with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'digitmill\[parquet\]'"):
            open_source(tmp_path / name)


@pytest.fixture
def write(tmp_path):
    """Write columns as a Parquet file, and return its path."""

    def write(**columns):
        path = tmp_path / "test-00000-of-00001.parquet"
        parquet.write_table(pa.table(columns), path, row_group_size=16)
        return path

    return write


def test_hugging_faces_mnist_gives_labelled_images(write, some, png):
    """Its rows have a struct of bytes and path, and a label. The PNG files are sent as they are."""
    files = [png(image) for image in some.images]
    source = open_source(write(image=[{"bytes": file, "path": None} for file in files], label=some.labels.tolist()))
    rows = list(source)
    assert [row.content for row in rows] == files
    assert [row.label for row in rows] == some.labels.tolist()
    assert [row.name for row in rows][:2] == ["00000", "00001"]
    assert source.read("00039") == files[39]
    assert source.notes == ()


def test_binary_columns_and_rows_without_bytes(write, some, png):
    """A column of bytes is read as well. A row that only has a path is one error row."""
    files = [png(image) for image in some.images]
    assert [row.content for row in open_source(write(img=files))] == files
    images = [{"bytes": file, "path": "a.png"} for file in files]
    images[7] = {"bytes": None, "path": "a.png"}
    rows = list(open_source(write(image=images, label=some.labels.tolist())))
    assert [row.name for row in rows if isinstance(row.content, Failure)] == ["00007"]


def test_numbers_label_encoded_images_if_they_are_asked_for(write, some, png):
    """Texts keep their zeros, as in a NumPy file. Otherwise a note says why the images have no labels."""
    texts = [f"{number:03}" for number in range(90, 130)]
    path = write(image=[png(image) for image in some.images], label=texts)
    assert [row.label for row in open_source(path, numbers=True)] == texts
    source = open_source(path)
    assert [row.label for row in source] == [None] * 40
    assert source.notes[0].startswith("No labels: 'label' is ")


@pytest.mark.parametrize("kind", ["lists", "lists of lists", "columns"])
def test_pixels_in_a_parquet_file_are_read_as_arrays(write, some, kind):
    """They may be a list for each image, a list of lists, or 784 columns. Their form is recognised."""
    inverted = 255 - some.images
    match kind:
        case "lists":
            columns = {"pixels": inverted.reshape(-1, 784).tolist()}
        case "lists of lists":
            columns = {"image": inverted.tolist()}
        case _:
            columns = {"__index_level_0__": np.arange(40)}
            columns |= {f"pixel{index}": inverted.reshape(-1, 784)[:, index] for index in range(784)}
    source = open_source(write(label=some.labels, **columns))
    rows = list(source)
    np.testing.assert_array_equal(np.stack([row.content for row in rows]), some.images)
    assert [row.label for row in rows] == some.labels.tolist()
    assert "inverted" in source.notes[0]


def test_other_parquet_files_are_one_clear_error(write, tmp_path):
    """Columns without images, and damaged files, end in one sentence with a remedy."""
    with pytest.raises(UsageError, match=r"no column of images \(name, label\)"):
        open_source(write(name=["a", "b"], label=[1, 2]))
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(UsageError, match="cannot be read"):
        open_source(tmp_path / "damaged.parquet")
