"""A folder of image files, or one image file."""

import errno
import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model.errors import Failure, UsageError
from producer.sources.kinds import kind_by_content, kind_by_name
from producer.sources.listing import Listing
from producer.sources.naming import clutter_kind, is_clutter
from producer.sources.reading import explain, open_file, read_file, read_start, unreadable

REPORT = {"report.json", "report.html", "predictions.csv"}
"""Files by which a folder is recognised as a report of digitmill. The plots in it are not digits."""


class Folder:
    """All image files below a folder, sorted by the code points of their names.

    Links are followed, even those that lead out of the folder, because the user put them there. Each real folder is
    read once: under its own name if it lies below this folder, and otherwise under the first link to it. Circles of
    links therefore end, and no image counts twice because of a linked folder. Hidden files, hidden folders, reports of
    digitmill and files that are not images are left out, and counted by kind.

    Raises:
        UsageError: The folder itself cannot be listed.
    """

    def __init__(self, path: Path) -> None:
        self._base = os.fspath(path).rstrip(os.sep) + "/"
        [self.listing] = list_runs(os.fspath(path))

    @contextmanager
    def opened(self) -> Iterator["PathReader"]:
        """Yield a reader of the file of a name."""
        yield PathReader(self._base)


class SingleFile:
    """One file that the user named. It counts as an image whatever its extension is."""

    def __init__(self, path: Path) -> None:
        self.listing = Listing(images={path.name: os.fspath(path)}, tiffs={path.name})

    @contextmanager
    def opened(self) -> Iterator["PathReader"]:
        """Yield a reader of the file at a path."""
        yield PathReader()


class PathReader:
    """Reads files by their paths; see `listing.FileReader`.

    Args:
        base: Text before each of these paths.
    """

    def __init__(self, base: str = "") -> None:
        self._base = base

    def __call__(self, place: str, /) -> bytes | Failure:
        """Return the content of a file, or the failure to read it."""
        return read_file(self._base + place)

    def document(self, place: str, /) -> BinaryIO | Failure:
        """Open a file, or return the failure to read it."""
        return open_file(self._base + place)


def list_runs(root: str, at_most: int | None = None) -> Iterator[Listing[str]]:
    """Yield the image files below a folder, in listings whose images and failures are sorted by name.

    See `Folder`. The folder is read while the listings are taken. The place of an image is its name, the same object,
    because a path of its own would double the memory.

    Args:
        root: Path of the folder.
        at_most: Number of images and failures that a listing has unless it is the last, or None for one listing of all.

    Raises:
        UsageError: The folder itself cannot be listed.
    """
    base = root.rstrip(os.sep) + "/"
    listing: Listing[str] = Listing()
    seen: set[tuple[int, int]] = set()
    folders = [""]
    links: list[str] = []  # a heap; links come after all folders, in the order of their names
    while folders or links:
        folder = folders.pop() if folders else heapq.heappop(links)
        path = base + folder
        try:
            status = Path(path).stat()
            identity = (status.st_dev, status.st_ino)
            if identity in seen:
                continue
            seen.add(identity)
            if folder and all(os.path.lexists(path + name) for name in REPORT):
                listing.left_out["report of digitmill"] += 1
                continue
            with os.scandir(path) as entries:
                for entry in entries:
                    if not _is_folder(entry):
                        name = folder + entry.name
                        listing.add(name, name, kind_by_name(entry.name) or _kind(entry.name, path + entry.name))
                        if at_most and len(listing.images) + len(listing.failures) >= at_most:
                            yield _sorted(listing)
                            listing = Listing()
                    else:
                        _add_folder(entry, folder, folders, links, listing)
        except OSError as fault:
            if not folder:
                raise UsageError(
                    f"The folder {root!r} cannot be read: {explain(fault)}. Check its permissions."
                ) from None
            listing.gaps[folder] = unreadable(f"{explain(fault)}; the job does not have the images in this folder")
    yield _sorted(listing)


def _add_folder(
    entry: os.DirEntry[str], parent: str, folders: list[str], links: list[str], listing: Listing[str]
) -> None:
    """Add a folder to those that are read later, or count it if it is left out."""
    if is_clutter(entry.name):
        listing.left_out[clutter_kind(entry.name, folder=True)] += 1
    elif entry.is_symlink():
        heapq.heappush(links, f"{parent}{entry.name}/")
    else:
        folders.append(f"{parent}{entry.name}/")


def _sorted(listing: Listing[str]) -> Listing[str]:
    listing.images = {name: name for name in sorted(listing.images)}
    listing.failures = dict(sorted(listing.failures.items()))
    return listing


def _kind(name: str, path: str) -> str | Failure:
    """Return what to do with a file whose name is not that of an image. One without content, such as a pipe, counts."""
    return _special(path) or kind_by_content(name, lambda: read_start(path))


def _special(path: str) -> str | None:
    """Return the kind of a file that is not a regular one, or None for a file or an unknown one."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return "broken link"
    except OSError as fault:
        return "broken link" if fault.errno == errno.ELOOP else None
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(mode))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where this user may not look
        return False
