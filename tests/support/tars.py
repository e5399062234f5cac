"""Tar archives that nobody writes by accident."""

import tarfile


def _header(kind: bytes, size: int) -> bytes:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


HOSTILE = {
    "nested": 2000 * (_header(tarfile.GNUTYPE_LONGNAME, 1) + bytes(tarfile.BLOCKSIZE)),
    "endless": _header(tarfile.XHDTYPE, 1 << 62),
}
"""Headers about headers, more than Python's stack holds; and one that is larger than any memory."""
