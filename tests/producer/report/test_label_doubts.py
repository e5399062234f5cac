"""Labels that contradict confident predictions as a whole, and what the report says about them."""

from dataclasses import replace

import numpy as np
import pytest

from producer.jobs.results import NONE, Results
from producer.report.label_doubts import doubt_labels

DIGITS = np.arange(60) % 10


def job(labels: np.ndarray, *, confidence: float = 0.99) -> Results:
    """Return a job in which the digits 0 to 9 were read six times."""
    digits, confidences = DIGITS.astype(np.int8), np.full(60, confidence, np.float32)
    names, models = [f"{index:02}.png" for index in range(60)], ["baseline-1"] * 60
    return Results(names, labels.astype(np.int8), digits, confidences, None, models, {})


@pytest.mark.parametrize(("shift", "words"), [(1, "1 too high"), (9, "1 too low"), (5, "5 too high")])
def test_labels_that_are_all_off_by_the_same_number_are_said_to_be(shift, words):
    """MATLAB counts from 1, for instance. A few other mistakes do not matter."""
    labels = (DIGITS + shift) % 10
    labels[:5] = DIGITS[:5]
    assert words in (doubt_labels(job(labels)) or "")


def test_labels_in_another_order_are_said_to_be():
    """The sentence has the share of labels that agree."""
    labels = np.random.default_rng(3).permutation(DIGITS)
    labels[:6], labels[6:] = DIGITS[:6], np.where(labels[6:] == DIGITS[6:], (labels[6:] + 3) % 10, labels[6:])
    said = doubt_labels(job(labels))
    assert said is not None
    assert said.startswith("Only 10.0 % of the labels agree")
    assert "in another order" in said


def test_images_are_doubted_if_unsure_predictions_hardly_ever_agree_with_the_labels():
    """Images that are transposed, turned or mirrored are read with little confidence."""
    said = doubt_labels(job(np.where(DIGITS < 2, DIGITS, (DIGITS + 3) % 10), confidence=0.6))
    assert said is not None
    assert said.startswith("Only 20.0 % of the labels agree")
    assert "turned, mirrored" in said


def test_labels_are_not_doubted_without_reason():
    """Right, few or missing labels, unsure predictions, and a model that misreads two digits are not a reason."""
    wrong = (DIGITS + 1) % 10
    assert doubt_labels(job(DIGITS)) is None
    assert doubt_labels(job(np.where(DIGITS < 6, wrong, DIGITS), confidence=0.7)) is None
    assert doubt_labels(job(np.where(np.arange(60) < 15, wrong, NONE))) is None
    assert doubt_labels(job(np.full(60, NONE))) is None
    assert doubt_labels(job(np.where(DIGITS < 2, wrong, DIGITS))) is None
    failed = replace(job(wrong), digits=np.full(60, NONE, np.int8), confidences=np.full(60, np.nan, np.float32))
    assert doubt_labels(failed) is None
