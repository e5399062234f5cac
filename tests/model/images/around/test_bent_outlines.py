"""A closed line of any form around a digit is left out, and the loops of a digit are not such a line."""

import cv2
import numpy as np
import pytest

from model.images.around.bent_outlines import find_bent_outline
from model.images.normalise import normalise
from model.images.raster import connected_components, mask_above
from tests.model.images.drawings import FIVE, SEVEN, shares_ink

SIDE = 240
LEAST = 30
BUBBLE = [(25, 40), (215, 40), (215, 185), (110, 185), (60, 225), (70, 185), (25, 185)]
HALF_SHIRT = np.array([(0.35, -0.9), (1, -0.5), (0.8, -0.1), (0.52, -0.25), (0.52, 0.9)])
ANGLE = np.pi * np.arange(10) / 5
OUTLINES = {
    "a speech bubble": np.array(BUBBLE),
    "a shirt": 120 + 110 * np.concatenate([HALF_SHIRT, HALF_SHIRT[::-1] * (-1, 1)]),
    "a star": 120 + np.stack([np.cos(ANGLE), np.sin(ANGLE)], 1) * np.tile([115, 65], 5)[:, np.newaxis],
}


def line(points, width=5):
    """Draw a closed line on an empty page, uint8 (240, 240)."""
    page = np.full((SIDE, SIDE), 250, np.uint8)
    return cv2.polylines(page, [np.rint(points).astype(np.int32)], True, 20, width, cv2.LINE_AA)


def write(image, points=FIVE, size=90, width=7):
    """Write a digit in the middle of a page, and return the page."""
    corners = np.array([(120 + (x - 0.5) * size, 120 + (y - 0.5) * size) for x, y in points])
    return cv2.polylines(image, [corners.round().astype(np.int32)], False, 20, width, cv2.LINE_AA)


def found(image):
    """Return the outline in an image with dark strokes, or None."""
    return find_bent_outline(connected_components(mask_above(255 - image, 128)), LEAST)


@pytest.mark.parametrize("digit", [FIVE, SEVEN])
@pytest.mark.parametrize("kind", OUTLINES)
def test_a_bent_outline_is_left_out(kind, digit):
    """A digit in it is shown as if it were alone."""
    alone = normalise(write(np.full((SIDE, SIDE), 250, np.uint8), digit))
    assert shares_ink(normalise(write(line(OUTLINES[kind]), digit)), alone) > 0.9


OTHERS = {
    "an empty outline": lambda: line(OUTLINES["a shirt"]),
    "a dot": lambda: cv2.circle(line(OUTLINES["a shirt"]), (120, 120), 20, 20, -1),
    "something small": lambda: write(line(OUTLINES["a shirt"]), size=25, width=3),
    "a fat line": lambda: write(line(OUTLINES["a shirt"], 20), size=60),
    "something that touches": lambda: cv2.line(write(line(OUTLINES["a shirt"])), (60, 120), (120, 120), 20, 6),
    "a circle": lambda: write(cv2.circle(line([(120, 120)]), (120, 120), 100, 20, 5)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_only_a_bent_line_around_a_digit_is_a_bent_outline(kind):
    """Circles and boxes have limits of their own."""
    assert found(OTHERS[kind]()) is None


def test_the_loop_of_a_digit_in_outlines_is_not_in_a_bent_outline():
    """Beside the loop there is only the stroke."""
    nine = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (115, 90), 55, 255, 40)
    nine = cv2.line(nine, (165, 90), (150, 210), 255, 40)
    edges = cv2.morphologyEx(nine, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    assert found(255 - edges) is None
