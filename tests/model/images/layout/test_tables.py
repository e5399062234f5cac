"""The digit in a cell is told from the lines of its table and from the cells around it."""

import cv2
import numpy as np
import pytest

from model.images.layout.tables import in_cell
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, put, strokes_of

SIDE = 160


def table(strip, *, row=False, lean=0):
    """Draw the lines of a cell and of those around it, of which strips show.

    Args:
        strip: Width of the strips in pixels.
        row: Whether the table has only one row.
        lean: Height in pixels by which the lines rise.
    """
    page = np.zeros((SIDE, SIDE), np.uint8)
    far = SIDE - 1 - strip
    for at in (strip, far):
        cv2.line(page, (0, at + lean), (SIDE, at), 255, 3)
        cv2.line(page, (at, strip if row else 0), (at + lean, far if row else SIDE), 255, 3)
    return page


def seen_in(strokes):
    """Return the mask of what is drawn in the cell."""
    return in_cell(connected_components(strokes)).mask


@pytest.mark.parametrize("lean", [0, 4])
@pytest.mark.parametrize("row", [False, True])
@pytest.mark.parametrize("strip", [8, 20, 36, 48])
def test_only_the_digit_of_the_cell_is_kept(strip, row, lean):
    """Lines go, whatever shows beyond them, in a table and in a row of a form, level and a little turned."""
    digit = put(strokes_of(54, 44), SIDE, SIDE, 53, 58)
    page = table(strip, row=row, lean=lean) | digit
    assert np.array_equal(seen_in(page), digit)


def test_digits_of_the_cells_around_go():
    """What is beyond the lines belongs to the neighbours, also where it touches the lines."""
    digit = put(strokes_of(54, 44), SIDE, SIDE, 53, 58)
    page = table(36) | digit
    cv2.putText(page, "8", (128, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 4)
    cv2.putText(page, "3", (60, 24), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 4)
    assert np.array_equal(seen_in(page), digit)


def test_a_digit_that_touches_a_line_keeps_what_is_in_the_cell():
    """A digit that stands on a line of its cell is cut off at the line."""
    digit = put(strokes_of(80, 60, line=FIVE), SIDE, SIDE, 60, 50)
    page = table(30) | digit
    kept = seen_in(page)
    assert not kept[129:].any()
    assert (kept[digit > 0] > 0).mean() > 0.9
    assert not kept[(digit == 0)].any()


def test_all_is_kept_where_two_cells_hold_something():
    """Two digits in two cells are several digits."""
    page = table(8)
    cv2.line(page, (80, 0), (80, SIDE), 255, 3)
    page |= put(strokes_of(50, 40), SIDE, SIDE, 50, 24) | put(strokes_of(50, 40), SIDE, SIDE, 50, 96)
    assert np.array_equal(seen_in(page), page)


def test_digits_that_cross_their_image_are_not_tables():
    """A four with a speck in its loop and an angular eight that meet the border stay whole, as does an empty table."""
    four = np.zeros((SIDE, SIDE), np.uint8)
    cv2.polylines(four, [np.array([(110, 159), (110, 0), (0, 100), (159, 100)])], False, 255, 9)
    cv2.circle(four, (82, 72), 13, 255, -1)
    eight = cv2.rectangle(np.zeros((SIDE, SIDE), np.uint8), (30, 0), (130, 159), 255, 9)
    eight[75:85, 30:130] = 255
    for image in (four, eight, table(30)):
        assert np.array_equal(seen_in(image), image)
