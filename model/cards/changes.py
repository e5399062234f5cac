"""The held-out images that a candidate reads and the live model misreads, or the other way round: `changes.json`.

It is one of the candidate's files, so a report can show these images wherever the candidate can be fetched.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.records import Damaged, from_json, to_json

CHANGES: Final = "changes.json"
"""Name of the file. The candidate's card vouches for it."""

MAX_KEPT: Final = 40
"""Maximum number of images in each direction and of each kind: at 1.1 kB each, together at most 180 kB."""

FORMAT: Final = 1

_SHAPE = (28, 28)
_BYTES = 28 * 28
_KINDS = ("taught", "validation")


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """One image that only one of the two models reads.

    Attributes:
        images: Which images it is one of: "validation" or "taught", as in `Comparison`.
        label: True digit.
        before: Digit that the live model reads.
        after: Digit that the candidate reads.
        pixels: Pixels row by row, base64.
    """

    images: str
    label: int
    before: int
    after: int
    pixels: str

    @classmethod
    def of(cls, images: str, label: int, before: int, after: int, pixels: NDArray[np.uint8]) -> "ChangedImage":
        """Return a changed image with these pixels, uint8 (28, 28)."""
        return cls(images, label, before, after, b64encode(pixels.tobytes()).decode("ascii"))

    @property
    def won(self) -> bool:
        """Whether the candidate reads it."""
        return self.after == self.label

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The pixels, uint8 (28, 28)."""
        return np.frombuffer(b64decode(self.pixels), np.uint8).reshape(_SHAPE)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a candidate changes against the live model, on images that neither was trained on."""

    version: str  # the live model
    images: list[ChangedImage]  # at most `MAX_KEPT` in each direction and of each kind

    def dumps(self) -> bytes:
        """Encode the changes as JSON."""
        return to_json(self, format=FORMAT).encode()

    @classmethod
    def loads(cls, content: bytes) -> "Changes":
        """Decode the changes that `dumps` encoded.

        Raises:
            ModelError: The content is not such changes, or its format is one that this version does not read.
        """
        try:
            changes = from_json(cls, content, format=FORMAT)
            for image in changes.images:
                _check(image)
        except (Damaged, binascii.Error) as error:
            raise ModelError(f"This is not a file of changes ({error}). Upgrade digitmill, or train again.") from error
        return changes


def _check(image: ChangedImage) -> None:
    """Check the values of an image.

    Raises:
        Damaged: One is not possible.
        binascii.Error: The pixels are not base64.
    """
    if image.images not in _KINDS or not all(0 <= digit <= 9 for digit in (image.label, image.before, image.after)):
        raise Damaged("an image has an unknown kind or digit")
    if (image.before == image.label) == (image.after == image.label):
        raise Damaged("an image did not change")
    if len(b64decode(image.pixels, validate=True)) != _BYTES:
        raise Damaged(f"an image does not have {_BYTES} pixels")
