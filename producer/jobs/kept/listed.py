"""The order of a folder's images: a file that grows while the folder is listed, so that `resume` finds the same order.

The file has msgpack records `[image, …]` of up to `PIECE` images, in their order. An image is its name as bytes, or
`[name, document, directory]` for a page, or `[name, code, sentence]` for an image that is known to be unreadable. When
the folder has no more images, `{kind: count, …}` follows, with the files that are left out. A client waits until images
are on the disk before it sends them: a journal that outlives a power failure needs the order.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from model.errors import DataError, Failure, FailureCode
from producer.jobs.kept.files import Extent, RecordFile, read_record, read_records
from producer.sources import ListedImage
from worker.contract.wire import known_code

PIECE = 1000
"""Maximum number of images in a record. A client that reads the list has this many in memory."""


class ListedImages(RecordFile):
    """A context manager for the file of one job; see `producer.sources.ImageList`.

    Args:
        path: File to continue, or to create together with its folder.

    Attributes:
        path: The file.
        lock: Name of the lock on the file (`files.lock_name`).
        rows: Number of images so far.
        left_out: Number of files that are left out, by kind.
        is_complete: Whether all images are in the list.

    Raises:
        DataError: The file is not such a list.
        UsageError: The file cannot be written, or another process has it open.
    """

    rows: int
    left_out: Mapping[str, int]
    is_complete: bool

    def _load(self, file: BinaryIO) -> int:
        self.rows, self.left_out, self.is_complete = 0, {}, False
        self._places: list[Extent] = []
        intact = 0
        for record, place in read_records(file):
            match record:
                case list():
                    self._note(len(record), place)
                case dict():
                    self.left_out, self.is_complete = record, True
                case _:
                    raise _not_a_list(self.path)
            intact = place.stop
        return intact

    def _note(self, rows: int, place: Extent) -> None:
        self.rows += rows
        self._places.append(place)

    def add(self, images: Sequence[ListedImage]) -> None:
        """Add images at the end.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
        """
        pieces = [[_packed(image) for image in images[at : at + PIECE]] for at in range(0, len(images), PIECE)]
        for piece, place in zip(pieces, self._append(pieces, durable=True), strict=True):
            self._note(len(piece), place)

    def finish(self, left_out: Mapping[str, int]) -> None:
        """Record that all images are in the list.

        Raises:
            UsageError: The file cannot be written, for instance because the disk is full.
        """
        self._append([dict(left_out)])
        self.left_out, self.is_complete = dict(left_out), True

    def pieces(self) -> int:
        """Return in how many pieces the list can be read so far."""
        return len(self._places)

    def piece(self, index: int) -> list[ListedImage]:
        """Return one piece of the list.

        Raises:
            DataError: The file is not such a list.
        """
        with self.path.open("rb") as file:
            record = read_record(file, self._places[index])
        return [self._unpacked(row) for row in record or ()]

    def _unpacked(self, row: Any) -> ListedImage:
        match row:
            case bytes(name):
                return ListedImage(_text(name))
            case [bytes(name), bytes(document), int(directory)]:
                return ListedImage(_text(name), _text(document), directory)
            case [bytes(name), str(code), str(sentence)]:
                return ListedImage(_text(name), failure=Failure(known_code(code, FailureCode.INTERNAL), sentence))
        raise _not_a_list(self.path)


class ListEnd(NamedTuple):
    """What a complete list says about its folder.

    Attributes:
        rows: Number of images.
        left_out: Number of files that are left out, by kind.
    """

    rows: int
    left_out: Mapping[str, int]


def read_end(path: Path) -> ListEnd | None:
    """Return what the list of a job says, or None if it is not complete. A client may have it open.

    Raises:
        DataError: The file is not such a list.
        OSError: The file cannot be read.
    """
    rows = 0
    with path.open("rb") as file:
        for record, _ in read_records(file):
            match record:
                case list():
                    rows += len(record)
                case dict():
                    return ListEnd(rows, record)
                case _:
                    raise _not_a_list(path)
    return None


def _packed(image: ListedImage) -> object:
    name = image.name.encode("utf-8", "surrogatepass")
    if image.failure:
        return [name, str(image.failure.code), image.failure.sentence]
    if image.document:
        return [name, image.document.encode("utf-8", "surrogatepass"), image.directory]
    return name


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def _not_a_list(path: Path) -> DataError:
    return DataError(f"{path} does not list the images of a job. Move it away.")
