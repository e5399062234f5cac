"""Reading files that are not trusted: at most the bytes of an image, no pipe that blocks, and no exception."""

import os
import stat
from collections.abc import Callable

from model.errors import Failure, FailureCode
from model.images.limits import MAX_BYTES

# Opening a pipe that nobody writes to would block for ever. Windows has no such pipes and no such flag, but text mode.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_AT_ONCE = 2**20

TOO_LARGE = Failure(FailureCode.TOO_LARGE, f"It has more than {MAX_BYTES // 2**20} MiB. Make it smaller.")


def unreadable(reason: str) -> Failure:
    """Return the failure of a file or archive member; `reason` completes "It cannot be read: …"."""
    return Failure(FailureCode.UNREADABLE, f"It cannot be read: {reason}.")


def explain(fault: BaseException) -> str:
    """Return the reason of a fault, as part of a sentence."""
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return reason.rstrip(".") or type(fault).__name__


def read_file(path: str) -> bytes | Failure:
    """Read a regular file, or a link to one, of at most `MAX_BYTES`."""
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
    """Read to the end, but at most one byte more than `MAX_BYTES`.

    Args:
        read: Function that returns at most so many of the next bytes, and none at the end.
        declared: Declared number of bytes. It saves reading a file that is too large; nothing else relies on it.

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
