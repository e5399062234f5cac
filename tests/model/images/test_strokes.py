"""Noise and faint lines are removed from ink, strokes stay, and their width is measured."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.images.raster import DETAILED_SIDE
from model.images.strokes import PHOTOGRAPH_SIDE, find_strokes, is_noise, roughness, smooth, stroke_width
from tests.model.images.drawings import FIVE, SEVEN, drawing, shares_ink

QUICK = settings(max_examples=50, deadline=None)
IMAGES = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=100))


def ink_of(height=120, width=100, line=FIVE, strength=255, **options):
    """Draw the ink of a digit, uint8 (height, width), 0 on paper."""
    return drawing(height, width, line=line, ink=strength, paper=0, **options)


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
        assert is_noise(image, roughness(image))


@pytest.mark.parametrize("noise", [0, 10, 40])
def test_a_noisy_drawing_is_not_noise(noise):
    """A drawing shows through noise of up to a fifth of its contrast."""
    for line in (FIVE, SEVEN):
        clean = drawing(120, 100, line=line, ink=30, paper=220)
        image = cv2.add(clean.astype(np.int16), white_noise(clean.shape, noise, 1).astype(np.int16) - 128)
        image = np.clip(image, 0, 255).astype(np.uint8)
        assert not is_noise(image, roughness(image))


def test_noise_is_not_recognised_in_a_tiny_image():
    """In an image of fewer than `DETAILED_SIDE` pixels a side, noise looks like strokes."""
    image = white_noise((DETAILED_SIDE - 1, DETAILED_SIDE - 1), 40, 0)
    assert not is_noise(image, roughness(image))


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


@QUICK
@given(ink=IMAGES)
def test_strokes_are_a_mask_of_pixels_with_ink(ink):
    """Strokes are a mask of the ink's shape, and no pixel without ink belongs to them."""
    strokes = find_strokes(ink)
    assert strokes.shape == ink.shape
    assert strokes.dtype == np.uint8
    assert set(np.unique(strokes)) <= {0, 255}
    assert not strokes[ink == 0].any()


@QUICK
@given(
    line=st.sampled_from([FIVE, SEVEN]),
    stroke=st.floats(0.02, 0.2),
    strength=st.integers(80, 255),
    mirrored=st.booleans(),
)
def test_strokes_of_a_clean_digit_are_its_ink(line, stroke, strength, mirrored):
    """A clean digit keeps every pixel of half its strength or more and no pixel of a third or less."""
    ink = ink_of(line=line, stroke=stroke, strength=strength)
    ink = ink[:, ::-1].copy() if mirrored else ink
    strokes = find_strokes(ink)
    assert (strokes[ink >= 0.5 * strength] == 255).all()
    assert (strokes[ink <= strength / 3] == 0).all()


@QUICK
@given(
    turn=st.integers(0, 3), faint=st.integers(90, 110), row=st.floats(0.5, 0.9), size=st.sampled_from([60, 120, 160])
)
def test_faint_lines_across_the_image_are_left_out(turn, faint, row, size):
    """A ruled line of two fifths of the ink's strength is left out, except near the digit, which stays whole."""
    digit = ink_of(size, size, stroke=0.1)
    ruled = np.rot90(digit, turn).copy()
    line = ruled[round(row * size) :][: size // 40]
    line[:] = np.maximum(line, faint)
    strokes = find_strokes(np.rot90(ruled, -turn).copy())
    assert (strokes >= find_strokes(digit)).all()
    assert not strokes[cv2.dilate(digit, np.ones((15, 15), np.uint8)) == 0].any()


def test_a_strong_line_across_the_image_is_kept():
    """A line that is as strong as the digit stays, because only the layout can tell them apart."""
    ink = ink_of(120, 120, stroke=0.05)
    ink[104:110] = 255
    assert (find_strokes(ink)[106] == 255).all()


def test_a_faint_piece_that_the_border_cuts_off_is_left_out():
    """The faint rest of a shadow at the border is left out, and the whole digit stays."""
    digit = ink_of(120, 120, stroke=0.1)
    shadowed = digit.copy()
    shadowed[:30, :12] = 150
    assert max(digit.shape) >= PHOTOGRAPH_SIDE
    assert np.array_equal(find_strokes(shadowed), find_strokes(digit))


def test_a_faint_stroke_inside_the_image_is_kept():
    """A faint stroke that touches no border belongs to the digit, as where a pen runs dry."""
    ink = ink_of(120, 120, stroke=0.08)
    ink[100:106, 40:80] = 110
    assert (find_strokes(ink)[101:105, 41:79] == 255).all()


@QUICK
@given(width=st.integers(1, 30), length=st.integers(1, 90))
def test_an_upright_bar_is_measured_by_its_area_and_its_outline(width, length):
    """The width of an upright bar is twice its area over its outline, times the 4 / pi that suits all directions."""
    ink = np.zeros((100, 100), np.uint8)
    ink[5 : 5 + length, 5 : 5 + width] = 255
    assert stroke_width(ink) == pytest.approx(4 / np.pi * 2 * width * length / (2 * (width + length)))


def test_the_width_of_a_ring_is_measured():
    """The width of a ring, which has edges in all directions, is measured within 3 %."""
    for width in (4, 8, 16, 30):
        ink = np.zeros((400, 400), np.uint8)
        cv2.circle(ink, (200, 200), 120, 255, width, cv2.LINE_AA)
        measured = cv2.countNonZero(np.where(ink > 127, ink, np.uint8(0))) / (2 * np.pi * 120)
        assert stroke_width(ink) == pytest.approx(measured, rel=0.03)


@QUICK
@given(factor=st.integers(2, 4), stroke=st.floats(0.03, 0.15), turn=st.integers(0, 3))
def test_stroke_width_grows_with_the_image_and_ignores_right_angles(factor, stroke, turn):
    """A digit enlarged by a whole factor has strokes wider by that factor; a quarter turn changes nothing."""
    ink = ink_of(stroke=stroke)
    large = ink.repeat(factor, axis=0).repeat(factor, axis=1)
    assert stroke_width(large) == pytest.approx(factor * stroke_width(ink))
    assert stroke_width(np.rot90(ink, turn).copy()) == pytest.approx(stroke_width(ink))
