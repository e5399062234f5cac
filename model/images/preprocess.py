"""From the bytes of a user's image to what the classifier takes. The worker calls this for each image by itself."""

import numpy as np
from numpy.typing import NDArray

from model.errors import FailureCode, ImageError
from model.images.decode import DECODER_ERRORS, decode
from model.images.normalise import normalise
from model.images.stages import StageObserver, ignore_stage


def preprocess(data: bytes, observe: StageObserver = ignore_stage) -> NDArray[np.uint8]:
    """Decode an image and bring it to MNIST's conventions.

    Args:
        data: the bytes of one PNG, JPEG, BMP, GIF, TIFF or WebP file.
        observe: told the image after each step, up to the one that refuses it.

    Returns:
        uint8 (28, 28), light ink on black.

    Raises:
        ImageError: EMPTY, NOT_AN_IMAGE, BROKEN, TOO_LARGE, SEVERAL_FRAMES or BLANK; INTERNAL for a fault of ours, so
            that nothing else follows from any input. What the surroundings raise into this call, such as a task's time
            limit, passes through.
    """
    try:
        return normalise(decode(data), observe)
    except DECODER_ERRORS as error:  # none is known; but no gap in the tests may cost an image's neighbours
        raise ImageError(
            FailureCode.INTERNAL, f"digitmill itself failed on this image ({type(error).__name__}). Report it."
        ) from error
