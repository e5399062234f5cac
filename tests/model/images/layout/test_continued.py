"""Pieces of one stroke go on in the direction in which they end."""

import cv2
import numpy as np
import pytest

from model.images.layout.continued import LIMITS, strokes_of
from model.images.raster import connected_components


def stroke_numbers(*lines, width=10):
    """Return which stroke each of some lines belongs to. The lines are pairs of points, column and row."""
    page = np.zeros((300, 300), np.uint8)
    for start, end in lines:
        cv2.line(page, start, end, 255, width)
    components = connected_components(page)
    assert len(components.stats) == len(lines)
    return strokes_of(components, np.arange(len(lines)), width).tolist()


@pytest.mark.parametrize("right", [-60, -20, 0, 35])
def test_a_straight_stroke_goes_on_below_a_gap(right):
    """Two lines, or three, with gaps between them in one direction are one stroke."""
    ends = [((150 + round(right * a), 40 + round(200 * a)), (150 + round(right * b), 40 + round(200 * b)))
            for a, b in ((0, 0.3), (0.39, 0.6), (0.68, 1))]  # fmt: skip
    assert len(set(stroke_numbers(*ends[:2]))) == 1
    assert len(set(stroke_numbers(*ends))) == 1


@pytest.mark.parametrize(
    "second",
    [
        ((175, 150), (175, 250)),  # beside the direction
        ((150, 150), (220, 190)),  # in another direction
        ((150, 190), (150, 280)),  # too far below
        ((100, 150), (200, 150)),  # a bar
        ((170, 40), (170, 250)),  # beside the whole
    ],
)
def test_another_stroke_does_not_go_on(second):
    """What is beside the direction, leads elsewhere, is far below or lies across is another stroke."""
    assert len(set(stroke_numbers(((150, 60), (150, 132)), second))) == 2


@pytest.mark.parametrize(("length", "strokes"), [(100, 2), (60, 2), (30, 1)])
def test_pieces_that_could_be_two_digits_need_to_be_near(length, strokes):
    """A one below a one or a seven is another digit at a gap at which a shorter piece goes on."""
    gap = 10 + 18
    first, second = ((150, 40), (150, 140)), ((150, 140 + gap), (150, 140 + gap + length))
    assert len(set(stroke_numbers(first, second))) == strokes


def test_dashes_are_not_joined():
    """Pieces that are too short for a digit are left alone, because they are not digits by themselves."""
    assert len(set(stroke_numbers(*(((150, top), (150, top + 15)) for top in (40, 75, 110))))) == 3


def test_many_pieces_are_not_compared():
    """Beyond a number of pieces each is a stroke."""
    lines = [((20 + 25 * index, 20), (20 + 25 * index, 90)) for index in range(LIMITS.max_pieces)]
    below = [((20, 110), (20, 250))]
    assert len(set(stroke_numbers(*lines, *below))) == len(lines) + 1
