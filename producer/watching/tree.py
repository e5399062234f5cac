"""The files below a watched folder: their names, and their versions."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from producer.sources.naming import is_clutter


class Version(NamedTuple):
    """One version of a file. A file that is written again has another.

    Attributes:
        name: Path relative to the watched folder, with `/` between its parts.
        size: Size in bytes.
        modified: Time of its last modification: unix time in nanoseconds.
    """

    name: str
    size: int
    modified: int


class Stamp(NamedTuple):
    """What tells while a watcher runs whether a file is still the same."""

    node: int
    size: int
    modified: int


class Tree:
    """A watched folder.

    Hidden files and folders, and those that operating systems leave behind, are left out. Links are followed.

    Args:
        root: The folder.
        left_out: Files and folders that are left out, such as those to which files are moved.
    """

    def __init__(self, root: Path, left_out: Iterable[Path] = ()) -> None:
        self.root = os.fspath(root).rstrip(os.sep) + "/"
        real = os.path.realpath(root)
        self._left_out = {os.path.relpath(os.path.realpath(path), real) for path in left_out}

    def path(self, name: str) -> str:
        """Return the path of a file or folder."""
        return self.root + name

    def stamp(self, name: str) -> Stamp | None:
        """Return the stamp of a regular file or of a link to one, or None if there is none."""
        try:
            status = os.stat(self.root + name)  # noqa: PTH116  it is called for each file, and a Path costs more than it
        except OSError:
            return None
        return Stamp(status.st_ino, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None

    def takes(self, name: str) -> bool:
        """Return whether a file or folder is not left out."""
        return not is_clutter(name[name.rfind("/") + 1 :]) and name not in self._left_out

    def files(self, folder: str, enter: Callable[[str], bool]) -> Iterator[str]:
        """Yield the names of all files below a folder.

        Args:
            folder: Name of the folder with `/` at its end, or "" for the whole tree.
            enter: Function that is told the name of each folder before it is listed, and returns whether to list it.

        Raises:
            OSError: The watched folder itself cannot be listed.
        """
        folders = [folder]
        while folders:
            folder = folders.pop()
            if not enter(folder):
                continue
            try:
                with os.scandir(self.root + folder) as listed:
                    entries = list(listed)
            except OSError:
                if not folder:
                    raise
                continue  # it is gone again, or not for us
            for entry in entries:
                name = folder + entry.name
                if not self.takes(name):
                    continue
                if _is_folder(entry):
                    folders.append(f"{name}/")
                else:
                    yield name


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where this user may not look
        return False
