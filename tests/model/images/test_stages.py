"""Watching the steps from an image to what the network is shown."""

import cv2
import numpy as np
import pytest

from model.errors import FailureCode, ImageError
from model.images.preprocess import preprocess
from model.images.stages import Stage


def _encoded(image):
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture
def on_paper(samples):
    """A digit in dark ink, in the middle of a large light sheet."""
    sheet = np.full((220, 200), 230, np.uint8)
    sheet[60:144, 60:144] -= cv2.resize(samples.train.images[0], (84, 84)) // 2
    return sheet


def _watched(data):
    steps = []
    shown = preprocess(data, lambda step, image: steps.append((step, image.copy())))
    return shown, steps


def test_every_step_is_told_in_order(on_paper):
    """From the image itself to what is shown, which is what the call returns, watched or not."""
    shown, steps = _watched(_encoded(on_paper))
    assert list(dict(steps)) == [Stage.IMAGE, Stage.INK, Stage.DIGIT, Stage.STROKES, Stage.SHOWN]
    assert np.array_equal(steps[0][1], on_paper)
    assert np.array_equal(steps[-1][1], shown)
    assert np.array_equal(preprocess(_encoded(on_paper)), shown)
    assert all(image.dtype == np.uint8 and image.ndim == 2 for _, image in steps)
    assert set(np.unique(dict(steps)[Stage.DIGIT])) == {0, 255}


def test_an_image_as_mnists_has_two_steps(samples):
    """It is shown as it is."""
    image = samples.train.images[0]
    shown, steps = _watched(_encoded(255 - image))
    assert [step for step, _ in steps] == [Stage.IMAGE, Stage.SHOWN]
    assert np.array_equal(shown, image)


def test_a_sheet_on_a_table_is_told(on_paper):
    """What lies around the paper is gone in the step that cuts it out."""
    table = np.full((400, 400), 40, np.uint8)
    table[90:310, 100:300] = on_paper
    _, steps = _watched(_encoded(table))
    sheet = dict(steps)[Stage.SHEET]
    assert sheet.shape < (260, 240)
    assert sheet.min() > 80


def test_what_is_refused_is_watched_up_to_there():
    """Of a blank image the first step is seen, and then the reason comes."""
    steps = {}
    with pytest.raises(ImageError) as refused:
        preprocess(_encoded(np.full((50, 50), 200, np.uint8)), steps.__setitem__)
    assert refused.value.failure.code is FailureCode.BLANK
    assert list(steps) == [Stage.IMAGE]
