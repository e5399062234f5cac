"""Pack images into batches. A worker takes 10 to 100 ms for a batch, which is much more than its message costs.

The size of a batch follows from the images alone, and not from how long others took, because a job that is resumed
packs its images again and must get the same batches. Those that were sent keep their sizes, also if another version of
this program sent them.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode
from model.images.limits import MAX_BYTES
from producer.sources import ImageContent, SourceBlock, SourceImage
from worker.contract.validation.bounds import MAX_IMAGES, MAX_NAMES_BYTES
from worker.contract.wire import Batch, Label, Manifest

RAW_IMAGES = 4096
"""Maximum number of raw images in a batch. They take one core 57 ms with AVX-512 VNNI, and 360 ms with AVX2
(benchmarks/throughput.py). With half as many, an image costs all processes a tenth more."""

FILES = 1024
"""Maximum number of files in a batch. With PNG files of 28×28, it takes a core 45 ms with AVX-512 VNNI, and 200 ms with
AVX2. Larger batches cost a little less, and let small jobs of others wait longer."""

BYTES = 4 * 1024 * 1024
"""Maximum number of bytes of the files in a batch. A larger file is a batch of its own.

A photograph of 12 megapixels has 0.8 MB and takes a core 12 ms. Alone in a batch, it would cost a quarter more."""

HEAVY_BYTES = 8 * 1024
"""Size from which a file counts as heavy. A scan of 184×136 pixels takes ten times as long as 28×28 pixels."""

HEAVY_FILES = 64
"""Maximum number of heavy files in a batch. Lighter ones count in proportion to their size.

A batch of 64 scans takes a core 55 ms. With half as many, a scan costs all processes a tenth more."""

GROWN = Failure(
    FailureCode.UNREADABLE,
    "It cannot be read: it has grown since its job was interrupted, and its batch has no room for it. Submit it again.",
)
"""Failure of a file that makes a batch larger than batches may be, when the batch is packed again."""

GROWING = 10
"""Number of batches at the beginning of a job that are smaller than others: two of each size, which doubles.

So a small job occupies several workers, and the first answers come early."""


def pack(
    images: Iterable[SourceImage | SourceBlock],
    *,
    batch_size: int | None = None,
    probabilities: bool = False,
    several: bool = False,
    number: int = 0,
    sizes: Mapping[int, int] = MappingProxyType({}),
) -> Iterator[tuple[Batch, Manifest]]:
    """Yield batches with their manifests, in the order of the images. Every image is in exactly one manifest.

    Raw arrays and encoded files never share a batch. An image that could not be read is in the manifest only.

    Args:
        images: Images of a source, one by one or in blocks; that makes no difference to the batches.
        batch_size: Maximum number of images in one batch, or None for what the constants of this module say.
        probabilities: Whether to ask for the ten probabilities of each image.
        several: Whether to ask for all digits of each image. Raw arrays always have one.
        number: Number of the first batch within its job.
        sizes: Number of images of each batch that was sent before, by its number within the job. It keeps that.
    """

    def begin() -> _OpenBatch:
        limits = _limits_again(sizes[number]) if number in sizes else _limits(number, batch_size)
        return _OpenBatch(limits, probabilities=probabilities, several=several)

    open_batch = begin()
    for image in images:
        start, count = 0, len(image) if isinstance(image, SourceBlock) else 1
        while start < count:
            if not (taken := open_batch.take(image, start)):
                yield open_batch.close()
                number += 1
                open_batch = begin()
            start += taken
    if open_batch.names:
        yield open_batch.close()


def pack_again(
    images: Iterable[SourceImage],
    *,
    probabilities: bool = False,
    several: bool = False,
    sent: Manifest | None = None,
) -> tuple[Batch, Manifest]:
    """Return a batch of the same images as one that was packed before, although their files may have changed.

    Args:
        images: Files, in the order of the batch.
        probabilities: As for `pack`.
        several: As for `pack`.
        sent: Manifest with which the batch was sent, if it must keep that, or None. Then an image that cannot be read
            any more travels as an empty file, for which a worker makes the error row, because parts of the batch may
            have answers already, and parts are counted by the images that travel.
    """
    batch = _OpenBatch(_limits_again(MAX_IMAGES), probabilities=probabilities, several=several)
    for row, image in enumerate(images):
        failure = sent.failures.get(row) if sent else None
        readable = isinstance(image.content, bytes) and batch.takes(image.content)
        if failure or not (readable or sent):
            unread = image.content if isinstance(image.content, Failure) else GROWN
            batch.add(SourceImage(image.name, image.label, failure or unread))
        else:
            batch.add(image if readable else SourceImage(image.name, image.label, b""))
    return batch.close()


class _Limits(NamedTuple):
    """What a batch has room for. The first image always has room."""

    raw: int
    files: int
    bytes: int
    weight: float
    names: float


def _limits(number: int, batch_size: int | None) -> _Limits:
    """Return the limits of the batch of a number, within `worker.contract.validation.bounds`."""
    if batch_size:
        most = min(batch_size, MAX_IMAGES)
        return _Limits(most, most, BYTES, math.inf, MAX_NAMES_BYTES)
    halvings = max(GROWING - number + 1, 0) // 2
    heaviest = HEAVY_BYTES * HEAVY_FILES
    return _Limits(RAW_IMAGES >> halvings, FILES >> halvings, BYTES >> halvings, heaviest, MAX_NAMES_BYTES)


def _limits_again(images: int) -> _Limits:
    """Return the limits of a batch that had so many images when it was sent: what a worker accepts."""
    most = min(images, MAX_IMAGES)
    return _Limits(most, most, MAX_BYTES, math.inf, math.inf)


class _OpenBatch:
    """A batch that is being filled."""

    def __init__(self, limits: _Limits, *, probabilities: bool, several: bool) -> None:
        self._limits = limits
        self._probabilities = probabilities
        self._several = several
        self._raw: list[NDArray[np.uint8]] = []  # (n, 28, 28)
        self._files: list[bytes] = []
        self._bytes = self._weight = 0
        self._names_length = 0
        self.names: list[str] = []
        self._labels: list[Label | None] = []
        self._failures: dict[int, Failure] = {}

    def take(self, images: SourceImage | SourceBlock, start: int) -> int:
        """Add as many images as the batch has room for, from `start`, and return their number.

        Without room, or if the images are not of the same kind as the others, that is 0.
        """
        if isinstance(images, SourceBlock):
            return self._take_block(images, start)
        content = images.content
        if not isinstance(content, bytes):
            if not self.takes(content):
                return 0
            self.add(images)
            return 1
        if not self._takes_file(content):
            return 0
        self._add_file(content)
        self._name(images)
        return 1

    def _take_block(self, block: SourceBlock, start: int) -> int:
        if not self.takes(block.images[start]):
            return 0
        room = max(self._limits.raw - len(self.names), 1)
        part = block.part(start, start + room)
        length = sum(map(len, part.names))
        if self._names_length + length > self._limits.names:  # so each name counts
            self.add(SourceImage(part.names[0], part.labels[0], part.images[0]))
            return 1
        self._raw.append(part.images)
        self.names += part.names
        self._labels += part.labels
        self._names_length += length
        return len(part)

    def takes(self, content: ImageContent | Failure) -> bool:
        """Return whether the batch has room for an image."""
        if isinstance(content, bytes):
            return self._takes_file(content)
        if not self.names:
            return True
        if self._names_length > self._limits.names:
            return False
        max_images = self._limits.files if self._files else self._limits.raw
        return len(self.names) < max_images and not (self._files and isinstance(content, np.ndarray))

    def _takes_file(self, file: bytes) -> bool:
        size = len(file)
        return not self.names or (
            self._names_length <= self._limits.names
            and not self._raw
            and len(self.names) < self._limits.files
            and self._bytes + size <= self._limits.bytes
            and self._weight + min(size, HEAVY_BYTES) <= self._limits.weight
        )

    def add(self, image: SourceImage) -> None:
        """Add an image, even if the batch is full."""
        content = image.content
        if isinstance(content, Failure):
            self._failures[len(self.names)] = content
        elif isinstance(content, bytes):
            self._add_file(content)
        else:
            self._raw.append(content[np.newaxis])
        self._name(image)

    def _add_file(self, file: bytes) -> None:
        self._files.append(file)
        self._bytes += len(file)
        self._weight += min(len(file), HEAVY_BYTES)

    def _name(self, image: SourceImage) -> None:
        self.names.append(image.name)
        self._names_length += len(image.name)
        self._labels.append(image.label)

    def close(self) -> tuple[Batch, Manifest]:
        manifest = Manifest(tuple(self.names), tuple(self._labels), self._failures)
        if self._raw:
            # A copy, because the source may change before all answers are there, and what Redis loses is sent again.
            return Batch.of_arrays(self._raw, probabilities=self._probabilities), manifest
        return Batch(tuple(self._files), self._probabilities, self._several and bool(self._files)), manifest
