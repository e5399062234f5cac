"""The shapes in which people keep images in an array, and how each is brought to (n, height, width)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 28
"""Height and width of an image in MNIST's form, in pixels."""

_PIXELS = SIDE * SIDE
_SMALL = 8  # height and width of the images of scikit-learn's `load_digits`, which also come as rows of 64 numbers
_COLOURS = (3, 4)
_MIN_SIDE, _MAX_SIDE = 4, 4096
_MAX_ASPECT = 8
_MIN_PLANE = 16  # least side of one picture without an index, in pixels
_ALIKE = 0.7  # greatest mean difference of neighbours in such a picture, as a share of that of distant pixels
_FEW = 2000


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the images of an array are.

    Attributes:
        shape: Shape of each image: (height, width), or (height, width, 3 or 4) if it has colours.
        axes: Order of the array's axes, without those of length 1, that puts the index of the image first and colours
            last.
        single: Whether the array is one image, without an index.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    single: bool = False

    @property
    def is_mnist(self) -> bool:
        """Whether each image has the shape of an image in MNIST's form."""
        return self.shape == (SIDE, SIDE)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each image, in pixels."""
        return self.shape[0], self.shape[1]

    @property
    def last(self) -> bool:
        """Whether the index of an image is the last axis."""
        return not self.single and self.axes[0] != 0

    def arrange(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the array as a view of shape (n, *`shape`)."""
        arranged = array.reshape([length for length in array.shape if length != 1] or [1]).transpose(self.axes)
        count = 1 if self.single else arranged.shape[0]
        # Splitting an axis never copies, so this is a view of a memory-mapped file as well.
        return arranged.reshape((count, *self.shape))


def find_layout(array: NDArray[Any], *, last: bool | None = None) -> Layout | None:
    """Return where the images of an array are, or None if it is not one of numbers in a shape that people use.

    Axes of length 1 do not count. The shapes are (n, 28, 28), (n, 784), both also with n as the last axis, a single
    image, and (n, height, width) of other sizes, also with three or four colours, first or last.

    Args:
        array: Array to look at. Its numbers matter only where 28 or 784 stands on several axes.
        last: Whether the index of an image is the last axis, or None to find out.
    """
    if array.dtype.kind not in "biuf":
        return None
    if array.size == 0:
        return Layout(array.shape[1:], tuple(range(array.ndim))) if array.shape[1:] == (SIDE, SIDE) else None
    shape = tuple(length for length in array.shape if length != 1)
    match shape:
        case (28, 28) | (784,):
            return Layout((SIDE, SIDE), tuple(range(len(shape))), single=True)
        case (784, 784) | (28, 28, 28):
            behind = _is_index_last(array.reshape(shape)) if last is None else last
        case (_, 784) | (_, 28, 28):
            behind = False
        case (784, _):
            behind = True
        case (28, 28, _) if shape[2] not in _COLOURS:
            behind = True
        case _:
            return _find_pictures(array, shape)
    axes = (len(shape) - 1, *range(len(shape) - 1)) if behind else tuple(range(len(shape)))
    return Layout((SIDE, SIDE), axes)


def _find_pictures(array: NDArray[Any], shape: tuple[int, ...]) -> Layout | None:
    """Return where pictures of other sizes are, or None."""
    found = Layout((0, 0), ())
    match shape:
        case (_, 64) if shape[0] != 64 and _is_small(array):
            found = Layout((_SMALL, _SMALL), (0, 1))
        case (28, _, 28):
            pass  # an index between rows and columns is more likely than 28 pictures of such a size
        case (height, width) if array.dtype == np.uint8 and _is_picture(array.reshape(shape)):
            found = Layout((height, width), (0, 1), single=True)
        case (height, width, colours) if colours in _COLOURS and min(height, width) > max(_COLOURS):
            found = Layout((height, width, colours), (0, 1, 2), single=True)
        case (height, width, count) if height == width != count and height < count:
            found = Layout((height, width), (2, 0, 1))
        case (_, height, width):
            found = Layout((height, width), (0, 1, 2))
        case (_, height, width, colours) if colours in _COLOURS:
            found = Layout((height, width, colours), (0, 1, 2, 3))
        case (_, colours, height, width) if colours in _COLOURS:
            found = Layout((height, width, colours), (0, 2, 3, 1))
        case (height, width, colours, _) if colours in _COLOURS and height == width:
            found = Layout((height, width, colours), (3, 0, 1, 2))
    shorter, longer = sorted(found.size)
    return found if shorter >= _MIN_SIDE and longer <= min(_MAX_SIDE, _MAX_ASPECT * shorter) else None


def _is_picture(table: NDArray[np.uint8]) -> bool:
    """Whether a table of bytes is one picture, and not one with a row for each picture or of features.

    Neighbours in a picture are alike in both directions. Rows of pictures are not alike.
    """
    height, width = table.shape
    is_row_square = math.isqrt(width) ** 2 == width != height
    if min(height, width) < _MIN_PLANE or is_row_square:
        return False
    numbers = table[:_MAX_SIDE, :_MAX_SIDE].astype(np.float32)
    far = np.abs(numbers - np.roll(numbers, (height // 2, width // 2), (0, 1))).mean()
    steps = [float(np.abs(np.diff(numbers, axis=axis)).mean()) for axis in (0, 1)]
    return max(steps) < _ALIKE * float(far)


def _is_small(array: NDArray[Any]) -> bool:
    """Whether rows of 64 numbers are images of scikit-learn's `load_digits`, and not features of another kind."""
    if array.dtype.kind not in "uif":
        return False
    some = array.reshape(-1, 64)[:_FEW]
    return bool(np.isfinite(some).all()) and some.min() >= 0 and 1 < some.max() <= 16 and bool((some % 1 == 0).all())


def _is_index_last(array: NDArray[Any]) -> bool:
    """Whether the last axis of an array with equal axes is the index of the image.

    Neighbours in one image are alike, and those in different images are not.
    """
    with np.errstate(all="ignore"):  # numbers may be infinite
        numbers = array.astype(np.float32)
        steps = [float(np.abs(np.diff(numbers, axis=axis)).mean()) for axis in (0, -1)]
    return steps[1] > steps[0]
