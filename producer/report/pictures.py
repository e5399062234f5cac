"""Images as the network saw them, as data URIs: the page needs no file beside it."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a PNG file in a `data:` address; `pixels` is (height, width) uint8, 0 black to 255 white."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode("ascii")
