"""What is taught of one image, as it travels and is accounted for. No other module knows a byte of it.

A record begins with the label: an ASCII digit, or `-` where the image is to be forgotten. Scripts compare that byte and
pass the rest on: msgpack, a map with a format version.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model.data.taught import fingerprint
from worker.contract.codec import pack, unpack
from worker.contract.errors import WireError

VERSION = 1
SIDE = 28

MAX_NAME = 500
"""Characters that are kept of a name: its end, which says most."""

_NONE = "-"
_SHA256 = re.compile("[0-9a-f]{64}")
_REMEDY = "Teach the image again."


@dataclass(frozen=True, slots=True, eq=False)
class LabelChange:
    """What is taught of one image.

    Attributes:
        sha256: of its pixels, hexadecimal: its name wherever it is kept.
        label: 0 to 9; None: it is to be forgotten.
        name: what the user knows it by, for the list.
        when: unix time, seconds.
        image: uint8 (28, 28); None where it is to be forgotten, and in the account, which only lists.
    """

    sha256: str
    label: int | None
    name: str
    when: float
    image: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, image: NDArray[np.uint8], label: int, name: str, when: float) -> Self:
        """Teach an image, uint8 (28, 28)."""
        return cls(fingerprint(image), label, name, when, image)

    def to_wire(self) -> bytes:
        """Encode; the SHA-256 is not in it, for the record lies under it."""
        label = _NONE if self.label is None else str(self.label)
        pixels = None if self.image is None else np.ascontiguousarray(self.image).tobytes()
        # A name is any bytes on Linux; surrogateescape keeps those that are no UTF-8.
        name = self.name[-MAX_NAME:].encode("utf-8", "surrogateescape")
        return label.encode() + pack({"name": name, "when": self.when, "pixels": pixels}, version=VERSION)

    @classmethod
    def from_wire(cls, sha256: str, data: bytes) -> Self:
        """Decode what lies under this SHA-256.

        Raises:
            WireError: it is no record, of a version that this program does not read, or of another image.
        """
        if not _SHA256.fullmatch(sha256):  # it names a file
            raise WireError(f"{sha256[:80]!r} is no SHA-256. {_REMEDY}")
        label = label_of(data)
        body = unpack(data[1:], version=VERSION, kind="teaching", remedy=_REMEDY)
        match body:
            case {"name": bytes(name), "when": float(when), "pixels": bytes() | None as pixels}:
                return cls(sha256, label, name.decode("utf-8", "surrogateescape"), when, _image(sha256, pixels))
        raise WireError(f"This teaching record is damaged. {_REMEDY}")


def label_of(record: bytes) -> int | None:
    """The label with which a record begins.

    Raises:
        WireError: there is none.
    """
    first = record[:1]
    if first == _NONE.encode():
        return None
    if not first.isdigit():
        raise WireError(f"This is no teaching record. {_REMEDY}")
    return int(first)


def _image(sha256: str, pixels: Any) -> NDArray[np.uint8] | None:
    if pixels is None:
        return None
    if len(pixels) != SIDE * SIDE:
        raise WireError(f"This teaching record is damaged. {_REMEDY}")
    image = np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)
    if fingerprint(image) != sha256:
        raise WireError(f"This teaching record is of another image than it says. {_REMEDY}")
    return image
