"""Degradations change training images, and leave the digits visible."""

import cv2
import numpy as np
import pytest

from model.augmentation import degradation
from model.augmentation.degradation import KINDS, Degradation, degrade
from model.data.digits import Dataset


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_degrades_every_image_and_destroys_none(kind: Degradation, samples: Dataset):
    """Each kind changes most images and leaves the digits visible. The same random state gives the same images."""
    images = samples.train.images[:60]
    first, again = (kind(images.copy(), np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    changed = (first != images).any(axis=(1, 2))
    assert changed.mean() > 0.8  # a rectangle may cover nothing but paper
    for before, after in zip(images, first, strict=True):
        far = [cv2.GaussianBlur(image, (0, 0), 1.5).ravel() for image in (before, after)]  # an outline lies beside ink
        assert np.corrcoef(*far)[0, 1] > 0.3


def test_a_share_of_the_images_is_degraded(samples: Dataset):
    """Each kind degrades about its share of the images; a share of 0 leaves all as they are."""
    images = np.concatenate([samples.train.images, samples.test.images])
    before = images.copy()
    assert np.array_equal(degrade(images, 0, np.random.default_rng(1)), images)
    degraded = degrade(images, 0.05, np.random.default_rng(1))
    assert np.array_equal(images, before)
    touched = (degraded != images).any(axis=(1, 2)).mean()
    assert 0.25 < touched < 1 - np.prod([1 - 0.05 * weight for weight in KINDS.values()]) + 0.03


def test_every_kind_is_used():
    """Each public function of the module but `degrade` is one of its kinds, so that no kind is forgotten."""
    written = {
        value
        for name, value in vars(degradation).items()
        if callable(value) and getattr(value, "__module__", "") == degradation.__name__ and not name.startswith("_")
    }
    assert written == {*KINDS, degrade}
