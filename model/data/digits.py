"""Labelled images of digits: the one form in which data reach training and judging."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError


@dataclass(frozen=True, slots=True)
class Digits:
    """Images and their true digits, in a fixed order.

    Attributes:
        images: uint8 (n, 28, 28), light ink on black.
        labels: uint8 (n,), 0 to 9.

    Raises:
        DataError: shapes or dtypes differ from these, or a label is above 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 3 or self.images.shape[1:] != (28, 28):
            raise DataError(f"Images must be uint8 (n, 28, 28); these are {self.images.dtype} {self.images.shape}.")
        if self.labels.dtype != np.uint8 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"{len(self.images)} images need labels uint8 ({len(self.images)},); "
                f"these are {self.labels.dtype} {self.labels.shape}."
            )
        if len(self.labels) and self.labels.max() > 9:
            raise DataError(f"Labels must be digits 0 to 9; there is a {self.labels.max()}.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> "Digits":
        """The chosen rows, in the chosen order."""
        return Digits(self.images[chosen], self.labels[chosen])


class Dataset(NamedTuple):
    """What a network is trained on and what it is judged on; the second is never used to choose anything."""

    name: str
    train: Digits
    test: Digits


def sha256(*parts: Digits) -> str:
    """Hexadecimal SHA-256 over the images, then the labels, of each part in turn: which data exactly."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part.images).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()


def held_out(images: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Which of the images (n, 28, 28) `hold_out` sets apart, bool (n,): for a larger share the same and others."""
    limit = round(share * 2**64)
    hashes = (hashlib.sha256(image.data).digest() for image in np.ascontiguousarray(images))
    return np.array([int.from_bytes(digest[:8], "big") < limit for digest in hashes], bool)


def hold_out(digits: Digits, share: float) -> tuple[Digits, Digits]:
    """Set about a `share` (0 to 1) of the images apart for validation: those whose SHA-256 is low enough.

    A hash shuffles as well as random numbers, needs no seed, and does not change with NumPy's version. Each image
    decides for itself, whatever else is there: data may grow and no image changes sides, so the live model and every
    candidate are compared on images that none of them was trained on; and an image that occurs twice is on one side.

    Returns:
        The rest and those set apart, each in its original order.

    Raises:
        DataError: there are too few images for one of them.
    """
    held = held_out(digits.images, share)
    if held.all() or not held.any():
        raise DataError(f"{len(digits)} images are too few to hold {share:.1%} of them out. Give more images.")
    return digits[np.flatnonzero(~held)], digits[np.flatnonzero(held)]
