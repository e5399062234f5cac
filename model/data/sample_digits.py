"""The sample digits: 1,797 small handwritten digits in MNIST's form, for use where MNIST is not available.

`sample_digits.npz` holds them as scikit-learn's `load_digits` gives them: 8×8 pixels of 0 to 16, by 13 writers. They
are the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI Machine
Learning Repository, https://doi.org/10.24432/C50P49, licensed under CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/). The package holds their values unchanged; this module enlarges and
centres them.
"""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.data.digits import Dataset, Digits

_FILE: Final = Path(__file__).with_name("sample_digits.npz")
"""Arrays `images`, uint8 (1797, 8, 8), and `labels`, uint8 (1797,)."""

_TEST_EVERY = 5  # every fifth image is for testing


def load() -> Dataset:
    """Load the sample digits: 1,437 to train on and 360 to test on, always the same."""
    digits = _all()
    testing = np.arange(len(digits)) % _TEST_EVERY == 0
    return Dataset("samples", digits[np.flatnonzero(~testing)], digits[np.flatnonzero(testing)])


def write_folder(folder: Path) -> int:
    """Write all digits as PNG files, `<label>/<index>.png`, and return their number.

    Args:
        folder: Folder to write into. It is created if necessary.

    Raises:
        OSError: A file cannot be written.
    """
    digits = _all()
    for index, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
        path = folder / str(label) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return len(digits)


def _all() -> Digits:
    with np.load(_FILE, allow_pickle=False) as arrays:
        return Digits(np.stack([_like_mnist(image) for image in arrays["images"]]), arrays["labels"])


def _like_mnist(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an 8×8 image of 0 to 16 in MNIST's form: enlarged to 20×20, and centred by mass in 28×28."""
    large = cv2.resize(small * (255 / 16), (20, 20), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(np.clip(large, 0, 255), 4, 4, 4, 4, cv2.BORDER_CONSTANT)
    mass = cv2.moments(framed)
    x, y = mass["m10"] / mass["m00"], mass["m01"] / mass["m00"]
    shift = np.array([[1, 0, round(13.5 - x)], [0, 1, round(13.5 - y)]], np.float32)
    return np.rint(cv2.warpAffine(framed, shift, (28, 28))).astype(np.uint8)
