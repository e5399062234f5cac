"""Drawn digits look like MNIST's, in the styles of many hands."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.augmentation import drawn_digits
from model.augmentation.drawn_digits import STYLES
from model.images.fitting import BOX, SIDE
from model.inference.classifier import Classifier

ALL = [(digit, name) for digit, styles in STYLES.items() for name in styles]


@given(count=st.integers(0, 40), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_any_number_can_be_drawn(count: int, seed: int):
    """Drawing gives the requested number of images and labels. The same state gives the same images."""
    images, labels = drawn_digits.draw(count, np.random.default_rng(seed))
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (count, SIDE, SIDE)
    assert labels.shape == (count,)
    assert all(image.max() >= 200 for image in images)
    assert np.array_equal(drawn_digits.draw(count, np.random.default_rng(seed))[0], images)


def test_every_digit_is_drawn_about_equally_often():
    """Each digit is about a tenth of the images, and their order is random."""
    _, labels = drawn_digits.draw(5000, np.random.default_rng(1))
    assert np.bincount(labels, minlength=10) == pytest.approx(500, rel=0.2)
    assert (np.diff(labels.astype(int)) == 0).mean() < 0.2


def test_drawn_digits_have_mnists_size_and_position():
    """Their longer side fills the box of 20 pixels; their centre of mass is in the middle, where the margin allows."""
    images, _ = drawn_digits.draw(1000, np.random.default_rng(2))
    for image in images:
        left, top, width, height = cv2.boundingRect(np.where(image > 25, image, np.uint8(0)))
        assert BOX - 3 <= max(width, height) <= BOX + 1
        moments = cv2.moments(image)
        apart = max(abs(moments[name] / moments["m00"] - (SIDE - 1) / 2) for name in ("m10", "m01"))
        assert apart <= 0.6 or min(left, top, SIDE - left - width, SIDE - top - height) <= 1


@pytest.mark.parametrize(("digit", "name"), ALL, ids=[f"{digit}-{name}" for digit, name in ALL])
def test_each_style_reads_as_its_digit(digit: int, name: str, baseline: Classifier):
    """The baseline reads at least seven in ten images of each style as the style's digit."""
    images = drawn_digits.draw_style(STYLES[digit][name], 200, np.random.default_rng(3))
    assert np.mean(baseline.classify(images).digits == digit) >= 0.7


def test_no_two_hands_are_the_same():
    """All digits of one style differ from each other."""
    images = drawn_digits.draw_style(STYLES[7]["crossed"], 100, np.random.default_rng(4))
    assert len(np.unique(images, axis=0)) == 100
