"""What every source of images gives, whatever it is made of."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure

ImageContent: TypeAlias = bytes | NDArray[np.uint8]
"""An encoded image file as it is, or uint8 (28, 28) in MNIST's convention: light ink on black, ready to classify."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image, or why there is none.

    Attributes:
        name: what the user knows it by; unique within its source and the same in every run. The path relative to the
            folder with `/` between its parts, the path in the archive, or the index in the array. A name that is no
            UTF-8 carries its bytes as `os.fsdecode` makes them (surrogateescape).
        label: true digit 0 to 9, or None.
        content: the image, or why it could not be read.
    """

    name: str
    label: int | None
    content: ImageContent | Failure


class Source(Protocol):
    """Images in a fixed order, each exactly once in every iteration; one image in memory at a time."""

    @property
    def description(self) -> str:
        """What was opened, for people: the path as it was given, "mnist test"."""

    @property
    def root(self) -> str:
        """What to put before a name to tell it from the names of other sources: "scans/", "scans.zip/"."""

    @property
    def names(self) -> Collection[str]:
        """The name of every image, in the order in which they are read."""

    @property
    def total(self) -> int:
        """Number of images, those that cannot be read included."""

    @property
    def ignored(self) -> int:
        """Number of files beside them that are no images by their extension; hidden ones are not counted."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a user should see before the work starts."""

    def __iter__(self) -> Iterator[SourceImage]:
        """Read every image, in the source's order; may be repeated."""

    def read(self, name: str) -> ImageContent | None:
        """Read one image again by its name; None where it cannot be read or is not in this source."""

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """Read some images again, in one pass: for a compressed tar far cheaper than one `read` for each.

        Returns:
            Content by name, without those that cannot be read or are not in this source.
        """
