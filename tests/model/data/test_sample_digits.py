"""Scikit-learn's digits in MNIST's form."""

import cv2
import numpy as np
from PIL import Image

from model.data import sample_digits as source
from model.data.digits import Dataset
from model.inference.classifier import Classifier


def test_split(samples: Dataset):
    """Of the 1,797 digits 1,437 are for training and 360 for testing, all ten in both."""
    assert (len(samples.train), len(samples.test)) == (1437, 360)
    assert set(samples.train.labels) == set(samples.test.labels) == set(range(10))


def test_they_keep_mnists_conventions(samples: Dataset):
    """The ink's centre of mass is within a pixel of the image's centre, and the border is black."""
    for image in samples.train.images:
        mass = cv2.moments(image)
        assert abs(mass["m10"] / mass["m00"] - 13.5) <= 1
        assert abs(mass["m01"] / mass["m00"] - 13.5) <= 1
        assert not image[0].any()
        assert not image[:, -1].any()


def test_a_network_that_never_saw_them_reads_them(samples: Dataset, baseline: Classifier):
    """The baseline, trained on MNIST alone, reads at least 94 % of them: they look enough like it."""
    assert np.mean(baseline.classify(samples.train.images).digits == samples.train.labels) >= 0.94


def test_folder_of_png_files(samples: Dataset, tmp_path):
    """The folder has each digit as a PNG file, named by its label, pixel for pixel."""
    assert source.write_folder(tmp_path) == len(list(tmp_path.glob("[0-9]/*.png"))) == 1797
    first = tmp_path / str(samples.test.labels[0]) / "0000.png"
    assert np.array_equal(np.asarray(Image.open(first)), samples.test.images[0])
