"""What a file that has arrived holds: an image, the pages of a document, or nothing that shows digits."""

from collections.abc import Iterator
from pathlib import Path

from model.errors import Failure
from producer.sources.folders.folder import SingleFile
from producer.sources.kinds import IMAGE, TIFF, kind_by_content, kind_by_name
from producer.sources.naming import suffix_of
from producer.sources.pages import Pages
from producer.sources.reading import read_file, read_start

UNFINISHED = frozenset({".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".upload"})
"""Extensions that programs give to a file while they write it, and take away in the end."""


def kind_of(path: str) -> str | Failure:
    """Return `kinds.IMAGE`, `kinds.TIFF`, the failure that its row says, or the kind of a file that is left out."""
    name = path[path.rfind("/") + 1 :]
    if suffix_of(name) in UNFINISHED:
        return "unfinished file"
    return kind_by_name(name) or kind_by_content(name, lambda: read_start(path))


def is_read(kind: str | Failure) -> bool:
    """Return whether a file of this kind gets rows."""
    return isinstance(kind, Failure) or kind in (IMAGE, TIFF)


def images_of(path: str, name: str, kind: str | Failure) -> Iterator[tuple[str, bytes | Failure]]:
    """Read a file, and yield the name and the content of each of its images.

    Args:
        path: Path of the file.
        name: Its name, which its image has too, unless it is a page of a document.
        kind: What `kind_of` says.
    """
    if isinstance(kind, Failure):
        yield name, kind
    elif kind == TIFF:
        folder = name[: name.rfind("/") + 1]
        pages = Pages(SingleFile(Path(path)))
        with pages.opened() as read:
            for page, place in pages.listing.images.items():
                yield folder + page, read(place)
        for page, failure in pages.listing.failures.items():
            yield folder + page, failure
    else:
        yield name, read_file(path)
