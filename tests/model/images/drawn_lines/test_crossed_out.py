"""Strokes cross a digit out if they run across it and beyond it. Its own strokes do not."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.images.doubts import DoubtCode
from model.images.normalise import normalise_all
from tests.model.images.drawings import FIVE, SEVEN


def ring(x: float, y: float, across: float, down: float):
    """The points of an ellipse around a point, as shares of the side."""
    angles = np.linspace(0, 2 * np.pi, 60)
    return list(zip(x + across * np.cos(angles), y + down * np.sin(angles), strict=True))


SCRIBBLE = tuple((0.2 + 0.6 * (turn % 2), 0.1 + 0.1 * turn) for turn in range(9))
STRUCK = {
    "a stroke upwards": [((0.1, 0.65), (0.9, 0.35))],
    "a level stroke": [((0.05, 0.5), (0.95, 0.5))],
    "two strokes": [((0.1, 0.6), (0.9, 0.3)), ((0.1, 0.75), (0.9, 0.45))],
    "a cross": [((0.15, 0.15), (0.85, 0.85)), ((0.15, 0.85), (0.85, 0.15))],
    "a scribble": [SCRIBBLE],
    "strokes above, across and below": [((0.1, y + 0.06), (0.9, y)) for y in (0.12, 0.45, 0.8)],
}
FOUR = [((0.6, 0.15), (0.25, 0.6), (0.8, 0.6)), ((0.62, 0.3), (0.62, 0.9))]
EIGHT = [((0.7, 0.2), (0.3, 0.2), (0.7, 0.8), (0.3, 0.8), (0.7, 0.2))]
WHOLE = {
    "a five": [FIVE],
    "a seven with a bar": [SEVEN, ((0.42, 0.5), (0.7, 0.5))],
    "a four": FOUR,
    "an eight with corners": EIGHT,
    "a one with a foot": [((0.35, 0.35), (0.5, 0.15), (0.5, 0.85)), ((0.3, 0.85), (0.7, 0.85))],
}

ACROSS = {  # height of the middle and rise, as shares of the side, width, and whether the line crosses the digit out
    "thin and level": (0.5, 0.0, 0.01, False),
    "thin and nearly level": (0.5, 0.02, 0.01, False),
    "thin and leaning": (0.5, 0.3, 0.01, True),
    "as wide as a stroke and level": (0.5, 0.0, 0.05, True),
    "as wide as a stroke and nearly level": (0.5, 0.1, 0.05, True),
    "as wide as a stroke and under the digit": (0.88, 0.0, 0.05, False),
}


def page(lines, side: int = 200, width: float = 0.06):
    """Lines on white paper, uint8 (side, side), whose points are shares of the side."""
    canvas = np.full((side, side), 255, np.uint8)
    for line in lines:
        points = (np.array(line) * side).astype(np.int32)
        cv2.polylines(canvas, [points], False, 20, max(1, round(width * side)), cv2.LINE_AA)
    return canvas


def doubt_of(image):
    """The code of the doubt about an image, or None."""
    doubt = normalise_all(image).doubt
    return doubt and doubt.code


@pytest.mark.parametrize("side", [90, 200, 700])
@pytest.mark.parametrize("digit", [SEVEN, FIVE])
@pytest.mark.parametrize("strokes", STRUCK.values(), ids=STRUCK.keys())
def test_a_digit_that_is_crossed_out_is_doubted(strokes, digit, side):
    """One stroke, two, a cross and a scribble cross a digit out, in images of any size."""
    assert doubt_of(page([digit, *strokes], side, width=0.04)) is DoubtCode.CROSSED_OUT


@pytest.mark.parametrize("width", [0.03, 0.06, 0.11])
@pytest.mark.parametrize("lines", WHOLE.values(), ids=WHOLE.keys())
def test_the_strokes_of_a_digit_do_not_cross_it_out(lines, width):
    """Bars, feet and crossings that belong to a digit end on it, or do not extend beyond it."""
    assert doubt_of(page(lines, width=width)) is None


@pytest.mark.parametrize(("middle", "lean", "width", "doubted"), ACROSS.values(), ids=ACROSS.keys())
def test_a_line_across_the_image_crosses_a_digit_out_unless_it_is_ruled(middle, lean, width, doubted):
    """A ruled line is level, or nearly so in a photograph, and thinner than the strokes or beside the digit."""
    line = page([((-0.1, middle + lean * 0.6), (1.1, middle - lean * 0.6))], width=width)
    image = np.minimum(line, page([FIVE], width=0.06))
    assert doubt_of(image) is (DoubtCode.CROSSED_OUT if doubted else None)


@pytest.mark.parametrize("width", [0.015, 0.025, 0.04])
@pytest.mark.parametrize(
    "lines",
    [
        [ring(0.5, 0.325, 0.175, 0.175), ring(0.5, 0.675, 0.175, 0.175)],
        [ring(0.5, 0.5, 0.25, 0.375), ((0.25, 0.5), (0.75, 0.5))],
    ],
    ids=["an eight of two rings", "a zero with a level bar"],
)
def test_rings_are_not_strokes_across(lines, width):
    """Nearly all columns of an eight cross four strokes, but its sides are longer than the ends of strokes."""
    assert doubt_of(page(lines, width=width)) is None


def test_the_bar_of_a_four_that_fills_its_image_does_not_cross_it_out():
    """It reaches both borders, but extends beyond the digit on one side only."""
    assert doubt_of(page([((0.6, 0.1), (0.0, 0.6), (1.0, 0.6)), ((0.65, 0.35), (0.65, 0.9))], width=0.05)) is None


def test_an_image_of_mnists_size_is_never_taken_for_crossed_out(samples):
    """Lines across such images are noise, such as the corruptions of digits that models are tested with."""
    for digit in samples.test.images[:20]:
        image = digit.copy()
        cv2.line(image, (1, 18), (26, 8), 255, 2)
        assert doubt_of(image) is None


@given(
    start=st.tuples(st.floats(0.05, 0.3), st.floats(0.05, 0.95)),
    end=st.tuples(st.floats(0.7, 0.95), st.floats(0.05, 0.95)),
    apart=st.floats(0.03, 0.3),
    side=st.integers(60, 220),
    width=st.floats(0.02, 0.1),
)
@example(start=(0.172, 0.138), end=(0.78, 0.824), apart=0.233, side=178, width=0.039)  # one ends below all ink
@example(start=(0.186, 0.852), end=(0.932, 0.342), apart=0.106, side=146, width=0.056)
def test_strokes_side_by_side_may_begin_and_end_anywhere(start, end, apart, side, width):
    """Whatever two strokes do, a digit under them is looked at without an error."""
    beside = (start[0] + 0.02, start[1] + apart), (end[0] - 0.02, end[1] + apart)
    assert doubt_of(page([FIVE, (start, end), beside], side, width)) in (None, *DoubtCode)


@pytest.mark.parametrize("apart", [0.08, 0.12])
@pytest.mark.parametrize("rise", [-0.1, 0.03])
@pytest.mark.parametrize("digit", [FIVE, ring(0.5, 0.5, 0.22, 0.32)], ids=["a five", "a zero"])
def test_thin_strokes_that_bend_a_little_cross_out_a_bold_digit(digit, rise, apart):
    """The straight line between the ends of such a stroke runs beside it."""
    struck = page([digit], 160, 0.11)
    for row in (0.5 - apart / 2, 0.5 + apart / 2):
        struck = np.minimum(struck, page([((0.06, row - rise), (0.5, row + 0.015), (0.94, row + rise))], 160, 0.012))
    assert doubt_of(struck) is DoubtCode.CROSSED_OUT


def test_a_slashed_zero_is_a_zero():
    """Its slash ends on the ring or just beyond it."""
    image = page([((0.32, 0.72), (0.68, 0.28))])
    cv2.ellipse(image, (100, 100), (52, 74), 0, 0, 360, 20, 12, cv2.LINE_AA)
    assert doubt_of(image) is None
