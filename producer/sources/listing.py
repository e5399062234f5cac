"""Listings: what a container of images has, without reading an image."""

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
        images: Place of each image, in terms of its container.
        failures: Failures of images that are known to be unreadable.
        gaps: Failures of parts of the container that could not be listed, such as a locked folder (its name ends with
            `/`) or the rest of a damaged archive. Each becomes a row, because it may hide images.
        labels: True digits that the container itself knows.
        ignored: Number of other files, without clutter.
    """

    images: dict[str, Place] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    gaps: dict[str, Failure] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    ignored: int = 0

    def add_member(self, path: str, found: Place | Failure) -> None:
        """Add a member of an archive.

        Of several members with the same path the last one counts: unpacking leaves that one, and `tar --append`
        updates a file so.

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
    """A folder, an archive or an array, listed."""

    @property
    def listing(self) -> Listing[Place]:
        """What the container has."""

    def opened(self) -> AbstractContextManager[Callable[[Place], ImageContent | Failure]]:
        """Open the container; return a reader of places.

        Reading in the order of the listing is fast. The reader returns a failure where the data is damaged.
        """
