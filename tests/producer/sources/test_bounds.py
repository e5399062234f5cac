"""A header tells what a file claims, not what it costs. Nothing is allocated, unpacked or kept because of a claim."""

import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model.data import mnist
from model.data.taught import TaughtFolder
from model.errors import DataError, Failure, UsageError
from producer.sources import listing, open_source, zips
from producer.sources.labelling.label_file import MAX_LABEL_BYTES, LabelFile
from producer.sources.listing import MAX_NAME

MEBIBYTE = 1024**2


def npy(shape: tuple[int, ...], dtype: str = "|u1", content: bytes = b"") -> bytes:
    """Return a NumPy file whose header claims a shape."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def refused(path: Path, match: str) -> None:
    """Open a path, which must be refused without memory for what it claims."""
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=match):
            open_source(path)
        assert tracemalloc.get_traced_memory()[1] < 20 * MEBIBYTE
    finally:
        tracemalloc.stop()


class TestLabelFiles:
    """Label files are tables that people write, or that somebody gave them."""

    def test_a_huge_file_is_refused_before_it_is_read(self, tmp_path):
        """The file system tells its size."""
        path = tmp_path / "truth.csv"
        with path.open("wb") as file:
            file.truncate(200 * MEBIBYTE)
        with pytest.raises(UsageError, match=r"has more than 128 MiB\. Write only the names and labels into it"):
            LabelFile.read(path)
        assert MAX_LABEL_BYTES == 128 * MEBIBYTE

    @pytest.mark.parametrize(
        "content",
        [b"name,label\n" + b"x" * MEBIBYTE, b"name,label\n" + b"a," * MEBIBYTE, b'name,label\n"' + b"a\n" * MEBIBYTE],
        ids=["one cell", "many cells", "a quote that nobody closes"],
    )
    def test_a_row_has_a_bound(self, tmp_path, content):
        """A row without an end would be in memory as a whole, at many bytes for each cell."""
        path = tmp_path / "truth.csv"
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"line \d+: (the row has more than|this is not CSV \(field larger)"):
            LabelFile.read(path)

    def test_the_number_of_rows_has_a_bound(self, tmp_path, monkeypatch):
        """Each row takes a few hundred bytes, so even a file of allowed size can have too many of them."""
        monkeypatch.setattr("producer.sources.labelling.label_file.MAX_IMAGES", 1000)
        path = tmp_path / "truth.csv"
        path.write_text("\n".join(f"{number},1" for number in range(1001)), encoding="utf-8")
        with pytest.raises(UsageError, match=r"The label file .* Submit it in several parts\."):
            LabelFile.read(path)


class TestArrays:
    """The header of an array file is text that anyone can write."""

    @pytest.mark.parametrize(
        "header",
        [
            npy((10**12, 28, 28)),
            npy((60_000_000, 28, 28)),
            npy((3, 28, 28), "|O", b"cos\nsystem\n"),
            npy((1, 28, 28), "|V1000000000"),
            npy((-1, 28, 28)),
            npy((10**30, 28, 28)),
            npy((2, 28, 28), content=bytes(784)),
        ],
        ids=["terabytes", "gigabytes", "Python objects", "wide", "negative", "beyond 64 bits", "cut off"],
    )
    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    def test_a_header_that_claims_too_much_is_refused(self, tmp_path, header, suffix):
        """NumPy allocates what a header claims before it reads, and objects would run code."""
        path = tmp_path / f"images{suffix}"
        if suffix == ".npy":
            path.write_bytes(header)
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("images.npy", header)
        refused(path, r"cannot be read|holds")

    def test_a_sparse_file_does_not_make_names_without_end(self, tmp_path, monkeypatch):
        """A file system stores zeros for nothing, but each image takes a name in memory."""
        monkeypatch.setattr("producer.sources.arrays.formats.numpy_files.MAX_IMAGES", 1000)
        path = tmp_path / "images.npy"
        header = npy((1001, 28, 28))
        with path.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + 1001 * 784)
        refused(path, r"The array file .* Submit it in several parts\.")

    def test_mnist_is_not_unpacked_beyond_its_size(self, tmp_path):
        """A file of a name and a folder that the user gave may be anything."""
        with zipfile.ZipFile(tmp_path / mnist.NPZ, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x_test.npy", npy((60_100, 28, 28), content=bytes(60_100 * 784)))
        with pytest.raises(DataError, match="too large"):
            mnist.load_test(tmp_path)


class TestArchives:
    """An archive is small, and what it unpacks to may not be."""

    def test_a_name_that_no_system_takes_is_one_failure_of_bounded_length(self, tmp_path):
        """Tar has names of a megabyte. Each image still has its own row."""
        path = tmp_path / "long.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for end in ("a", "b"):
                archive.addfile(tarfile.TarInfo("d/" * 100_000 + f"{end}.png"))
            archive.addfile(tarfile.TarInfo("c.png"))
        source = open_source(path)
        assert len(source.names) == 3
        assert max(map(len, source.names)) < MAX_NAME
        assert sum(isinstance(image.content, Failure) for image in source) == 2

    @pytest.mark.parametrize(("bound", "value"), [("MAX_IMAGES", 100), ("MAX_NAMES", 100)])
    @pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
    def test_members_and_their_names_have_a_bound(self, tmp_path, monkeypatch, bound, value, suffix):
        """A member takes hundreds of bytes in memory, and almost none in a compressed archive."""
        monkeypatch.setattr(listing, bound, value)
        path = tmp_path / f"many{suffix}"
        if suffix == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                for number in range(101):
                    archive.writestr(f"{number}.png", b"")
        else:
            with tarfile.open(path, "w:gz") as tar:
                for number in range(101):
                    tar.addfile(tarfile.TarInfo(f"{number}.png"))
        refused(path, r"Submit it in several parts\.")

    def test_the_directory_of_a_zip_is_not_loaded_beyond_its_bound(self, tmp_path, monkeypatch):
        """`zipfile` loads all of it, and makes an object of each entry."""
        monkeypatch.setattr(zips, "_MAX_DIRECTORY_BYTES", 1000)
        path = tmp_path / "many.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(100):
                archive.writestr(f"{number}.png", b"")
        refused(path, r"Submit it in several parts\.")

    def test_a_zip_that_unpacks_without_end_is_refused(self, tmp_path, monkeypatch):
        """Its members may share their bytes, so a small archive may hold thousands of large images."""
        monkeypatch.setattr("producer.sources.tars._MAX_EXPANDED_BYTES", MEBIBYTE)
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(20):
                archive.writestr(f"{number}.png", bytes(MEBIBYTE))
        refused(path, "was made to do harm")

    def test_an_archive_in_an_archive_is_not_unpacked(self, tmp_path):
        """It is a file of another kind, like any that is not an image."""
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("a.png", b"x")
        path = tmp_path / "outer.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.zip", inner.getvalue())
            archive.writestr("b.png", b"x")
        source = open_source(path)
        assert (list(source.names), source.left_out) == (["b.png"], {"archive": 1})


def test_a_huge_picture_among_taught_images_is_skipped(tmp_path):
    """People may put files into the folder. One of 28×28 pixels is never that large."""
    folder = TaughtFolder(tmp_path)
    folder.store(np.zeros((28, 28), np.uint8), 1, "mine")
    [taught] = folder.list()
    assert taught.name() == "mine"
    os.truncate(taught.path, 2 * MEBIBYTE)
    train, held = folder.load()
    assert (len(train), len(held), taught.name()) == (0, 0, "")
