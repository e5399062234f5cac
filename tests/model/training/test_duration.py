"""The estimate of how long a training still takes."""

import dataclasses
from itertools import pairwise

import pytest

from model.training.duration import DOUBTING, JUDGING, LOADING, PREPARING, TEACHER, VARIANTS, Duration
from model.training.recipe import Recipe
from tests.support.clock import Clock

IMAGES = 55_000
JUDGED = 10_000
EVENLY = Recipe(epochs=4, teachers=0)
"""A recipe whose epochs all cost the same."""


def test_nothing_is_known_before_there_is_a_speed():
    """The first call has nothing to compare with, and neither has a second one after nothing more was done."""
    duration = Duration(EVENLY, IMAGES, JUDGED, clock=Clock())
    assert duration.seconds_left(0, 0.5) is None
    assert duration.seconds_left(0, 0.5) is None


@pytest.mark.parametrize("speed", [1_000, 50_000])
def test_at_an_even_speed_the_estimate_is_right(speed):
    """It covers the teachers, the network, its variants and judging, from the second step on, at any speed."""
    recipe = Recipe(epochs=5, teachers=2, teacher_epochs=3, variant_epochs=2)
    clock = Clock()
    duration = Duration(recipe, IMAGES, JUDGED, clock=clock)
    variants = (1 + VARIANTS) * IMAGES
    network = (duration.cost - JUDGING * JUDGED - 6 * TEACHER * IMAGES - 2 * variants) / 5
    steps = [(teacher, epochs / 2, TEACHER * IMAGES / 2) for teacher in (1, 2) for epochs in range(1, 7)]
    steps += [(0, epochs / 2, (network if epochs <= 10 else variants) / 2) for epochs in range(1, 15)]
    left = []
    for teacher, epochs, cost in steps:
        clock.now += cost / speed
        left.append((clock.now, duration.seconds_left(teacher, epochs)))
    end = duration.cost / speed
    assert [seconds for _, seconds in left[1:]] == pytest.approx([end - now for now, _ in left[1:]])
    assert left[-1][1] == pytest.approx(JUDGING * JUDGED / speed)


def test_compiling_the_first_network_is_not_its_speed():
    """The first step takes a minute, and each of the others a second."""
    clock = Clock()
    duration = Duration(dataclasses.replace(EVENLY, epochs=1), IMAGES, JUDGED, clock=clock)
    clock.now = 60
    duration.seconds_left(0, 0.01)
    clock.now += 1
    assert duration.seconds_left(0, 0.02) == pytest.approx(98 + JUDGING * JUDGED / IMAGES * 100)


def test_the_earlier_part_of_a_stopped_training_is_not_its_speed():
    """A training that is resumed in its third epoch of four is not twice as quick."""
    clock = Clock()
    duration = Duration(EVENLY, IMAGES, JUDGED, clock=clock)
    duration.seconds_left(0, 2.5)
    clock.now = 10
    assert duration.seconds_left(0, 3) == pytest.approx(20 * (1 + JUDGING * JUDGED / IMAGES))


def test_each_teacher_makes_the_network_dearer():
    """A refined network distils from the network that it starts with, which costs as much as a teacher."""
    one, refined = Recipe(teachers=1, teacher_epochs=1), Recipe(teachers=0, refines=True)
    costs = [Duration(dataclasses.replace(one, epochs=epochs), IMAGES, JUDGED).cost for epochs in (1, 2, 3)]
    refining = [Duration(dataclasses.replace(refined, epochs=epochs), IMAGES, JUDGED).cost for epochs in (1, 2, 3)]
    alone = [Duration(dataclasses.replace(EVENLY, epochs=epochs), IMAGES, JUDGED).cost for epochs in (1, 2, 3)]
    steps = [{round(later - earlier) for earlier, later in pairwise(each)} for each in (costs, refining, alone)]
    assert steps[0] == steps[1] != steps[2] == {IMAGES}


def test_the_first_guess_comes_from_the_time_that_loading_took():
    """It covers what comes before the first step, too, which a refinement makes longer, and replayed images."""
    whole, refined = Recipe(), Recipe.refinement()
    plain = dataclasses.replace(refined, replayed=0.0)
    durations = [Duration(recipe, IMAGES, JUDGED) for recipe in (whole, refined, plain)]
    guesses = [each.seconds_left_when_loaded(LOADING / 1000) for each in durations]
    assert guesses[0] == pytest.approx((PREPARING + durations[0].cost) / 1000)
    assert guesses[1] == pytest.approx((PREPARING + DOUBTING * IMAGES + durations[1].cost) / 1000)
    assert guesses[0] > 10 * guesses[1] > 10 * guesses[2]
    assert durations[1].seconds_left_when_loaded(2 * LOADING / 1000) == pytest.approx(2 * guesses[1])
