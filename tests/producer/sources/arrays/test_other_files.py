"""Files in which people have their digits, but that digitmill does not read; and folders of array files."""

import gzip
import json
import pickle

import numpy as np
import pytest

from model.data import idx
from model.errors import Failure, UsageError
from producer.sources import open_each, open_source


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits.pkl", "a pickle, which can run any code"),
        ("mnist.pkl.gz", "a pickle"),
        ("digits.joblib", "a pickle"),
        ("model.pt", "a PyTorch file.*weights_only=True"),
        ("model.PTH", "a PyTorch file"),
        ("digits.h5", "an HDF5 file.*h5py"),
        ("digits.hdf5", "an HDF5 file"),
        ("mnist-original.mat", "a MATLAB file.*loadmat"),
        ("digits.json", "a JSON file.*json.load"),
        ("digits.jsonl", "a JSON file"),
        ("data-00000-of-00001.arrow", "an Arrow file.*to_parquet"),
        ("digits.xlsx", "a spreadsheet.*CSV"),
        ("mnist.tfrecord", "a TFRecord file"),
        ("digits.safetensors", "a safetensors file"),
        ("digits.rds", "a file of R"),
        ("digits.sqlite", "a database"),
    ],
)
def test_files_of_other_programs_are_refused_with_what_to_do(tmp_path, name, words):
    """The sentence says what the file is, and how its images become a file that digitmill reads."""
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(UsageError, match=words) as refused:
        open_source(tmp_path / name)
    assert "Then submit that file." in str(refused.value)


def test_files_of_other_programs_are_known_by_their_content_as_well(tmp_path):
    """A file without a suffix may be a pickle or HDF5, also in gzip."""
    contents = {
        "a": (pickle.dumps([1, 2]), "a pickle"),
        "b": (gzip.compress(pickle.dumps({"x": 1}, protocol=2)), "a pickle"),
        "c": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        "d": (b"MATLAB 5.0 MAT-file, Platform" + bytes(100), "a MATLAB file"),
    }
    for name, (content, words) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=words):
            open_source(tmp_path / name)


def test_an_image_is_an_image_whatever_its_name_is(tmp_path, png):
    """A PNG file that somebody named like an array file is read."""
    for name in ("a.json", "b.mat", "c.db", "d"):
        (tmp_path / name).write_bytes(png(np.eye(28, dtype=np.uint8)))
        assert open_source(tmp_path / name).total == 1


def test_classify_gives_the_refusal_as_the_row_of_its_file(tmp_path, png):
    """The other files are classified."""
    (tmp_path / "a.png").write_bytes(png(np.eye(28, dtype=np.uint8)))
    (tmp_path / "b.json").write_text(json.dumps([[0] * 784]))
    first, second = open_each([str(tmp_path / "a.png"), str(tmp_path / "b.json")])
    assert isinstance(first.content, bytes)
    assert isinstance(second.content, Failure)
    assert "a JSON file" in second.content.sentence


def test_a_numpy_file_of_objects_says_what_to_save_instead(tmp_path, some):
    """Lists of arrays of different sizes are saved as such a file, which can run code when it is loaded."""
    objects = np.empty(2, object)
    objects[:] = [some.images[0], some.images[1]]
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=objects)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UsageError, match=r"holds Python objects.*numpy\.stack"):
            open_source(tmp_path / name)


def test_gzipped_array_files_are_refused_with_how_to_unpack_them(tmp_path, some):
    """NumPy reads no such file either."""
    np.save(tmp_path / "a.npy", some.images)
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress((tmp_path / "a.npy").read_bytes()))
    with pytest.raises(UsageError, match=r"is gzipped. Unpack it first: gunzip a\.npy\.gz"):
        open_source(tmp_path / "a.npy.gz")


def test_an_npy_file_is_known_by_its_content(tmp_path, some):
    """Its name does not matter."""
    np.save(tmp_path / "a.npy", some.images)
    (tmp_path / "a.npy").rename(tmp_path / "digits.array")
    assert open_source(tmp_path / "digits.array").total == 40


@pytest.mark.parametrize("folder", ["", "MNIST/raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_idx_files_is_offered_file_by_file(tmp_path, some, folder, suffix):
    """The test images come first, labels are not offered, and the command can be copied."""
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        for name, content in (("images-idx3", some.images), ("labels-idx1", some.labels)):
            data = idx.dump(content)
            (place / f"{part}-{name}-ubyte{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    with pytest.raises(UsageError, match=r"No image files were found .* but MNIST's files") as refused:
        open_source(tmp_path)
    test = place / f"t10k-images-idx3-ubyte{suffix}"
    assert f"`digitmill submit {test}`" in str(refused.value)
    assert "labels-idx1" not in str(refused.value)
    assert open_source(test).total == 40


def test_a_folder_of_other_array_files_is_offered_too(tmp_path, some):
    """A folder without any array file gets the message that it has no images."""
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UsageError, match="No images were found in"):
        open_source(tmp_path)
    np.save(tmp_path / "b.npy", some.images)
    (tmp_path / "a.csv").write_text("1,2\n")
    with pytest.raises(UsageError, match=r"files of arrays: \S*a\.csv, \S*b\.npy\. Submit one of them"):
        open_source(tmp_path)


def test_idx_files_of_other_kinds_are_one_clear_error(tmp_path, some):
    """Labels name the images beside them, and other types say what they are."""
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx.dump(some.labels))
    with pytest.raises(UsageError, match="holds labels, not images"):
        open_source(tmp_path / "t10k-labels-idx1-ubyte")
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx.dump(some.images))
    with pytest.raises(UsageError, match=r"Its images are in .*t10k-images-idx3-ubyte"):
        open_source(tmp_path / "t10k-labels-idx1-ubyte")
    (tmp_path / "floats").write_bytes(b"\0\0\x0d\x03" + bytes(12))
    with pytest.raises(UsageError, match="an IDX file of float32"):
        open_source(tmp_path / "floats")
