"""Read files that are not trusted: with a limit of bytes, without blocking on a pipe, and without exceptions."""

import os
import stat
from collections.abc import Callable

from model.errors import Failure, FailureCode
from model.images.limits import MAX_BYTES

# Opening a pipe without a writer would block for ever. Windows has no such pipes and no such flag, but a text mode.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_AT_ONCE = 2**20

TOO_LARGE = Failure(FailureCode.TOO_LARGE, f"It has more than {MAX_BYTES // 2**20} MiB. Make it smaller.")


def unreadable(reason: str) -> Failure:
    """Return the failure of a file or archive member. `reason` completes the sentence "It cannot be read: …"."""
    return Failure(FailureCode.UNREADABLE, f"It cannot be read: {reason}.")


def explain(fault: BaseException) -> str:
    """Return the reason of an error, as part of a sentence."""
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return reason.rstrip(".") or type(fault).__name__


def read_file(path: str) -> bytes | Failure:
    """Return the content of a regular file, or of a link to one, or the reason why it cannot be read.

    A file of more than `MAX_BYTES` gives a failure.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return unreadable("it is not a regular file")
            return read_bounded(lambda size: os.read(descriptor, size), status.st_size)
        finally:
            os.close(descriptor)
    except OSError as fault:
        return unreadable(explain(fault))


def read_bounded(read: Callable[[int], bytes], declared: int) -> bytes | Failure:
    """Read to the end, but at most one byte more than `MAX_BYTES`; return the content, or a failure if it is larger.

    Args:
        read: Function that takes a size and returns at most that number of the next bytes, or b"" at the end.
        declared: Declared number of bytes, which may be wrong. If it is above the limit, nothing is read.

    Raises:
        Exception: Any exception of `read`.
    """
    if declared > MAX_BYTES:
        return TOO_LARGE
    parts = [read(declared + 1)]
    size = len(parts[0])
    while size <= MAX_BYTES and (more := read(min(_AT_ONCE, MAX_BYTES + 1 - size))):
        parts.append(more)
        size += len(more)
    return TOO_LARGE if size > MAX_BYTES else b"".join(parts)
