"""The corruptions that no training sees are reproducible, leave digits visible, and share no name with others."""

import numpy as np
import pytest

from model.data.digits import Dataset
from model.evaluation.corrupting import corrupted
from model.evaluation.corruptions import CORRUPTIONS
from model.evaluation.mnist_c import MNIST_C
from model.evaluation.unseen import UNSEEN


@pytest.mark.parametrize("name", UNSEEN)
def test_each_is_reproducible_and_leaves_the_digit_visible(name: str, samples: Dataset):
    """The same seed gives the same images. All change, and they stay similar to the originals."""
    images = samples.train.images[:60]
    before = images.copy()
    first, again = (corrupted(UNSEEN, name, images, 1) for _ in range(2))
    assert np.array_equal(images, before)
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert (first != images).any(axis=(1, 2)).mean() > 0.95
    alike = [np.corrcoef(old.ravel(), new.ravel())[0, 1] for old, new in zip(images, first, strict=True)]
    assert np.mean(alike) > 0.5


def test_the_families_have_no_kind_in_common():
    """No name occurs in two of the families but the five kinds that the fifteen took over from MNIST-C."""
    assert set(CORRUPTIONS) & set(MNIST_C) == {"impulse_noise", "motion_blur", "brightness", "shear", "scale"}
    assert not set(UNSEEN) & (set(CORRUPTIONS) | set(MNIST_C))
