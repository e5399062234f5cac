"""Listings: the names of the images in a container, found without reading the images."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from model.errors import Failure, FailureCode
from producer.sources.naming import is_clutter, is_image
from producer.sources.source import ImageContent

Place = TypeVar("Place")

_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


@dataclass(slots=True)
class Listing(Generic[Place]):
    """The images of a container by name, in the order in which reading them is fastest.

    Attributes:
        images: Place of each image in its container: a path, a position or an index.
        failures: Failures of images that are known to be unreadable.
        gaps: Failures of parts of the container that could not be listed, such as a locked folder (its name ends with
            `/`) or the rest of a damaged archive. Each becomes a row, because it may hide images.
        labels: True digits by name, if the container itself has labels.
        ignored: Number of files that are neither images nor clutter.
    """

    images: dict[str, Place] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    gaps: dict[str, Failure] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    ignored: int = 0

    def add_member(self, path: str, found: Place | Failure) -> None:
        """Add a member of an archive.

        Of several members with the same path the last one counts, because unpacking leaves that one. `tar --append`
        updates files in this way.

        Args:
            path: Path of the member in the archive.
            found: Place of the member, or its failure.
        """
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
