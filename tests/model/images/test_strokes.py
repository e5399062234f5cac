"""Strokes stay, and faint lines and shadows that run out of the image are removed."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.images.strokes import LIMITS, find_strokes
from tests.model.images.drawings import FIVE, SEVEN, ink_of

QUICK = settings(max_examples=50, deadline=None)
IMAGES = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=100))


@QUICK
@given(ink=IMAGES)
def test_strokes_are_a_mask_of_pixels_with_ink(ink):
    """Strokes are a mask of the ink's shape, and no pixel without ink belongs to them."""
    strokes = find_strokes(ink).mask
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
    strokes = find_strokes(ink).mask
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
    strokes = find_strokes(np.rot90(ruled, -turn).copy()).mask
    assert (strokes >= find_strokes(digit).mask).all()
    assert not strokes[cv2.dilate(digit, np.ones((15, 15), np.uint8)) == 0].any()


def test_a_strong_line_across_the_image_is_kept():
    """A line that is as strong as the digit stays, because only the layout can tell them apart."""
    ink = ink_of(120, 120, stroke=0.05)
    ink[104:110] = 255
    assert (find_strokes(ink).mask[106] == 255).all()


def test_a_faint_piece_that_the_border_cuts_off_is_left_out():
    """The faint rest of a shadow at the border is left out, and the whole digit stays."""
    digit = ink_of(120, 120, stroke=0.1)
    shadowed = digit.copy()
    shadowed[:30, :12] = 150
    assert max(digit.shape) >= LIMITS.photograph_side
    assert np.array_equal(find_strokes(shadowed).mask, find_strokes(digit).mask)


def test_a_faint_stroke_inside_the_image_is_kept():
    """A faint stroke that touches no border belongs to the digit, as where a pen runs dry."""
    ink = ink_of(120, 120, stroke=0.08)
    ink[100:106, 40:80] = 110
    assert (find_strokes(ink).mask[101:105, 41:79] == 255).all()


@pytest.mark.parametrize("soft", [1, 9, 15])
@pytest.mark.parametrize("turn", range(4))
def test_a_pale_digit_beside_the_dark_edge_of_a_page_is_kept(turn, soft):
    """What the border cuts off is not a digit while another one is within the image, however pale."""
    digit = np.rot90(ink_of(120, 120, stroke=0.02, strength=80), turn).copy()
    edge = np.zeros_like(digit)
    edge[:, :9] = 255
    beside = np.maximum(digit, cv2.blur(edge, (soft, soft)))
    assert (find_strokes(beside).mask >= find_strokes(digit).mask).all()


@pytest.mark.parametrize("turn", range(4))
def test_thin_strokes_that_reach_the_edge_are_not_ruled_lines(turn):
    """Of a seven in lines of one pixel, weaker where they slant and cut off at two sides, every stroke is kept."""
    ink = np.zeros((140, 100), np.uint8)
    ink[0] = 255
    for row in range(1, 140):
        ink[row, 99 - row // 3] = 255 if row % 6 < 2 else 110
    ink = np.rot90(ink, turn).copy()
    assert (find_strokes(ink).mask[ink > 0] == 255).all()
