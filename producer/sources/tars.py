"""A tar archive, compressed or not, read without unpacking it to disk."""

import bz2
import gzip
import importlib
import io
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self, cast

from model.errors import Failure, UsageError
from model.images.decoding.formats import START_BYTES
from model.images.limits import MAX_BYTES
from producer.sources.listing import FileReader, Listing
from producer.sources.reading import MAX_DOCUMENT_BYTES, TOO_LARGE, GoneReader, explain, unreadable

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")

# An archive that exceeds both limits was made to do harm.
_MAX_EXPANDED_BYTES = 16 * 1024**3
_MAX_EXPANSION = 200

_MAX_EXTENDED_HEADER_BYTES = 1024 * 1024
_EXTENDED_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_MEBIBYTE = 1024 * 1024


class Extent(NamedTuple):
    """Position of a member's bytes in the uncompressed archive."""

    start: int
    size: int


class Tar:
    """The images in a tar archive, in its order.

    Opening an archive reads all of it once. There is no other way to learn how many images it has, whether all of them
    lie in folders named by digits, and which one of several members with the same name is the last. Sparse files and
    links become failures. `tar` also writes a link if one file has two names. If an archive is damaged or cut off, its
    undamaged beginning is read, and the rest is one failure with the name of the archive.

    Raises:
        UsageError: The file is not a tar archive, or is damaged before its first member.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.listing: Listing[Extent] = Listing()
        try:
            with _open_stream(path) as stream:
                _list_members(stream, path.stat().st_size, self.listing)
        except UsageError:
            raise
        except Exception as fault:  # tarfile raises errors of many kinds on damaged input
            if not self.listing.images and not self.listing.failures:
                raise UsageError(
                    f"The archive {str(path)!r} cannot be read: {explain(fault)}. It may be damaged, or not a tar "
                    "archive. Copy it again, or unpack it and submit the folder."
                ) from None
            self.listing.gaps[path.name] = unreadable(
                f"the archive is damaged or cut off ({explain(fault)}), and the job has no images from the rest; "
                "copy or pack it again"
            )

    @contextmanager
    def opened(self) -> Iterator[FileReader[Extent]]:
        """Open the archive and yield a reader of members. If the archive is gone, the reader returns failures."""
        try:
            stream = _open_stream(self._path)
        except (OSError, UsageError) as fault:
            yield GoneReader(fault)
            return
        with stream:
            yield _MemberReader(stream)


class _MemberReader:
    """Reads members of an open archive; see `listing.FileReader`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __call__(self, place: Extent, /) -> bytes | Failure:
        return _read_member(self._stream, place)

    def document(self, place: Extent, /) -> BinaryIO | Failure:
        content = _read_member(self._stream, place, MAX_DOCUMENT_BYTES)
        return content if isinstance(content, Failure) else io.BytesIO(content)


class _DamagedError(tarfile.TarError):
    """The archive ends or continues in a way in which no whole archive does."""


class _Header(tarfile.TarInfo):
    """A member's header that raises an error where `tarfile` trusts the archive.

    `tarfile` stops without an error at a header that it cannot read, and at the end of a file that was cut off between
    two members. It also loads extended headers of any size.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as fault:
            if buf.count(0) == tarfile.BLOCKSIZE:
                raise  # a block of zeros ends every whole archive
            raise _DamagedError(str(fault)) from None
        if header.type in _EXTENDED_HEADERS and header.size > _MAX_EXTENDED_HEADER_BYTES:
            raise _DamagedError("an extended header is too large")
        return header


def max_expanded(packed_bytes: int) -> int:
    """Return the maximum number of bytes that an archive may expand to.

    Args:
        packed_bytes: Size of the archive.
    """
    return max(_MAX_EXPANDED_BYTES, _MAX_EXPANSION * packed_bytes)


def _list_members(stream: BinaryIO, packed_bytes: int, listing: Listing[Extent]) -> None:
    """Add every member to `listing`.

    Raises:
        Exception: The rest of the archive is damaged.
    """
    max_bytes = max_expanded(packed_bytes)
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header, encoding="utf-8") as archive:
        while (header := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # or it keeps them all; typeshed lacks `members`
            # With a negative size older Pythons go back and never end (CVE-2025-8194).
            if header.size < 0 or header.offset_data + header.size > max_bytes:
                raise _DamagedError(f"a member claims {header.size:,} bytes")
            if not header.isdir():
                found = _locate(header)
                listing.add_member(header.name, found, partial(_start, stream, found))
    if not isinstance(stream, io.BufferedReader):
        # Python verifies a compressed stream at its end.
        while stream.read(_MEBIBYTE):
            if stream.tell() > max_bytes:
                raise _DamagedError("it expands without end")


def _locate(header: tarfile.TarInfo) -> Extent | Failure:
    """Return the position of a member's bytes, or the reason why it cannot be read."""
    if header.issparse():
        return unreadable("it is stored as a sparse file; pack it again without that option")
    if header.islnk() or header.issym():
        return unreadable("it is a link in the archive; pack it again with `tar --dereference --hard-dereference`")
    if not header.isreg():
        return unreadable("it is not a regular file")
    return Extent(header.offset_data, header.size)


def _open_stream(path: Path) -> BinaryIO:
    """Return a stream of the uncompressed archive. The first bytes of the file, not its name, tell the compression.

    Raises:
        OSError: The file cannot be opened.
        UsageError: This version of Python cannot read the compression.
    """
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.open(path))
    if start.startswith(b"BZh"):
        return cast("BinaryIO", bz2.open(path))
    if start == b"\xfd7zXZ\x00":
        return cast("BinaryIO", lzma.open(path))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            zstd = importlib.import_module("compression.zstd")
        except ImportError:
            raise UsageError(
                f"{str(path)!r} is compressed with zstd, which only Python 3.14 or newer can read. Unpack it and "
                "submit the folder, or pack it as .tar.gz."
            ) from None
        return cast("BinaryIO", zstd.open(path))
    return path.open("rb")


def _start(stream: BinaryIO, found: Extent | Failure) -> bytes | Failure:
    """Return the first bytes of a member that has just been listed. So the stream need not go back for them.

    Raises:
        Exception: The archive is damaged here.
    """
    if isinstance(found, Failure):
        return found
    if stream.tell() != found.start:
        stream.seek(found.start)
    return stream.read(min(START_BYTES, found.size))


def _read_member(stream: BinaryIO, extent: Extent, at_most: int = MAX_BYTES) -> bytes | Failure:
    if extent.size > at_most:
        return TOO_LARGE
    try:
        stream.seek(extent.start)
        content = stream.read(extent.size)
    except Exception as fault:  # a damaged stream raises OSError, EOFError, zlib.error, LZMAError, ...
        return unreadable(f"it is damaged in the archive ({explain(fault)})")
    if len(content) < extent.size:
        return unreadable("the archive ends in the middle of it")
    return content
