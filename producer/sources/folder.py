"""A folder of image files, or one image file."""

import heapq
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import Failure, UsageError
from producer.sources.listing import Listing
from producer.sources.naming import is_clutter, is_image
from producer.sources.reading import explain, read_file, unreadable

REPORT = {"report.json", "report.html", "predictions.csv"}
"""Files by which a folder is recognised as a report of digitmill. The plots in it are not digits."""


class Folder:
    """All image files below a folder, sorted by the code points of their names.

    Links are followed, even those that lead out of the folder, because the user put them there. Each real folder is
    read once: under its own name if it lies below this folder, and otherwise under the first link to it. Circles of
    links therefore end, and no image counts twice because of a linked folder. Hidden files, hidden folders and reports
    of digitmill are left out.

    Raises:
        UsageError: The folder itself cannot be listed.
    """

    def __init__(self, path: Path) -> None:
        self.listing = _list_folder(os.fspath(path))

    @contextmanager
    def opened(self) -> Iterator[Callable[[str], bytes | Failure]]:
        """Yield a function that reads the file at a path."""
        yield read_file


class SingleFile:
    """One file that the user named. It counts as an image whatever its extension is."""

    def __init__(self, path: Path) -> None:
        self.listing = Listing(images={path.name: os.fspath(path)})

    @contextmanager
    def opened(self) -> Iterator[Callable[[str], bytes | Failure]]:
        """Yield a function that reads the file at a path."""
        yield read_file


def _list_folder(root: str) -> Listing[str]:
    base = root.rstrip(os.sep) + "/"
    listing: Listing[str] = Listing()
    found: list[str] = []
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
            with os.scandir(path) as entries:
                members = [entry for entry in entries if not is_clutter(entry.name)]
            if folder and {entry.name for entry in members} >= REPORT:
                continue
            for entry in members:
                if _is_folder(entry):
                    name = f"{folder}{entry.name}/"
                    if entry.is_symlink():
                        heapq.heappush(links, name)
                    else:
                        folders.append(name)
                elif is_image(entry.name):
                    found.append(folder + entry.name)
                else:
                    listing.ignored += 1
        except OSError as fault:
            if not folder:
                raise UsageError(
                    f"The folder {root!r} cannot be read: {explain(fault)}. Check its permissions."
                ) from None
            listing.gaps[folder] = unreadable(f"{explain(fault)}; the job does not have the images in this folder")
    found.sort()
    listing.images = {name: base + name for name in found}
    return listing


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where this user may not look
        return False
