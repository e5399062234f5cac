"""Labelled images of digits: training and judging take data in this form only."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from model.wording import percent


@dataclass(frozen=True, slots=True)
class Digits:
    """Images and their true digits, in a fixed order.

    Attributes:
        images: Images, uint8 (n, 28, 28), light ink on black.
        labels: Digits that they show, uint8 (n,), 0 to 9.

    Raises:
        DataError: Shapes or dtypes differ from these, or a label is above 9.
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
        """Return the chosen rows, in the chosen order."""
        return Digits(self.images[chosen], self.labels[chosen])


class Dataset(NamedTuple):
    """Images to train a network on, and images to test it on. The test images never decide anything."""

    name: str
    train: Digits
    test: Digits


def sha256(*parts: Digits) -> str:
    """Return the SHA-256, hexadecimal, of the images and then the labels of each part. It identifies the data."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part.images).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()


def held_out(images: NDArray[np.uint8], share: float) -> NDArray[np.bool_]:
    """Mark the images that `hold_out` sets apart. A larger share marks these images and others.

    Args:
        images: Images, uint8 (n, 28, 28).
        share: Share to set apart, 0 to 1.

    Returns:
        Marks, bool (n,).
    """
    limit = round(share * 2**64)
    hashes = (hashlib.sha256(image.data).digest() for image in np.ascontiguousarray(images))
    return np.array([int.from_bytes(digest[:8], "big") < limit for digest in hashes], bool)


def hold_out(digits: Digits, share: float) -> tuple[Digits, Digits]:
    """Set apart about this share of the images for validation: those whose SHA-256 is low enough.

    A hash shuffles as well as random numbers do, needs no seed, and does not change with NumPy's version. An image's
    own hash decides, whatever other images there are. So when the data set grows, no image changes sides, and the gate
    compares the live model and all candidates on images that none of them was trained on. Copies of an image are on the
    same side.

    Args:
        digits: Images to divide.
        share: Share to set apart, 0 to 1.

    Returns:
        The remaining images and the images set apart, each in their original order.

    Raises:
        DataError: One of the two would be empty, because there are too few images.
    """
    held = held_out(digits.images, share)
    if held.all() or not held.any():
        raise DataError(f"{len(digits)} images are too few to hold {percent(share, 1)} of them out. Give more images.")
    return digits[np.flatnonzero(~held)], digits[np.flatnonzero(held)]
