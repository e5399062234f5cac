"""The interface of every source of images."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure
from producer.sources.form import Form
from worker.contract.wire import Label

ImageContent: TypeAlias = bytes | NDArray[np.uint8]
"""An encoded image file, or uint8 (28, 28) in MNIST's convention: light ink on black, ready to classify."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image, or its failure.

    Attributes:
        name: Name by which the user knows the image: the path relative to the folder with `/` between its parts, the
            path in the archive, or the index in the array. It is unique within the source and the same in every run. A
            name that is not UTF-8 is as `os.fsdecode` returns it (surrogateescape).
        label: True digit 0 to 9, or the true number as a string of digits if numbers were asked for; or None.
        content: The image, or the failure to read it.
    """

    name: str
    label: Label | None
    content: ImageContent | Failure


@dataclass(frozen=True, slots=True, eq=False)
class SourceBlock:
    """Raw images that follow each other in a source, so that nobody makes an object for each.

    Attributes:
        names: Their names; see `SourceImage`.
        labels: Their labels; see `SourceImage`.
        images: uint8 (n, 28, 28) in MNIST's convention. It may be a view.
    """

    names: tuple[str, ...]
    labels: tuple[Label | None, ...]
    images: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[SourceImage]:
        return map(SourceImage, self.names, self.labels, self.images)

    def part(self, start: int, stop: int) -> "SourceBlock":
        """Return the images from `start` to before `stop` as a block of their own."""
        return SourceBlock(self.names[start:stop], self.labels[start:stop], self.images[start:stop])


def one_by_one(runs: Iterable[SourceImage | SourceBlock]) -> Iterator[SourceImage]:
    """Yield the images of `Source.runs` without blocks."""
    for run in runs:
        if isinstance(run, SourceBlock):
            yield from run
        else:
            yield run


class Source(Protocol):
    """Images in a fixed order. An iteration gives each image once, and has one file or block in memory at a time."""

    @property
    def description(self) -> str:
        """Description for people: the path as the user gave it, or "mnist test"."""

    @property
    def root(self) -> str:
        """Text before a name that makes it a path, such as "scans/" or "scans.zip/".

        It is "" if the names are already paths, or if the images have no path.
        """

    @property
    def names(self) -> Collection[str]:
        """Names of all images, in the order of reading."""

    @property
    def total(self) -> int:
        """Number of images, including those that cannot be read."""

    @property
    def is_listed(self) -> bool:
        """Whether all images are known. If not, `total` and `left_out` grow while the images are read."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """Number of files and folders that are not read, by kind; see `kinds.describe_left_out`."""

    @property
    def form(self) -> Form | None:
        """How the numbers of an array file become images, or None if the images are files or come from several paths.

        A job that is resumed reads its array file in the same form.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that the user should read before the work starts."""

    def only(self, names: Collection[str]) -> "Source":
        """Return the same source with only some of its images, which it has at the same places in its order."""

    def __iter__(self) -> Iterator[SourceImage]:
        """Yield every image, in the order of the source. Each iteration starts from the beginning."""

    def runs(self) -> Iterator[SourceImage | SourceBlock]:
        """Yield every image, as an iteration does, but raw images of one array together in blocks."""

    def read(self, name: str) -> ImageContent | None:
        """Return one image by its name, or None if it cannot be read or the source does not have it."""

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """Return some images in one pass, which for a compressed tar is far cheaper than `read` for each.

        Returns:
            Content by name, without the images that cannot be read or that the source does not have.
        """

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, ImageContent]]:
        """Yield name and content of the same images, in the order of the source, with one in memory at a time."""
