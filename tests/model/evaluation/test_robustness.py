"""How well a model reads what went bad is measured as it is used, and repeatably."""

import numpy as np

from model.data.digits import Dataset, Digits
from model.evaluation.corruptions import CORRUPTIONS, corrupted
from model.evaluation.robustness import as_files, directly, evenly, readings, robustness
from model.inference.classifier import Classifier
from model.metrics import NONE


def test_every_kind_is_scored_over_all_images(samples: Dataset, baseline: Classifier):
    """Each corruption has its own score, of all the images, and equals what its readings say."""
    digits = samples.test[:50]
    scores = robustness(directly(baseline), digits)
    assert list(scores) == list(CORRUPTIONS)
    assert {score.total for score in scores.values()} == {50}
    for name, images, found in readings(directly(baseline), digits.images):
        assert np.array_equal(images, corrupted(name, digits.images))
        assert scores[name].correct == (found == digits.labels).sum()


def test_only_the_seed_changes_the_figures(samples: Dataset):
    """The same seed shows a reader the same images each time; another shows others, and never the originals."""
    digits = samples.test[:30]

    def parity(images: np.ndarray) -> np.ndarray:
        return images.sum(axis=(1, 2), dtype=np.int64) % 10

    first, again, other = (robustness(parity, digits, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_files_are_read_as_a_worker_reads_them(samples: Dataset, baseline: Classifier):
    """A negative on grey paper is read like the image that it was made of, which the network alone cannot."""
    images = samples.test.images[:60]
    negatives = (220 - images * (120 / 255)).astype(np.uint8)
    expected = as_files(baseline)(images)
    assert (as_files(baseline)(negatives) == expected).mean() > 0.9
    assert (directly(baseline)(negatives) == expected).mean() < 0.5


def test_what_is_refused_is_wrong(baseline: Classifier):
    """A blank image is read as none, and none is no digit's label."""
    blank = np.full((3, 28, 28), 77, np.uint8)
    assert as_files(baseline)(blank).tolist() == [NONE] * 3
    scores = robustness(as_files(baseline), Digits(blank, np.zeros(3, np.uint8)))
    assert scores["jpeg"].correct == scores["brightness"].correct == 0


def test_some_are_chosen_from_all_over(samples: Dataset):
    """`evenly` takes as many as it may, never more, from the first to nearly the last; all where all are few."""
    assert len(evenly(samples.test, len(samples.test))) == len(evenly(samples.test, 10**6)) == len(samples.test)
    some = evenly(samples.test, 100)
    assert 50 < len(some) <= 100
    assert np.array_equal(some.images[0], samples.test.images[0])
