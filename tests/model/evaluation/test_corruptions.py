"""Ways in which images go bad."""

import numpy as np
import pytest

from model.data.digits import Dataset
from model.evaluation.corruptions import CORRUPTIONS, corrupted


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_is_reproducible_and_leaves_the_digit_visible(name: str, samples: Dataset):
    """The same seed gives the same images; nearly all of them change, and still show what was there."""
    images = samples.train.images[:80]
    before = images.copy()
    first, again, other = (corrupted(name, images, seed) for seed in (1, 1, 2))
    assert np.array_equal(images, before)
    assert np.array_equal(first, again)
    assert (first.dtype, first.shape) == (np.uint8, images.shape)
    assert (first != images).any(axis=(1, 2)).mean() > 0.85
    is_random = name not in {"gaussian_blur", "brightness", "contrast", "pixelation", "jpeg"}
    assert np.array_equal(first, other) != is_random
    if name not in {"rotation", "scale", "translation", "shear"}:  # which move the ink away from where it was
        alike = [np.corrcoef(old.ravel(), new.ravel())[0, 1] for old, new in zip(images, first, strict=True)]
        assert min(alike) > 0.4


def test_there_are_fifteen():
    """Fifteen kinds, each under the name of its function."""
    assert len(CORRUPTIONS) == 15
    assert all(kind.__name__ == name for name, kind in CORRUPTIONS.items())


def test_geometry_keeps_to_its_limits():
    """A dot in the middle stays there under rotation, scale and shear, and moves by up to 4 pixels when translated."""
    dots = np.zeros((200, 28, 28), np.uint8)
    dots[:, 12:16, 12:16] = 255
    for name, most in (("rotation", 0.1), ("scale", 0.1), ("shear", 0.1), ("translation", 4.1)):
        changed = corrupted(name, dots)
        mass = changed.sum(axis=(1, 2))
        offsets = np.abs(changed.sum(axis=1) @ np.arange(28) / mass - 13.5)
        assert offsets.max() <= most
        assert offsets.max() > most - 0.3 or most < 1
