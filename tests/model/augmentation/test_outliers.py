"""Drawn outliers look like preprocessed images, and not like digits."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.augmentation import glyphs, outliers, pen
from model.data.digits import Dataset
from model.images.fitting import BOX, SIDE


def test_the_same_state_gives_the_same_images(samples: Dataset):
    """The same random state gives the same images, and another state gives other images."""
    first, again, other = (outliers.draw(300, np.random.default_rng(seed), samples.train) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(count=st.integers(0, 40), seed=st.integers(0, 2**32), with_digits=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_number_can_be_drawn(samples: Dataset, count: int, seed: int, with_digits: bool):
    """Drawing gives the requested number of images, each with ink that stands out from its paper."""
    digits = samples.train if with_digits else None
    images = outliers.draw(count, np.random.default_rng(seed), digits)
    assert images.dtype == np.uint8
    assert images.shape == (count, SIDE, SIDE)
    assert all(np.ptp(image) >= 64 for image in images)


def test_outliers_have_the_size_and_position_of_mnists_digits():
    """Over nine in ten fill the 20-pixel box and are centred by mass, as far as the margin allows. Textures do not."""
    images = outliers.draw(1000, np.random.default_rng(1))
    rows, columns = np.arange(SIDE)[:, np.newaxis] + 0.5, np.arange(SIDE) + 0.5
    placed = 0
    for image in images:
        left, top, width, height = cv2.boundingRect(np.where(image > 25, image, np.uint8(0)))
        if max(width, height) <= BOX + 1:
            mass = image.sum(dtype=float)
            apart = abs((image * rows).sum() / mass - SIDE / 2), abs((image * columns).sum() / mass - SIDE / 2)
            centred = max(apart) <= 0.51 or min(left, top, SIDE - left - width, SIDE - top - height) <= 1
            placed += centred and max(width, height) >= BOX - 2
    assert placed >= 0.92 * len(images)


def test_strokes_are_as_wide_as_mnists():
    """Pens are 1.5 to 4.5 pixels wide, as strokes are after preprocessing."""
    dashes = pen.draw_strokes(np.array([[[[0.0, 0.5], [1.0, 0.5]]]] * 200), np.random.default_rng(1))
    widths = dashes[:, :, SIDE // 2].sum(axis=1) / 255
    assert 1.5 <= widths.min() < 2.5
    assert 3.5 < widths.max() <= 4.5


def test_numbers_fill_the_box(samples: Dataset):
    """Two to four digits fill the box with their longer side. Most are wider than high, some higher than wide."""
    numbers = outliers._numbers(200, np.random.default_rng(1), samples.train.images)
    boxes = np.array([cv2.boundingRect(image)[2:] for image in numbers])
    assert boxes.max(axis=1).min() >= BOX - 2
    assert boxes.max() <= BOX
    assert 0.6 < (boxes[:, 0] > boxes[:, 1]).mean() < 0.95


@pytest.mark.parametrize("digit", range(10))
def test_crossing_out_changes_the_digit(samples: Dataset, digit: int):
    """A crossed-out digit fills the box together with its strokes, and differs clearly from the digit alone."""
    digits = samples.train[np.flatnonzero(samples.train.labels == digit)[:1].repeat(100)]
    left, top, width, height = cv2.boundingRect(digits.images[0])
    alone = np.zeros((SIDE, SIDE), np.uint8)
    outliers._place(digits.images[0][top : top + height, left : left + width], alone)
    crossed = outliers._crossed_out(100, np.random.default_rng(1), digits)
    assert np.abs(crossed.astype(float) - alone).mean(axis=(1, 2)).min() > 8
    assert all(BOX - 1 <= max(cv2.boundingRect(image)[2:]) <= BOX for image in crossed)


def test_one_stroke_crosses_only_what_never_has_one(samples: Dataset):
    """A stroke beyond both sides makes many twos, fives and eights wide, but no zero, one, four or seven gets one."""
    wide = {}
    for digit in range(10):
        same = np.flatnonzero(samples.train.labels == digit)
        crossed = outliers._crossed_out(300, np.random.default_rng(1), samples.train[same])
        boxes = [cv2.boundingRect(np.where(image > 100, image, np.uint8(0))) for image in crossed]
        wide[digit] = sum(width > 1.25 * height for _, _, width, height in boxes)
    assert min(wide[2], wide[5], wide[8]) > 3 * max(wide[0], wide[1], wide[4], wide[7])


def test_a_single_plain_circle_is_not_an_outlier():
    """Each empty tile is filled, has corners, or has one line within another. So none is a zero."""
    for tile in outliers._tiles(300, np.random.default_rng(1)):
        outline = cv2.threshold(tile, 60, 255, cv2.THRESH_BINARY)[1]
        left, top, width, height = cv2.boundingRect(outline)
        middle = outline[top + height // 2, left : left + width] > 0
        lines = np.count_nonzero(np.diff(np.concatenate([[0], middle.astype(int), [0]])) == 1)
        fills_corners = outline[top : top + height // 6 + 1, left : left + width // 6 + 1].any()
        assert lines in {1, 4} or fills_corners


@pytest.mark.parametrize("table", ["letters", "signs"])
def test_every_glyph_has_a_stroke(table: str):
    """Every glyph has a first stroke and points near the unit square, and each of its strokes is complete or absent."""
    strokes = glyphs.strokes(table)
    assert strokes.shape == (len(strokes), glyphs.STROKES, glyphs.POINTS, 2)
    assert not np.isnan(strokes[:, 0]).any()
    assert np.nanmin(strokes) > -0.3
    assert np.nanmax(strokes) < 1.3
    absent = np.isnan(strokes)
    assert (absent.all(axis=(2, 3)) == absent.any(axis=(2, 3))).all()


def test_a_curve_goes_through_its_corners():
    """Catmull and Rom's spline passes through every corner, and ends at the outer ones."""
    corners = np.array([[0, 0], [1, 2], [3, 1], [4, 4]], float)
    assert glyphs.curve(corners, 31)[::10] == pytest.approx(corners)


def test_drawing_keeps_up_with_training():
    """One core draws a thousand outliers in less than a second of processor time, five times what was measured."""
    random = np.random.default_rng(1)
    outliers.draw(100, random)
    began = time.process_time()
    outliers.draw(1000, random)
    assert time.process_time() - began < 1.0
