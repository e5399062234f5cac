"""What `make soak` calls flat."""

import random

import pytest

from tests.system.soak.flatness import Bound, growth_of

MEMORY = Bound(("MB", 1e6), 0.1, 4e6)
HOURS = 7200


def series(each_hour: float, *, killed: bool = False, seed: int = 1) -> list[tuple[float, float]]:
    """Return the memory of a process of 80 MB during two hours, with noise, and without memory now and then."""
    numbers = random.Random(seed)
    return [
        (second, 0.0 if killed and numbers.random() < 0.1 else 80e6 + each_hour * second / 3600 + numbers.gauss(0, 2e6))
        for second in range(0, HOURS, 10)
    ]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("each_hour", "flat"), [(0, True), (2e6, True), (8e6, False), (60e6, False), (-9e6, True)])
def test_a_steady_leak_is_found_in_noise_and_among_kills(each_hour, flat, killed):
    """A leak of 8 MB an hour is found, and one of 2 MB an hour is within the noise."""
    growth = growth_of(series(each_hour, killed=killed))
    assert growth
    assert growth.is_flat(MEMORY) is flat


def test_what_grows_only_at_the_beginning_is_flat():
    """Processes fill their caches, and records begin to expire after their lifetime."""
    points = [(second, min(second / 1000, 1.0) * 80e6) for second in range(0, HOURS, 10)]
    growth = growth_of(points)
    assert growth
    assert (growth.is_flat(MEMORY), growth.most) == (True, 80e6)


def test_a_run_that_is_too_short_says_nothing():
    """Neither flat nor not."""
    assert growth_of([]) is None
    assert growth_of([(0, 1.0), (1, 1.0)]) is None
