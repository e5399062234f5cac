"""Distortions of training images keep to their limits."""

import dataclasses

import numpy as np
import pytest

from model.augmentation.distortion import Augmentation, distort
from model.data.digits import Dataset

NOTHING = Augmentation(rotation=0, scale=0, shear=0, shift=0, elastic=0, thickness=0)


def test_the_same_state_gives_the_same_images(samples: Dataset):
    """The same random state distorts images in the same way, and another state in another way."""
    images = samples.train.images[:50]
    first, again, other = (distort(images, Augmentation(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.uint8
    assert first.shape == images.shape


def test_no_distortion_is_no_change(samples: Dataset):
    """With all limits at 0 every pixel stays as it is."""
    assert np.array_equal(distort(samples.train.images, NOTHING, np.random.default_rng(1)), samples.train.images)


@pytest.mark.parametrize("limits", [{"rotation": 15}, {"scale": 0.15}, {"shear": 0.2}])
def test_the_centre_stays(limits):
    """Rotating, scaling and slanting leave the centre of the image where it is."""
    dot = np.zeros((40, 28, 28), np.uint8)
    dot[:, 12:16, 12:16] = 255
    for image in distort(dot, dataclasses.replace(NOTHING, **limits), np.random.default_rng(1)):
        rows, columns = np.indices(image.shape)
        assert np.average(rows, weights=image) == pytest.approx(13.5, abs=0.1)
        assert np.average(columns, weights=image) == pytest.approx(13.5, abs=0.1)


def test_shifts_keep_their_limit():
    """Shifts reach up to the limit along both axes, and not beyond."""
    dot = np.zeros((300, 28, 28), np.uint8)
    dot[:, 13:15, 13:15] = 255
    moved = distort(dot, dataclasses.replace(NOTHING, shift=3), np.random.default_rng(1))
    rows, columns = np.indices((28, 28))
    for axis in (rows, columns):
        shifts = [np.average(axis, weights=image) - 13.5 for image in moved]
        assert -3.1 <= min(shifts) < -2.8
        assert 2.8 < max(shifts) <= 3.1


def test_strokes_grow_and_shrink_about_their_place():
    """With a limit of 1, strokes become up to a pixel thicker or thinner on each side, and none moves."""
    bar = np.zeros((300, 28, 28), np.uint8)
    bar[:, 4:24, 12:16] = 255
    changed = distort(bar, dataclasses.replace(NOTHING, thickness=1), np.random.default_rng(1))
    widths = changed[:, 14].sum(axis=1) / 255
    assert 2 <= widths.min() < 2.2
    assert 5.8 < widths.max() <= 6
    assert np.average(np.arange(28), weights=changed[:, 14].sum(axis=0)) == pytest.approx(13.5, abs=0.01)


def test_elastic_displacements_have_their_size():
    """The deviation of elastic displacements is between half of their limit and the limit."""
    dot = np.zeros((400, 28, 28), np.uint8)
    dot[:, 13:15, 13:15] = 255
    spreads = []
    for limit in (0.5, 2.0):
        moved = distort(dot, dataclasses.replace(NOTHING, elastic=limit), np.random.default_rng(1))
        spreads.append(np.std([np.average(np.arange(28), weights=image.sum(axis=0)) for image in moved]))
    assert 0.5 * 0.5 < spreads[0] < 0.5
    assert 2 * 0.5 < spreads[1] < 2


def test_neighbours_do_not_leak():
    """A distortion takes nothing from neighbouring images: a black image between white ones stays black."""
    images = np.full((40, 28, 28), 255, np.uint8)
    images[::2] = 0
    wild = Augmentation(rotation=45, scale=0.4, shear=0.5, shift=14, elastic=3, thickness=1)
    assert not distort(images, wild, np.random.default_rng(1))[::2].any()
