"""Dots and dashes become strokes, and nothing else is joined."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from model.images.layout.joining import joined
from model.images.layout.lines import without_lines
from model.images.normalise import normalise, normalise_all
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, SEVEN, put, shares_ink, strokes_of


def along(line, spacing, side=200):
    """Return points at equal distances along a line, int (n, 2), in an image of this side."""
    corners = np.array(line) * side
    points = []
    for start, end in pairwise(corners):
        count = max(1, round(float(np.linalg.norm(end - start)) / spacing))
        points += [start + (end - start) * step / count for step in range(count)]
    return np.rint([*points, corners[-1]]).astype(int)


def dotted(line, spacing=14, radius=4):
    """Draw a line in dots, uint8 (200, 200), light on black."""
    page = np.zeros((200, 200), np.uint8)
    for point in along(line, spacing).tolist():
        cv2.circle(page, point, radius, 255, -1)
    return page


@pytest.mark.parametrize("line", [FIVE, SEVEN])
def test_a_digit_in_dots_is_shown_as_one_in_strokes(line):
    """The dots are joined in the order in which a pen would go through them."""
    solid = np.zeros((200, 200), np.uint8)
    cv2.polylines(solid, [along(line, 14)], isClosed=False, color=255, thickness=8)
    drawn = without_lines(connected_components(dotted(line)))
    assert len(joined(drawn).components.stats) == 1
    assert shares_ink(normalise(dotted(line)), normalise(solid)) > 0.85


def test_dashes_are_joined_at_their_ends():
    """A zero in dashes becomes a ring, without lines through its middle."""
    page = np.zeros((200, 200), np.uint8)
    for start in range(0, 360, 36):
        cv2.ellipse(page, (100, 100), (50, 70), 0, start, start + 20, 255, 5)
    whole = joined(without_lines(connected_components(page)))
    assert len(whole.components.stats) == 1
    assert not whole.components.mask[70:130, 75:125].any()


@pytest.mark.parametrize("way", ["beside each other", "above each other"])
def test_two_digits_in_dots_are_several_digits(way):
    """Each is a digit of its own, and is shown in strokes, as it is without the other."""
    pages = [dotted(FIVE)[20:180, 30:170], dotted(SEVEN)[20:180, 30:170]]
    both = np.hstack(pages) if way == "beside each other" else np.vstack(pages)
    normalised = normalise_all(both)
    assert normalised.total == len(pages)
    assert normalised.certain
    for part, page in zip(normalised.parts, pages, strict=True):
        assert shares_ink(part, normalise(page)) > 0.8


def test_a_digit_in_dashes_is_one_digit_where_some_of_them_touch():
    """The upper bar of a seven is one long dash, and the dashes along its stem are in one line."""
    page = np.zeros((200, 200), np.uint8)
    cv2.line(page, (60, 40), (130, 40), 255, 6)
    points = along([(0.68, 0.24), (0.45, 0.85)], 9)
    for start, end in list(pairwise(points.tolist()))[::2]:
        cv2.line(page, start, end, 255, 6)
    normalised = normalise_all(page)
    assert normalised.total == 1
    assert normalised.doubt is None


def test_digits_beside_each_other_are_not_dots():
    """Six printed digits come back as they are, because most of them are bent strokes."""
    page = np.zeros((120, 700), np.uint8)
    cv2.putText(page, "235790", (20, 90), cv2.FONT_HERSHEY_SIMPLEX, 2.6, 255, 6)
    drawn = without_lines(connected_components(page))
    assert joined(drawn, are_solid=True) is drawn


def test_what_is_not_in_dots_stays_as_it_is():
    """A digit, one with a flying bar, one among specks, a few digits and a row of letters come back as they are."""
    digit = put(strokes_of(line=FIVE), 200, 200, 40, 50)
    broken = digit.copy()
    broken[80:84] = 0
    specked = digit.copy()
    specked[10:190:30, 10:190:30] = 255
    pair = put(strokes_of(60, 50), 200, 200, 20, 20) | put(strokes_of(60, 50), 200, 200, 100, 110)
    letters = np.zeros((60, 400), np.uint8)
    for left in range(10, 380, 40):
        cv2.rectangle(letters, (left, 15), (left + 25, 45), 255, 4)
    for page in (digit, broken, specked, pair, letters):
        drawn = without_lines(connected_components(page))
        assert joined(drawn) is drawn
