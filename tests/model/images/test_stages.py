"""An observer sees each stage from an image to what the network reads."""

import cv2
import numpy as np
import pytest
from cv2.typing import MatLike

from model.errors import FailureCode, ImageError
from model.images.preprocess import preprocess
from model.images.stages import Stage


def _encoded(image):
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture
def on_paper(samples):
    """Return a digit in dark ink in the middle of a large light sheet."""
    sheet = np.full((220, 200), 230, np.uint8)
    sheet[60:144, 60:144] -= cv2.resize(samples.train.images[0], (84, 84)) // 2
    return sheet


def _observed(data):
    stages: list[tuple[Stage, MatLike]] = []
    shown = preprocess(data, lambda stage, image: stages.append((stage, image.copy())))
    return shown, stages


def test_the_observer_sees_every_stage_in_order(on_paper):
    """The first stage is the image itself; the last is the result, which is the same without an observer."""
    shown, stages = _observed(_encoded(on_paper))
    assert list(dict(stages)) == [Stage.IMAGE, Stage.INK, Stage.DIGIT, Stage.STROKES, Stage.SHOWN]
    assert np.array_equal(stages[0][1], on_paper)
    assert np.array_equal(stages[-1][1], shown)
    assert np.array_equal(preprocess(_encoded(on_paper)), shown)
    assert all(image.dtype == np.uint8 and image.ndim == 2 for _, image in stages)
    assert set(np.unique(dict(stages)[Stage.DIGIT])) == {0, 255}


def test_an_image_like_mnists_has_two_stages(samples):
    """The network reads an image like MNIST's as it is, so the observer sees only the first stage and the last."""
    image = samples.train.images[0]
    shown, stages = _observed(_encoded(255 - image))
    assert [stage for stage, _ in stages] == [Stage.IMAGE, Stage.SHOWN]
    assert np.array_equal(shown, image)


def test_the_observer_sees_a_sheet_without_its_table(on_paper):
    """The stage that cuts a sheet out no longer shows the table around it."""
    table = np.full((400, 400), 40, np.uint8)
    table[90:310, 100:300] = on_paper
    _, stages = _observed(_encoded(table))
    sheet = dict(stages)[Stage.SHEET]
    assert sheet.shape[0] < 260
    assert sheet.shape[1] < 240
    assert sheet.min() > 80


def test_the_observer_sees_a_refused_image_up_to_its_refusal():
    """The observer sees the first stage of a blank image, before the error."""
    stages: dict[Stage, MatLike] = {}
    with pytest.raises(ImageError) as refused:
        preprocess(_encoded(np.full((50, 50), 200, np.uint8)), stages.__setitem__)
    assert refused.value.failure.code is FailureCode.BLANK
    assert list(stages) == [Stage.IMAGE]
