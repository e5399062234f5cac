"""Read files that are not trusted: with a limit of bytes, without blocking on a pipe, and without exceptions."""

import io
import os
import stat
from collections.abc import Callable
from typing import BinaryIO, cast

from model.errors import Failure, FailureCode
from model.images.decoding.formats import START_BYTES
from model.images.limits import MAX_BYTES

MAX_DOCUMENT_BYTES = 8 * MAX_BYTES
"""Maximum size of a document of several pages in an archive, and of a file that a watcher compares, in bytes.

All of it is in memory while it is read."""

# Opening a pipe without a writer would block for ever. Windows has no such pipes and no such flag, but a text mode.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_AT_ONCE = 2**20

TOO_LARGE = Failure(FailureCode.TOO_LARGE, f"It has more than {MAX_BYTES // 2**20} MiB. Make it smaller.")


def unreadable(reason: str) -> Failure:
    """Return the failure of a file or archive member. `reason` completes the sentence "It cannot be read: …"."""
    return Failure(FailureCode.UNREADABLE, f"It cannot be read: {reason}.")


_NOT_REGULAR = unreadable("it is not a regular file")


def explain(fault: BaseException) -> str:
    """Return the reason of an error, as part of a sentence."""
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return reason.rstrip(".") or type(fault).__name__


def read_file(path: str, at_most: int = MAX_BYTES) -> bytes | Failure:
    """Return the content of a regular file, or of a link to one, or the reason why it cannot be read.

    A file of more than `at_most` bytes gives a failure.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return _NOT_REGULAR
            if 0 < status.st_size <= at_most:
                content = os.read(descriptor, status.st_size + 1)
                if len(content) == status.st_size:  # less than was asked for, so this is all of it
                    return content
                os.lseek(descriptor, 0, os.SEEK_SET)
            return read_bounded(lambda size: os.read(descriptor, size), status.st_size, at_most)
        finally:
            os.close(descriptor)
    except OSError as fault:
        return unreadable(explain(fault))


def read_start(path: str) -> bytes | Failure:
    """Return the first bytes of a regular file, or of a link to one, or the reason why it cannot be read."""
    file = open_file(path)
    if isinstance(file, Failure):
        return file
    with file:
        try:
            return file.read(START_BYTES)
        except OSError as fault:
            return unreadable(explain(fault))


def open_file(path: str) -> BinaryIO | Failure:
    """Open a regular file, or a link to one, for reading, or return the reason why it cannot be read."""
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except OSError as fault:
        return unreadable(explain(fault))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return _NOT_REGULAR
    return cast("BinaryIO", io.FileIO(descriptor))


def read_bounded(read: Callable[[int], bytes], declared: int, at_most: int = MAX_BYTES) -> bytes | Failure:
    """Read to the end, but at most one byte more than `at_most`; return the content, or a failure if it is larger.

    Args:
        read: Function that takes a size and returns at most that number of the next bytes, or b"" at the end.
        declared: Declared number of bytes, which may be wrong. If it is above the limit, nothing is read.
        at_most: Limit, in bytes.

    Raises:
        Exception: Any exception of `read`.
    """
    if declared > at_most:
        return TOO_LARGE
    parts = [read(declared + 1)]
    size = len(parts[0])
    while size <= at_most and (more := read(min(_AT_ONCE, at_most + 1 - size))):
        parts.append(more)
        size += len(more)
    return TOO_LARGE if size > at_most else b"".join(parts)


class GoneReader:
    """Gives a failure for every file of an archive that cannot be opened again; see `listing.FileReader`."""

    def __init__(self, fault: Exception) -> None:
        self._failure = unreadable(f"the archive has changed or is gone ({explain(fault)})")

    def __call__(self, place: object, /) -> Failure:  # noqa: ARG002  as in `listing.FileReader`
        """Return the failure."""
        return self._failure

    def document(self, place: object, /) -> Failure:  # noqa: ARG002  as in `listing.FileReader`
        """Return the failure."""
        return self._failure
