"""The width of strokes is measured, and a digit is brought to MNIST's size, width and place."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.images.fitting import (
    BOX,
    SIDE,
    centre,
    conventional,
    cut_out,
    fit_into_box,
    stroke_width,
    with_usual_shape,
    with_usual_width,
)
from model.images.raster import Region
from tests.model.images.drawings import ink_of, put

QUICK = settings(max_examples=50, deadline=None)


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


def test_lines_between_the_pixels_of_a_sample_are_measured_too():
    """A frame of one pixel in an odd row and column of a large image has a width like any other."""
    ink = np.zeros((100, 100), np.uint8)
    ink[1, 1:98] = ink[97, 1:98] = ink[1:98, 1] = ink[1:98, 97] = 200
    assert with_usual_width(ink).max() > 100


@pytest.mark.parametrize("width", [30, 38, 44])
def test_a_narrow_digit_is_widened_only_if_it_has_a_hole(width):
    """The hole of a condensed zero stays open at MNIST's size, and a one stays as it is."""
    mask = np.zeros((140, 100), np.uint8)
    cv2.ellipse(mask, (50, 70), (width // 2, 60), 0, 0, 360, 255, 5)
    zero = Region.of(mask)
    shown = centre(fit_into_box(with_usual_width(with_usual_shape(cut_out(mask, zero), zero))))
    assert shown[14, 14] < 50 < shown[14].max()
    bar = np.zeros_like(mask)
    bar[10:130, 40 : 40 + width] = 255
    for one in (bar, cv2.rectangle(np.zeros_like(bar), (30, 10), (30 + width, 129), 255, 4)):  # drawn full, or hollow
        cut = cut_out(one, Region.of(one))
        assert with_usual_shape(cut, Region.of(one)) is cut


def test_the_digit_is_cut_out_with_its_soft_edges_and_without_other_ink():
    """One pixel around each stroke stays, because strokes have soft edges. Ink further away goes."""
    ink = np.full((40, 50), 90, np.uint8)
    digit = np.zeros_like(ink)
    digit[10:30, 20:24] = 255
    cut = cut_out(ink, Region.of(digit))
    assert cut.shape == (22, 6)
    assert (cut == 90).all()
    digit[10, 40] = 255
    assert np.count_nonzero(cut_out(ink, Region.of(digit))) == 22 * 6 + 3 * 3
    assert cut_out(ink, Region.of(np.full_like(ink, 255))).shape == ink.shape


@QUICK
@given(height=st.integers(5, 200), width=st.integers(5, 200))
def test_the_longer_side_of_the_ink_fits_the_box(height, width):
    """Ink of any shape becomes twenty pixels long, and stays as wide as it was in proportion."""
    fitted = fit_into_box(put(np.full((height, width), 255, np.uint8), height + 20, width + 10, 7, 3))
    assert max(fitted.shape) == BOX
    assert min(fitted.shape) == max(1, round(BOX * min(height, width) / max(height, width)))


@QUICK
@given(top=st.integers(0, 12), left=st.integers(0, 10))
def test_ink_is_centred_by_its_mass(top, left):
    """The centre of mass is in the middle, wherever the ink lies in its box, as far as there is room."""
    small = np.zeros((20, 14), np.uint8)
    small[top : top + 8, left : left + 4] = 255
    placed = centre(small)
    assert placed.shape == (SIDE, SIDE)
    assert placed.sum() == small.sum()
    rows, columns = np.nonzero(placed)
    assert abs(rows.mean() + 0.5 - SIDE / 2) <= 2
    assert abs(columns.mean() + 0.5 - SIDE / 2) <= 1


def test_only_an_image_like_mnists_is_conventional(samples):
    """MNIST's digits and their negatives follow the conventions. Moved, faint, larger and hair-thin ones do not."""
    digit = samples.train.images[0]
    for image in (digit, 255 - digit):
        assert (conventional(image) == digit).all()
    thin = np.zeros((SIDE, SIDE), np.uint8)
    thin[4:24, 14] = thin[4, 8:20] = thin[23, 8:20] = 255
    for image in (np.roll(digit, 3, 1), digit // 2, np.pad(digit, 1), thin):
        assert conventional(image) is None
