"""Facts about drift: which days differ beyond chance and by enough to matter."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from tests.support.drift import answers
from worker.contract.drift import DayCounts, Drift, find_drift
from worker.contract.drift.comparison import ENOUGH

TODAY = date(2026, 11, 26)
NORMAL = answers(10_000, unsure=0.02)


def drift_of(days: Sequence[DayCounts]) -> Drift | None:
    """Return the drift of the last of some days."""
    return find_drift({TODAY - timedelta(days=len(days) - 1 - index): day for index, day in enumerate(days)})


def test_without_days_or_with_one_alone_nothing_differs() -> None:
    """There is nothing to compare."""
    assert find_drift({}) is None
    assert drift_of([answers(10_000, unsure=0.9)]) is None


def test_more_images_for_review_are_drift() -> None:
    """The largest difference comes first, with both values and the number of days before."""
    drift = drift_of([NORMAL, NORMAL, answers(1000, unsure=0.10)])
    assert drift is not None
    assert (drift.day, drift.images, drift.days) == (TODAY, 1000, 2)
    assert [each.measure for each in drift.differences] == ["for review", "mean confidence"]
    assert drift.differences[0].points == pytest.approx(8.0)
    assert drift.differences[1].points == pytest.approx(-49 * 0.08, abs=0.1)


def test_other_digits_are_drift() -> None:
    """A new form may have other digits than the ones before. A person decides whether that is a fault."""
    drift = drift_of([NORMAL, answers(10_000, unsure=0.02, shares=(10, 10, 10, 10, 10, 10, 10, 4, 10, 16))])
    assert drift is not None
    assert {each.measure: round(each.points) for each in drift.differences} == {"read as 9": 6, "read as 7": -6}


@pytest.mark.parametrize("last", [answers(1_000_000, unsure=0.039), answers(100, unsure=0.5)])
def test_what_does_not_matter_or_may_be_chance_is_not_drift(last: DayCounts) -> None:
    """Among a million images, 1.9 points are beyond chance, but do not matter. A hundred images show too little."""
    assert drift_of([NORMAL, last]) is None


def test_a_difference_of_a_few_images_is_chance() -> None:
    """Of 200 images 4 are expected for review, and 11 are not beyond chance for one of twelve measures."""
    assert drift_of([NORMAL, answers(ENOUGH, unsure=0.055)]) is None
    assert drift_of([NORMAL, answers(ENOUGH, unsure=0.11)]) is not None


def test_days_that_always_differ_hide_a_day_that_does_not_differ_more() -> None:
    """The images of a day resemble each other. From four days on, the days before show how much days differ."""
    restless = [answers(10_000, unsure=share / 100) for share in (1, 6, 2, 5, 1, 6)]
    assert drift_of([*restless, answers(10_000, unsure=0.12)]) is None
    assert drift_of([*restless, answers(10_000, unsure=0.4)]) is not None
    calm = [answers(10_000, unsure=share / 100) for share in (3, 4, 3, 4, 3, 4)]
    assert drift_of([*calm, answers(10_000, unsure=0.12)]) is not None


def test_a_measure_without_any_spread_is_compared_too() -> None:
    """Where every image was sure, the first unsure ones differ."""
    drift = drift_of([answers(1000), answers(1000, unsure=0.05)])
    assert drift is not None
    assert drift.differences[0].measure == "for review"


def test_ordinary_days_hardly_ever_raise_an_alarm() -> None:
    """Of 400 series of days drawn from the same answers, at most 1 % for all measures together differ."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        days = [_drawn(random, 400) for _ in range(6)]
        alarms += drift_of(days) is not None
    assert alarms <= 8


def _drawn(random: np.random.Generator, images: int) -> DayCounts:
    digits = random.integers(0, 10, images).astype(np.uint8)
    confidences = np.where(random.random(images) < 0.05, 0.5, 0.99).astype(np.float32)
    return DayCounts.of(digits, confidences, np.zeros(images, bool))
