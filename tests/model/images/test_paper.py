"""The model of paper follows its light, and tells ink that is darker from ink that is lighter."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.images.paper import Paper, Polarity, find_paper
from model.images.raster import Coarse, Grey
from tests.model.images.drawings import FIVE, SEVEN, drawing

SHAPE = (136, 184)


def paper_of(image: Grey) -> Paper:
    """Return the paper of an image."""
    return find_paper(image, Coarse.of(image))


def _lamp(across: float, down: float) -> NDArray[np.float64]:
    """Return the light of a lamp as a share of full light, which falls off to the right and downwards, (136, 184)."""
    rows, columns = SHAPE
    return 1 - across * np.linspace(0, 1, columns) - down * np.linspace(0, 1, rows)[:, np.newaxis]


def _lit(light: NDArray[np.float64], line: tuple[tuple[float, float], ...] = FIVE) -> Grey:
    image: Grey = np.rint(drawing(*SHAPE, line=line, ink=60, paper=230) * light).astype(np.uint8)
    return image


@pytest.mark.parametrize("line", [FIVE, SEVEN])
@pytest.mark.parametrize(("across", "down"), [(0, 0), (0.1, 0), (0.2, 0.1), (0.4, 0), (0.3, 0.3), (-0.4, 0.2)])
def test_paper_follows_the_light(across, down, line):
    """Whether light is even, or plainly uneven, the grey of paper is that of the paper under the ink.

    One grey counts as even up to a third of the contrast of ink.
    """
    light = _lamp(across, down)
    light /= light.max()
    paper = paper_of(_lit(light, line))
    assert paper.polarity is Polarity.DARKER
    off = np.abs(paper.grey - 230 * light)
    assert off.max() <= 0.35 * 170 / 2 + 8
    assert abs(across) + abs(down) < 0.4 or off.max() <= 12


@pytest.mark.parametrize("across", [0, 0.4])
def test_lighter_ink_is_told_from_its_paper_in_any_light(across):
    """The negative of a drawing in even or uneven light has lighter ink, on the negative of its paper."""
    light = _lamp(across, 0)
    paper = paper_of(255 - _lit(light))
    assert paper.polarity is Polarity.LIGHTER
    assert np.abs(paper.grey - (255 - 230 * light)).max() <= 12


def test_ink_in_a_corner_is_not_taken_for_light():
    """A drawing that reaches into a corner of evenly lit paper leaves the paper one grey."""
    image = np.full((80, 80), 220, np.uint8)
    image[:30, :12] = 40
    image[20:30, :60] = 40
    assert np.ptp(paper_of(image).grey) == 0
