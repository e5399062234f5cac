"""A badge whose rim has points, teeth, scallops or a tail is a surface, and a bold digit is not a badge."""

import cv2
import numpy as np
import pytest

from model.errors import FailureCode, ImageError
from model.images.around.badges import bodies
from model.images.normalise import normalise
from tests.model.images.drawings import FIVE, SEVEN, shares_ink

SIDE = 240


def page(paper=250):
    """Return an empty page, uint8 (240, 240)."""
    return np.full((SIDE, SIDE), paper, np.uint8)


def write(image, line=FIVE, ink=250, size=90, width=9):
    """Write a digit in the middle of a page, and return the page."""
    points = np.array([(120 + (x - 0.5) * size, 120 + (y - 0.5) * size) for x, y in line])
    return cv2.polylines(image, [points.round().astype(np.int32)], False, ink, width, cv2.LINE_AA)


def painted(radius, face=60, paper=250):
    """Paint a shape with these distances of its rim from the middle, from the right and on around."""
    angle = 2 * np.pi * np.arange(len(radius)) / len(radius)
    points = 120 + np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.asarray(radius)[:, np.newaxis]
    return cv2.fillPoly(page(paper), [points.round().astype(np.int32)], face, cv2.LINE_AA)


def star(points, inner):
    """Return the distances of the corners of a star."""
    return np.tile([112, inner * 112], points)


def bubble():
    """Paint a speech bubble with a tail below."""
    image = cv2.rectangle(page(), (25, 40), (215, 200), 60, -1)
    return cv2.fillPoly(image, [np.array([(60, 190), (60, 236), (110, 190)])], 60)


ANGLE = 2 * np.pi * np.arange(360) / 360
BADGES = {
    "a star of 8 points": lambda: painted(star(8, 0.7)),
    "a star of 12 points": lambda: painted(star(12, 0.85)),
    "a star of 24 points": lambda: painted(star(24, 0.88)),
    "a light star": lambda: painted(star(16, 0.85), 190, 30),
    "a flower": lambda: painted(92 + 20 * np.abs(np.cos(4 * ANGLE))),
    "a scalloped seal": lambda: painted(100 + 12 * np.abs(np.cos(9 * ANGLE))),
    "a gear": lambda: painted(np.repeat(np.tile([112, 92], 10), 18)),
    "a speech bubble": bubble,
}


@pytest.mark.parametrize("line", [FIVE, SEVEN])
@pytest.mark.parametrize("kind", BADGES)
def test_a_badge_is_left_out(kind, line):
    """A digit on a badge is shown as if it were alone."""
    image = BADGES[kind]()
    ink = 20 if image[120, 120] > 128 else 250
    assert shares_ink(normalise(write(image, line, ink)), normalise(write(page(), line, 20))) > 0.9


@pytest.mark.parametrize("line", [FIVE, SEVEN])
def test_a_small_digit_on_a_star_of_five_points_is_shown_alone(line):
    """Such a star holds a disc of half its radius."""
    image = write(painted(star(5, 0.55)), line, size=60, width=6)
    assert shares_ink(normalise(image), normalise(write(page(), line, 20, 60, 6))) > 0.9


@pytest.mark.parametrize("kind", BADGES)
def test_an_empty_badge_is_refused(kind):
    """It is blank, as an empty disc is."""
    with pytest.raises(ImageError, match="a shape with nothing in it") as caught:
        normalise(BADGES[kind]())
    assert caught.value.code == FailureCode.BLANK


@pytest.mark.parametrize("stem", [(-0.9, 0.0), (0.9, 3.1)])
@pytest.mark.parametrize("width", [26, 40, 56])
def test_the_loop_of_a_bold_six_or_nine_is_not_the_body_of_a_badge(stem, width):
    """What is left of the digit is larger than a point of a star."""
    side, start = stem
    image = cv2.circle(page(0), (120, 120 + round(35 * -side / 0.9)), 45, 255, width)
    angle = np.linspace(start + np.pi, start + np.pi + 1.6, 40)
    points = np.stack([120 + 95 * np.cos(angle) + (50 if side < 0 else -50), 120 - side * 40 + 95 * np.sin(angle)], 1)
    digit = cv2.polylines(image, [points.round().astype(np.int32)], False, 255, width, cv2.LINE_AA)
    assert not list(bodies(digit))


def test_thin_strokes_have_no_body():
    """Only ink that is as thick as a badge has one."""
    assert not list(bodies(write(page(0), ink=255, size=180)))
