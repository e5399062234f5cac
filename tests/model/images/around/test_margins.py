"""A coloured margin of a card is left out, and a stroke beside a digit is not."""

import cv2
import numpy as np
import pytest

from model.images.around.margins import find_card
from model.images.normalise import normalise, normalise_all
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, SEVEN, shares_ink

SIDE = 240
SIDES = ("top", "bottom", "left", "right")


def write(image, line=FIVE, size=80, centre=(120, 120), width=9):
    """Write a digit on a page."""
    points = np.array([(centre[0] + (x - 0.5) * size, centre[1] + (y - 0.5) * size * 1.4) for x, y in line])
    return cv2.polylines(image, [points.round().astype(np.int32)], False, 20, width, cv2.LINE_AA)


def card(side="top", share=0.25, band=120, *, framed=False, word="", page=225):
    """Return a page with a card that has a margin along a side, and the middle of the rest."""
    image = cv2.rectangle(np.full((SIDE, SIDE), page, np.uint8), (20, 20), (220, 220), 250, -1)
    width, axis = round(200 * share), int(side in ("left", "right"))
    start, end = [20, 20], [220, 220]
    across = 1 - axis
    if side in ("top", "left"):
        end[across] = 20 + width
    else:
        start[across] = 220 - width
    cv2.rectangle(image, start, end, band, -1)
    cv2.putText(image, word, (start[0] + 60, end[1] - width // 4), 0, 0.9, 250, 2, cv2.LINE_AA)
    if framed:
        cv2.rectangle(image, (20, 20), (220, 220), 140, 2)
    centre = [120, 120]
    centre[across] += width // 2 if side in ("top", "left") else -(width // 2)
    return image, tuple(centre)


@pytest.mark.parametrize("line", [FIVE, SEVEN])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.35])
@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("side", SIDES)
def test_a_margin_along_any_side_of_a_card_is_left_out(side, framed, share, line):
    """The card may have a line round it, and the margin any width."""
    image, centre = card(side, share, framed=framed)
    plain = write(np.full((SIDE, SIDE), 250, np.uint8), line)
    assert shares_ink(normalise(write(image, line, centre=centre)), normalise(plain)) > 0.9


@pytest.mark.parametrize("page", [250, 200])
@pytest.mark.parametrize("word", ["MAY", "12"])
def test_small_print_in_a_margin_is_left_out_with_it(word, page):
    """The month or a number on the head of a leaf is not the digit."""
    image, centre = card("top", 0.3, 60, word=word, page=page)
    plain = write(np.full((SIDE, SIDE), 250, np.uint8), FIVE)
    assert shares_ink(normalise(write(image, FIVE, centre=centre)), normalise(plain)) > 0.9


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("side", SIDES)
def test_two_digits_beside_a_margin_are_several(side, framed):
    """A margin hides no digits."""
    image, (x, y) = card(side, 0.25, framed=framed)
    image = write(write(image, FIVE, 55, (x - 30, y), 7), SEVEN, 55, (x + 30, y), 7)
    assert normalise_all(image).certain
    assert normalise_all(image).total == 2


def found(*lines):
    """Return whether strokes, each a width and points, have a margin."""
    mask = np.zeros((160, 160), np.uint8)
    for width, points in lines:
        cv2.polylines(mask, [np.array(points, np.int32)], False, 255, width)
    return find_card(connected_components(mask)) is not None


@pytest.mark.parametrize("lean", [0, 8, 16])
def test_a_tall_one_beside_another_digit_is_not_a_margin(lean):
    """A one may be higher than its neighbour, and upright."""
    assert not found((8, [(20 + lean, 10), (20, 150)]), (8, [(80, 40), (120, 40), (95, 120)]))


def test_the_loose_bar_of_a_seven_is_not_a_margin():
    """The stem under it is longer than the bar."""
    assert not found((10, [(50, 20), (115, 20)]), (10, [(95, 40), (70, 145)]))


def test_the_loose_bar_of_a_five_is_not_a_margin():
    """The body under it is as wide as the bar."""
    assert not found((10, [(55, 20), (110, 20)]), (10, [(55, 45), (55, 80), (95, 85), (100, 120), (55, 135)]))


def test_a_band_alone_is_not_a_margin():
    """There is nothing beside it that it could be the margin of."""
    assert not found((30, [(20, 40), (140, 40)]))


def test_a_band_that_a_digit_touches_is_not_a_margin():
    """What touches it may be the stem of a seven."""
    assert not found((20, [(20, 30), (140, 30)]), (10, [(80, 30), (80, 140)]), (6, [(110, 100), (120, 130)]))
