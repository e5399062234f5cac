"""An outline of dashes or dots around a digit is left out, and a digit in dashes or dots stays what it is."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from model.images.around.dashes import find_dashed
from model.images.normalise import normalise
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, SEVEN, shares_ink

SIDE = 240
ONE = [(0.62, 0.0), (0.4, 1.0)]
EIGHT = ((38, 40, (120, 75)), (48, 46, (120, 160)))


def write(line, size=100, image=None):
    """Write a digit in the middle of a page, uint8 (240, 240), dark on light."""
    points = np.array([(120 + (x - 0.5) * size, 120 + (y - 0.5) * size) for x, y in line])
    page = np.full((SIDE, SIDE), 250, np.uint8) if image is None else image
    return cv2.polylines(page, [points.round().astype(np.int32)], False, 20, 9, cv2.LINE_AA)


def ellipse(across, down, centre=(120, 120)):
    """Return the points of an ellipse."""
    angle = np.linspace(0, 2 * np.pi, 361)
    return np.stack([centre[0] + across * np.cos(angle), centre[1] + down * np.sin(angle)], axis=1)


def box(across, down):
    """Return the points of a box with sharp corners."""
    corners = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1)]) * (across, down) + 120
    return np.concatenate([np.linspace(*pair, 90) for pair in pairwise(corners)])


def dashes(points, count, filled=0.55, width=5, image=None):
    """Draw as many dashes along points, or dots where `filled` is 0."""
    page = np.full((SIDE, SIDE), 250, np.uint8) if image is None else image
    length = len(points) / count
    for start in np.arange(count) * length:
        dash = points[int(start) : int(start + filled * length) + 1]
        cv2.polylines(page, [dash.round().astype(np.int32)], False, 20, width, cv2.LINE_AA)
    return page


OUTLINES = {
    "a dashed circle": lambda: dashes(ellipse(105, 105), 18),
    "a dashed ellipse": lambda: dashes(ellipse(115, 85), 24),
    "a dotted circle": lambda: dashes(ellipse(105, 105), 12, 0, 8),
    "a circle of many dots": lambda: dashes(ellipse(105, 105), 40, 0, 7),
    "a dashed box": lambda: dashes(box(100, 90), 20),
    "a dotted box": lambda: dashes(box(100, 90), 24, 0, 8),
}


@pytest.mark.parametrize("line", [FIVE, SEVEN, ONE])
@pytest.mark.parametrize("kind", OUTLINES)
def test_an_outline_of_pieces_is_left_out(kind, line):
    """A digit in dashes or dots is shown as if it were alone, or a pixel beside. So is a one, which is a bar."""
    assert shares_ink(normalise(write(line, image=OUTLINES[kind]())), normalise(write(line))) > 0.65


@pytest.mark.parametrize("kind", OUTLINES)
def test_size_matters_little(kind):
    """In a small image, in which gaps are narrower than pixels, the outline is left out as well."""
    image = cv2.resize(write(FIVE, image=OUTLINES[kind]()), (60, 60), interpolation=cv2.INTER_AREA)
    assert shares_ink(normalise(image), normalise(write(FIVE))) > 0.85


def test_an_outline_at_the_border_is_left_out():
    """An outline may touch the border of the image."""
    image = write(FIVE, image=dashes(box(112, 112), 24, width=6))[5:235, 5:235]
    assert shares_ink(normalise(image), normalise(write(FIVE))) > 0.9


@pytest.mark.parametrize("filled", [0, 0.6])
def test_a_digit_in_pieces_is_not_an_outline(filled):
    """Nothing is inside of a zero, whatever its shape. Inside of an eight, or a zero with a slash, are only pieces."""
    slash = np.linspace((165, 50), (75, 190), 60)
    zeros = [ellipse(100, 100), ellipse(60, 100), ellipse(45, 100)]
    eight = dashes(ellipse(*EIGHT[1]), 14, filled, 8, dashes(ellipse(*EIGHT[0]), 12, filled, 8))
    slashed = dashes(slash, 7, filled, 8, dashes(zeros[1], 18, filled, 8))
    for image in [eight, slashed, *(dashes(zero, 18, filled, 8) for zero in zeros)]:
        assert find_dashed(connected_components(np.where(image < 128, np.uint8(255), np.uint8(0))), 14) is None


def test_a_slash_in_one_piece_is_not_a_digit():
    """A bar that leans and runs from side to side of a dashed outline is the slash of a zero."""
    zero = cv2.line(dashes(ellipse(80, 110), 18), (165, 50), (75, 190), 20, 5, cv2.LINE_AA)
    assert find_dashed(connected_components(np.where(zero < 128, np.uint8(255), np.uint8(0))), 20) is None


def test_a_digit_in_an_outline_of_pieces_may_be_in_two():
    """As a five whose bar is loose."""
    bowl = [(0.3, 0.4), (0.6, 0.5), (0.7, 0.7), (0.5, 1.0)]

    def five(image=None):
        return write([(0.35, 0.15), (0.85, 0.1)], image=write(bowl, image=image))

    assert shares_ink(normalise(five(OUTLINES["a dashed box"]())), normalise(five())) > 0.65


def test_two_arcs_around_a_digit_are_an_outline():
    """In a small image, the dashes of a circle run together. What is inside need not touch them."""
    arcs = cv2.ellipse(write(ONE), (120, 120), (105, 105), 0, 20, 170, 20, 6, cv2.LINE_AA)
    cv2.ellipse(arcs, (120, 120), (105, 105), 0, 178, 372, 20, 6, cv2.LINE_AA)
    assert shares_ink(normalise(arcs), normalise(write(ONE))) > 0.65


def test_digits_around_a_digit_are_not_pieces():
    """Eight digits around a ninth are as deep as it."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    for row in range(3):
        for column in range(3):
            cv2.putText(page, "5", (30 + 75 * column, 70 + 75 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 4)
    assert find_dashed(connected_components(page), 14) is None


def test_the_small_digits_of_a_dial_are_not_pieces():
    """Some of them enclose paper, as dashes and dots do not."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    for hour in range(1, 13):
        angle = np.radians(30 * hour)
        place = round(115 + 95 * np.sin(angle)), round(128 - 95 * np.cos(angle))
        cv2.putText(page, str(hour), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    cv2.putText(page, "5", (95, 150), cv2.FONT_HERSHEY_SIMPLEX, 2.4, 255, 6)
    assert find_dashed(connected_components(page), 14) is None
