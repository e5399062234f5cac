"""A zip archive, read without unpacking it to disk."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from model.errors import Failure, UsageError
from model.images.decoding.formats import START_BYTES
from model.images.limits import MAX_BYTES
from producer.sources.listing import FileReader, Listing, too_many
from producer.sources.reading import MAX_DOCUMENT_BYTES, GoneReader, explain, read_bounded, unreadable
from producer.sources.tars import max_expanded

ZIP_SUFFIXES = (".zip",)

_ENCRYPTED, _UTF8 = 0x1, 0x800  # bits of a member's flags
_UNICODE_PATH = 0x7075  # kind of an extra field
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DIRECTORY_BYTES = 5  # position in what `zipfile` knows of the end of an archive
_MAX_DIRECTORY_BYTES = 128 * 1024**2  # of at most 2.8 million members, which take 2 GB of memory
_UNIX = 3  # members from this system have file modes in the upper half of their external attributes


class Zip:
    """The images in a zip archive, in the order of its directory.

    A member that is encrypted, is a link, or is compressed by a method other than deflate becomes a failure. `zipfile`
    unpacks bzip2 and LZMA in whole blocks, so a bomb would fill the memory. Zip programs use these methods only on
    request.

    Raises:
        UsageError: The file is not a zip archive, its directory is damaged, or it was made to do harm.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.listing: Listing[zipfile.ZipInfo] = Listing()
        try:
            _check_directory(path)
            archive = zipfile.ZipFile(path)
        except UsageError:
            raise
        except Exception as fault:  # zipfile raises errors of many kinds on damaged input
            raise UsageError(
                f"The archive {str(path)!r} cannot be read: {explain(fault)}. It may be damaged or cut off. "
                "Copy it again, or unpack it and submit the folder."
            ) from None
        expanded = 0
        with archive:
            for member in archive.infolist():
                expanded += min(member.file_size, MAX_BYTES)  # a larger one is not read
                if expanded > max_expanded(path.stat().st_size):
                    raise UsageError(
                        f"The archive {str(path)!r} expands to far more than its size. It was made to do harm, so "
                        "digitmill does not read it."
                    )
                # Old Windows programs write backslashes, which the specification forbids.
                name = _name(member).replace("\\", "/")
                if not name.endswith("/"):  # is_dir() fails on a member without a name
                    self.listing.add_member(name, check_member(member) or member, partial(_start, archive, member))

    @contextmanager
    def opened(self) -> Iterator[FileReader[zipfile.ZipInfo]]:
        """Open the archive and yield a reader of members. If the archive is gone, the reader returns failures."""
        try:
            archive = zipfile.ZipFile(self._path)
        except Exception as fault:  # as above
            yield GoneReader(fault)
            return
        with archive:
            yield _MemberReader(archive)


class _MemberReader:
    """Reads members of an open archive; see `listing.FileReader`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def __call__(self, place: zipfile.ZipInfo, /) -> bytes | Failure:
        return _read_member(self._archive, place)

    def document(self, place: zipfile.ZipInfo, /) -> BinaryIO | Failure:
        content = _read_member(self._archive, place, MAX_DOCUMENT_BYTES)
        return content if isinstance(content, Failure) else BytesIO(content)


def _name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member, whatever program wrote it.

    Programs on macOS and Linux write UTF-8 without the flag that says so. Some others write code page 437, which
    `zipfile` takes for granted, and add the name in UTF-8 in an extra field (APPNOTE.TXT, 4.6.9). A name from Linux
    that is neither keeps its bytes, as in a folder (surrogateescape).
    """
    if member.flag_bits & _UTF8 or member.filename.isascii():
        return member.filename
    raw = member.orig_filename.encode("cp437")
    unicode = _unicode_name(member.extra, raw)
    if unicode is not None:
        return unicode
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape") if member.create_system == _UNIX else member.filename


def _unicode_name(extra: bytes, raw: bytes) -> str | None:
    """Return the name in the extra field of a member, if it is that of these bytes."""
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and field[:1] == b"\1" and int.from_bytes(field[1:5], "little") == zlib.crc32(raw):
            return field[5:].decode("utf-8", "surrogateescape")
    return None


def _start(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | Failure:
    try:
        with archive.open(member) as file:
            return file.read(START_BYTES)
    except Exception as fault:  # as above
        return unreadable(f"it is damaged in the archive ({explain(fault)})")


def check_member(member: zipfile.ZipInfo) -> Failure | None:
    """Return the failure of a member that cannot be read safely, or None."""
    if member.flag_bits & _ENCRYPTED:
        return unreadable("it is encrypted; unpack the archive with its password and submit the folder")
    if member.create_system == _UNIX and stat.S_ISLNK(member.external_attr >> 16):
        return unreadable("it is a link in the archive, and those are not followed; pack the file itself")
    if member.compress_type not in _METHODS:
        method = member.compress_type
        return unreadable(f"it is compressed by method {method}; pack it again with deflate, the usual method (8)")
    return None


def _check_directory(path: Path) -> None:
    """Check the size of an archive's directory, because `zipfile` loads all of it.

    Raises:
        UsageError: The directory is too large.
    """
    with path.open("rb") as file:
        end: Any = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001  also finds that of ZIP64
    if end and end[_DIRECTORY_BYTES] > _MAX_DIRECTORY_BYTES:
        raise too_many(f"The archive {str(path)!r}")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, at_most: int = MAX_BYTES) -> bytes | Failure:
    try:
        with archive.open(member) as file:
            return read_bounded(file.read, member.file_size, at_most)
    except Exception as fault:  # as above
        return unreadable(f"it is damaged in the archive ({explain(fault)})")
