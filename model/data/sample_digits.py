"""Scikit-learn's 1,797 handwritten digits, brought to MNIST's form: what stands in where MNIST cannot be had.

They are 8 by 8 images of 0 to 16, by 13 writers (Alpaydin and Kaynak 1998, https://doi.org/10.24432/C50P49).
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.data.digits import Dataset, Digits
from model.errors import DataError

_TEST_EVERY = 5  # one image in five is for testing


def load() -> Dataset:
    """The digits, 1,437 to train on and 360 to test on, always the same.

    Raises:
        DataError: scikit-learn is not installed.
    """
    digits = _all()
    testing = np.arange(len(digits)) % _TEST_EVERY == 0
    return Dataset("samples", digits[np.flatnonzero(~testing)], digits[np.flatnonzero(testing)])


def write_folder(folder: Path) -> int:
    """Write all of them as PNG files, `<label>/<index>.png`, and return how many."""
    digits = _all()
    for index, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
        path = folder / str(label) / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return len(digits)


def _all() -> Digits:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("scikit-learn is not installed. Install it: pip install 'digitmill[samples]'.") from error
    small = load_digits()
    images = np.stack([_like_mnist(image) for image in small.images])
    return Digits(images, small.target.astype(np.uint8))


def _like_mnist(small: NDArray[np.float64]) -> NDArray[np.uint8]:
    """An 8 by 8 image of 0 to 16 as MNIST would have it: 20 by 20, its centre of mass in the middle of 28 by 28."""
    large = cv2.resize(small * (255 / 16), (20, 20), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(np.clip(large, 0, 255), 4, 4, 4, 4, cv2.BORDER_CONSTANT)
    mass = cv2.moments(framed)
    x, y = mass["m10"] / mass["m00"], mass["m01"] / mass["m00"]
    shift = np.array([[1, 0, round(13.5 - x)], [0, 1, round(13.5 - y)]], np.float32)
    return np.rint(cv2.warpAffine(framed, shift, (28, 28))).astype(np.uint8)
