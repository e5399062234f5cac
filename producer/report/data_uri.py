"""Pictures as `data:` addresses, so that the page needs no other file."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture, encoded as PNG, as a `data:` address.

    Args:
        pixels: uint8 (height, width), 0 for black to 255 for white.
    """
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode("ascii")
