"""The network decides whether doubtful images show several digits."""

import cv2
import numpy as np
import pytest

from model.errors import FailureCode
from model.images.normalise import normalise_all
from model.inference.several import read_files, shows_several
from tests.model.images.drawings import FIVE, SEVEN, drawing, encoded, shares_ink

ONE = ((0.5, 0.2), (0.5, 0.8))


def decision(whole, *parts, digit=8, in_row=False):
    """Decide on an image read with this confidence, whose parts are pairs of digit and confidence."""
    digits, confidences = zip(*parts, strict=True)
    return shows_several(digit, whole, np.array(digits, np.uint8), np.array(confidences, np.float32), in_row=in_row)


def test_the_reading_with_more_confidence_wins():
    """An image shows several digits if each part is read more surely than the whole, and surely enough."""
    assert decision(0.3, (4, 0.9), (7, 0.6))
    assert not decision(0.7, (4, 0.9), (7, 0.6))
    assert not decision(0.2, (4, 0.9), (7, 0.4))


def test_parts_that_are_strokes_of_another_digit_do_not_outweigh_a_sure_reading():
    """A surely read digit is one digit if a part is a one, or if all parts are loops. Other sure parts are digits."""
    assert not decision(0.999, (1, 1.0), (1, 1.0))
    assert not decision(0.999, (9, 1.0), (1, 1.0))
    assert not decision(0.999, (0, 1.0), (0, 1.0))
    assert decision(0.999, (2, 0.95), (7, 0.95))
    assert decision(0.9, (1, 1.0), (0, 1.0))


@pytest.mark.parametrize(("small", "several"), [(7, True), (0, False), (1, False)])
def test_a_small_ring_or_bar_beside_a_digit_is_not_another(small, several):
    """It is the hole of a binder, a degree sign or a tick. Other small digits count."""
    digits, confidences = np.array([3, small], np.uint8), np.array([1.0, 0.99], np.float32)
    assert shows_several(3, 0.5, digits, confidences, in_row=False, is_one_large=True) is several


def test_what_changes_nothing_in_a_row_is_another_digit():
    """In a row, a part that is surely the same digit as the whole makes the others digits. A one may be a piece."""
    assert decision(0.999, (3, 1.0), (1, 1.0), digit=3, in_row=True)
    assert decision(0.999, (1, 0.6), (3, 1.0), digit=3, in_row=True)
    assert not decision(0.999, (3, 1.0), (1, 1.0), digit=3)
    assert not decision(0.999, (3, 0.8), (1, 1.0), digit=3, in_row=True)
    assert not decision(0.999, (3, 1.0), (1, 0.4), digit=3, in_row=True)
    assert not decision(0.999, (1, 1.0), (1, 1.0), digit=1, in_row=True)


def test_the_halves_of_a_zero_are_one_digit():
    """A zero that is read surely is one digit, whatever its halves look like, unless one of them is a zero."""
    assert not decision(0.9, (6, 0.99), (7, 0.99), digit=0)
    assert decision(0.6, (1, 0.99), (7, 0.99), digit=0)
    assert decision(0.9, (0, 0.99), (7, 0.99), digit=0)


def halved_zero():
    """Draw a zero in two halves, dark on white."""
    page = np.full((200, 200), 255, np.uint8)
    for start in (-70, 110):
        cv2.ellipse(page, (100, 100), (40, 60), 0, start, start + 140, 0, 10)
    return page


def in_a_row(digits, gap):
    """Return digits side by side, cropped, with a gap of some pixels, light on black."""
    row = []
    for digit in digits:
        left, _, width, _ = cv2.boundingRect(digit)
        row += [digit[:, left : left + width], np.zeros((len(digit), gap), np.uint8)]
    return np.pad(np.hstack(row[:-1]), 6)


def test_files_are_read_as_a_worker_reads_them(samples, baseline):
    """Several digits and files that are not images fail, and the others are read, each at its own place."""
    five, seven = (int(np.flatnonzero(samples.test.labels == label)[0]) for label in (5, 7))
    files = [
        encoded(halved_zero()),
        encoded(in_a_row(samples.test.images[[five, seven]], 4)),
        b"no image",
        encoded(samples.test.images[five]),
    ]
    read = read_files(baseline.classify, files)
    assert {index: failure.code for index, failure in read.failures.items()} == {
        1: FailureCode.SEVERAL_DIGITS,
        2: FailureCode.NOT_AN_IMAGE,
    }
    assert read.predictions.digits[[0, 3]].tolist() == [0, 5]
    assert len(read.shown) == len(read.predictions) == len(files)
    assert not read_files(baseline.classify, []).failures


@pytest.mark.parametrize("gap", [4, 12, 24])
def test_a_doubtful_row_is_several(baseline, gap):
    """Two narrow digits side by side are no wider than one digit. The network tells that they are two."""
    digits = [255 - drawing(150, 80, line=line, stroke=0.06) for line in (FIVE, SEVEN)]
    row = in_a_row(digits, gap)
    assert not normalise_all(row).certain
    failures = read_files(baseline.classify, [encoded(row)]).failures
    assert failures[0].code is FailureCode.SEVERAL_DIGITS
    assert "2 digits" in failures[0].sentence


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("line", [FIVE, SEVEN])
def test_a_digit_near_a_one_is_not_the_digit_alone(baseline, line, first):
    """A one beside a digit changes its reading hardly, and yet it is another digit."""
    for gap in (5, 9, 20):
        row = in_a_row(
            [255 - drawing(150, 80, line=each, stroke=0.06) for each in ((ONE, line) if first else (line, ONE))], gap
        )
        assert not normalise_all(row).certain
        failures = read_files(baseline.classify, [encoded(row)]).failures
        assert failures[0].code is FailureCode.SEVERAL_DIGITS


@pytest.mark.parametrize("size", [40, 55])
@pytest.mark.parametrize("first", [False, True])
def test_a_small_digit_beside_a_large_one_is_not_left_out(baseline, size, first):
    """A digit of a third of the other one's height is another digit. It is not part of the image as one digit."""
    page = np.zeros((150, 260), np.uint8)
    page[:, 50:200] = 255 - drawing(150, 150, line=SEVEN, stroke=0.06)
    left = 10 if first else 190
    page[50 : 50 + size, left : left + size] = 255 - drawing(size, size, line=FIVE, stroke=0.08)
    alone = page.copy()
    alone[:, left : left + size] = 0
    assert shares_ink(normalise_all(page).shown, normalise_all(alone).shown) > 0.95
    failures = read_files(baseline.classify, [encoded(page)]).failures
    assert failures[0].code is FailureCode.SEVERAL_DIGITS
    assert "2 digits" in failures[0].sentence
