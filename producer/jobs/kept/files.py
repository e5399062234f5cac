"""The private files of jobs: opened for one user alone, locked for one process, and read in spite of a torn end."""

import contextlib
import fcntl
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import msgpack

from model.errors import UsageError
from model.private_files import make_private_folder, open_private

MAX_RECORD_BYTES = 256 * 1024 * 1024
"""Far above the names and answers of the largest batch."""

_LOOKS_SECONDS = 0.5  # far more than `is_in_use` and `unused` hold a lock
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Extent(NamedTuple):
    """The place of a record in its file: the positions where it begins and ends."""

    start: int
    stop: int


class RecordFile(ABC):
    """A context manager for a file of msgpack records of one job, open for the one client that writes it.

    Args:
        path: File to continue, or to create together with its folder. A torn record at its end is cut off.

    Attributes:
        path: The file.
        lock: Name of the lock on the file (`lock_name`).

    Raises:
        UsageError: The file cannot be written, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_job_file(path)
        try:
            _lock(self._file, path.stem)
            self.lock = lock_name(self._file)
            intact = self._load(self._file)
            self._file.truncate(intact)
            self._file.seek(intact)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing tries again to write what did not fit on the disk. The first error matters more than this one.
        with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
            self._file.close()

    @abstractmethod
    def _load(self, file: BinaryIO) -> int:
        """Take in the records of the file, and return the number of bytes that the whole ones take."""

    def _append(self, records: Iterable[object], *, durable: bool = False) -> list[Extent]:
        """Write records, and return the place of each.

        Args:
            records: Records to write.
            durable: Whether to wait until they are on the disk.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
        """
        with _explain_fault(self.path, f"Free some space there, then run `digitmill resume {self.path.stem}`."):
            places = []
            end = self._file.tell()
            for record in records:
                start, end = end, end + self._file.write(msgpack.packb(record))
                places.append(Extent(start, end))
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        return places


def open_job_file(path: Path, *, new: bool = False) -> BinaryIO:
    """Open a file of a job for this user alone: for reading and appending, or for writing if it is new.

    Args:
        path: The file. Its folder is created too.
        new: Whether the file must not exist.

    Raises:
        FileExistsError: The file exists and must not.
        UsageError: The file cannot be written.
    """
    with _explain_fault(path, "Free some space there, or set DIGITMILL_DATA to another folder."):
        for folder in (path.parent.parent, path.parent):
            _make_folder(folder)
        return open_private(path, "xb" if new else "a+b")


@contextlib.contextmanager
def unused(paths: Iterable[Path]) -> Iterator[bool]:
    """Keep clients away from files of a job. Yield whether none works with them.

    Args:
        paths: The files. One that is missing is passed over.
    """
    with contextlib.ExitStack() as held:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                file = held.enter_context(path.open("rb"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
        yield True


def is_in_use(path: Path) -> bool:
    """Return whether a client works with a file of a job."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _make_folder(folder: Path) -> None:
    try:
        make_private_folder(folder)
    except FileExistsError as fault:  # which would mean that the name of the job is taken
        raise NotADirectoryError(fault.errno, "a file is in the way") from fault


@contextlib.contextmanager
def _explain_fault(path: Path, remedy: str) -> Iterator[None]:
    """Turn a fault of the disk into a UsageError with a remedy. A file that exists already is not such a fault."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as fault:
        raise UsageError(f"The job cannot be kept in {path} ({fault.strerror}). {remedy}") from fault


def _lock(file: BinaryIO, job: str) -> None:
    """Lock a file for this process until it is closed.

    Raises:
        UsageError: Another process has locked it, or has removed it meanwhile.
    """
    deadline = time.monotonic() + _LOOKS_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise UsageError(
                f"Another process on this machine is working on job {job}. Wait until it ends, or stop it first: "
                "Ctrl-C keeps the job."
            ) from None
        break
    if not os.fstat(file.fileno()).st_nlink:
        raise UsageError(f"The files of job {job} were removed just now. Submit its images again.")


def lock_name(file: BinaryIO) -> str:
    """Return a name of the lock on a file that no other file has on any running machine, or "" where there is none."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    about = os.fstat(file.fileno())
    return f"{boot}:{about.st_dev}:{about.st_ino}"


def read_records(file: BinaryIO) -> Iterator[tuple[Any, Extent]]:
    """Yield the msgpack records of a file from its beginning, with the place of each.

    A record that was being written when its writer died ends the file.
    """
    file.seek(0)
    unpacker = msgpack.Unpacker(file, max_buffer_size=MAX_RECORD_BYTES)
    start = 0
    while True:
        try:
            record = unpacker.unpack()
        except (msgpack.OutOfData, ValueError, msgpack.UnpackException):
            return
        stop = unpacker.tell()
        yield record, Extent(start, stop)
        start = stop


def read_record(file: BinaryIO, place: Extent) -> Any:
    """Return the record at a place of a file, or None if none is there."""
    file.seek(place.start)
    try:
        return msgpack.unpackb(file.read(place.stop - place.start))
    except (ValueError, msgpack.UnpackException):
        return None
