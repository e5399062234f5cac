"""The output: files of rows that only grow. They are the truth about what is done.

A row that was being written when its writer died is torn, and is cut off. So are the rows of a document whose last
rows are missing.
"""

import fcntl
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from model.errors import UsageError
from model.private_files import open_private
from producer.sources.reading import explain
from producer.watching.rows import Row, RowFormat
from producer.watching.tree import Version

_CHUNK = 2**20


class Extent(NamedTuple):
    """How far an output file was written or read.

    Attributes:
        size: Number of bytes.
        checksum: CRC-32 of these bytes.
    """

    size: int = 0
    checksum: int = 0

    def after(self, data: bytes) -> "Extent":
        """Return the extent when some bytes follow."""
        return Extent(self.size + len(data), zlib.crc32(data, self.checksum))


class Found(NamedTuple):
    """A file all of whose rows are in an output.

    Attributes:
        version: The file. Bytes of its name that are not UTF-8 may be escaped; see `record.key_of`.
        failed: Whether an image of it has failed.
        digest: Digest of its content, or empty if it is not known.
    """

    version: Version
    failed: bool
    digest: bytes = b""


class Output:
    """Appends rows, to one file or to a file for each day.

    Args:
        path: The output. With `by_day`, the date is put in front of its extension.
        rows: Format of its rows.
        by_day: Whether each day has a file of its own.
        clock: Function that returns the unix time, in seconds.

    Raises:
        UsageError: The file cannot be written.
    """

    def __init__(
        self, path: Path, rows: RowFormat, *, by_day: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._rows = rows
        self._by_day = by_day
        self._clock = clock
        self._file: BinaryIO | None = None
        self._extent = Extent()

    def paths(self) -> list[Path]:
        """Return the output files that exist, in the order of their days."""
        dated = re.compile(re.escape(self.path.stem) + r"-\d{4}-\d\d-\d\d" + re.escape(self.path.suffix))
        found = [each for each in self.path.parent.iterdir() if dated.fullmatch(each.name)]
        return [*([self.path] if self.path.exists() else []), *sorted(found)]

    def read(self, path: Path, known: Extent) -> Iterator[tuple[list[Found], Extent]]:
        """Yield files that are done according to an output file, some at a time, and how far it was read by then.

        The first time, it yields no file, and the extent from which it reads: `known`, or nothing if the file does not
        begin with it. At the end, it cuts off what is torn.

        Raises:
            UsageError: The file has something else than rows of this format.
        """
        with _explained(path), path.open("r+b") as file:
            first = file.readline()
            if first and not self._rows.begins(first):
                raise UsageError(
                    f"{path} exists, and is not an output of this command with the same options. Name another file."
                )
            extent = known if _begins_with(file, known) else Extent()
            yield [], extent
            file.seek(extent.size)
            found: list[Found] = []
            parts: list[tuple[Version, bool]] = []  # of a document, so far
            reached = extent
            for line in file:
                if not line.endswith(b"\n"):
                    break
                reached = reached.after(line)
                decoded = self._rows.decode(line)
                if decoded is not None:
                    version, pages, failed = decoded
                    if parts and parts[0][0] != version:
                        parts = []
                    parts.append((version, failed))
                    if len(parts) < pages:
                        continue
                    found.append(Found(version, any(failed for _, failed in parts)))
                parts = []
                extent = reached
                if len(found) >= 1000:
                    yield found, extent
                    found = []
            file.truncate(extent.size)
            yield found, extent

    def append(self, files: Sequence[tuple[Version, Sequence[Row]]]) -> tuple[str, Extent]:
        """Write the rows of files, and return the name of the output file and its extent.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
        """
        now = self._clock()
        data = b"".join(self._rows.encode(version, rows, now) for version, rows in files)
        path = self._path(now)
        with _explained(path):
            file = self._opened(path)
            data = data if self._extent.size else self._rows.header + data
            try:
                _write(file, data)
            except OSError:
                os.ftruncate(file.fileno(), self._extent.size)
                raise
        self._extent = self._extent.after(data)
        return path.name, self._extent

    def sync(self) -> None:
        """Wait until all rows are on the disk.

        Raises:
            UsageError: The disk refuses.
        """
        if self._file is not None:
            with _explained(self.path):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the output file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _path(self, now: float) -> Path:
        day = f"-{datetime.fromtimestamp(now).astimezone():%Y-%m-%d}" if self._by_day else ""
        return self.path.with_name(f"{self.path.stem}{day}{self.path.suffix}")

    def _opened(self, path: Path) -> BinaryIO:
        """Return the output file, open for appending. Open another if it is another day, or somebody moved the file."""
        if self._file is not None:
            try:
                if os.path.samestat(path.stat(), os.fstat(self._file.fileno())):
                    return self._file
            except FileNotFoundError:
                pass
            self.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._extent = _extent(self._file)
        return self._file


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep every other watcher away from an output until the end of the context.

    Args:
        path: The output. The lock is a file beside it, which stays.

    Raises:
        UsageError: Another process has locked it, or the file cannot be made.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open_private(path.with_name(f"{path.name}.lock"), "ab")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"Another `digitmill watch` writes to {path}. Stop it first, or name another file with --out."
            ) from None
        yield


def _write(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _extent(file: BinaryIO) -> Extent:
    """Return the extent of a whole file."""
    file.seek(0)
    extent = Extent()
    while data := file.read(_CHUNK):
        extent = extent.after(data)
    return extent


def _begins_with(file: BinaryIO, extent: Extent) -> bool:
    """Return whether a file begins with the bytes of an extent."""
    file.seek(0)
    read = Extent()
    while read.size < extent.size and (data := file.read(min(_CHUNK, extent.size - read.size))):
        read = read.after(data)
    return read == extent


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn a fault of the disk into a UsageError."""
    try:
        yield
    except OSError as fault:
        raise UsageError(
            f"{path} cannot be written: {explain(fault)}. Correct this and start again: nothing is lost."
        ) from fault
