"""Listings: the names of the images in a container, found without reading the images."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode, UsageError
from producer.sources.kinds import IMAGE, TIFF, Start, kind_by_content, kind_by_name
from producer.sources.naming import clutter_kind, is_clutter
from producer.sources.source import ImageContent
from worker.contract.wire import Label

Place = TypeVar("Place")
_Place_contra = TypeVar("_Place_contra", contravariant=True)

MAX_IMAGES = 5_000_000
"""Maximum number of images in an archive, in an array file or in a label file.

The client keeps a name and a place for each: together about 1.5 GB at this number.
"""

MAX_NAME = 4096
"""Longest path of a member, in characters. No system unpacks a longer one."""

MAX_NAMES = 512 * 1024**2
"""Maximum length of the names of all images of an archive together, in characters."""

_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


@dataclass(slots=True)
class Listing(Generic[Place]):
    """The images of a container by name, in the order in which reading them is fastest.

    Attributes:
        images: Place of each image in its container: a path, a position or an index.
        failures: Failures of images that are known to be unreadable.
        gaps: Failures of parts of the container that could not be listed, such as a locked folder (its name ends with
            `/`) or the rest of a damaged archive. Each becomes a row, because it may hide images.
        labels: Labels by name, if the container itself has some.
        numbers: Labels by name that are not digits but numbers, if the container itself has some.
        label_note: Why the container does not have digits as labels, if the user might expect some, or "".
        left_out: Number of files and folders that are not read, by kind; see the module `kinds`.
        tiffs: Names of the images that are TIFFs by their names or contents, and may have several pages.
    """

    images: dict[str, Place] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    gaps: dict[str, Failure] = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)
    numbers: Mapping[str, Label] = field(default_factory=dict)
    label_note: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    tiffs: set[str] = field(default_factory=set)
    _members: int = 0
    _characters: int = 0
    _clutter: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, name: str, found: Place | Failure, kind: str | Failure) -> None:
        """Add a file under its name, as an image or as an error row, or count it by its kind.

        Args:
            name: Name of the file in the container.
            found: Place of the file, or the failure to find it.
            kind: What to do with the file, as the functions of `kinds` return it.
        """
        if isinstance(kind, Failure):
            self.failures[name] = kind
        elif kind not in {IMAGE, TIFF}:
            self.left_out[kind] += 1
        elif isinstance(found, Failure):
            self.failures[name] = found
        else:
            self.images[name] = found
            if kind == TIFF:
                self.tiffs.add(name)

    def add_member(self, path: str, found: Place | Failure, start: Start) -> None:
        """Add a member of an archive, as `add` does.

        Of several members with the same path the last one counts, because unpacking leaves that one. `tar --append`
        updates files in this way.

        Args:
            path: Path of the member in the archive.
            found: Place of the member, or its failure.
            start: Reader of its first bytes, which is called at once or never.

        Raises:
            UsageError: There are more members, or longer names, than this machine should keep in memory.
        """
        self._members += 1
        self._characters += min(len(path), MAX_NAME)
        if self._members > MAX_IMAGES or self._characters > MAX_NAMES:
            raise too_many("The archive")
        if len(path) > MAX_NAME:
            digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()
            self.failures[f"{path[:100]}… ({digest[:16]})"] = _TOO_LONG
            return
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not parts or self._is_in_clutter(tuple(parts[:-1])):
            return
        unsafe = ".." in parts or path.startswith("/") or _DRIVE.match(path)
        name = path if unsafe else "/".join(parts)
        self.images.pop(name, None)
        self.failures.pop(name, None)
        self.tiffs.discard(name)
        if isinstance(found, Failure):
            failure = found
            start = lambda: failure  # noqa: E731
        kind = kind_by_name(parts[-1]) or kind_by_content(parts[-1], start)
        self.add(name, _UNSAFE if unsafe else found, kind)

    def _is_in_clutter(self, folders: tuple[str, ...]) -> bool:
        """Return whether a folder is hidden or left behind by a system, or lies in one. Each is counted once."""
        for depth, folder in enumerate(folders, 1):
            if folder != ".." and is_clutter(folder):
                if folders[:depth] not in self._clutter:
                    self._clutter.add(folders[:depth])
                    self.left_out[clutter_kind(folder, folder=True)] += 1
                return True
        return False


def too_many(what: str) -> UsageError:
    """Return the error for a container of too many images. `what` begins the sentence."""
    return UsageError(f"{what} has more than {MAX_IMAGES:,} entries, or too long names. Submit it in several parts.")


_TOO_LONG = Failure(
    FailureCode.UNSAFE_PATH, f"Its path has more than {MAX_NAME:,} characters. Pack it again with a shorter path."
)
_UNSAFE = Failure(
    FailureCode.UNSAFE_PATH,
    "Its path leads out of the archive. Pack it again with paths relative to one folder.",
)


class Container(Protocol[Place]):
    """A folder, an archive or an array, with the list of its images."""

    @property
    def listing(self) -> Listing[Place]:
        """Names and places of the images."""

    def opened(self) -> AbstractContextManager[Callable[[Place], ImageContent | Failure]]:
        """Return a context manager that opens the container and yields a reader: a function from place to content.

        Reading in the order of the listing is fastest. The reader returns a failure for an image that it cannot read.
        """


@runtime_checkable
class BlockReader(Protocol):
    """A reader of an array, which reads many images at once."""

    def block(self, indices: Sequence[int], /) -> NDArray[np.uint8] | None:
        """Return images as uint8 (n, 28, 28), or None if they must be read one by one: not all can be read so."""


class FileReader(Protocol[_Place_contra]):
    """A reader of a container of files."""

    def __call__(self, place: _Place_contra, /) -> bytes | Failure:
        """Return the content of a file of at most `MAX_BYTES`, or the failure to read it."""

    def document(self, place: _Place_contra, /) -> BinaryIO | Failure:
        """Open a file of several pages, or return the failure to read it. It may be larger than an image."""


class FileContainer(Protocol[Place]):
    """A folder, a file or an archive; see `Container`. It knows nothing of pages."""

    @property
    def listing(self) -> Listing[Place]:
        """Names and places of the files."""

    def opened(self) -> AbstractContextManager[FileReader[Place]]:
        """Return a context manager that opens the container and yields a reader; see `Container.opened`."""
