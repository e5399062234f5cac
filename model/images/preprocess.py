"""Turn the bytes of a user's image into the classifier's input. The worker does this for one image at a time."""

import numpy as np
from numpy.typing import NDArray

from model.images.decoding.decode import decode
from model.images.decoding.formats import own_failure
from model.images.decoding.pillow import DECODER_ERRORS
from model.images.normalise import Normalised, normalise, normalise_all
from model.images.stages import StageObserver, ignore_stage


def preprocess(data: bytes, observe: StageObserver = ignore_stage) -> NDArray[np.uint8]:
    """Decode an image and bring it to MNIST's conventions.

    The function raises only ImageError, whatever the input. An exception that comes from outside, such as a task's time
    limit, passes through.

    Args:
        data: Bytes of one PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF or HEIC file.
        observe: Callback that receives the image after each stage, up to the stage that refuses it.

    Returns:
        The digit, uint8 (28, 28), light ink on black.

    Raises:
        ImageError: The image cannot be classified (EMPTY, NOT_AN_IMAGE, BROKEN, TOO_LARGE, TOO_COSTLY, SEVERAL_FRAMES
            or BLANK), it shows several digits for certain (SEVERAL_DIGITS), or digitmill itself has a bug (INTERNAL).
    """
    try:
        return normalise(decode(data), observe)
    except DECODER_ERRORS as error:  # no such input is known, but one must not fail the rest of the batch
        raise own_failure(error) from error


def preprocess_all(data: bytes, observe: StageObserver = ignore_stage, *, only_if_cheap: bool = False) -> Normalised:
    """Decode an image and bring all digits that it may show to MNIST's conventions.

    Args:
        data: Bytes of one image file, as for `preprocess`.
        observe: Callback that receives the image after each stage but the last.
        only_if_cheap: Whether to refuse a file that is not certainly cheap to decode.

    Raises:
        ImageError: As `preprocess`, but never SEVERAL_DIGITS.
        MayBeCostly: The file is not certainly cheap to decode, and `only_if_cheap` is set.
    """
    try:
        return normalise_all(decode(data, only_if_cheap=only_if_cheap), observe)
    except DECODER_ERRORS as error:  # as above
        raise own_failure(error) from error
