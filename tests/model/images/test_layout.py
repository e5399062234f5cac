"""The layout tells which strokes are the digit's, and what is table, frame, line or speck."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.images.ink import COARSE_SIDE
from model.images.layout import find_digit, find_sheet
from model.images.raster import mask_above
from tests.model.images.drawings import FIVE, SEVEN, drawing

QUICK = settings(max_examples=50, deadline=None)


def strokes_of(height=120, width=100, **options):
    """Draw the strokes of a digit as a mask, uint8 (height, width)."""
    return mask_above(255 - drawing(height, width, ink=0, **options), 127)


def put(mask, height, width, top, left):
    """Return a mask of this height and width with another mask in it. The page may cut that off."""
    page = np.zeros((height, width), np.uint8)
    cut = page[top : top + mask.shape[0], left : left + mask.shape[1]]
    cut |= mask[: cut.shape[0], : cut.shape[1]]
    return page


def on_table(sheet, table, top=60, bottom=60, left=60, right=60):
    """Return a sheet of paper with a table of one grey around it."""
    return cv2.copyMakeBorder(sheet, top, bottom, left, right, cv2.BORDER_CONSTANT, value=table)


# The digit


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
    digit = find_digit(mask)
    assert digit.shape == mask.shape
    assert digit.dtype == np.uint8
    assert set(np.unique(digit)) <= {0, 255}
    assert digit.any()
    assert not digit[mask == 0].any()


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
    assert np.array_equal(find_digit(page), page)


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
    found = find_digit(page)
    assert np.array_equal(found, digit)
    assert np.array_equal(find_digit(found), found)


@pytest.mark.parametrize(("gap", "belongs"), [(10, True), (30, True), (60, False), (90, False)])
def test_pieces_belong_to_the_digit_up_to_a_distance(gap, belongs):
    """A bar above a body of 100 pixels belongs to the digit at a third of that size, and not at two thirds."""
    page = np.zeros((300, 300), np.uint8)
    cv2.rectangle(page, (100, 150), (190, 249), 255, 8)
    page[150 - 4 - gap - 10 : 150 - 4 - gap, 110:180] = 255
    assert find_digit(page)[150 - 4 - gap - 5, 150] == (255 if belongs else 0)


def test_a_chain_of_pieces_belongs_together():
    """A piece out of reach of the largest one belongs to the digit if another piece lies between them."""
    page = np.zeros((200, 300), np.uint8)
    page[60:140, 40:80] = 255
    far = page.copy()
    far[80:120, 155:175] = 255
    chain = far.copy()
    chain[80:120, 105:125] = 255
    assert not find_digit(far)[100, 165]
    assert find_digit(chain)[100, 165]


def test_the_place_where_a_digit_was_seen_decides():
    """The digit that was seen before is found, even if another is larger. Without a place, the larger is found."""
    page = put(strokes_of(60, 50), 200, 300, 70, 20) | put(strokes_of(160, 130), 200, 300, 20, 150)
    near = np.zeros_like(page)
    near[60:140, 10:80] = 255
    assert not find_digit(page, near)[:, 140:].any()
    assert np.array_equal(find_digit(page, near)[:, :80], page[:, :80])
    assert find_digit(page)[:, 140:].any()
    assert np.array_equal(find_digit(page, np.zeros_like(page)), find_digit(page))  # nothing was seen there


@pytest.mark.parametrize("turn", range(4))
def test_a_line_from_border_to_border_goes_and_the_digit_keeps_its_crossing(turn):
    """A thin line across the image is removed, even if it crosses the digit, which keeps nearly all its pixels."""
    digit = put(strokes_of(line=FIVE), 160, 160, 20, 30)
    lined = np.rot90(digit, turn).copy()
    lined[90:93] = 255
    lined = np.rot90(lined, -turn).copy()
    found = find_digit(lined)
    assert (found[digit > 0] > 0).mean() > 0.96
    assert not found[cv2.dilate(digit, np.ones((17, 17), np.uint8)) == 0].any()


def test_a_slash_alone_is_a_digit_and_not_a_line():
    """A thin line from border to border stays where there is nothing else."""
    slash = cv2.line(np.zeros((80, 60), np.uint8), (50, 0), (10, 79), 255, 3)
    assert np.array_equal(find_digit(slash), slash)


@pytest.mark.parametrize("touches", [False, True])
def test_a_printed_box_goes(touches):
    """A box around a digit is removed. A digit that touches the box loses only what lies within its lines."""
    digit = put(strokes_of(line=FIVE), 160, 160, 20, 30)
    boxed = digit.copy()
    bottom = 119 if touches else 150
    cv2.rectangle(boxed, (10, 10), (150, bottom), 255, 3)
    found = find_digit(boxed)
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
        assert np.array_equal(find_digit(digit), digit)


@pytest.mark.parametrize("side", range(4))
def test_the_rest_of_a_form_at_one_side_goes(side):
    """A bar along one side of the image, as the rest of a form or a table, is removed."""
    digit = put(strokes_of(90, 80), 140, 140, 28, 32)
    framed = np.rot90(digit, side).copy()
    framed[:5] = 255
    framed = np.rot90(framed, -side).copy()
    assert np.array_equal(find_digit(framed), digit)


@pytest.mark.parametrize("side", range(4))
def test_strokes_of_a_neighbour_at_the_border_go(side):
    """What the border cuts off is removed if the digit itself is whole."""
    digit = put(strokes_of(90, 80), 140, 140, 28, 32)
    page = np.rot90(digit, side).copy()
    cv2.circle(page, (70, -30), 48, 255, 6)
    page = np.rot90(page, -side).copy()
    assert page.sum() > digit.sum()
    assert np.array_equal(find_digit(page), digit)


@pytest.mark.parametrize(("left", "stays"), [(0, True), (8, False)])
def test_a_sliver_stays_only_at_the_side_that_cuts_off_the_digit(left, stays):
    """A sliver along one side belongs to a digit that the same side cuts off, and not to a digit that is whole."""
    page = np.zeros((100, 80), np.uint8)
    page[80:88, left:70] = page[15:88, 40:48] = 255
    page[20:70, :4] = 255
    assert find_digit(page)[40, 1] == (255 if stays else 0)
    assert find_digit(page)[40, 44] == 255


# The sheet


@pytest.mark.parametrize(("paper", "table"), [(220, 60), (60, 220), (200, 120)])
def test_a_sheet_on_a_table_is_found(paper, table):
    """The mask covers the sheet with its ink, but without its edge, and no part of the table, whichever is lighter."""
    sheet = drawing(240, 200, line=FIVE, ink=table - 20 if paper > table else 250, paper=paper)
    mask = find_sheet(on_table(sheet, table))
    assert mask is not None
    assert mask.shape == (360, 320)
    assert set(np.unique(mask)) == {0, 255}
    assert mask[75:-75, 75:-75].all()
    mask[55:-55, 55:-55] = 0
    assert not mask.any()


@QUICK
@given(turn=st.floats(-40, 40), shift=st.integers(-25, 25))
def test_a_sheet_is_found_at_any_angle(turn, shift):
    """The mask of a turned and shifted sheet covers all of it except its edge, and no part of the table."""
    matrix = cv2.getRotationMatrix2D((200, 200), turn, 1)
    matrix[:, 2] += shift
    page = on_table(drawing(200, 180, line=FIVE, paper=220), 60, 100, 100, 110, 110)
    whole = on_table(np.full((200, 180), 255, np.uint8), 0, 100, 100, 110, 110)
    size = (400, 400)
    turned = cv2.warpAffine(page, matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=60)
    expected = cv2.warpAffine(whole, matrix, size)
    mask = find_sheet(turned)
    assert mask is not None
    assert mask[cv2.erode(expected, np.ones((31, 31), np.uint8)) > 0].all()
    assert not mask[cv2.dilate(expected, np.ones((9, 9), np.uint8)) == 0].any()


@QUICK
@given(paper=st.integers(0, 255), ink=st.integers(0, 255), size=st.integers(64, 300))
def test_a_page_alone_is_not_a_sheet_on_a_table(paper, ink, size):
    """Paper that fills the image is not a sheet on a table, whatever its grey and that of the ink."""
    assert find_sheet(drawing(size, size, line=FIVE, ink=ink, paper=paper)) is None


def test_only_a_polygon_with_a_drawing_inside_and_nothing_outside_is_a_sheet():
    """A sheet is not found if it is empty, round, beside a drawing on the table, or only a few pixels large."""
    sheet = drawing(240, 200, line=FIVE, paper=220)
    written = on_table(sheet, 100)
    assert find_sheet(written) is not None
    empty = on_table(np.full_like(sheet, 220), 100)
    assert find_sheet(empty) is None
    disc = cv2.circle(np.full((400, 400), 100, np.uint8), (200, 200), 150, 220, -1)
    disc[120:280, 130:270] = np.minimum(disc[120:280, 130:270], drawing(160, 140, line=FIVE, paper=220))
    assert find_sheet(disc) is None
    beside = written.copy()
    cv2.line(beside, (20, 20), (20, 330), 0, 12)
    assert find_sheet(beside) is None
    small = cv2.resize(written, (COARSE_SIDE - 1, COARSE_SIDE - 1), interpolation=cv2.INTER_AREA)
    assert find_sheet(small) is None
