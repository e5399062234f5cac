"""Images of which the network is not sure are read in several variants, unless they came in MNIST's form."""

import cv2
import numpy as np
import pytest

from model.augmentation.distortion import Augmentation, distort
from model.data.digits import Digits
from model.images.fitting import conventional
from model.images.variants import LIMITS, MAPS
from model.inference.review import REVIEW_BELOW
from model.inference.several import read_files
from model.inference.variants import AT_ONCE, SURE, Inputs, read_inputs
from tests.model.images.drawings import encoded

FAR = Augmentation(rotation=30, scale=0.3, shear=0.5, elastic=1.2, thickness=1.0)


@pytest.fixture(scope="module")
def distorted(samples):
    """Each sample digit three times, distorted so much that the network is not sure of many, and misreads some."""
    digits = samples.train
    return Digits(distort(np.tile(digits.images, (3, 1, 1)), FAR, np.random.default_rng(1)), np.tile(digits.labels, 3))


class Counting:
    """Classifies with a classifier, and counts the images of each call."""

    def __init__(self, classifier):
        self.counts = []
        self._classifier = classifier

    def __call__(self, images):
        """Return the predictions."""
        self.counts.append(len(images))
        return self._classifier.classify(images)


@pytest.fixture
def classified(baseline):
    """A function that classifies with the baseline, and the numbers of images in its calls."""
    return Counting(baseline)


def inputs(images, *, redrawn=True):
    """Return images that normalisation drew anew, or did not."""
    return Inputs(images, np.full(len(images), redrawn))


def test_images_in_the_form_of_mnist_are_read_once(classified, baseline, distorted):
    """Their answers are those of the classifier, however unsure they are."""
    read = read_inputs(classified, inputs(distorted.images, redrawn=False))
    assert classified.counts == [len(distorted)]
    np.testing.assert_array_equal(read.predictions.probabilities, baseline.classify(distorted.images).probabilities)


def test_only_images_that_are_not_read_surely_are_read_in_variants(classified, baseline, distorted):
    """All variants of them are classified, and all other answers stay."""
    first = baseline.classify(distorted.images)
    sure = first.confidences >= SURE
    read = read_inputs(classified, inputs(distorted.images))
    assert classified.counts[0] == len(distorted)
    assert sum(classified.counts[1:]) == len(MAPS) * (~sure).sum()
    assert len(MAPS) == 4 * len(LIMITS.moves) + 2
    np.testing.assert_array_equal(read.predictions.probabilities[sure], first.probabilities[sure])
    changed = (read.predictions.probabilities != first.probabilities).any(axis=1)
    np.testing.assert_array_equal(changed, ~sure)
    np.testing.assert_allclose(read.predictions.probabilities.sum(axis=1), 1, atol=1e-5)


def test_an_answer_depends_on_its_own_image_only(baseline, distorted):
    """An image is read alone as it is among others."""
    few = distorted.images[:200]
    together = read_inputs(baseline.classify, inputs(few)).predictions
    alone = [read_inputs(baseline.classify, inputs(few[[index]])).predictions for index in range(len(few))]
    np.testing.assert_array_equal(together.probabilities, np.concatenate([each.probabilities for each in alone]))


def test_variants_take_little_memory_at_once(classified):
    """Those of at most `AT_ONCE` images are made together, and each image gets its own."""
    images = np.random.default_rng(1).integers(0, 256, (2 * AT_ONCE + 3, 28, 28), np.uint8)
    read = read_inputs(classified, inputs(images)).predictions
    unsure = classified(images).confidences < SURE
    assert unsure.sum() > AT_ONCE
    assert max(classified.counts[1:-1]) == AT_ONCE * len(MAPS)
    last = np.flatnonzero(unsure)[-1:]
    np.testing.assert_array_equal(
        read.probabilities[last], read_inputs(classified, inputs(images[last])).predictions.probabilities
    )


def test_variants_make_the_network_wrong_less_often_and_less_surely(baseline, distorted):
    """Of digits that are hard to read, fewer are misread, and a tenth fewer confidently."""
    once = baseline.classify(distorted.images)
    answers = read_inputs(baseline.classify, inputs(distorted.images)).predictions
    wrong = [each.digits != distorted.labels for each in (once, answers)]
    sure = [(each.confidences >= REVIEW_BELOW) & errs for each, errs in zip((once, answers), wrong, strict=True)]
    assert sure[0].sum() >= 80
    assert wrong[1].sum() < wrong[0].sum()
    assert sure[1].sum() <= 0.9 * sure[0].sum()


def test_a_digit_is_as_sure_as_its_surest_reading(baseline, distorted):
    """What decides on several digits is the mean confidence, or the first one in the same digit if that is higher."""
    first = baseline.classify(distorted.images)
    read = read_inputs(baseline.classify, inputs(distorted.images))
    before = first.probabilities[np.arange(len(distorted)), read.predictions.digits]
    np.testing.assert_array_equal(read.surest, np.maximum(before, read.predictions.confidences))
    assert (read.surest > read.predictions.confidences).any()


def test_files_are_read_in_variants_unless_they_have_the_form_of_mnist(classified, baseline, distorted):
    """A file of 28×28 pixels in MNIST's form gets the classifier's answer, and the same digit enlarged another one."""
    unsure = np.flatnonzero(baseline.classify(distorted.images).confidences < 0.7)
    image = next(each for each in distorted.images[unsure] if conventional(each) is not None)
    [answer] = read_files(classified, [encoded(image)]).predictions.probabilities
    assert classified.counts == [1]
    np.testing.assert_array_equal(answer, baseline.classify(image[np.newaxis]).probabilities[0])
    large = cv2.resize(image, (112, 112), interpolation=cv2.INTER_CUBIC)
    read = read_files(classified, [encoded(np.pad(large, 40))])
    assert classified.counts[2] > 1
    assert read.predictions.probabilities[0].tolist() != baseline.classify(read.shown).probabilities[0].tolist()
