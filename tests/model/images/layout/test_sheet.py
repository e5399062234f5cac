"""A sheet of paper on a table is found, and nothing else is taken for one."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.images.layout.sheet import find_sheet, may_show_sheet, sheet_alone
from model.images.layout.view import view_of
from model.images.raster import COARSE_SIDE, Coarse
from tests.model.images.drawings import FIVE, drawing

QUICK = settings(max_examples=50, deadline=None)


def may_show(image):
    """Return whether the first view of an image leaves it open that it shows a sheet."""
    return may_show_sheet(Coarse.of(view_of(image).reduced))


def on_table(sheet, table, top=60, bottom=60, left=60, right=60):
    """Return a sheet of paper with a table of one grey around it."""
    return cv2.copyMakeBorder(sheet, top, bottom, left, right, cv2.BORDER_CONSTANT, value=table)


@pytest.mark.parametrize(("paper", "table"), [(220, 60), (60, 220), (200, 120)])
def test_a_sheet_on_a_table_is_found(paper, table):
    """The mask covers the sheet with its ink, but without its edge, and no part of the table, whichever is lighter."""
    sheet = drawing(240, 200, line=FIVE, ink=table - 20 if paper > table else 250, paper=paper)
    mask = find_sheet(on_table(sheet, table))
    assert mask is not None
    assert may_show(on_table(sheet, table))
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
    assert may_show(turned)
    assert mask[cv2.erode(expected, np.ones((31, 31), np.uint8)) > 0].all()
    assert not mask[cv2.dilate(expected, np.ones((9, 9), np.uint8)) == 0].any()


@QUICK
@given(paper=st.integers(0, 255), ink=st.integers(0, 255), size=st.integers(64, 300))
def test_a_page_alone_is_not_a_sheet_on_a_table(paper, ink, size):
    """Paper that fills the image is not a sheet on a table, whatever its grey and that of the ink."""
    assert find_sheet(drawing(size, size, line=FIVE, ink=ink, paper=paper)) is None


def test_a_page_alone_is_told_by_two_shares():
    """A page with a digit needs no search for a sheet: one class has the whole border, and the other is small."""
    for ink, paper in ((30, 220), (220, 30)):
        assert not may_show(on_table(drawing(136, 124, line=FIVE, ink=ink, paper=paper), paper))


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


def test_a_sheet_alone_has_its_own_paper_around_it():
    """Of a turned sheet, the smallest rectangle is left, with paper around it. Other images stay as they are."""
    page = drawing(200, 180, line=FIVE, paper=220)
    assert sheet_alone(page) is page
    matrix = cv2.getRotationMatrix2D((90, 100), 10, 1)
    matrix[:, 2] += 110, 100
    turned = cv2.warpAffine(page, matrix, (400, 400), borderMode=cv2.BORDER_CONSTANT, borderValue=60)
    alone = sheet_alone(turned)
    assert max(alone.shape) < 260
    assert (alone[[0, 0, -1, -1], [0, -1, 0, -1]] == 220).all()


def test_a_blank_sheet_beside_the_sheet_does_not_matter_and_a_written_one_does():
    """Of two sheets with a digit, neither is the sheet."""
    written, blank = drawing(240, 200, line=FIVE, paper=220), np.full((240, 160), 220, np.uint8)
    table = np.full((360, 560), 60, np.uint8)
    table[60:300, 60:260] = written
    beside = table.copy()
    beside[60:300, 340:500] = blank
    mask = find_sheet(beside)
    assert mask is not None
    assert mask[100:260, 100:220].all()
    beside[60:300, 320:520] = written
    assert find_sheet(beside) is None
