"""Draw digits by rule, in styles that are rare in MNIST, for training beside MNIST.

Americans wrote MNIST around 1990. Elsewhere a 1 has a long upstroke or stands on a slab, a 7 is crossed, a 4 is open,
and a 6 ends in a curl. A network trained on MNIST alone misreads these. Every digit has its plain styles here too, so
the network cannot guess a digit from the fact that it is drawn.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.augmentation import glyphs
from model.augmentation.pen import Strokes, centre_by_mass, distort_strokes, draw_strokes
from model.images.fitting import SIDE


class Style(NamedTuple):
    """One way to write a digit."""

    strokes: str  # in the notation of `model.augmentation.glyphs`
    weight: int  # how often it is drawn, relative to the other styles of the digit


STYLES: Final[Mapping[int, Mapping[str, Style]]] = MappingProxyType(
    {
        0: {
            "round": Style("~40 11 04 17 38 57 64 51 30 20", 3),
            "crossing at the top": Style("~61 40 11 04 17 38 57 64 51 20", 2),
            "open": Style("~50 20 03 06 38 57 64 51 40", 1),
            "narrow": Style("~30 12 14 27 38 47 54 42 20", 1),
        },
        1: {
            "stroke": Style("40 48", 3),
            "upstroke": Style("13 40 48", 3),
            "long upstroke": Style("05 40 48", 2),
            "short flag": Style("22 40 48", 2),
            "upstroke and slab": Style("13 40 48|18 78", 2),
            "long upstroke and slab": Style("05 50 58|28 88", 1),
            "flag and slab": Style("22 40 48|18 78", 1),
            "curved upstroke": Style("~04 33 50|50 48", 2),
            "curved hook": Style("~13 31 40|40 48", 1),
        },
        2: {
            "plain": Style("~02 20 50 53 36 08|08 68", 3),
            "loop": Style("~01 20 50 53 17 08 06 27 68", 2),
            "wavy foot": Style("~02 20 51 44 08|~08 27 48 67", 2),
            "angular": Style("~01 20 51 54 08|08 68", 1),
            "swan": Style("~02 20 51 43 26 07 27 68", 1),
        },
        3: {
            "round": Style("~01 20 50 52 34|~34 55 57 38 07", 3),
            "flat top": Style("00 60 33|~33 56 57 38 07", 2),
            "flat top, wide": Style("00 60 24|~24 54 67 38 07", 1),
            "deep waist": Style("~01 30 51 24|~24 56 47 28 07", 1),
        },
        4: {
            "open": Style("10 05 75|52 58", 2),
            "open, crossing": Style("30 05 75|53 49", 2),
            "open, upright": Style("00 04 64|50 58", 2),
            "open, round": Style("~00 03 14 54|60 58", 2),
            "open, slanting": Style("20 04 64|61 48", 2),
            "closed": Style("50 05 75|50 58", 1),
            "one stroke": Style("58 50 05 75", 1),
        },
        5: {
            "plain": Style("60 10 04|~04 33 65 48 07", 3),
            "bar last": Style("10 04|~04 33 65 48 07|10 60", 2),
            "bar apart": Style("11 04|~04 33 65 48 07|30 71", 2),
            "sloping bar": Style("61 20 14|~14 44 65 38 07", 1),
            "round": Style("~60 20 13 33 65 48 07", 1),
            "narrow": Style("50 10 04|~04 34 56 38 17", 1),
            "long bar": Style("21 04|~04 33 55 38 07|20 80", 2),
            "bar across": Style("30 24|~24 44 65 48 07|10 80", 2),
        },
        6: {
            "curved": Style("~50 22 05 27 48 56 44 14", 3),
            "straight stem": Style("50 05|~05 17 48 66 44 05", 2),
            "big loop": Style("~40 12 06 28 58 64 43 05", 2),
            "curl at the top": Style("~62 50 22 05 28 57 45 15", 2),
            "hook at the top": Style("~63 71 50 22 05 28 57 45 15", 2),
            "curl inside": Style("~40 12 05 28 58 65 44 26", 2),
            "small loop": Style("~50 12 06 38 57 45 27", 1),
        },
        7: {
            "plain": Style("00 60 28", 3),
            "steep": Style("00 60 38", 1),
            "crossed": Style("00 60 28|14 64", 4),
            "crossed, sloping top": Style("01 60 28|14 54", 1),
            "serif": Style("02 00 60 28", 2),
            "serif, crossed": Style("02 00 60 28|14 64", 2),
            "curved stem": Style("00 60|~60 43 34 28", 1),
            "curved stem, crossed": Style("00 60|~60 43 34 28|14 64", 1),
            "wavy top": Style("~01 20 41 60|~60 44 28", 2),
            "wavy top, crossed": Style("~01 20 41 60|~60 44 28|24 64", 2),
            "hook": Style("~02 10 50 61|61 28", 1),
            "deep wave": Style("~03 11 32 70|70 48", 1),
            "deep wave, crossed": Style("~03 11 32 70|70 48|25 75", 2),
            "deepest wave, crossed": Style("~02 11 23 43 70|70 48|16 76", 1),
        },
        8: {
            "figure eight": Style("~51 20 02 34 66 38 07 34 51", 3),
            "from the middle": Style("~34 02 20 51 34 07 38 67 34", 2),
            "two circles": Style("~30 11 24 34 53 51 30|~34 06 18 48 67 54 34", 2),
            "open at the top": Style("~50 20 02 34 66 38 06 34 62", 2),
            "narrow": Style("~41 20 12 34 46 28 06 34 41", 1),
        },
        9: {
            "straight stem": Style("~51 20 02 14 44 51|51 58", 3),
            "slanting stem": Style("~51 20 02 14 44 51|51 38", 2),
            "hooked stem": Style("~51 20 02 14 44 51|~51 56 38 17", 2),
            "curved": Style("~51 20 03 34 51 45 28", 2),
            "open loop": Style("~50 20 02 24 52|51 58", 1),
            "big loop": Style("~61 20 03 25 55 61|61 58", 1),
        },
    }
)
"""The styles of each digit, by name."""

_POINTS = 32  # per stroke: enough for two loops
_UNSTEADINESS = 0.32  # standard deviation by which a hand misses each point, in eighths of the height
_SLANT = (0.15, 0.2)  # mean and standard deviation over hands: shift to the right per unit of height
_WIDTH_LIMIT = 13  # upper limit of the pen's width, exclusive, in fine pixels of `model.augmentation.pen`


def draw(count: int, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw digits of all styles, about equally many of each digit.

    Args:
        count: Number of images, 0 or more.
        random: Source of random numbers. The same state gives the same images.

    Returns:
        Images, uint8 (count, 28, 28), light ink on black in MNIST's box; and their labels, uint8 (count,). Their order
        is random.
    """
    images, labels = [np.empty((0, SIDE, SIDE), np.uint8)], [np.empty(0, np.uint8)]
    for digit, n in enumerate(random.multinomial(count, np.full(10, 0.1))):
        styles = STYLES[digit].values()
        weights = np.array([style.weight for style in styles], float)
        for style, n_of_style in zip(styles, random.multinomial(n, weights / weights.sum()).tolist(), strict=True):
            if n_of_style:
                images.append(draw_style(style, n_of_style, random))
                labels.append(np.full(n_of_style, digit, np.uint8))
    order = random.permutation(count)
    return np.concatenate(images)[order], np.concatenate(labels)[order]


def draw_style(style: Style, count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw digits of one style, each by another hand.

    Args:
        style: Style of the digits.
        count: Number of images, 1 or more.
        random: Source of random numbers. The same state gives the same images.

    Returns:
        Images, uint8 (count, 28, 28), light ink on black in MNIST's box.
    """
    return centre_by_mass(draw_strokes(distort_strokes(_by_hand(style, count, random), random), random, _WIDTH_LIMIT))


def _by_hand(style: Style, count: int, random: np.random.Generator) -> Strokes:
    """Return the strokes of a style as different hands draw them: slanted, with each point slightly missed.

    A stroke that continues the one before starts where that one really ended.

    Returns:
        Points, (count, strokes, points, 2): right and down, about 0 to 1.
    """
    drawn: list[NDArray[np.float64]] = []
    planned_end = end = np.full(2, np.nan)
    for stroke in glyphs.parse(style.strokes):
        corners = stroke.corners + random.normal(0, _UNSTEADINESS / 8, (count, *stroke.corners.shape))
        if np.array_equal(stroke.corners[0], planned_end):
            corners[:, 0] = end
        planned_end, end = stroke.corners[-1], corners[:, -1]
        drawn.append(glyphs.curve(corners, _POINTS) if stroke.is_curve else glyphs.polygon(corners, _POINTS))
    strokes = np.stack(drawn, axis=1)
    strokes[..., 0] -= random.normal(*_SLANT, (count, 1, 1)) * strokes[..., 1]
    return strokes
