"""Noise is told from drawing, and smoothed away."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from model.images.ink import find_ink_on_any_paper
from model.images.noise import is_noise, roughness, smooth
from model.images.raster import DETAILED_SIDE, Coarse
from tests.model.images.drawings import FIVE, SEVEN, drawing, ink_of, shares_ink

QUICK = settings(max_examples=50, deadline=None)
IMAGES = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=100))


def white_noise(shape, deviation, seed):
    """Return white noise about middle grey, of this standard deviation in levels, uint8."""
    noise = np.random.default_rng(seed).normal(128, deviation, shape)
    return np.clip(np.rint(noise), 0, 255).astype(np.uint8)


@QUICK
@given(image=IMAGES)
def test_roughness_does_not_depend_on_polarity_or_on_the_width_of_the_image(image):
    """An image and its negative have the same roughness, which is what OpenCV computes without padding."""
    rough = roughness(image)
    assert rough.dtype == np.uint8
    assert rough.shape == image.shape
    assert np.array_equal(rough, roughness(255 - image))
    assert np.array_equal(rough, cv2.absdiff(image, cv2.medianBlur(image, 3)))


def test_a_smooth_image_is_not_rough():
    """A gradient has a roughness of 0. A speck is rough by its whole height, at its own pixel alone."""
    image = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (50, 1))
    assert not roughness(image).any()
    image[20, 40] += 100
    assert np.argwhere(roughness(image)).tolist() == [[20, 40]]
    assert roughness(image)[20, 40] >= 98


@pytest.mark.parametrize("deviation", [2, 10, 40])
@pytest.mark.parametrize("shape", [(DETAILED_SIDE, 20), (90, 120), (160, 160)])
def test_white_noise_is_noise(shape, deviation):
    """White noise shows no drawing, whatever its strength and size."""
    for seed in range(5):
        image = white_noise(shape, deviation, seed)
        assert is_noise(image, roughness(image), find_ink_on_any_paper(image, Coarse.of(image)).contrast)


@pytest.mark.parametrize("noise", [0, 10, 40])
def test_a_noisy_drawing_is_not_noise(noise):
    """A drawing shows through noise of up to a fifth of its contrast."""
    for line in (FIVE, SEVEN):
        clean = drawing(120, 100, line=line, ink=30, paper=220)
        image = cv2.add(clean.astype(np.int16), white_noise(clean.shape, noise, 1).astype(np.int16) - 128)
        image = np.clip(image, 0, 255).astype(np.uint8)
        assert not is_noise(image, roughness(image), 190)


@pytest.mark.parametrize("deviation", [0, 1, 2])
def test_the_shortcut_for_calm_paper_agrees_with_the_means(deviation):
    """Where noise is calm beside the contrast of ink, even a single pixel of ink is not noise in any measure."""
    image = white_noise((90, 120), deviation, 0)
    image[40, 50] -= 100
    rough = roughness(image)
    assert not is_noise(image, rough, 100)
    assert not is_noise(image, rough, 0)


def test_noise_is_not_recognised_in_a_tiny_image():
    """In an image of fewer than `DETAILED_SIDE` pixels a side, noise looks like strokes."""
    image = white_noise((DETAILED_SIDE - 1, DETAILED_SIDE - 1), 40, 0)
    assert not is_noise(image, roughness(image), 0)


def test_clean_ink_is_not_smoothed():
    """Ink without noise on its paper comes back as the same array, with its soft edges."""
    ink = ink_of()
    assert smooth(ink, roughness(255 - ink), 255) is ink


def test_smoothing_removes_noise_and_keeps_the_digit():
    """Smoothed ink is nearer to the clean ink than the noisy ink is, and its strongest pixel is 255."""
    clean = ink_of(160, 130)
    noisy = np.clip(clean.astype(int) + white_noise(clean.shape, 50, 3) - 128, 0, 255).astype(np.uint8)
    smoothed = smooth(noisy, roughness(noisy), 255)
    assert smoothed.max() == 255
    assert shares_ink(smoothed, clean) > shares_ink(noisy, clean) + 0.03
    assert roughness(smoothed).mean() < roughness(noisy).mean() / 4
