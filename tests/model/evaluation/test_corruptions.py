"""Corruptions are reproducible, and leave digits visible."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.data.digits import Dataset
from model.evaluation.corrupting import corrupted
from model.evaluation.corruptions import CORRUPTIONS


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_is_reproducible_and_leaves_the_digit_visible(name: str, samples: Dataset):
    """The same seed gives the same images. Nearly all of them change, and they stay similar to the originals."""
    images = samples.train.images[:80]
    before = images.copy()
    first, again, other = (corrupted(CORRUPTIONS, name, images, seed) for seed in (1, 1, 2))
    assert np.array_equal(images, before)
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert (first != images).any(axis=(1, 2)).mean() > 0.85
    is_random = name not in {"gaussian_blur", "brightness", "contrast", "pixelation", "jpeg"}
    assert np.array_equal(first, other) != is_random
    if name not in {"rotation", "scale", "translation", "shear"}:  # these move the ink to other pixels
        alike = [np.corrcoef(old.ravel(), new.ravel())[0, 1] for old, new in zip(images, first, strict=True)]
        assert min(alike) > 0.4


def test_there_are_fifteen():
    """There are fifteen corruptions, each under the name of its function."""
    assert len(CORRUPTIONS) == 15
    assert all(kind.__name__ == name for name, kind in CORRUPTIONS.items())


def centres_of_mass(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the ink's centres of mass, float64 (n, 2), as distances across and down from the images' centres."""
    mass = images.sum(axis=(1, 2))
    sums = [images.sum(axis=axis) @ np.arange(28) for axis in (1, 2)]
    return np.stack([each / mass - 13.5 for each in sums], axis=1)


@pytest.mark.parametrize("name", ["rotation", "scale", "shear"])
def test_geometry_keeps_the_centre(name: str):
    """Rotation, scale and shear change the shape of a dot in the centre, but not its place."""
    dots = np.zeros((200, 28, 28), np.uint8)
    dots[:, 12:16, 12:16] = 255
    changed = corrupted(CORRUPTIONS, name, dots)
    assert np.abs(centres_of_mass(changed)).max() <= 0.1
    assert (changed != dots).any(axis=(1, 2)).mean() > 0.9


def test_translation_keeps_its_limit():
    """Of 200 dots in the centre some are moved by nearly 4 pixels in each direction, and none is moved further."""
    dots = np.zeros((200, 28, 28), np.uint8)
    dots[:, 12:16, 12:16] = 255
    offsets = centres_of_mass(corrupted(CORRUPTIONS, "translation", dots))
    assert np.abs(offsets).max() <= 4.1
    assert (offsets.max(axis=0) > 3.7).all()
    assert (offsets.min(axis=0) < -3.7).all()
