"""From the bytes of a user's image to what the classifier takes. The worker calls this for each image by itself."""

import numpy as np
from numpy.typing import NDArray

from model.decode import DECODER_ERRORS, MAX_BYTES, MAX_PIXELS, decode
from model.errors import FailureCode, ImageError
from model.normalise import normalise

__all__ = ["MAX_BYTES", "MAX_PIXELS", "preprocess"]


def preprocess(data: bytes) -> NDArray[np.uint8]:
    """Decode an image and bring it to MNIST's conventions.

    Args:
        data: the bytes of one PNG, JPEG, BMP, GIF, TIFF or WebP file.

    Returns:
        uint8 (28, 28), light ink on black.

    Raises:
        ImageError: EMPTY, NOT_AN_IMAGE, BROKEN, TOO_LARGE, SEVERAL_FRAMES or BLANK. Nothing else follows from any
            input; what the surroundings raise into this call, such as a task's time limit, passes through.
    """
    try:
        return normalise(decode(data))
    except DECODER_ERRORS as error:  # not even a gap in the tests may cost the image's neighbours
        raise ImageError(
            FailureCode.BROKEN, f"The image cannot be read: convert it to PNG. ({type(error).__name__}: {error})"
        ) from error
