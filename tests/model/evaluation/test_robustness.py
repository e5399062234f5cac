"""Robustness is reproducible, on images and on files."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model.data.digits import Dataset, Digits
from model.evaluation.corrupting import corrupted
from model.evaluation.corruptions import CORRUPTIONS
from model.evaluation.robustness import Answers, as_files, directly, evenly, readings, robustness
from model.inference.classifier import Classifier
from model.inference.several import read_files
from model.metrics import NONE


def test_every_kind_is_scored_over_all_images(samples: Dataset, baseline: Classifier):
    """Each corruption has a score over all images, and the score counts the correct readings."""
    digits = samples.test[:50]
    scores = robustness(directly(baseline), digits, CORRUPTIONS)
    assert list(scores) == list(CORRUPTIONS)
    assert {score.total for score in scores.values()} == {50}
    for name, images, found in readings(directly(baseline), digits.images, CORRUPTIONS):
        assert np.array_equal(images, corrupted(CORRUPTIONS, name, digits.images))
        assert scores[name].correct == (found.digits == digits.labels).sum()


def test_only_the_seed_changes_the_figures(samples: Dataset):
    """The same seed gives the same scores of a reader that depends on each pixel. Another seed gives others."""
    digits = samples.test[:30]

    def remainder_of_sum(images: NDArray[np.uint8]) -> Answers:
        remainders: NDArray[np.int64] = images.sum(axis=(1, 2), dtype=np.int64) % 10
        return Answers(remainders, np.ones(len(images)))

    first, again, other = (robustness(remainder_of_sum, digits, CORRUPTIONS, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_files_are_read_as_a_worker_reads_them(samples: Dataset, baseline: Classifier):
    """`as_files` reads dark digits on white paper like the originals. The network alone misreads many of them."""
    images = samples.test.images[:60]
    negatives = 255 - images
    expected = as_files(baseline)(images).digits
    assert (as_files(baseline)(negatives).digits == expected).mean() > 0.9
    assert (directly(baseline)(negatives).digits == expected).mean() < 0.8


def test_the_network_decides_on_several_digits_as_in_a_worker(samples: Dataset, baseline: Classifier):
    """Two digits that are so near to each other that only the network can tell them apart are refused as several."""
    pairs = np.zeros((10, 28, 28), np.uint8)
    for pair, digits in zip(pairs, samples.test.images[:20].reshape(10, 2, 28, 28), strict=True):
        for left, digit in zip((1, 14), digits, strict=True):
            ink = digit[digit.any(axis=1)][:, digit.any(axis=0)]
            pair[4:24, left : left + 12] = cv2.resize(ink, (12, 20), interpolation=cv2.INTER_AREA)
    assert (as_files(baseline)(pairs).digits == NONE).mean() > 0.7


def test_refused_images_are_wrong(baseline: Classifier):
    """A blank image is refused, and a refused image counts as wrong."""
    blank = np.full((3, 28, 28), 77, np.uint8)
    answers = as_files(baseline)(blank)
    assert answers.digits.tolist() == [NONE] * 3
    assert answers.confidently_wrong(np.zeros(3, np.uint8)).correct == 0
    scores = robustness(as_files(baseline), Digits(blank, np.zeros(3, np.uint8)), CORRUPTIONS)
    assert scores["jpeg"].correct == scores["brightness"].correct == 0


def test_only_what_is_misread_with_confidence_is_confidently_wrong():
    """A wrong reading at 0.8 counts. A right one, a doubtful one and a refusal do not."""
    answers = Answers(np.array([3, 3, 3, NONE]), np.array([0.8, 0.99, 0.79, 0.0]))
    score = answers.confidently_wrong(np.array([5, 3, 5, 5]))
    assert (score.correct, score.total) == (1, 4)


def test_a_doubted_image_is_never_confidently_wrong(baseline: Classifier, png):
    """Whatever the network says, a person is asked to look at it. What was read stays."""
    page = np.full((200, 200), 255, np.uint8)
    cv2.polylines(page, [np.array([[60, 40], [140, 40], [90, 160]])], False, 0, 12)
    cv2.line(page, (20, 130), (180, 70), 0, 10)
    read = read_files(baseline.classify, [png(page)])
    answers = Answers.of(read)
    assert list(read.doubts) == [0]
    assert answers.digits[0] != NONE
    assert answers.confidences[0] == 0
    assert answers.confidently_wrong(np.array([99])).correct == 0


def test_some_are_chosen_evenly(samples: Dataset):
    """`evenly` takes every fourth of 360 images for a limit of 100, and all images for a limit that is high enough."""
    assert len(evenly(samples.test, len(samples.test))) == len(evenly(samples.test, 10**6)) == len(samples.test)
    assert np.array_equal(evenly(samples.test, 100).images, samples.test.images[::4])
