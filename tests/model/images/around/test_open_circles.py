"""A circle with a wide gap around a digit is left out, and a digit that does not close stays whole."""

import cv2
import numpy as np
import pytest

from model.images.around.open_circles import find_open_circle
from model.images.normalise import normalise
from model.images.raster import connected_components, mask_above
from tests.model.images.drawings import FIVE, SEVEN, shares_ink

SIDE = 240
LEAST = 30
ONE = [(0.62, 0.0), (0.4, 1.0)]


def page():
    """Return an empty page, uint8 (240, 240)."""
    return np.full((SIDE, SIDE), 250, np.uint8)


def write(image, line=FIVE, size=90, width=8, shift=(0, 0)):
    """Write a digit near the middle of a page, and return the page."""
    points = np.array([(120 + shift[0] + (x - 0.5) * size, 120 + shift[1] + (y - 0.5) * size) for x, y in line])
    return cv2.polylines(image, [points.round().astype(np.int32)], False, 20, width, cv2.LINE_AA)


def arc(gap, turn=0, axes=(100, 100), width=5, image=None):
    """Draw an ellipse with a gap of as many degrees, whose middle is at an angle clockwise from the right."""
    ends = turn + gap / 2, turn + 360 - gap / 2
    return cv2.ellipse(page() if image is None else image, (120, 120), axes, 0, *ends, 20, width, cv2.LINE_AA)


def found(image):
    """Return the open circle in an image with dark strokes, or None."""
    return find_open_circle(connected_components(mask_above(255 - image, 128)), LEAST)


@pytest.mark.parametrize("line", [FIVE, SEVEN])
@pytest.mark.parametrize("turn", [0, 90, 200, 300])
@pytest.mark.parametrize("gap", [30, 60, 90, 120])
def test_a_circle_with_a_gap_is_left_out(gap, turn, line):
    """A digit in it is shown as if it were alone."""
    assert shares_ink(normalise(write(arc(gap, turn), line)), normalise(write(page(), line))) > 0.9


@pytest.mark.parametrize("axes", [(100, 80), (85, 100)])
def test_an_ellipse_with_a_gap_is_left_out(axes):
    """Few people draw a circle."""
    assert shares_ink(normalise(write(arc(70, 40, axes), size=75)), normalise(write(page(), size=75))) > 0.9


def test_a_circle_in_two_halves_is_left_out():
    """The pen was lifted twice."""
    halves = [cv2.ellipse(page(), (120, 120), (100, 100), 0, 15 + turn, 165 + turn, 20, 5) for turn in (20, 200)]
    image = write(np.minimum(*halves))
    assert shares_ink(normalise(image), normalise(write(page()))) > 0.9


@pytest.mark.parametrize(("line", "size"), [(FIVE, 90), (SEVEN, 90), (ONE, 90), (FIVE, 85)])
def test_what_is_in_an_open_circle_is_found(line, size):
    """It is the digit, and nothing of the circle."""
    outline = found(write(arc(80), line, size))
    assert outline is not None
    assert np.array_equal(outline.inside, mask_above(255 - write(page(), line, size), 128))


OTHERS = {
    "a curve of 200 degrees": lambda: write(arc(160)),
    "a narrow ellipse": lambda: write(arc(80, axes=(60, 110)), size=60),
    "a fat line": lambda: write(arc(80, width=40), size=70),
    "nothing": lambda: arc(80),
    "a dot": lambda: cv2.circle(arc(80), (120, 120), 25, 20, -1),
    "a short slash": lambda: write(arc(80), [(0.0, 1.0), (1.0, 0.0)], 50),
    "a slash in an ellipse as narrow as a zero": lambda: write(arc(60, axes=(80, 105)), [(0.1, 1.0), (0.9, 0.0)], 90),
    "something small": lambda: write(arc(80), size=25, width=4),
    "something at one side": lambda: write(arc(80), size=60, shift=(45, 0)),
    "something that leaves the gap": lambda: write(arc(80), size=90, shift=(60, 0)),
    "something that touches": lambda: cv2.line(write(arc(80)), (20, 120), (110, 120), 20, 8),
    "a line with a tail": lambda: write(cv2.line(arc(80), (197, 184), (150, 160), 20, 5), size=60),
    "no gap": lambda: write(arc(0)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_only_a_round_line_around_a_digit_is_an_open_circle(kind):
    """A mark in a zero, a loop of a six and whatever touches the line belong to one digit."""
    assert found(OTHERS[kind]()) is None


def test_a_six_with_a_loose_loop_stays_whole():
    """The loop is not in the middle of the curve around it."""
    six = cv2.ellipse(page(), (120, 120), (70, 100), 0, 60, 300, 20, 9)
    six = cv2.ellipse(six, (125, 165), (38, 36), 0, 0, 360, 20, 9)
    assert found(six) is None
