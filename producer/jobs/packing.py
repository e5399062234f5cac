"""Pack images into batches. A worker takes 10 to 50 ms for a batch, which is much more than its message costs."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure
from producer.sources import ImageContent, SourceBlock, SourceImage
from worker.contract.validation.bounds import MAX_IMAGES, MAX_NAMES_BYTES
from worker.contract.wire import Batch, Label, Manifest

RAW_IMAGES = 1024
"""Maximum number of raw images in a batch. They take one core 28 ms, at 37,000 images/s (benchmarks/throughput.py)."""

FILES = 128
"""Maximum number of files in a batch. Small ones take one core about 20 ms (benchmarks/throughput.py)."""

BYTES = 1024 * 1024
"""Maximum number of bytes of the files in a batch. A larger file is a batch of its own."""


def pack(
    images: Iterable[SourceImage | SourceBlock],
    *,
    batch_size: int | None = None,
    probabilities: bool = False,
    several: bool = False,
) -> Iterator[tuple[Batch, Manifest]]:
    """Yield batches with their manifests, in the order of the images. Every image is in exactly one manifest.

    Raw arrays and encoded files never share a batch. An image that could not be read is in the manifest only.

    Args:
        images: Images of a source, one by one or in blocks; that makes no difference to the batches.
        batch_size: Maximum number of images in one batch, or None for `RAW_IMAGES` or `FILES`.
        probabilities: Whether to ask for the ten probabilities of each image.
        several: Whether to ask for all digits of each image. Raw arrays always have one.
    """
    open_batch = _OpenBatch(batch_size, probabilities=probabilities, several=several)
    for image in images:
        start, count = 0, len(image) if isinstance(image, SourceBlock) else 1
        while start < count:
            if not (taken := open_batch.take(image, start)):
                yield open_batch.close()
                open_batch = _OpenBatch(batch_size, probabilities=probabilities, several=several)
            start += taken
    if open_batch.names:
        yield open_batch.close()


class _OpenBatch:
    """A batch that is being filled. It stays within `worker.contract.validation.bounds`."""

    def __init__(self, batch_size: int | None, *, probabilities: bool, several: bool) -> None:
        self._batch_size = batch_size and min(batch_size, MAX_IMAGES)
        self._probabilities = probabilities
        self._several = several
        self._raw: list[NDArray[np.uint8]] = []  # (n, 28, 28)
        self._files: list[bytes] = []
        self._bytes = 0
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
        if not self._takes(images.content):
            return 0
        self._add(images)
        return 1

    def _take_block(self, block: SourceBlock, start: int) -> int:
        if not self._takes(block.images[start]):
            return 0
        room = max(self._max_raw - len(self.names), 1)
        part = block.part(start, start + room)
        length = sum(map(len, part.names))
        if self._names_length + length > MAX_NAMES_BYTES:  # so each name counts
            self._add(SourceImage(part.names[0], part.labels[0], part.images[0]))
            return 1
        self._raw.append(part.images)
        self.names += part.names
        self._labels += part.labels
        self._names_length += length
        return len(part)

    @property
    def _max_raw(self) -> int:
        return self._batch_size or (FILES if self._files else RAW_IMAGES)

    def _takes(self, content: ImageContent | Failure) -> bool:
        if not self.names:
            return True
        if self._names_length > MAX_NAMES_BYTES:
            return False
        if isinstance(content, bytes):
            max_images = self._batch_size or FILES
            return not self._raw and len(self.names) < max_images and self._bytes + len(content) <= BYTES
        return len(self.names) < self._max_raw and not (self._files and isinstance(content, np.ndarray))

    def _add(self, image: SourceImage) -> None:
        content = image.content
        if isinstance(content, Failure):
            self._failures[len(self.names)] = content
        elif isinstance(content, bytes):
            self._files.append(content)
            self._bytes += len(content)
        else:
            self._raw.append(content[np.newaxis])
        self.names.append(image.name)
        self._names_length += len(image.name)
        self._labels.append(image.label)

    def close(self) -> tuple[Batch, Manifest]:
        # A copy, because the source may change before all answers are there, and what Redis loses is sent again.
        images = np.concatenate(self._raw) if self._raw else tuple(self._files)
        manifest = Manifest(tuple(self.names), tuple(self._labels), self._failures)
        return Batch(images, self._probabilities, self._several and bool(self._files)), manifest
