"""Images in MNIST's form, uint8 (n, 28, 28): arrays in memory, NumPy files and IDX files."""

import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from model.data import idx
from model.errors import DataError, UsageError
from producer.sources.listing import MAX_IMAGES, Listing, too_many
from producer.sources.reading import explain
from producer.sources.zips import check_member
from worker.contract.wire import Label, is_number

_MAX_BYTES = 2 * 1024**3
"""Maximum size of arrays that are loaded into memory as a whole: 2.7 million images."""

_IMAGES = struct.Struct(">xxBBIII")  # the header of an IDX file of images: type, dimensions, count, height, width
_IDX_START = b"\x00\x00\x08"  # of any IDX file of unsigned bytes
_GZIP_START = b"\x1f\x8b"


class Array:
    """The images of one array. Their names are indices with leading zeros, so that sorting keeps the order.

    Args:
        images: uint8 (n, 28, 28), light ink on black.
        labels: integers (n,), true digits 0 to 9 or numbers; or texts (n,), true numbers; or None.
        prefix: Beginning of every name.
        repeat: Number of times that the source has each image. Above 1, names end in `#1`, `#2`, ….
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.integer[Any]] | NDArray[np.str_] | None = None,
        *,
        prefix: str = "",
        repeat: int = 1,
    ) -> None:
        self._images = images
        width = max(5, len(str(len(images) - 1)))
        marks = [""] if repeat == 1 else [f"#{number}" for number in range(1, repeat + 1)]
        places = {f"{prefix}{index:0{width}}{mark}": index for mark in marks for index in range(len(images))}
        known: Mapping[str, Label] = {}
        if labels is not None:
            digits = labels.tolist()
            known = {name: digits[index] for name, index in places.items()}
        self.listing = Listing(images=places, labels=known)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], NDArray[np.uint8]]]:
        """Yield a function that returns the image at an index as a view, uint8 (28, 28)."""
        yield self._images.__getitem__


def open_npy(path: Path) -> Array:
    """Open and return a NumPy file of one array, uint8 (n, 28, 28). It may have any size, because it is memory-mapped.

    Raises:
        UsageError: The file is damaged, or has another dtype or shape.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except Exception as fault:  # NumPy evaluates the header as a literal, which fails in many ways
        raise _damaged(path, explain(fault)) from None
    if not _are_images(array):
        raise _other_content(path, f"{array.dtype} {array.shape}")
    if len(array) > MAX_IMAGES:
        raise too_many(f"The array file {str(path)!r}")
    return Array(np.asarray(array))  # a memmap's rows would be memmaps, which are slow to make


def open_npz(path: Path, *, numbers: bool = False) -> Array:
    """Open and return a NumPy archive with one array of images, uint8 (n, 28, 28).

    If the archive has exactly one array of n integers 0 to 9 as well, these are the labels. If numbers were asked for,
    the labels are instead n integers of at least 0, or n texts of digits.

    Raises:
        UsageError: The archive is damaged, or does not have exactly one array of images.
    """
    try:
        arrays = _load_npz(path)
    except UsageError:
        raise
    except Exception as fault:  # as above, and zipfile's dozen
        raise _damaged(path, explain(fault)) from None
    images = {name: array for name, array in arrays.items() if _are_images(array)}
    if not images:
        raise _other_content(path, ", ".join(f"{name}: {array.dtype} {array.shape}" for name, array in arrays.items()))
    if len(images) > 1:
        raise UsageError(
            f"{str(path)!r} holds several arrays of images ({', '.join(images)}). Save the one you mean as a .npy file."
        )
    (chosen,) = images.values()
    if numbers:
        found = [given for array in arrays.values() if (given := _numbers_in(array, len(chosen))) is not None]
        return Array(chosen, found[0] if len(found) == 1 else None)
    labels = [array for array in arrays.values() if _are_labels(array, len(chosen))]
    return Array(chosen, labels[0] if len(labels) == 1 else None)


def open_idx(path: Path) -> Array | None:
    """Open an IDX file of images, gzipped or not, with the label file beside it if there is one.

    MNIST is published in this format. The labels of `…-images-idx3-ubyte` are in `…-labels-idx1-ubyte`.

    Returns:
        The images, or None if the file does not begin like an IDX file.

    Raises:
        UsageError: The file is damaged or too large, has something other than images of 28 by 28 pixels, or the labels
            beside it are not digits.
    """
    try:
        header = _read_start(path, _IMAGES.size)
    except (OSError, EOFError, zlib.error):
        return None
    if not header.startswith(_IDX_START):
        return None
    if len(header) < _IMAGES.size:
        raise _damaged(path, "it ends within its header")
    _, dimensions, count, height, width = _IMAGES.unpack(header)
    if (dimensions, height, width) != (3, 28, 28):
        raise _other_content(path, "an IDX file of something else")
    if count * 784 > _MAX_BYTES:
        raise _too_large(path)
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    try:
        images = idx.read(path, (count, 28, 28))
        digits = idx.read(labels, (count,)) if labels != path and labels.is_file() else None
    except DataError as error:
        raise UsageError(str(error)) from None
    except zlib.error as fault:
        raise _damaged(path, explain(fault)) from None
    if digits is not None and not _are_labels(digits, count):
        raise UsageError(f"{str(labels)!r} holds labels other than 0 to 9. Put the right file there, or move it away.")
    return Array(images, digits)


def _load_npz(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if sum(member.file_size for member in members) > _MAX_BYTES:
            raise _too_large(path)
        arrays = {}
        for member in members:
            if failure := check_member(member):
                raise _damaged(path, f"{member.filename!r}: {failure.sentence}")
            with archive.open(member) as file:
                _check_header(file, member.file_size)
            with archive.open(member) as file:
                arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _check_header(file: IO[bytes], size: int) -> None:
    """Check that an array is not larger than the file that holds it, because NumPy allocates what the header says.

    Raises:
        ValueError: The header is damaged, or says too much.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if math.prod(shape) * dtype.itemsize > size or any(length < 0 for length in shape):
        raise ValueError("its header says that it is larger than it is")


def _read_start(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        start = file.read(size)
    if start.startswith(_GZIP_START):
        with gzip.open(path) as file:
            return file.read(size)
    return start


def _are_images(array: NDArray[Any]) -> bool:
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[1:] == (28, 28)


def _are_labels(array: NDArray[Any], count: int) -> bool:
    return (
        np.issubdtype(array.dtype, np.integer) and array.shape == (count,) and bool(((array >= 0) & (array <= 9)).all())
    )


def _numbers_in(array: NDArray[Any], count: int) -> NDArray[np.integer[Any]] | NDArray[np.str_] | None:
    """Return the numbers in an array of n integers or texts, or None if it has something else."""
    if array.shape != (count,) or array.dtype.kind not in "iuUS":
        return None
    if array.dtype.kind in "iu":
        return array if bool((array >= 0).all()) else None
    texts = np.char.decode(array, "latin-1") if array.dtype.kind == "S" else array.astype(np.str_)
    return texts if all(map(is_number, texts.tolist())) else None


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(f"The array file {str(path)!r} cannot be read: {reason.rstrip('.')}. Write it again.")


def _other_content(path: Path, content: str) -> UsageError:
    return UsageError(
        f"{str(path)!r} holds {content or 'nothing'}, not images as uint8 (n, 28, 28), light ink on black. "
        "Convert them to that form, or submit image files."
    )


def _too_large(path: Path) -> UsageError:
    return UsageError(
        f"{str(path)!r} unpacks to more than {_MAX_BYTES // 1024**3} GiB. Save the images as a .npy file, because "
        "digitmill does not load that as a whole."
    )
