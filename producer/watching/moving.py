"""Move files that are done out of the way, without overwriting any."""

import contextlib
import ctypes
import errno
import filecmp
import os
import shutil
from pathlib import Path

from model.errors import UsageError
from producer.sources.reading import explain

_HERE, _NOREPLACE = -100, 1  # AT_FDCWD, RENAME_NOREPLACE


class Mover:
    """Moves files from a watched folder.

    Args:
        done: Folder for files whose images were all classified, or None to leave them.
        failed: Folder for the others, or None.
    """

    def __init__(self, done: Path | None, failed: Path | None) -> None:
        self.folders = [folder for folder in (done, failed) if folder is not None]
        self._done, self._failed = done, failed
        self._numbers: dict[Path, int] = {}  # the next one, by path that is taken

    def move(self, source: Path, name: str, *, failed: bool) -> Path | None:
        """Move a file, and return its new path, or None if such files are left or it is gone.

        If there is a file of that name, it gets a number: `seven-2.png`. On another file system, it is copied and
        deleted. If a copy of it is there already, because a former move ended between these two, it is only deleted.

        Args:
            source: The file.
            name: Its name, with the subfolders that it should keep.
            failed: Whether one of its images failed.

        Raises:
            UsageError: It cannot be moved.
        """
        folder = self._failed if failed else self._done
        if folder is None:
            return None
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path = target
            while not _move(source, path):
                number = self._numbers[target] = self._numbers.get(target, 1) + 1
                path = target.with_name(f"{target.stem}-{number}{target.suffix}")
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise UsageError(
                f"{source} cannot be moved to {target.parent}: {explain(fault)}. Correct this and start again."
            ) from fault
        return path


def _move(source: Path, target: Path) -> bool:
    """Move a file, and return whether the name was free, or taken by a copy of the file."""
    try:
        _rename(source, target)
    except FileExistsError:
        if not _is_copy(source, target):
            return False
        source.unlink()
    except OSError as fault:
        if fault.errno != errno.EXDEV:
            raise
        if not _copy(source, target):
            return False
        source.unlink()
    return True


def _rename(source: Path, target: Path) -> None:
    """Rename a file, unless the new name is taken.

    Raises:
        FileExistsError: It is.
        OSError: The file cannot be renamed.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        if rename(_HERE, os.fsencode(source), _HERE, os.fsencode(target), _NOREPLACE) == 0:
            return
        fault = ctypes.get_errno()
        if fault not in (errno.EINVAL, errno.ENOSYS):  # not every file system can
            raise OSError(fault, os.strerror(fault), os.fspath(source))
    os.link(source, target, follow_symlinks=False)
    source.unlink()


def _copy(source: Path, target: Path) -> bool:
    """Copy a file with its times, and return whether the name was free, or taken by a copy of it."""
    draft = target.with_name(f".{target.name}.part")
    shutil.copy2(source, draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    try:
        _rename(draft, target)
    except FileExistsError:
        draft.unlink()
        return _is_copy(source, target)
    return True


def _is_copy(source: Path, target: Path) -> bool:
    """Return whether a file is a copy of another, of the same time."""
    with contextlib.suppress(OSError):
        one, other = source.stat(), target.stat()
        same = one.st_size == other.st_size and one.st_mtime_ns == other.st_mtime_ns
        return same and filecmp.cmp(source, target, shallow=False)
    return False
