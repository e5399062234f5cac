"""The images of one array, read block after block."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, FailureCode
from producer.sources.arrays.conversion import to_bytes
from producer.sources.arrays.digits import ChosenLabels
from producer.sources.form import UNCHANGED, Form
from producer.sources.listing import Listing
from producer.sources.source import ImageContent
from worker.contract.wire import Label

_BLOCK = 256  # images that are converted at once; as floats, they fit into a cache of the processor
_BLOCK_BYTES = 2**26

_NOT_FINITE = Failure(FailureCode.UNREADABLE, "It cannot be read: it has numbers that are not finite. Save it again.")


NO_LABELS = ChosenLabels()


class Array:
    """The images of one array. Their names are indices with leading zeros, so that sorting keeps the order.

    Args:
        images: Numbers (n, 28, 28), or (n, height, width) or (n, height, width, 3 or 4) if the form has pictures.
        labels: Labels of the images.
        form: How numbers become images: raw ones, or PNG files.
        prefix: Beginning of every name.
        repeat: Number of times that the source has each image. Above 1, names end in `#1`, `#2`, ….
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: ChosenLabels = NO_LABELS,
        *,
        form: Form = UNCHANGED,
        prefix: str = "",
        repeat: int = 1,
    ) -> None:
        self._images = images
        self.form = form
        marks = [""] if repeat == 1 else [f"#{number}" for number in range(1, repeat + 1)]
        names = index_names(len(images))
        self.listing = listing_of(
            {f"{prefix}{name}{mark}": index for mark in marks for index, name in enumerate(names)}, labels
        )

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], ImageContent | Failure]]:
        """Yield a function that returns the image at an index: uint8 (28, 28) as a view, or a PNG file."""
        if self._images.dtype == np.uint8 and self.form.changes_nothing:
            yield _Stored(self._images)
        else:
            yield _Converter(self._images, self.form)


def index_names(count: int) -> list[str]:
    """Return the names of a number of images: their indices with leading zeros, so that sorting keeps the order."""
    width = max(5, len(str(count - 1)))
    return [f"{index:0{width}}" for index in range(count)]


def listing_of(places: dict[str, int], labels: ChosenLabels) -> Listing[int]:
    """Return the listing of images with these indices and their labels.

    Args:
        places: Index of each image by its name.
        labels: Labels by index.
    """
    return Listing(
        images=places,
        labels=_by_name(labels.digits, places),
        numbers=_by_name(labels.numbers, places),
        label_note=labels.note,
    )


def _by_name(
    labels: NDArray[np.integer[Any]] | NDArray[np.str_] | None, places: Mapping[str, int]
) -> Mapping[str, Label]:
    """Return the label of each image by its name, or nothing without labels."""
    if labels is None:
        return {}
    values = labels.tolist()
    return {name: values[index] for name, index in places.items()}


class _Stored:
    """Reads the images of an array that has them as they are sent."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images

    def __call__(self, index: int, /) -> NDArray[np.uint8]:
        """Return the image at an index as a view."""
        image: NDArray[np.uint8] = self._images[index]
        return image

    def block(self, indices: Sequence[int], /) -> NDArray[np.uint8]:
        """Return images; see `BlockReader`."""
        return self._images[_as_slice(indices)]


class _Converter:
    """Converts the images of an array in blocks, because a call for each image would take most of the time."""

    def __init__(self, images: NDArray[Any], form: Form) -> None:
        self._images, self._form = images, form
        bytes_each = max(images[:1].nbytes, 1)
        self._length = max(1, min(_BLOCK, _BLOCK_BYTES // bytes_each))
        self._start = -1
        self._block: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._finite: NDArray[np.bool_] | None = None

    def __call__(self, index: int, /) -> ImageContent | Failure:
        """Return the image at an index."""
        offset = index % self._length
        if index - offset != self._start:
            self._load(index - offset)
        if self._finite is not None and not self._finite[offset]:
            return _NOT_FINITE
        image = self._block[offset]
        return _as_png(image) if self._form.pictures else image

    def block(self, indices: Sequence[int], /) -> NDArray[np.uint8] | None:
        """Return images; see `BlockReader`."""
        if self._form.pictures:
            return None
        numbers = self._images[_as_slice(indices)]
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            return None
        return to_bytes(numbers, self._form)

    def _load(self, start: int) -> None:
        numbers = self._images[start : start + self._length]
        self._block = to_bytes(numbers, self._form)
        if numbers.dtype.kind == "f":
            self._finite = np.isfinite(numbers).all(axis=tuple(range(1, numbers.ndim)))
        self._start = start


def _as_slice(indices: Sequence[int]) -> slice | list[int]:
    """Return an index of the same images that reads them in one piece, if they follow each other."""
    start, stop = indices[0], indices[0] + len(indices)
    listed = list(indices)
    return slice(start, stop) if listed == list(range(start, stop)) else listed


def _as_png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG", compress_level=1)
    return file.getvalue()
