"""Several digits in one image are refused with their number, and each is brought to MNIST's conventions by itself."""

import cv2
import numpy as np
import pytest
from PIL import Image

from model.errors import FailureCode, ImageError
from model.images.doubts import DoubtCode
from model.images.normalise import normalise, normalise_all
from model.images.preprocess import preprocess, preprocess_all
from tests.model.images.drawings import FIVE, SEVEN, drawing, encoded, shares_ink

LINES = {5: FIVE, 7: SEVEN}


def side_by_side(*digits, size=100, gap=0, paper=255, **options):
    """Draw digits side by side, each in the middle of `size` pixels a side, dark on white."""
    between = np.full((size, gap), paper, np.uint8)
    row = [drawing(size, size, line=LINES[digit], paper=paper, **options) for digit in digits]
    return np.hstack([part for image in row for part in (image, between)][:-1])


@pytest.mark.parametrize("size", [28, 60, 200, 900])
@pytest.mark.parametrize("turned", [False, True])
def test_several_digits_are_refused_with_their_number(size, turned):
    """Two to four digits in a row or a column are refused, at any size. The sentence says how many and what to do."""
    for digits in ((5, 7), (7, 5, 5), (5, 5, 7, 7)):
        row = [drawing(size, size, line=LINES[digit]) for digit in digits]
        image = np.vstack(row) if turned else np.hstack(row)
        with pytest.raises(ImageError, match=f"shows {len(digits)} digits. Cut it up") as refused:
            normalise(image)
        assert refused.value.code is FailureCode.SEVERAL_DIGITS


@pytest.mark.parametrize("size", [28, 60, 200, 900])
@pytest.mark.parametrize("gap", [0, 50])
def test_each_digit_is_normalised_as_if_it_were_alone(size, gap):
    """The parts are the digits in reading order, each as it would be in an image of its own."""
    digits = (5, 7, 7, 5)
    normalised = normalise_all(side_by_side(*digits, size=size, gap=gap * size // 100))
    assert normalised.total == len(normalised.parts) == len(digits)
    for digit, part in zip(digits, normalised.parts, strict=True):
        alone = normalise(drawing(size, size, line=LINES[digit]))
        assert shares_ink(part, alone) > 0.75  # a centre of mass may be rounded either way


def test_a_small_number_on_a_large_page_is_several_digits():
    """Two small digits near each other on a large page are found, and looked at closely."""
    page = np.full((2200, 1700), 255, np.uint8)
    page[500:590, 800:980] = side_by_side(5, 7, size=90)
    normalised = normalise_all(page)
    assert normalised.certain
    for digit, part in zip((5, 7), normalised.parts, strict=True):
        assert shares_ink(part, normalise(drawing(90, 90, line=LINES[digit]))) > 0.75


def test_numbers_below_each_other_are_several_digits():
    """Six digits in two lines are wider than a column and higher than a row."""
    lines = np.vstack([side_by_side(5, 7, 5, size=100), side_by_side(7, 5, 5, size=100)])
    normalised = normalise_all(np.pad(lines, 60, constant_values=255))
    assert normalised.certain
    for digit, part in zip((5, 7, 5, 7, 5, 5), normalised.parts, strict=True):
        assert shares_ink(part, normalise(drawing(100, 100, line=LINES[digit]))) > 0.75


@pytest.mark.parametrize("rise", [0.2, 0.6, 0.8])
@pytest.mark.parametrize("falls", [False, True])
def test_the_digits_of_a_slanted_number_are_read_from_left_to_right(rise, falls):
    """The digits may rise or fall by more than half of their height."""
    page, digits = np.full((500, 500), 255, np.uint8), (5, 7, 5)
    for number, digit in enumerate(digits):
        left, top = 80 + 110 * number, round(200 + (number - 1) * (1 if falls else -1) * rise * 72)
        page[top : top + 120, left : left + 100] = drawing(120, 100, line=LINES[digit])
    normalised = normalise_all(page)
    assert normalised.total == len(digits)
    for digit, part in zip(digits, normalised.parts, strict=True):
        assert shares_ink(part, normalise(drawing(120, 100, line=LINES[digit]))) > 0.75


def test_digits_far_apart_are_several():
    """Two digits in opposite corners of a page are several, not the larger one."""
    page = np.full((600, 600), 255, np.uint8)
    page[20:120, 20:120] = drawing(100, 100, line=FIVE)
    page[440:580, 440:580] = drawing(140, 140, line=SEVEN)
    assert normalise_all(page).total == 2


def on_tile(image):
    """Return a digit light on dark, on paper."""
    return np.pad(255 - image, 12, constant_values=255)


def in_circle(image):
    """Return a digit in a circle."""
    size = len(image)
    page = np.full((2 * size, 2 * size), 255, np.uint8)
    page[size // 2 : size // 2 + size, size // 2 : size // 2 + size] = image
    return cv2.circle(page, (size, size), round(0.8 * size), 20, max(2, size // 25), cv2.LINE_AA)


def in_box(image):
    """Return a digit in a box whose sides are those of the image."""
    framed = np.pad(image, len(image) // 5, constant_values=255)
    return np.pad(framed, max(1, len(image) // 30), constant_values=20)


def in_box_apart(image):
    """Return a digit in a box with room around it."""
    return np.pad(in_box(image), len(image) // 6, constant_values=255)


@pytest.mark.parametrize("size", [60, 100, 400])
@pytest.mark.parametrize("turned", [False, True], ids=["row", "column"])
@pytest.mark.parametrize("shape", [on_tile, in_circle, in_box, in_box_apart])
def test_digits_in_shapes_side_by_side_are_several(shape, turned, size):
    """Each is shown without the tile, the circle, or the cell of a form that it is in."""
    digits = (5, 7, 5)
    shapes = [shape(drawing(size, size, line=LINES[digit], stroke=0.1)) for digit in digits]
    row = np.vstack(shapes) if turned else np.hstack(shapes)
    normalised = normalise_all(np.pad(row, size // 2, constant_values=255))
    assert normalised.certain
    assert normalised.total == len(digits)
    for digit, part in zip(digits, normalised.parts, strict=True):
        assert shares_ink(part, normalise(drawing(size, size, line=LINES[digit], stroke=0.1))) > 0.75


NUMBERS = {
    "00": [((65, 90), (16, 26)), ((115, 90), (16, 26))],
    "wide zeros": [((60, 90), (20, 18)), ((120, 90), (20, 18))],
    "one zero larger": [((60, 90), (16, 24)), ((115, 90), (21, 26))],
}


@pytest.mark.parametrize("surface", ["disc", "tile"])
@pytest.mark.parametrize("number", NUMBERS)
def test_two_digits_on_one_surface_are_several(number, surface):
    """Two zeros on a disc are not the loops of one digit, nor the halves of a zero with a slash."""
    image = np.full((180, 180), 245, np.uint8)
    if surface == "disc":
        cv2.circle(image, (90, 90), 80, 60, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(image, (15, 15), (165, 165), 60, -1)
    for centre, axes in NUMBERS[number]:
        cv2.ellipse(image, centre, axes, 0, 0, 360, 250, 9, cv2.LINE_AA)
    normalised = normalise_all(image)
    assert normalised.certain
    assert normalised.total == 2


def test_two_ones_on_one_disc_are_several():
    """The disc around two ones is not a zero."""
    image = cv2.circle(np.full((180, 180), 245, np.uint8), (90, 90), 80, 60, -1, cv2.LINE_AA)
    for x in (75, 105):
        cv2.line(image, (x + 6, 60), (x - 6, 120), 250, 10, cv2.LINE_AA)
    assert normalise_all(image).total == 2


def test_a_small_number_in_a_large_frame_is_several_digits():
    """Two digits in a frame that is six times as high are found."""
    page = np.full((400, 400), 255, np.uint8)
    page[150:260, 90:310] = side_by_side(5, 7, size=110)
    assert normalise_all(cv2.rectangle(page, (10, 10), (390, 390), 20, 4)).total == 2


def test_empty_cells_are_not_digits():
    """A form of four cells, of which two are filled, shows two digits."""
    empty = np.full((100, 100), 255, np.uint8)
    cells = [in_box_apart(image) for image in (drawing(100, 100, line=FIVE), empty, drawing(100, 100), empty)]
    assert normalise_all(np.hstack(cells)).total == 2


def test_empty_tiles_are_not_digits():
    """Of three tiles, of which the middle one is empty, two show digits."""
    empty = np.full((100, 100), 255, np.uint8)
    tiles = [on_tile(image) for image in (drawing(100, 100, line=FIVE), empty, drawing(100, 100))]
    normalised = normalise_all(np.pad(np.hstack(tiles), 50, constant_values=255))
    assert normalised.total == 2
    assert len(normalised.parts) == 2


def test_a_tall_one_beside_a_digit_in_a_box_is_not_a_divider():
    """Nothing is on its other side, and it is a little shorter than the box."""
    box = np.pad(np.full((200, 260), 255, np.uint8), 6, constant_values=20)
    box[56:156, 130:230] = drawing(100, 100, line=FIVE, stroke=0.1)
    one = cv2.line(box, (70, 18), (70, 194), 20, 9, cv2.LINE_AA)
    assert normalise_all(np.pad(one, 30, constant_values=255)).total == 2


def test_large_dots_are_not_shapes_with_digits():
    """A seven in eleven dots is one digit, although each dot is as large as a small digit."""
    page = np.full((320, 240), 255, np.uint8)
    corners = [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (3.5, 2), (3, 3), (2.5, 4), (2, 5), (2, 6)]
    for across, down in corners:
        cv2.circle(page, (round(30 + 40 * across), round(40 + 40 * down)), 14, 20, -1, cv2.LINE_AA)
    assert normalise_all(page).total == 1


def test_a_one_that_fills_its_box_is_not_a_divider():
    """A line from side to side of a box divides it only if something else is in it."""
    box = np.pad(np.full((200, 140), 255, np.uint8), 6, constant_values=20)
    one = cv2.line(np.pad(box, 30, constant_values=255), (106, 44), (106, 228), 20, 9, cv2.LINE_AA)
    assert normalise_all(one).total == 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_photographed_digits_are_several(kind):
    """Digits are told apart on grainy paper under uneven light as well."""
    image = side_by_side(5, 7, size=180, paper=220) * np.linspace(1, 0.6, 360)
    image += np.random.default_rng(0).normal(0, 3, image.shape)
    with pytest.raises(ImageError) as refused:
        preprocess(encoded(np.clip(image, 0, 255).astype(np.uint8), kind))
    assert refused.value.code is FailureCode.SEVERAL_DIGITS


def test_an_image_in_mnists_form_always_shows_one_digit(samples):
    """An image that follows MNIST's conventions is never divided, whatever its strokes."""
    for image in samples.test.images[::10]:
        normalised = normalise_all(image)
        assert normalised.total == 1
        assert np.array_equal(normalised.shown, image)
    two = np.zeros((28, 28), np.uint8)
    two[4:24, 6:9] = two[4:24, 20:23] = 255
    assert normalise_all(two).total == 1


def test_sample_digits_side_by_side_are_read_one_by_one(samples, baseline):
    """Of numbers made of sample digits, as 28×56 pixels, at least 90 % are read rightly digit by digit."""
    random, right, count = np.random.default_rng(0), 0, 60
    for pair in random.integers(0, len(samples.test), (count, 2)):
        image = np.hstack(samples.test.images[pair])
        normalised = preprocess_all(encoded(Image.fromarray(image)))
        right += baseline.classify(normalised.parts).digits.tolist() == samples.test.labels[pair].tolist()
    assert right >= 0.9 * count


@pytest.mark.parametrize("lines", [(FIVE, SEVEN), (SEVEN, FIVE, SEVEN)], ids=["two", "three"])
def test_digits_above_each_other_on_one_tile_are_several(lines):
    """A tile may be several times as long as wide. Its holes are not those of an eight, because they are not round."""
    tile = np.pad(np.vstack([drawing(100, 60, line=line) for line in lines]), 8, constant_values=255)
    assert normalise_all(np.pad(255 - tile, 30, constant_values=255)).total == len(lines)


def test_digits_in_shapes_are_doubtful_if_much_else_is_drawn():
    """A solid bar beneath two circled digits has more ink than they have, and their readings do not include it."""
    row = np.hstack([in_circle(drawing(100, 100, line=line)) for line in (FIVE, SEVEN)])
    page = np.pad(row, ((10, 220), (20, 20)), constant_values=255)
    normalised = normalise_all(cv2.rectangle(page, (30, 240), (230, 300), 20, -1))
    assert normalised.total == 2
    assert normalised.doubt is not None
    assert normalised.doubt.code == DoubtCode.INK_LEFT_OUT
