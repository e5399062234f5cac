"""An outlined digit is filled, and digits with holes of their own are not."""

from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.errors import ImageError
from model.images.layout.hollow import filled
from model.images.normalise import normalise
from model.images.raster import Region
from tests.model.images.drawings import FIVE, SEVEN, put, shares_ink, strokes_of


def outlined(solid, width=2):
    """Return the outlines of a mask, uint8."""
    outlines, _ = cv2.findContours(solid, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(solid), outlines, -1, 255, width)


def ring(width):
    """Draw a zero with strokes of this width, uint8 (160, 140)."""
    return cv2.ellipse(np.zeros((160, 140), np.uint8), (70, 80), (40, 60), 0, 0, 360, 255, width)


@pytest.mark.parametrize("solid", [put(strokes_of(line=FIVE), 160, 140, 20, 20), ring(14)], ids=["five", "zero"])
def test_an_outlined_digit_is_filled(solid):
    """The space between the outlines of each stroke is filled, and the hole of a zero stays."""
    whole = filled(Region.of(outlined(solid))).mask
    assert np.count_nonzero(whole != solid) < 0.25 * np.count_nonzero(solid)


def test_an_outlined_five_is_shown_as_a_solid_one():
    """The network is shown its strokes."""
    five = put(strokes_of(line=FIVE), 160, 140, 20, 20)
    assert shares_ink(normalise(outlined(five)), normalise(five)) > 0.85


def test_an_outlined_zero_is_for_review():
    """Nobody can tell it from two circles with nothing in them."""
    with pytest.raises(ImageError, match="a shape with nothing in it"):
        normalise(outlined(ring(14)))


def test_a_digit_with_a_hole_of_its_own_stays_as_it_is():
    """A zero and an eight in thin lines, a seven, and a five that is filled already come back themselves."""
    eight = cv2.circle(cv2.circle(np.zeros((160, 140), np.uint8), (70, 50), 25, 255, 3), (70, 105), 30, 255, 3)
    for digit in (ring(3), ring(12), eight, strokes_of(line=SEVEN), strokes_of(line=FIVE)):
        region = Region.of(digit)
        assert filled(region) is region


@pytest.mark.parametrize("digit", "0689")
def test_an_outlined_digit_with_holes_in_bold_print_is_shown_as_a_solid_one(digit):
    """Its outer line is not a shape around the lines of its holes."""
    font = ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")), 200)
    page = Image.new("L", (220, 260))
    ImageDraw.Draw(page).text((40, 10), digit, fill=255, font=font)
    solid = np.where(np.asarray(page) > 127, np.uint8(255), np.uint8(0))
    assert shares_ink(normalise(outlined(solid)), normalise(solid)) > 0.8
