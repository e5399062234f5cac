"""Worn images look as normalisation leaves files."""

import numpy as np

from model.augmentation.worn import normalised
from model.data.digits import Dataset
from model.images.fitting import BOX, SIDE


def test_the_same_state_gives_the_same_images(samples: Dataset):
    """The same random state gives the same images, and the originals stay as they are."""
    images = samples.train.images[:40]
    before = images.copy()
    first, again = (normalised(images, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(images, before)
    assert np.array_equal(first, again)
    assert first.shape == images.shape
    assert first.dtype == np.uint8


def test_small_digits_beside_the_middle_are_brought_to_mnists_box(samples: Dataset):
    """Digits of half the size, in a corner and in grey, fill the box again and lie in the middle."""
    small = np.zeros((50, SIDE, SIDE), np.uint8)
    small[:, 2:14, 3:15] = samples.train.images[:50, 4:28:2, 4:28:2] // 2
    for image in normalised(small, np.random.default_rng(1)):
        rows, columns = np.nonzero(image > 40)
        assert max(np.ptp(rows), np.ptp(columns)) >= BOX - 4
        assert abs((image.sum(axis=1) @ np.arange(SIDE)) / image.sum() - 13.5) < 3


def test_what_cannot_be_normalised_stays():
    """Blank images stay as they are."""
    blank = np.zeros((20, SIDE, SIDE), np.uint8)
    assert np.array_equal(normalised(blank, np.random.default_rng(1)), blank)
