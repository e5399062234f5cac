"""Grey tells ink from paper, whether they differ in lightness, in colour or in opacity."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from model.errors import FailureCode, ImageError
from model.images.grey import colour_to_grey, is_pale, to_eight_bits, to_grey, transparent_to_grey
from tests.model.images.drawings import FIVE, drawing, shares_ink

QUICK = settings(max_examples=50, deadline=None)
FIGURE = drawing(90, 70, line=FIVE)
SHARE = (255 - FIGURE[..., np.newaxis]) / 255
"""Share of ink per pixel, (height, width, 1)."""

COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


def drawn(ink, paper):
    """Return the figure in ink and on paper of these colours, uint8 (height, width, 3)."""
    return np.rint(SHARE * ink + (1 - SHARE) * paper).astype(np.uint8)


@QUICK
@given(values=arrays.arrays(np.float32, (5, 7), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)))
def test_any_values_become_eight_bits_in_their_order(values):
    """Any values become uint8 of the same shape, and a greater finite value never gets a darker grey."""
    grey = to_eight_bits(values)
    assert grey.dtype == np.uint8
    assert grey.shape == values.shape
    order = np.argsort(np.where(np.isfinite(values), values, 0), axis=None, kind="stable")
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()


@QUICK
@given(image=arrays.arrays(np.uint8, (4, 6), elements=st.integers(2, 255)))
def test_values_of_eight_bits_stay(image):
    """Values of up to 255 have eight bits already and keep their levels, even if the image has no white."""
    assert np.array_equal(to_eight_bits(image.astype(np.float32)), image)


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_white_is_the_greatest_value_of_the_bits_in_use(bits):
    """The greatest value of n bits becomes 255, and half of it becomes the middle grey."""
    white = 2**bits - 1
    assert to_eight_bits(np.array([[0, white / 2, white]], np.float32)).tolist() == [[0, 128, 255]]


def test_fractions_and_signed_values_are_stretched():
    """Values of 0 to 1, and values below 0, span the whole range of grey. An image of one value is black."""
    assert to_eight_bits(np.array([[0.25, 0.5, 0.75]], np.float32)).tolist() == [[0, 128, 255]]
    assert to_eight_bits(np.array([[-1000, 0, 1000]], np.float32)).tolist() == [[0, 128, 255]]
    assert not to_eight_bits(np.full((2, 2), 0.5, np.float32)).any()


@QUICK
@given(grey=arrays.arrays(np.uint8, (8, 9)))
def test_grey_stored_as_colour_keeps_every_level(grey):
    """Grey pixels come out unchanged, whether they are stored as grey, as RGB, or as opaque RGBA."""
    colour = np.dstack([grey] * 3)
    assert to_grey(grey) is grey
    assert np.array_equal(to_grey(colour), grey)
    assert np.array_equal(to_grey(np.dstack([colour, np.full_like(grey, 255)])), grey)


def test_lightness_is_kept_where_it_serves():
    """A photograph-like drawing in dark blue on warm paper becomes the lightness that Pillow computes."""
    picture = drawn((40, 50, 120), (235, 225, 200))
    lightness = np.asarray(Image.fromarray(picture).convert("L"))
    assert np.abs(colour_to_grey(picture).astype(int) - lightness).max() <= 1


@QUICK
@given(ink=COLOURS, paper=COLOURS)
def test_lightness_serves_where_a_picture_is_pale(ink, paper):
    """If the channels that JPEG stores show that colour can hardly matter, RGB gives lightness as well.

    In fainter drawings, rounding may hide that it matters.
    """
    assume(max(abs(dark - light) for dark, light in zip(ink, paper, strict=True)) >= 16)
    picture = drawn(ink, paper)
    stored = np.asarray(Image.fromarray(picture).convert("YCbCr"))
    if is_pale(stored):
        assert np.abs(colour_to_grey(picture).astype(int) - stored[..., 0]).max() <= 2


def test_hardly_any_drawing_on_paper_needs_more_than_lightness():
    """Blue and red ink on white, and a pencil on warm paper, are pale. Yellow on white is not."""
    for ink, paper in [
        ((40, 50, 160), (255, 255, 255)),
        ((170, 40, 40), (255, 255, 255)),
        ((90,) * 3, (235, 225, 200)),
    ]:
        assert is_pale(np.asarray(Image.fromarray(drawn(ink, paper)).convert("YCbCr")))
    assert not is_pale(np.asarray(Image.fromarray(drawn((255, 240, 60), (255, 255, 255))).convert("YCbCr")))


@QUICK
@given(ink=COLOURS, paper=COLOURS)
def test_ink_and_paper_of_any_two_colours_differ_in_grey(ink, paper):
    """Whichever two colours ink and paper have, grey shows the figure with fair contrast, if the colours differ enough.

    If one of them is clearly lighter, it stays the lighter one.
    """
    distance = float(np.linalg.norm(np.subtract(ink, paper)))
    assume(distance > 40)
    grey = colour_to_grey(drawn(ink, paper))
    assert grey.shape == FIGURE.shape
    assert grey.dtype == np.uint8
    assert abs(shares_ink(grey, FIGURE)) > 0.95
    assert np.ptp(grey) > 0.15 * distance
    lighter = float(np.subtract(paper, ink) @ (0.299, 0.587, 0.114))
    assert abs(lighter) < 5 or (shares_ink(grey, FIGURE) > 0) == (lighter > 0)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((255, 240, 60), (255, 255, 255)), ((200, 60, 60), (60, 128, 60)), ((0, 120, 255), (255, 75, 0))],
    ids=["yellow on white", "red on green", "blue on orange"],
)
def test_a_colour_axis_replaces_lightness_that_shows_too_little(ink, paper):
    """Where lightness hardly differs, grey has at least twice its contrast."""
    picture = drawn(ink, paper)
    lightness = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    assert np.ptp(colour_to_grey(picture)) >= 2 * np.ptp(lightness)


@QUICK
@given(opacity=arrays.arrays(np.uint8, (12, 10)), ink=COLOURS, hidden=COLOURS, least=st.integers(0, 100))
def test_opacity_is_the_drawing_where_all_that_is_visible_has_one_colour(opacity, ink, hidden, least):
    """A drawing of one colour becomes its opacity, whatever colour is hidden where nothing is visible."""
    opacity = np.maximum(opacity, least)
    assume(np.ptp(opacity) >= 8)
    colour = np.where(opacity[..., np.newaxis] > 0, ink, hidden).astype(np.uint8)
    assert np.array_equal(transparent_to_grey(np.dstack([colour, opacity])), opacity)


def test_equal_opacity_does_not_matter():
    """A picture that is equally transparent everywhere is read by its colours, as if it were opaque."""
    picture = drawn((20, 20, 90), (240, 240, 230))
    for opacity in (1, 100, 255):
        pixels = np.dstack([picture, np.full_like(FIGURE, opacity)])
        assert np.array_equal(transparent_to_grey(pixels), colour_to_grey(picture))


@pytest.mark.parametrize("paper", [40, 128, 220])
def test_the_ground_of_a_sticker_takes_the_grey_of_its_paper(paper):
    """Around a round patch of paper with a figure on it, the ground has the paper's grey, so that no edge shows."""
    ink = 255 if paper < 128 else 0
    figure = drawing(120, 120, line=FIVE, ink=ink, paper=paper)
    opacity = cv2.circle(np.zeros_like(figure), (60, 60), 58, 255, -1)
    grey = transparent_to_grey(np.dstack([figure] * 3 + [opacity]))
    assert (grey[opacity == 0] == paper).all()
    assert shares_ink(grey, figure) > 0.98


@pytest.mark.parametrize(("low", "ground"), [(0, 255), (155, 0)], ids=["dark ink", "light ink"])
def test_ink_of_several_colours_gets_a_ground_that_contrasts(low, ground):
    """Dark ink of several colours lies on white, and light ink of several colours lies on black."""
    columns = np.flatnonzero((FIGURE < 128).any(axis=0))
    across = np.interp(np.arange(FIGURE.shape[1]), columns[[0, -1]], [low, low + 100]).astype(np.uint8)
    colour = np.broadcast_to(across[np.newaxis, :, np.newaxis], (*FIGURE.shape, 3))
    opacity = 255 - FIGURE
    opacity[opacity < 128] = 0
    grey = transparent_to_grey(np.dstack([colour, opacity]))
    assert (grey[opacity == 0] == ground).all()
    assert abs(shares_ink(grey, FIGURE)) > 0.8


@QUICK
@given(colour=arrays.arrays(np.uint8, (6, 6, 3)))
def test_an_invisible_image_is_blank(colour):
    """A fully transparent image is refused as blank, whatever colours it hides, and the message names the remedy."""
    with pytest.raises(ImageError, match=r"fully transparent\. .*\.$") as caught:
        to_grey(np.dstack([colour, np.zeros((6, 6), np.uint8)]))
    assert caught.value.code is FailureCode.BLANK
