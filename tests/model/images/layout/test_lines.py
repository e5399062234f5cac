"""Lines, boxes and what lies along the border are told from the strokes of a digit."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.images.layout.lines import without_lines
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, SEVEN, put, strokes_of

QUICK = settings(max_examples=50, deadline=None)


def drawn_in(strokes):
    """Return the mask of what is drawn, without lines, boxes and frames."""
    drawn = without_lines(connected_components(strokes))
    return drawn.components.mask_of(drawn.is_candidate)


@QUICK
@given(
    line=st.sampled_from([FIVE, SEVEN]),
    stroke=st.floats(0.03, 0.15),
    top=st.integers(0, 100),
    left=st.integers(0, 100),
    turn=st.integers(0, 3),
)
def test_a_digit_alone_is_kept_whole_wherever_it_is(line, stroke, top, left, turn):
    """If a digit is alone, all its strokes are kept, wherever it is on the page and at any right angle."""
    page = np.rot90(put(strokes_of(line=line, stroke=stroke), 220, 200, top, left), turn).copy()
    assert np.array_equal(drawn_in(page), page)


@pytest.mark.parametrize("turn", range(4))
def test_a_line_from_border_to_border_goes_and_the_digit_keeps_its_crossing(turn):
    """A thin line across the image is removed, even if it crosses the digit, which keeps nearly all its pixels."""
    digit = put(strokes_of(line=FIVE), 160, 160, 20, 30)
    lined = np.rot90(digit, turn).copy()
    lined[90:93] = 255
    lined = np.rot90(lined, -turn).copy()
    found = drawn_in(lined)
    assert (found[digit > 0] > 0).mean() > 0.96
    assert not found[cv2.dilate(digit, np.ones((17, 17), np.uint8)) == 0].any()


def test_a_slash_alone_is_a_digit_and_not_a_line():
    """A thin line from border to border stays where there is nothing else."""
    slash = cv2.line(np.zeros((80, 60), np.uint8), (50, 0), (10, 79), 255, 3)
    assert np.array_equal(drawn_in(slash), slash)


@pytest.mark.parametrize("touches", [False, True])
def test_a_printed_box_goes(touches):
    """A box around a digit is removed. A digit that touches the box loses only what lies within its lines."""
    digit = put(strokes_of(line=FIVE), 160, 160, 20, 30)
    boxed = digit.copy()
    bottom = 119 if touches else 150
    cv2.rectangle(boxed, (10, 10), (150, bottom), 255, 3)
    found = drawn_in(boxed)
    assert not found[:14].any()
    assert not found[:, :14].any()
    assert not found[:, 147:].any()
    assert not found[bottom + 2 :].any()
    assert found[: bottom - 4][digit[: bottom - 4] > 0].all()


def test_an_angular_zero_is_not_a_box():
    """A rectangle is a digit if there is nothing inside, or if its inside runs from side to side, as in an eight."""
    zero = cv2.rectangle(np.zeros((120, 100), np.uint8), (20, 15), (80, 105), 255, 8)
    eight = zero.copy()
    eight[56:64, 20:80] = 255
    for digit in (zero, eight):
        assert np.array_equal(drawn_in(digit), digit)


@pytest.mark.parametrize("side", range(4))
def test_the_rest_of_a_form_at_one_side_goes(side):
    """A bar along one side of the image, as the rest of a form or a table, is removed."""
    digit = put(strokes_of(90, 80), 140, 140, 28, 32)
    framed = np.rot90(digit, side).copy()
    framed[:5] = 255
    framed = np.rot90(framed, -side).copy()
    assert np.array_equal(drawn_in(framed), digit)


@pytest.mark.parametrize("side", range(4))
def test_strokes_of_a_neighbour_at_the_border_go(side):
    """What the border cuts off is removed if the digit itself is whole."""
    digit = put(strokes_of(90, 80), 140, 140, 28, 32)
    page = np.rot90(digit, side).copy()
    cv2.circle(page, (70, -30), 48, 255, 6)
    page = np.rot90(page, -side).copy()
    assert page.sum() > digit.sum()
    assert np.array_equal(drawn_in(page), digit)


@pytest.mark.parametrize(("left", "stays"), [(0, True), (8, False)])
def test_a_sliver_stays_only_at_the_side_that_cuts_off_the_digit(left, stays):
    """A sliver along one side belongs to a digit that the same side cuts off, and not to a digit that is whole."""
    page = np.zeros((100, 80), np.uint8)
    page[80:88, left:70] = page[15:88, 40:48] = 255
    page[20:70, :4] = 255
    assert drawn_in(page)[40, 1] == (255 if stays else 0)
    assert drawn_in(page)[40, 44] == 255


@pytest.mark.parametrize("turn", range(4))
def test_a_thin_digit_that_fills_its_image_is_not_a_frame(turn):
    """The arcs of a zero in lines of one pixel lie along the border, and stay although they are apart."""
    page = cv2.ellipse(np.zeros((120, 90), np.uint8), (44, 59), (44, 59), 0, 0, 360, 255, 1)
    page[58:63, :4] = page[:4, 42:48] = 0
    page[100:110, 40] = 255
    page = np.rot90(page, turn).copy()
    drawn = drawn_in(page)
    assert np.count_nonzero(drawn) > 0.9 * np.count_nonzero(page)
