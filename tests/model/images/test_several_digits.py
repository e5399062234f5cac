"""Several digits in one image are refused with their number, and each is brought to MNIST's conventions by itself."""

import numpy as np
import pytest
from PIL import Image

from model.errors import FailureCode, ImageError
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


def test_digits_far_apart_are_several():
    """Two digits in opposite corners of a page are several, not the larger one."""
    page = np.full((600, 600), 255, np.uint8)
    page[20:120, 20:120] = drawing(100, 100, line=FIVE)
    page[440:580, 440:580] = drawing(140, 140, line=SEVEN)
    assert normalise_all(page).total == 2


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
