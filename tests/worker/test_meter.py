"""Facts about what a worker counts of its answers."""

import numpy as np
import pytest

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from worker.contract.telemetry.counts import Counts
from worker.contract.telemetry.metrics import BATCH_IMAGES, BATCH_SECONDS, IMAGES, Stage
from worker.contract.wire import Result
from worker.meter import Meter

BROKEN = Failure(FailureCode.BROKEN, "It is broken.")
CROSSED = Doubt(DoubtCode.CROSSED_OUT, "looks crossed out")


@pytest.fixture
def counts():
    """What is counted."""
    return Counts()


def images(counts):
    """Return how many images were counted, by outcome, reason and model."""
    return {tuple(key[1:]): value for key, value in counts.read().items() if key[0] == IMAGES.name and value}


def result(confidences, *, failures=None, doubts=None, lengths=None):
    """Return the answers of a version to some images."""
    shares = np.array(confidences, np.float32)
    counts = None if lengths is None else np.array(lengths, np.uint8)
    return Result("v1", "worker", np.zeros(len(shares), np.uint8), shares, None, failures or {}, counts, doubts or {})


def test_each_image_counts_once_with_its_reason(counts):
    """An error comes before a doubt of the picture, and that before a low confidence. Errors have no model."""
    Meter(counts).answered(
        result(
            [1, 0.79, 0.8, 0.1, 0.1, 0.2], failures={3: BROKEN, 4: BROKEN}, doubts={2: CROSSED, 3: CROSSED, 5: CROSSED}
        )
    )
    assert images(counts) == {
        ("answered", "", "v1"): 1,
        ("review", "low_confidence", "v1"): 1,
        ("review", "crossed_out", "v1"): 2,
        ("error", "broken", ""): 2,
    }
    assert counts.read()[BATCH_IMAGES.name, "jobs", "sum"] == 6


def test_of_a_number_the_least_certain_digit_counts(counts):
    """And the number counts as one image."""
    Meter(counts).answered(result([0.9, 0.5, 0.4, 1, 0.7], lengths=[3, 0, 1, 1], failures={1: BROKEN}))
    assert images(counts) == {
        ("answered", "", "v1"): 1,
        ("review", "low_confidence", "v1"): 2,
        ("error", "broken", ""): 1,
    }


def test_a_stage_that_fails_is_not_timed(counts):
    """Its time says nothing about the others."""
    meter = Meter(counts)
    with pytest.raises(ZeroDivisionError), meter.stage(Stage.DECODE):
        raise ZeroDivisionError
    with meter.stage(Stage.CLASSIFY):
        pass
    assert {key[1] for key in counts.read() if key[0] == BATCH_SECONDS.name} == {"classify"}


def test_without_somebody_who_watches_nothing_is_counted():
    """A meter without counts does nothing."""
    meter = Meter()
    meter.begin("lane", replaces=True)
    meter.serves("v1", instead_of="v0")
    meter.could_not_load()
    meter.answered(result([1.0]))
    with meter.stage(Stage.FINISH):
        pass
