"""What a program may give as an image, and how it travels."""

import io
import sys
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import Failure, InputError
from model.images.limits import MAX_BYTES, MAX_PIXELS
from producer.sources.reading import TOO_LARGE, explain, read_file, unreadable
from worker.contract.wire import SIDE

if TYPE_CHECKING:
    from PIL.Image import Image

InputImage: TypeAlias = "str | PathLike[str] | bytes | bytearray | memoryview | NDArray[Any] | Image"
"""A path; the bytes of an image file; a picture of Pillow; or an array: uint8 (28, 28) in MNIST's convention, or a
picture as uint8 (height, width), (height, width, 3) or (height, width, 4)."""

Content: TypeAlias = bytes | NDArray[np.uint8]
"""What travels: an image file, or uint8 (28, 28) in MNIST's convention."""

Floats: TypeAlias = Literal["refuse", "0..1"]
"""What to do with arrays of floats."""

_CHANNELS = (3, 4)
_PNG_MODES = ("1", "L", "LA", "I;16", "RGB", "RGBA", "P")
_SHAPES = f"({SIDE}, {SIDE}), (height, width), (height, width, 3) or (height, width, 4)"


def content_of(image: InputImage, floats: Floats = "refuse") -> Content | Failure:
    """Return an image as it travels, or the reason why it cannot be read.

    Args:
        image: The image. An array uint8 (28, 28) is taken as it is: light ink on black. Every other array is a picture,
            which the worker prepares as it prepares a file. Colours are red, green, blue and, perhaps, opacity.
        floats: Whether arrays of floats are refused, or hold numbers from 0 to 1.

    Raises:
        InputError: It cannot be an image. The message says what to give.
    """
    if isinstance(image, np.ndarray):
        return _of_array(image, floats)
    if isinstance(image, bytes | bytearray | memoryview):
        data = bytes(image)
        return TOO_LARGE if len(data) > MAX_BYTES else data
    if isinstance(image, str | PathLike):
        return read_file(fspath(image))
    pillow = sys.modules.get("PIL.Image")  # who has such a picture has imported it
    if pillow is not None and isinstance(image, pillow.Image):
        return _of_picture(image)
    more = " Give several images to `classify_many`." if isinstance(image, list | tuple) else ""
    raise InputError(
        f"{type(image).__name__} is not an image. Give a path, the bytes of an image file, a picture of Pillow, or an "
        f"array of uint8 with the shape {_SHAPES}.{more}"
    )


def is_quick(image: InputImage) -> bool:
    """Return whether `content_of` takes no time worth mentioning, because it neither reads a file nor encodes one."""
    is_digit = isinstance(image, np.ndarray) and image.shape == (SIDE, SIDE)
    return is_digit or isinstance(image, bytes | bytearray | memoryview)


def _of_array(array: NDArray[Any], floats: Floats) -> Content | Failure:
    if array.dtype.kind == "f" and floats == "0..1":
        if array.size and not (array.min() >= 0 and array.max() <= 1):  # also refuses what is not a number
            raise InputError("The array has numbers that are not from 0 to 1. Scale them to 0 to 1, or to uint8.")
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        remedy = (
            'If its numbers are from 0 to 1, say floats="0..1"; otherwise convert it'
            if array.dtype.kind == "f"
            else "Convert it"
        )
        raise InputError(f"An array must have the dtype uint8 (0 to 255), not {array.dtype}. {remedy} to uint8.")
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or not array.size or (array.ndim == 3 and array.shape[-1] not in _CHANNELS):
        raise InputError(
            f"An array must have the shape {_SHAPES}, not {array.shape}. Give the images of a larger array one by one."
        )
    if array.shape == (SIDE, SIDE):
        return array.copy()  # the caller may change its own while ours waits
    from PIL import Image

    return _of_picture(Image.fromarray(np.ascontiguousarray(array)))


def _of_picture(picture: "Image") -> bytes | Failure:
    """Return a picture as the bytes of a PNG file, which loses nothing of what Pillow shows."""
    from PIL import ImageOps

    if picture.width * picture.height > MAX_PIXELS:
        return TOO_LARGE
    file = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(picture)  # PNG files of Pillow do not say how the camera was held
        if upright.mode not in _PNG_MODES:
            upright = upright.convert("RGB")
        upright.save(file, "PNG", compress_level=1)  # it is read once, so speed counts more than size
    except Exception as fault:  # Pillow decodes an opened file only now, and its decoders raise what they like
        return unreadable(explain(fault))
    data = file.getvalue()
    return TOO_LARGE if len(data) > MAX_BYTES else data
