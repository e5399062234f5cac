"""Listings: the names of the images in a container, found without reading the images."""

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from model.errors import Failure, FailureCode, UsageError
from producer.sources.naming import is_clutter, is_image
from producer.sources.source import ImageContent
from worker.contract.wire import Label

Place = TypeVar("Place")

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
        ignored: Number of files that are neither images nor clutter.
    """

    images: dict[str, Place] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    gaps: dict[str, Failure] = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)
    ignored: int = 0
    _members: int = 0
    _characters: int = 0

    def add_member(self, path: str, found: Place | Failure) -> None:
        """Add a member of an archive.

        Of several members with the same path the last one counts, because unpacking leaves that one. `tar --append`
        updates files in this way.

        Args:
            path: Path of the member in the archive.
            found: Place of the member, or its failure.

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
        unsafe = ".." in parts or path.startswith("/") or _DRIVE.match(path)
        if any(is_clutter(part) for part in parts if part != ".."):
            return
        if not parts or not is_image(parts[-1]):
            self.ignored += 1
            return
        name = path if unsafe else "/".join(parts)
        self.images.pop(name, None)
        self.failures.pop(name, None)
        if unsafe:
            self.failures[name] = _UNSAFE
        elif isinstance(found, Failure):
            self.failures[name] = found
        else:
            self.images[name] = found


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
