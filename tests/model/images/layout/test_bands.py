"""An inverted band of an image is put right, and nothing else is taken for one."""

import numpy as np
import pytest

from model.images.layout.bands import without_band
from model.images.normalise import normalise
from tests.model.images.drawings import FIVE, drawing


@pytest.mark.parametrize("band", [slice(6, 17), slice(0, 9), slice(15, 28), slice(13, 15)])
@pytest.mark.parametrize("turn", range(2))
def test_an_inverted_band_is_put_right(samples, band, turn):
    """An image of MNIST with an inverted band of columns or of rows is shown as it was."""
    for digit in samples.train.images[:20]:
        image = np.rot90(digit, turn).copy()
        banded = image.copy()
        banded[:, band] ^= 255
        assert np.array_equal(normalise(banded), image)


def test_other_images_are_left_as_they_are(samples):
    """An image without a band, a drawing that touches the border, and a sheet beside a table come back themselves."""
    page = drawing(100, 80, line=FIVE)
    beside_table = np.concatenate([np.full((100, 20), 70, np.uint8), page], axis=1)
    cut_off = page[30:]
    line = page.copy()
    line[:, 40] = 0
    for image in (samples.train.images[0], page, beside_table, cut_off, line, np.zeros((1, 1), np.uint8)):
        assert without_band(image) is image
