"""The IDX file format of MNIST (http://yann.lecun.com/exdb/mnist/), for arrays of unsigned bytes.

A file holds two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
32-bit integer, and the values in C order.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 8


def read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read the array in an IDX file.

    It never unpacks more than one byte beyond what the shape needs, whatever the file holds.

    Args:
        path: File to read, gzipped or not.
        shape: Shape that the array must have.

    Returns:
        The array, uint8, of that shape.

    Raises:
        DataError: The file cannot be read, is not an IDX file of unsigned bytes, or is too short, too long or of
            another shape.
    """
    limit = len(_header(shape)) + int(np.prod(shape)) + 1  # one more byte than belongs there, to find longer files
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
            file.seek(0)
            content = gzip.GzipFile(fileobj=file).read(limit) if packed else file.read(limit)
    except (OSError, EOFError, zlib.error) as error:  # gzip's own BadGzipFile is an OSError
        raise DataError(f"Cannot read {path}: {error}. Put the original file there.") from error
    try:
        return parse(content, shape)
    except DataError as error:
        raise DataError(f"{path}: {error} Put the original file there.") from error


def parse(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode the content of an IDX file.

    Args:
        content: Content of the file, not gzipped.
        shape: Shape that the array must have.

    Returns:
        The array, uint8, of that shape. It is read-only.

    Raises:
        DataError: The content is not an IDX file of unsigned bytes, or is too short, too long or of another shape.
    """
    header = _header(shape)
    if content[:4] != header[:4]:
        raise DataError(f"This is not an IDX file of {len(shape)}-dimensional unsigned bytes.")
    if content[: len(header)] != header:
        raise DataError(f"This IDX file does not hold {' by '.join(map(str, shape))} values.")
    if len(content) - len(header) != np.prod(shape):
        raise DataError("This IDX file is shorter or longer than its header says.")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def dump(array: NDArray[np.uint8]) -> bytes:
    """Encode an array, uint8 of any shape, as the content of an IDX file."""
    return _header(array.shape) + array.tobytes()


def _header(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">xxBB{len(shape)}I", _UNSIGNED_BYTE, len(shape), *shape)
