"""Whoever reads a picture from a part of its ink says so. Specks, small print and ruled lines are not that ink."""

import cv2
import numpy as np
import pytest

from model.images.doubts import DoubtCode
from model.images.normalise import normalise_all
from tests.model.images.drawings import SEVEN, put, strokes_of

DIGIT = put(strokes_of(160, 130, line=SEVEN), 200, 500, 20, 20)


def doubt_of(ink):
    """The doubt about ink on white paper, or None."""
    return normalise_all(255 - ink).doubt


@pytest.mark.parametrize("shift", [0, 60])
def test_a_digit_beside_a_drawing_is_doubted(shift):
    """The reason says how much of the ink was read."""
    ink = DIGIT.copy()
    for left in (250, 320, 390):  # waves, which are too flat for digits
        wave = np.array([(left, 140), (left + 15, 115), (left + 30, 140), (left + 45, 115), (left + 60, 140)])
        cv2.polylines(ink, [np.add(wave, (shift, 0))], False, 255, 4)
    doubt = doubt_of(ink)
    assert doubt is not None
    assert doubt.code is DoubtCode.INK_LEFT_OUT
    share = cv2.countNonZero(DIGIT) / cv2.countNonZero(ink)
    assert float(doubt.reason.split()[2]) == pytest.approx(100 * share, abs=8)


def test_specks_and_a_ruled_line_are_not_left_out_ink():
    """A digit with dust around it and a line across the page is not doubted."""
    ink = DIGIT.copy()
    random = np.random.default_rng(0)
    for row, column in zip(random.integers(5, 190, 60), random.integers(180, 490, 60), strict=True):
        ink[row : row + 3, column : column + 3] = 255
    cv2.line(ink, (0, 185), (499, 187), 255, 3)
    assert doubt_of(ink) is None
