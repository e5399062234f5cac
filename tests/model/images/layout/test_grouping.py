"""The digit is the largest thing drawn, with its pieces, and without specks."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.images.layout.grouping import choose_digit, where_seen
from model.images.layout.lines import without_lines
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, SEVEN, put, strokes_of

QUICK = settings(max_examples=50, deadline=None)


def digit_in(strokes, near=None):
    """Return the mask of the digit, which may have been seen before."""
    drawn = without_lines(connected_components(strokes))
    return choose_digit(drawn if near is None else where_seen(drawn, near)).mask


@QUICK
@given(
    mask=arrays.arrays(
        np.uint8,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60),
        elements=st.sampled_from([0, 255]),
    ).filter(np.any)
)
def test_the_digit_is_a_part_of_the_strokes_and_never_empty(mask):
    """Any strokes have a digit, and each of its pixels belongs to the strokes."""
    digit = digit_in(mask)
    assert digit.shape == mask.shape
    assert digit.dtype == np.uint8
    assert set(np.unique(digit)) <= {0, 255}
    assert digit.any()
    assert not digit[mask == 0].any()


@QUICK
@given(seed=st.integers(0, 1000), line=st.sampled_from([FIVE, SEVEN]))
def test_specks_are_left_out_and_the_digit_is_found_again_in_itself(seed, line):
    """Specks anywhere around a digit are left out. A second search finds the same digit."""
    digit = put(strokes_of(line=line), 220, 200, 50, 50)
    page = digit.copy()
    far = cv2.dilate(digit, np.ones((5, 5), np.uint8)) == 0
    for row, column in np.random.default_rng(seed).integers(0, 198, (10, 2)):
        if far[row : row + 2, column : column + 2].all():
            page[row : row + 2, column : column + 2] = 255
    found = digit_in(page)
    assert np.array_equal(found, digit)
    assert np.array_equal(digit_in(found), found)


@pytest.mark.parametrize(("gap", "belongs"), [(10, True), (30, True), (60, False), (90, False)])
def test_pieces_belong_to_the_digit_up_to_a_distance(gap, belongs):
    """A bar above a body of 100 pixels belongs to the digit at a third of that size, and not at two thirds."""
    page = np.zeros((300, 300), np.uint8)
    cv2.rectangle(page, (100, 150), (190, 249), 255, 8)
    page[150 - 4 - gap - 10 : 150 - 4 - gap, 110:180] = 255
    assert digit_in(page)[150 - 4 - gap - 5, 150] == (255 if belongs else 0)


def test_a_chain_of_pieces_belongs_together():
    """A piece out of reach of the largest one belongs to the digit if another piece lies between them."""
    page = np.zeros((200, 300), np.uint8)
    page[60:140, 40:80] = 255
    far = page.copy()
    far[80:120, 155:175] = 255
    chain = far.copy()
    chain[80:120, 105:125] = 255
    assert not digit_in(far)[100, 165]
    assert digit_in(chain)[100, 165]


def test_the_place_where_a_digit_was_seen_decides():
    """The digit that was seen before is found, even if another is larger. Without a place, the larger is found."""
    page = put(strokes_of(60, 50), 200, 300, 70, 20) | put(strokes_of(160, 130), 200, 300, 20, 150)
    near = np.zeros_like(page)
    near[60:140, 10:80] = 255
    assert not digit_in(page, near)[:, 140:].any()
    assert np.array_equal(digit_in(page, near)[:, :80], page[:, :80])
    assert digit_in(page)[:, 140:].any()
    assert np.array_equal(digit_in(page, np.zeros_like(page)), digit_in(page))  # nothing was seen there
