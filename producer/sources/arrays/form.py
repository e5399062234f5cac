"""The form of an array file: how its numbers become images. It is decided once for each file, and then only applied."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Form:
    """How the numbers of one array file become images.

    Attributes:
        background: Number in the file that means no ink. It becomes 0.
        ink: Number in the file that means full ink. It becomes 255. In an inverted file it is below `background`.
        last: Whether the index of an image is the last axis of the array, and not the first.
        wrapped: Whether the file has bytes 0 to 255 that were stored as -128 to 127, where 255 has become -1.
        pictures: Whether each image is sent as a PNG file, and the workers prepare it as they prepare any file.
        sentence: What was recognised and done, for people; "" if nothing was.
    """

    background: float = 0.0
    ink: float = 255.0
    last: bool = False
    wrapped: bool = False
    pictures: bool = False
    sentence: str = ""

    @property
    def changes_nothing(self) -> bool:
        """Whether bytes are sent as they are."""
        return (self.background, self.ink, self.wrapped, self.pictures) == (0, 255, False, False)


UNCHANGED = Form()
"""The form of images in MNIST's form: uint8 (n, 28, 28), light ink on black."""

ChooseForm: TypeAlias = Callable[[NDArray[Any], str], Form]
"""Function that takes the array of a file and the file's name, and returns its form.

It raises UsageError if the array cannot be read as images.
"""


def to_bytes(numbers: NDArray[Any], form: Form) -> NDArray[np.uint8]:
    """Return the numbers of some images as bytes: 0 for the background, 255 for ink.

    Args:
        numbers: Numbers of the file, of any shape. A number that is not finite may become any byte.
        form: Form of the file.

    Returns:
        uint8, of the same shape.
    """
    if form.wrapped or numbers.dtype == np.bool_:
        numbers = numbers.view(np.uint8)
    if numbers.dtype == np.uint8:
        if (form.background, form.ink) == (0, 255):
            return numbers
        if (form.background, form.ink) == (255, 0):
            return np.asarray(np.invert(numbers), np.uint8)
        table = _scaled(np.arange(256, dtype=np.float32), form).tobytes()
        # Ten times as fast as an index array.
        return np.frombuffer(numbers.tobytes().translate(table), np.uint8).reshape(numbers.shape)
    return _scaled(numbers.astype(np.float64 if numbers.dtype.itemsize > 4 else np.float32), form)


def _scaled(numbers: NDArray[np.floating[Any]], form: Form) -> NDArray[np.uint8]:
    """Return numbers as bytes. It works in `numbers`, because making arrays takes longer than computing."""
    span = (form.ink - form.background) or 1.0  # an order that somebody edited may have any numbers
    with np.errstate(invalid="ignore", over="ignore"):
        numbers -= form.background
        numbers *= 255 / span
        np.rint(numbers, out=numbers)
        np.clip(numbers, 0, 255, out=numbers)
        return numbers.astype(np.uint8)
