"""Wear of training images."""

import numpy as np
import pytest

from model.augmentation import degradation as wears
from model.augmentation.degradation import KINDS, Worn, degrade
from model.data.digits import Dataset


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_wears_every_image_and_destroys_none(kind: Worn, samples: Dataset):
    """Every kind changes what it is given, by its random state alone, and leaves the digit to be seen."""
    images = samples.train.images[:60]
    first, again = (kind(images.copy(), np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.dtype, first.shape) == (np.uint8, images.shape)
    changed = (first != images).any(axis=(1, 2))
    assert changed.mean() > 0.8  # a missing rectangle may fall beside the strokes
    for before, after in zip(images, first, strict=True):
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.3


def test_a_share_of_the_images_is_worn(samples: Dataset):
    """Each kind befalls about its share; a share of 0 leaves all as they are."""
    images = np.concatenate([samples.train.images, samples.test.images])
    before = images.copy()
    assert np.array_equal(degrade(images, 0, np.random.default_rng(1)), images)
    worn = degrade(images, 0.05, np.random.default_rng(1))
    assert np.array_equal(images, before)
    touched = (worn != images).any(axis=(1, 2)).mean()
    assert 0.25 < touched < 1 - 0.95 ** len(KINDS) + 0.03


def test_every_kind_is_used():
    """No kind of wear is written and then forgotten."""
    written = {
        value
        for name, value in vars(wears).items()
        if callable(value) and getattr(value, "__module__", "") == wears.__name__ and not name.startswith("_")
    }
    assert written == {*KINDS, degrade}
