"""Facts about counts: what is counted is read, whatever happens to the process that counts."""

import os
import signal

from worker.contract.telemetry import counts as module
from worker.contract.telemetry.counts import PLACES, RESERVED, Counts
from worker.contract.telemetry.metrics import BATCH_IMAGES, IMAGES, MODEL, OTHER, RESTARTS


def in_a_process(act) -> None:
    """Do something in a forked process, which is then killed."""
    child = os.fork()
    if not child:
        act()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_killed_process_loses_nothing_and_the_next_one_goes_on() -> None:
    """So the counters of a worker do not fall back while it lives."""
    counts = Counts()
    in_a_process(lambda: counts.add(RESTARTS, "lane", amount=3))
    in_a_process(lambda: counts.add(IMAGES, "error", "broken", "", amount=2))
    in_a_process(lambda: counts.add(RESTARTS, "lane"))
    assert counts.read() == {(RESTARTS.name, "lane"): 4, (IMAGES.name, "error", "broken", ""): 2}


def test_a_process_that_dies_before_a_count_is_complete_leaves_no_half_of_it(monkeypatch) -> None:
    """The number of values is written last."""
    counts = Counts()

    def die() -> None:
        monkeypatch.setattr(Counts, "_read_keys", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        counts.add(RESTARTS, "lane")

    in_a_process(die)
    assert counts.read() == {}


def test_a_gauge_that_does_not_apply_any_more_is_zero() -> None:
    """Whatever labels the process before has set."""
    counts = Counts()
    in_a_process(lambda: counts.set(MODEL, 1, "one"))
    counts.clear(MODEL)
    counts.set(MODEL, 1, "two")
    assert counts.read() == {(MODEL.name, "one"): 0, (MODEL.name, "two"): 1}


def test_a_value_falls_into_the_bucket_that_it_does_not_exceed() -> None:
    """A bucket includes its limit, as in Prometheus."""
    counts = Counts()
    for images in (1, 2, 4, 5000):
        counts.observe(BATCH_IMAGES, images, "jobs")
    name = BATCH_IMAGES.name
    assert counts.read() == {
        (name, "jobs", "0"): 1,
        (name, "jobs", "1"): 2,
        (name, "jobs", "7"): 1,
        (name, "jobs", "sum"): 5007,
    }


def test_any_number_of_versions_takes_bounded_memory_and_no_image_is_left_out() -> None:
    """When the places run out, further versions count as one, and errors still count."""
    counts = Counts()
    for number in range(2 * PLACES):
        counts.add(IMAGES, "answered", "", f"version-{number}")
    counts.add(IMAGES, "error", "broken", "")
    found = counts.read()
    assert len(found) == PLACES - RESERVED + 2
    assert found[IMAGES.name, "answered", "", OTHER] == PLACES + RESERVED
    assert sum(found.values()) == 2 * PLACES + 1
    for number in range(2 * PLACES):
        counts.add(RESTARTS, str(number))  # no label does that; it must do no harm all the same
    assert len(counts.read()) == PLACES == module.PLACES
