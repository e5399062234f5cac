"""MNIST: 60,000 handwritten digits to train on and 10,000 to test on (LeCun, Cortes, Burges).

This module reads MNIST from a folder that holds the four IDX files (gzipped or not) or mnist.npz, from a cache, or from
the network. In each case checksums prove that it is MNIST, byte for byte.
"""

import hashlib
import http.client
import math
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.data import idx
from model.data.digits import Dataset, Digits
from model.errors import DataError, UsageError
from model.private_files import make_private_folder

NPZ = "mnist.npz"
URL = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{NPZ}"
NPZ_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
"""SHA-256 of mnist.npz, as in Keras, keras/src/datasets/mnist.py."""

NPZ_BYTES = 11_490_434
_MAX_HEADER = 16 * 1024  # bytes before the values of an array in mnist.npz
_TIMEOUT = 15  # seconds without a byte, after which a download fails

# For each part: name in IDX files, name in mnist.npz, shape, SHA-256 of the values. The values come from the files that
# have, unzipped, the well-known MD5 sums 6bbc9ace… (training images), a25bea73… (their labels), 2646ac64… (test images)
# and 27ae3e4e… (their labels).
_PARTS = {
    "train": (
        (
            "train-images",
            "x_train",
            (60_000, 28, 28),
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        ),
        ("train-labels", "y_train", (60_000,), "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    ),
    "test": (
        ("t10k-images", "x_test", (10_000, 28, 28), "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
        ("t10k-labels", "y_test", (10_000,), "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
    ),
}


def load(folder: Path | None = None, *, cache: Path | None = None, download: bool = False) -> Dataset:
    """Load MNIST from a folder, or else from the cache, or else from the network.

    Args:
        folder: Folder that holds the four IDX files or mnist.npz. If it is given, nothing else is tried.
        cache: Folder that may hold these files too, and that keeps a download.
        download: Whether to download mnist.npz (11 MB) into the cache if the cache does not hold MNIST.

    Returns:
        The 60,000 training images and the 10,000 test images.

    Raises:
        DataError: MNIST is not there, cannot be downloaded or kept, or the files are not MNIST's.
    """
    place = _find(folder, cache, download=download)
    return Dataset("mnist", _load(place, "train"), _load(place, "test"))


def load_test(folder: Path | None = None, *, cache: Path | None = None, download: bool = False) -> Digits:
    """Load MNIST's 10,000 test images without reading the 60,000 training images.

    Args:
        folder: Folder that holds MNIST, as for `load`.
        cache: Folder of downloads, as for `load`.
        download: Whether to download MNIST, as for `load`.

    Raises:
        DataError: MNIST is not there, cannot be downloaded or kept, or the files are not MNIST's.
    """
    return _load(_find(folder, cache, download=download), "test")


class _Place(NamedTuple):
    """A folder that holds files of MNIST's names."""

    folder: Path
    remedy: str  # what to do if a file there is not MNIST's


def _find(folder: Path | None, cache: Path | None, *, download: bool) -> _Place:
    """Return the place that holds MNIST, after a download if necessary."""
    if folder is not None:
        if not _has_mnist(folder):
            raise DataError(
                f"{folder} does not hold MNIST. Put its four IDX files (train-images-idx3-ubyte.gz and so on) or "
                f"{NPZ} there, or name another folder."
            )
        return _Place(folder, "Put the original file there, or name another folder that holds MNIST.")
    if cache is None or not (download or _has_mnist(cache)):
        raise DataError(f"MNIST was not found. Name a folder that holds its four IDX files or {NPZ}.")
    if not _has_mnist(cache):
        _download(cache)
    if download:
        return _Place(cache, "Remove it, so that digitmill downloads MNIST into the cache again.")
    return _Place(cache, "Put the original file there, or name a folder that holds MNIST.")


def _has_mnist(folder: Path) -> bool:
    named = [name for part in _PARTS.values() for name, *_ in part]
    return (folder / NPZ).is_file() or all(_idx_file(folder, name) for name in named)


def _idx_file(folder: Path, name: str) -> Path | None:
    kind = "idx3" if name.endswith("images") else "idx1"
    candidates = (folder / f"{name}{mark}{kind}-ubyte{end}" for mark in "-." for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _load(place: _Place, part: str) -> Digits:
    images, labels = _arrays(place, part)
    return Digits(images, labels)


def _arrays(place: _Place, part: str) -> Iterator[NDArray[np.uint8]]:
    for name, key, shape, expected in _PARTS[part]:
        path = _idx_file(place.folder, name)
        array = idx.read(path, shape) if path else _read_npz(place, key)
        if array.shape != shape or hashlib.sha256(array.data).hexdigest() != expected:
            file = path or place.folder / NPZ
            raise DataError(f"{file} is not MNIST's (its checksum differs). {place.remedy}")
        yield array


def _read_npz(place: _Place, key: str) -> NDArray[np.uint8]:
    path = place.folder / NPZ
    try:
        with np.load(path, allow_pickle=False) as arrays:
            _check_size(arrays.zip.getinfo(f"{key}.npy"))
            return np.ascontiguousarray(arrays[key], dtype=np.uint8)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a readable {NPZ} ({error}). {place.remedy}") from error


def _check_size(member: zipfile.ZipInfo) -> None:
    """Check that a member is not larger than MNIST's largest, before it is unpacked.

    Raises:
        ValueError: It is larger.
    """
    if member.file_size > max(math.prod(shape) for *_, shape, _ in _PARTS["train"]) + _MAX_HEADER:
        raise ValueError(f"{member.filename} is too large")


def _download(cache: Path) -> None:
    """Download mnist.npz into the cache. It appears there completely or not at all."""
    try:
        make_private_folder(cache)  # before the download, which would be lost without it
    except UsageError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        raise _cannot_keep(cache, error) from error
    try:
        with urllib.request.urlopen(URL, timeout=_TIMEOUT) as response:
            content = response.read(NPZ_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise DataError(
            f"Cannot download MNIST from {URL} ({error}). Download it elsewhere, and name the folder that holds it."
        ) from error
    if hashlib.sha256(content).hexdigest() != NPZ_SHA256:
        raise DataError(
            f"The file from {URL} is not MNIST (its checksum differs). Try again, or name a folder that holds MNIST."
        )
    try:
        with tempfile.TemporaryDirectory(dir=cache) as private:  # it is removed even if writing fails
            draft = Path(private) / NPZ
            draft.write_bytes(content)
            draft.chmod(cache.stat().st_mode & 0o644)  # several users may share a cache that one of them made for all
            draft.replace(cache / NPZ)
    except OSError as error:
        raise _cannot_keep(cache, error) from error


def _cannot_keep(cache: Path, error: OSError) -> DataError:
    return DataError(f"Cannot keep MNIST in {cache}: {error.strerror}. Name another folder for the cache.")
