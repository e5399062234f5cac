"""Read files that may be gzipped. The first bytes of a file tell it, and not its name."""

import gzip
from pathlib import Path
from typing import BinaryIO, cast

_GZIP_START = b"\x1f\x8b"


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked if it is gzipped.

    Raises:
        OSError: The file cannot be read.
    """
    file = path.open("rb")
    if file.peek(2).startswith(_GZIP_START):
        file.close()
        return cast("BinaryIO", gzip.open(path))
    return file


def read_unpacked(path: Path, size: int) -> bytes:
    """Return the first bytes of a file, unpacked if it is gzipped.

    Raises:
        EOFError: The file is cut off.
        OSError: The file cannot be read, or is damaged.
        zlib.error: The file is damaged.
    """
    with open_unpacked(path) as file:
        return file.read(size)
