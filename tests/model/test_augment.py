"""Distortions of training images."""

import numpy as np
import pytest

from model.augment import augment
from model.digits import Dataset
from model.recipe import Augmentation

NOTHING = Augmentation(rotation=0, scale=0, shear=0, shift=0)


def test_the_same_state_gives_the_same_images(samples: Dataset):
    """Augmentation is a function of images, limits and random state, and of nothing else."""
    images = samples.train.images[:50]
    first, again, other = (augment(images, Augmentation(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.dtype, first.shape) == (np.uint8, images.shape)


def test_no_distortion_is_no_change(samples: Dataset):
    """With all limits 0 the images come through pixel for pixel."""
    assert np.array_equal(augment(samples.train.images, NOTHING, np.random.default_rng(1)), samples.train.images)


@pytest.mark.parametrize("limits", [Augmentation(15, 0, 0, 0), Augmentation(0, 0.15, 0, 0), Augmentation(0, 0, 0.2, 0)])
def test_the_centre_stays(limits):
    """Rotating, scaling and slanting leave the centre of the image where it is."""
    dot = np.zeros((40, 28, 28), np.uint8)
    dot[:, 12:16, 12:16] = 255
    for image in augment(dot, limits, np.random.default_rng(1)):
        rows, columns = np.indices(image.shape)
        assert np.average(rows, weights=image) == pytest.approx(13.5, abs=0.1)
        assert np.average(columns, weights=image) == pytest.approx(13.5, abs=0.1)


def test_shifts_keep_their_limit():
    """Shifts reach up to the limit along both axes, and not beyond."""
    dot = np.zeros((300, 28, 28), np.uint8)
    dot[:, 13:15, 13:15] = 255
    moved = augment(dot, Augmentation(0, 0, 0, 3), np.random.default_rng(1))
    rows, columns = np.indices((28, 28))
    for axis in (rows, columns):
        shifts = [np.average(axis, weights=image) - 13.5 for image in moved]
        assert -3.1 <= min(shifts) < -2.8
        assert 2.8 < max(shifts) <= 3.1
