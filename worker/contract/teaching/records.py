"""A label change of one image, as it travels and as the account lists it. No other module knows its bytes.

A record begins with the label: an ASCII digit, or `-` to forget the image. Scripts compare that byte. The rest is a
msgpack map with a format version (`model.records`).
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.data.taught import fingerprint
from model.records import Damaged, from_msgpack, to_msgpack
from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import moment, reading
from worker.contract.wire import SIDE

VERSION = 1

MAX_NAME = 500
"""Maximum length of a name in a record, in characters. Of a longer name, the record keeps the end, which says most."""

_NONE = "-"
_LOOKS = frozenset([*range(10), None])
_MAX_BYTES = 4 * MAX_NAME + SIDE * SIDE + 100


@dataclass(frozen=True, slots=True)
class _Body:
    """A record as it travels, after the label."""

    name: bytes
    when: float
    pixels: bytes | None
    looks_like: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelChange:
    """A new label for one image.

    Attributes:
        sha256: SHA-256 of its pixels, hexadecimal. It identifies the image wherever it is kept.
        label: 0 to 9, or None to forget the image.
        name: Name by which the user knows it, for the list.
        when: Time of the change: unix time, seconds.
        image: uint8 (28, 28). None to forget the image, or to confirm its label if it is held back; and in the account,
            which only lists, except for images that are held back.
        looks_like: Digit that the model reads, 0 to 9, if the label is suspicious and the image is to be held back.
    """

    sha256: str
    label: int | None
    name: str
    when: float
    image: NDArray[np.uint8] | None = None
    looks_like: int | None = None

    @classmethod
    def of(cls, image: NDArray[np.uint8], label: int, name: str, when: float) -> Self:
        """Return the change that teaches an image.

        Args:
            image: uint8 (28, 28).
            label: 0 to 9.
            name: Name by which the user knows the image.
            when: Unix time, seconds.
        """
        return cls(fingerprint(image), label, name, when, image)

    def to_wire(self) -> bytes:
        """Encode the change without its SHA-256, because that is the key of the record."""
        label = _NONE if self.label is None else str(self.label)
        pixels = None if self.image is None else np.ascontiguousarray(self.image).tobytes()
        # A file name on Linux may be any bytes; surrogateescape keeps those that are not UTF-8.
        name = self.name[-MAX_NAME:].encode("utf-8", "surrogateescape")
        body = {"name": name, "when": self.when, "pixels": pixels}
        if self.looks_like is not None:  # earlier versions ignore it
            body["looks_like"] = self.looks_like
        return label.encode() + to_msgpack(body, version=VERSION)

    @classmethod
    def from_wire(cls, sha256: str, data: bytes) -> Self:
        """Decode the record with this SHA-256 as its key.

        Raises:
            WireError: The data is not such a record, has a format that this program does not read, or is of another
                image.
        """
        with _reading():
            if not identifiers.is_valid(Kind.IMAGE, sha256):  # it names a file
                raise Damaged("its key is not a SHA-256")
            if len(data) > _MAX_BYTES:
                raise Damaged(f"it has more than {_MAX_BYTES:,} bytes")
            body = from_msgpack(_Body, data[1:], version=VERSION)
            image = None if body.pixels is None else _image(sha256, body.pixels)
            if body.looks_like not in _LOOKS:
                raise Damaged("looks_like: not a digit")
            name, when = body.name.decode("utf-8", "surrogateescape"), moment(body.when)
            return cls(sha256, label_of(data), name, when, image, body.looks_like)


def label_of(record: bytes) -> int | None:
    """Return the label with which a record begins.

    Raises:
        WireError: The record does not begin with a label.
    """
    first = record[:1]
    with _reading():
        if first != _NONE.encode() and not first.isdigit():
            raise Damaged("it does not begin with a label")
    return None if first == _NONE.encode() else int(first)


def _reading() -> AbstractContextManager[None]:
    return reading("This teaching record", remedy="Teach the image again.")


def _image(sha256: str, pixels: bytes) -> NDArray[np.uint8]:
    if len(pixels) != SIDE * SIDE:
        raise Damaged("pixels: of a wrong length")
    image = np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)
    if fingerprint(image) != sha256:
        raise Damaged("pixels: of another image")
    return image
