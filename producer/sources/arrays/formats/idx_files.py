"""IDX files, the format in which MNIST is published."""

import math
import struct
import zlib
from pathlib import Path

from model.data import idx
from model.errors import DataError, UsageError
from producer.sources.arrays.container import Array
from producer.sources.arrays.conversion import ChooseForm
from producer.sources.arrays.digits import as_digits
from producer.sources.arrays.faults import MAX_BYTES, damaged, other_content, too_large
from producer.sources.arrays.formats.numpy_files import make_array
from producer.sources.reading import explain

_LABELS, _IMAGES = 1, 3  # numbers of dimensions
_START = b"\x00\x00\x08"  # of any IDX file of unsigned bytes
_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_HEADER = struct.Struct(">xxBBIII")  # of a file of images: type, dimensions, count, height, width


def open_idx(path: Path, start: bytes, choose: ChooseForm) -> Array | None:
    """Open an IDX file of images, gzipped or not, with the label file beside it if there is one.

    MNIST is published in this format. The labels of `…-images-idx3-ubyte` are in `…-labels-idx1-ubyte`.

    Args:
        path: Path of the file.
        start: First bytes of the file, unpacked.
        choose: Function that chooses the form of its images.

    Returns:
        The images, or None if the file does not begin like an IDX file.

    Raises:
        UsageError: The file is damaged or too large, has something other than images, or the labels beside it are not
            digits.
    """
    shape = _read_shape(path, start)
    if shape is None:
        return None
    count = shape[0]
    labels = _beside(path, ("images", "labels"), ("idx3", "idx1"))
    try:
        array = idx.read(path, shape)
        digits = idx.read(labels, (count,)) if labels else None
    except DataError as error:
        raise UsageError(str(error)) from None
    except zlib.error as fault:
        raise damaged(path, explain(fault)) from None
    if digits is not None and count and as_digits(digits, count) is None:
        raise UsageError(f"{str(labels)!r} holds labels other than 0 to 9. Put the right file there, or move it away.")
    return make_array(array, path, choose, None if digits is None else {"labels": digits})


def _read_shape(path: Path, start: bytes) -> tuple[int, int, int] | None:
    """Return number, height and width of the images in an IDX file, or None if the file does not begin like one.

    Raises:
        UsageError: The file is too large, or has something other than images.
    """
    if not start.startswith(_START):
        if start[:2] == b"\0\0" and start[2:3] and start[2] in _TYPES and start[3:4] == b"\x03":
            raise other_content(path, f"an IDX file of {_TYPES[start[2]]}")
        return None
    if start[3:4] == bytes([_LABELS]):
        images = _beside(path, ("labels", "images"), ("idx1", "idx3"))
        more = f" Its images are in {str(images)!r}." if images else ""
        raise UsageError(f"{str(path)!r} holds labels, not images.{more}")
    if len(start) < _HEADER.size:
        raise damaged(path, "it ends within its header")
    _, dimensions, count, height, width = _HEADER.unpack_from(start)
    if dimensions != _IMAGES:
        raise other_content(path, "an IDX file of something else")
    if math.prod((count, height, width)) > MAX_BYTES:
        raise too_large(path)
    return count, height, width


def _beside(path: Path, *replaced: tuple[str, str]) -> Path | None:
    """Return the file beside this one whose name has other words, or None if there is none."""
    name = path.name
    for old, new in replaced:
        name = name.replace(old, new)
    other = path.with_name(name)
    return other if other != path and other.is_file() else None
