"""A zip archive, read without unpacking it to disk."""

import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model.errors import Failure, UsageError
from model.images.limits import MAX_BYTES
from producer.sources.listing import Listing, too_many
from producer.sources.reading import explain, read_bounded, unreadable
from producer.sources.tars import max_expanded

ZIP_SUFFIXES = (".zip",)

_ENCRYPTED = 0x1  # bit of a member's flags
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
                if not member.filename.endswith("/"):  # is_dir() fails on a member without a name
                    # Old Windows programs write backslashes, which the specification forbids.
                    self.listing.add_member(member.filename.replace("\\", "/"), check_member(member) or member)

    @contextmanager
    def opened(self) -> Iterator[Callable[[zipfile.ZipInfo], bytes | Failure]]:
        """Open the archive and yield a reader of members. If the archive is gone, the reader returns failures."""
        try:
            archive = zipfile.ZipFile(self._path)
        except Exception as fault:  # as above
            failure = unreadable(f"the archive has changed or is gone ({explain(fault)})")
            yield lambda _: failure
            return
        with archive:
            yield lambda member: _read_member(archive, member)


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


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | Failure:
    try:
        with archive.open(member) as file:
            return read_bounded(file.read, member.file_size)
    except Exception as fault:  # as above
        return unreadable(f"it is damaged in the archive ({explain(fault)})")
