"""The sample digits have MNIST's form, and never change."""

import cv2
import numpy as np
from PIL import Image

from model.data import sample_digits as source
from model.data.digits import Dataset, sha256
from model.inference.classifier import Classifier


def test_they_never_change(samples: Dataset):
    """Pixels, labels and order are exactly those that version 0.1.0 made from scikit-learn's `load_digits`."""
    assert sha256(samples.train, samples.test) == "1b12407cf520b487c42b02d4e252ae97883890ee53c8fe465985c60d99a6929a"


def test_split(samples: Dataset):
    """Of the 1,797 digits, 1,437 are for training and 360 for testing. Both parts have all ten digits."""
    assert (len(samples.train), len(samples.test)) == (1437, 360)
    assert set(samples.train.labels) == set(samples.test.labels) == set(range(10))


def test_they_keep_mnists_conventions(samples: Dataset):
    """The ink's centre of mass is within a pixel of the image's centre. Top row and right column are black."""
    for image in samples.train.images:
        mass = cv2.moments(image)
        assert abs(mass["m10"] / mass["m00"] - 13.5) <= 1
        assert abs(mass["m01"] / mass["m00"] - 13.5) <= 1
        assert not image[0].any()
        assert not image[:, -1].any()


def test_a_network_that_never_saw_them_reads_them(samples: Dataset, baseline: Classifier):
    """The baseline, which was trained on MNIST alone, reads at least 94 % of the digits for training correctly."""
    assert np.mean(baseline.classify(samples.train.images).digits == samples.train.labels) >= 0.94


def test_folder_of_png_files(samples: Dataset, tmp_path):
    """`write_folder` writes 1,797 PNG files into folders named by label. The first file has the pixels of its digit."""
    assert source.write_folder(tmp_path) == len(list(tmp_path.glob("[0-9]/*.png"))) == 1797
    first = tmp_path / str(samples.test.labels[0]) / "0000.png"
    assert np.array_equal(np.asarray(Image.open(first)), samples.test.images[0])
