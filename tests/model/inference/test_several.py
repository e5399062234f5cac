"""The network decides whether doubtful images show several digits."""

import cv2
import numpy as np
import pytest

from model.errors import FailureCode
from model.images.normalise import normalise_all
from model.inference.several import read_files, shows_several
from tests.model.images.drawings import FIVE, SEVEN, drawing, encoded


def decision(whole, *parts):
    """Decide on an image read with this confidence, whose parts are pairs of digit and confidence."""
    digits, confidences = zip(*parts, strict=True)
    return shows_several(whole, np.array(digits, np.uint8), np.array(confidences, np.float32))


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
