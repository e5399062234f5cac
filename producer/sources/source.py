"""The interface of every source of images."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure

ImageContent: TypeAlias = bytes | NDArray[np.uint8]
"""An encoded image file, or uint8 (28, 28) in MNIST's convention: light ink on black, ready to classify."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image, or its failure.

    Attributes:
        name: Name by which the user knows the image: the path relative to the folder with `/` between its parts, the
            path in the archive, or the index in the array. It is unique within the source and the same in every run. A
            name that is not UTF-8 has its bytes as `os.fsdecode` returns them (surrogateescape).
        label: True digit 0 to 9, or None.
        content: The image, or the reason why it could not be read.
    """

    name: str
    label: int | None
    content: ImageContent | Failure


class Source(Protocol):
    """Images in a fixed order, each exactly once in every iteration, with one image in memory at a time."""

    @property
    def description(self) -> str:
        """What was opened, for people: the path as it was given, or "mnist test"."""

    @property
    def root(self) -> str:
        """Beginning that tells a name from the names of other sources, such as "scans/" or "scans.zip/"."""

    @property
    def names(self) -> Collection[str]:
        """Name of every image, in the order of reading."""

    @property
    def total(self) -> int:
        """Number of images, including those that cannot be read."""

    @property
    def ignored(self) -> int:
        """Number of other files, whose extension is not that of an image, without hidden files."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that the user should see before the work starts."""

    def __iter__(self) -> Iterator[SourceImage]:
        """Read every image, in the source's order. Each iteration starts again."""

    def read(self, name: str) -> ImageContent | None:
        """Return one image by its name, or None where it cannot be read or the source does not have it."""

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """Return some images by name, in one pass. For a compressed tar this is far cheaper than `read` for each.

        Returns:
            Content by name, without images that cannot be read and those that the source does not have.
        """
