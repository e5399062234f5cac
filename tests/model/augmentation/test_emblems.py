"""Emblems fill MNIST's box, vary, and consist of more than one part or of a filled one, so that none is a digit."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.augmentation import emblems
from model.images.fitting import BOX, SIDE


@given(count=st.integers(0, 30), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_emblems_fill_the_box(count: int, seed: int):
    """Each image has MNIST's form: light ink on black, whose longer side fills the box, up to the width of its pen."""
    images = emblems.draw(count, np.random.default_rng(seed))
    assert images.dtype == np.uint8
    assert images.shape == (count, SIDE, SIDE)
    for image in images:
        _, _, width, height = cv2.boundingRect(np.where(image > 25, image, np.uint8(0)))
        assert BOX - 3 <= max(width, height) <= BOX + 1


def test_the_same_state_gives_the_same_images():
    """The same random state gives the same images, and another state gives other images."""
    first, again, other = (emblems.draw(100, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", emblems._KINDS)
def test_no_kind_draws_what_is_a_digit(kind):
    """Each has three parts or more, a filled one, or a shape in an outline. So none is one circle, or a pair."""
    for seed in range(50):
        parts = kind(np.random.default_rng(seed))
        assert len(parts) >= 3 or any(part.is_filled for part in parts) or kind is emblems._in_an_outline


def test_an_outline_has_a_large_shape_with_corners_inside():
    """What is inside an outline has at most 12 corners and at least two fifths of its size, so that none is a dot."""
    for seed in range(50):
        outline, inside = emblems._in_an_outline(np.random.default_rng(seed))
        assert not outline.is_filled
        assert len(inside.outline) <= 12
        assert np.abs(inside.outline).max() >= 0.4 * np.cos(np.pi / 3)
