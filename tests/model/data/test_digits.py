"""`Digits` refuses anything but labelled images, and an image's own hash decides whether it is held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.data.digits import Dataset, Digits, hold_out, sha256
from model.errors import DataError


def as_set(digits: Digits) -> set[bytes]:
    """Return the images without their order."""
    return {image.tobytes() for image in digits.images}


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        pytest.param(np.zeros((2, 28, 27), np.uint8), np.zeros(2, np.uint8), id="27 columns"),
        pytest.param(np.zeros((2, 28, 28), np.float32), np.zeros(2, np.uint8), id="floats"),
        pytest.param(np.zeros((2, 28, 28), np.uint8), np.zeros(3, np.uint8), id="one label too many"),
        pytest.param(np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.int64), id="wide labels"),
        pytest.param(np.zeros((2, 28, 28), np.uint8), np.array([3, 10], np.uint8), id="a label 10"),
    ],
)
def test_anything_but_labelled_digits_is_refused(images, labels):
    """Wrong shapes, dtypes and labels are refused."""
    with pytest.raises(DataError):
        Digits(images, labels)


def test_holding_out_depends_on_the_image_alone(samples: Dataset):
    """An image that is held out stays so when the data are shuffled, or when others are added or removed."""
    rest, held = hold_out(samples.train, 0.2)
    some = samples.train[np.random.default_rng(0).permutation(len(samples.train))[:700]]
    rest_of_some, held_of_some = hold_out(some, 0.2)
    assert as_set(held_of_some) < as_set(held)
    assert as_set(rest_of_some) < as_set(rest)


@given(st.floats(0.05, 0.5))
def test_every_image_is_on_exactly_one_side(samples: Dataset, share: float):
    """Each image is either held out or not, and about the requested share is held out."""
    rest, held = hold_out(samples.train, share)
    assert len(rest) + len(held) == len(samples.train)
    assert not as_set(rest) & as_set(held)
    assert abs(len(held) / len(samples.train) - share) < 0.04  # three standard deviations


def test_too_few_images_are_refused(samples: Dataset):
    """A single image cannot be divided into two parts."""
    with pytest.raises(DataError, match="too few"):
        hold_out(samples.train[:1], 0.5)


def test_the_hash_identifies_the_data(samples: Dataset):
    """The hash changes with a pixel, a label or the order. Copies of the data have the same hash."""
    images, labels = samples.test.images, samples.test.labels
    pixel, label = images.copy(), labels.copy()
    pixel[0, 14, 14] ^= 1
    label[0] ^= 1
    others = [Digits(pixel, labels), Digits(images, label), Digits(images[::-1], labels[::-1])]
    assert len({sha256(each) for each in (samples.test, *others)}) == 4
    assert sha256(samples.test) == sha256(Digits(images.copy(), labels.copy()))
