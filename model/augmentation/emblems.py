"""Emblems for training: simple shapes that are repeated, nested or joined, as in logos, icons and charts.

None of them looks like a digit. So there is not a single plain circle (0), bar (1) or pair of circles (8), and an
outline has neither a bar across it nor a small dot in its middle (0 again).
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from model.augmentation.pen import SUPERSAMPLING
from model.images.fitting import BOX, SIDE

Outline = NDArray[np.float64]
"""Points, floats (n, 2): right and down. A filled or a closed outline also goes from the last point to the first."""


class Part(NamedTuple):
    """One shape of an emblem."""

    outline: Outline
    is_filled: bool = False
    is_closed: bool = True  # whether the pen returns to the first point


_PENS = (3, 9)
"""Widths of outlines in fine pixels (see `pen.SUPERSAMPLING`): lower limit, inclusive, and upper limit, exclusive."""


def draw(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw emblems.

    Args:
        count: Number of images, 0 or more.
        random: Source of random numbers. The same state gives the same images.

    Returns:
        Images, uint8 (count, 28, 28), light ink on black, in MNIST's box.
    """
    canvas, images = np.empty((SIDE * SUPERSAMPLING,) * 2, np.uint8), np.empty((count, SIDE, SIDE), np.uint8)
    for image, kind in zip(images, random.integers(0, len(_KINDS), count).tolist(), strict=True):
        parts, pen = _KINDS[kind](random), int(random.integers(*_PENS))
        everywhere = np.concatenate([part.outline for part in parts])
        low, high = everywhere.min(axis=0), everywhere.max(axis=0)
        scale = (BOX * SUPERSAMPLING - 2 - pen) / (high - low).max()
        canvas[:] = 0
        for outline, is_filled, is_closed in parts:
            points = np.rint((outline - (low + high) / 2) * scale + len(canvas) / 2).astype(np.int32)
            if is_filled:
                cv2.fillPoly(canvas, [points], 255)
            else:
                cv2.polylines(canvas, [points], isClosed=is_closed, color=255, thickness=pen)
        cv2.resize(canvas, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_AREA)
    return images


def _around_a_centre(random: np.random.Generator) -> list[Part]:
    """Repeat a shape three to six times around a centre, often with something in the middle."""
    count, shape = int(random.integers(3, 7)), _shape(random) * random.uniform(0.25, 0.45)
    is_filled, first = bool(random.random() < 0.7), random.uniform(0, 360)
    parts = [Part(_moved(shape, 0, -1) @ _turned(first + turn), is_filled) for turn in np.arange(count) * 360 / count]
    if random.random() < 0.4:
        parts.append(Part(_regular(24) * random.uniform(0.15, 0.4), is_filled=True))
    return parts


def _in_a_grid(random: np.random.Generator) -> list[Part]:
    """Repeat a shape in two or three rows and columns."""
    rows, columns = random.integers(2, 4, 2).tolist()
    shape, is_filled = _shape(random) * random.uniform(0.3, 0.46), bool(random.random() < 0.8)
    return [Part(_moved(shape, right, down), is_filled) for right in range(columns) for down in range(rows)]


def _side_by_side(random: np.random.Generator) -> list[Part]:
    """Draw three to five bars of different length from a common line, upwards or to the right."""
    count, width = int(random.integers(3, 6)), random.uniform(0.5, 0.8)
    bar, lengths = np.array([[0, 0], [width, 0], [width, -1], [0, -1]]), random.uniform(0.8, 3.5, count)
    if random.random() < 0.5:
        lengths.sort()
    turned = _turned(random.choice([0, 90]))
    return [Part((bar * [1, length] + [at, 0]) @ turned, is_filled=True) for at, length in enumerate(lengths)]


def _one_above_the_other(random: np.random.Generator) -> list[Part]:
    """Draw three or four parallel chevrons or arcs at any angle; arcs often have a dot below them."""
    arc, turned = _arc(-(angle := random.uniform(35, 70)), angle), _turned(random.uniform(0, 360))
    count = int(random.integers(3, 5))
    if random.random() < 0.5:
        chevron = arc[[0, len(arc) // 2, -1]]
        return [Part(_moved(chevron, 0, 0.5 * down) @ turned, is_closed=False) for down in range(count)]
    arcs = [Part(arc * radius @ turned, is_closed=False) for radius in 0.6 + 0.5 * np.arange(count)]
    return [*arcs, Part(_regular(24) * 0.25 @ turned, is_filled=True)] if random.random() < 0.7 else arcs


def _in_an_outline(random: np.random.Generator) -> list[Part]:
    """Draw a shape with corners inside a circle or a polygon."""
    outline = _regular(int(random.choice([3, 4, 5, 6, 8, 24]))) @ _turned(random.uniform(0, 360))
    inside = _star(random) if random.random() < 0.5 else _regular(int(random.integers(3, 6)))
    return [
        Part(outline),
        Part(inside @ _turned(random.uniform(0, 360)) * random.uniform(0.4, 0.6), bool(random.random() < 0.7)),
    ]


def _with_spokes(random: np.random.Generator) -> list[Part]:
    """Draw a circle or a polygon, and three to eight lines from its middle."""
    spokes = int(random.integers(3, 9))
    outline = _regular(24 if random.random() < 0.5 or spokes < 5 else spokes)
    turned = _turned(random.uniform(0, 360))
    ends = _regular(spokes) * random.uniform(0.9, 1.3)
    return [Part(outline @ turned), *(Part(np.array([[0, 0], end]) @ turned, is_closed=False) for end in ends)]


def _without_a_sector(random: np.random.Generator) -> list[Part]:
    """Draw a filled disc without a sector; often a smaller disc or the sector is in the gap."""
    gap, turned, way = random.uniform(40, 130), _turned(random.uniform(0, 360)), random.integers(3)
    shapes = [np.vstack([[[0, 0]], _arc(gap / 2, 360 - gap / 2)])]
    if way == 0:
        shapes.append(_moved(_regular(24) * random.uniform(0.15, 0.35), 0, -random.uniform(0.6, 1.2)))
    elif way == 1:
        shapes.append(_moved(np.vstack([[[0, 0]], _arc(-gap / 2, gap / 2)]), 0, -random.uniform(0.2, 0.5)))
    return [Part(shape @ turned, is_filled=True) for shape in shapes]


def _rings(random: np.random.Generator) -> list[Part]:
    """Draw three to five circles that overlap or lie apart, around a centre or in two rows. Two would be an eight."""
    count, radius = int(random.integers(3, 6)), random.uniform(0.5, 1.1)
    if random.random() < 0.5:
        middles = _regular(count) @ _turned(random.uniform(0, 360))
    else:
        middles = np.array([[at, at % 2] for at in range(count)]) * 1.2 * radius
    return [Part(_regular(24) * radius + middle) for middle in middles]


def _shape(random: np.random.Generator) -> Outline:
    """Return a disc, a regular polygon, a star, a bar or a petal, about as large as the unit circle."""
    kind = random.integers(4)
    if kind == 0:
        return _regular(24)
    if kind == 1:
        return _regular(int(random.integers(3, 7))) @ _turned(random.uniform(0, 360))
    if kind == 2:
        return _star(random)
    return _regular(24 if random.random() < 0.5 else 4) * [random.uniform(0.3, 0.7), 1]


def _star(random: np.random.Generator) -> Outline:
    """Return a star with three to six points in the unit circle."""
    corners = 2 * int(random.integers(3, 7))
    radius = np.where(np.arange(corners) % 2, random.uniform(0.3, 0.6), 1)
    return _regular(corners) * radius[:, np.newaxis]


def _regular(corners: int) -> Outline:
    """Return a regular polygon in the unit circle, with a corner at the top. With 24 corners it looks like a circle."""
    return _arc(0, 360, corners + 1)[:-1]


def _arc(first: float, last: float, points: int = 33) -> Outline:
    """Return a part of the unit circle, between angles in degrees from the top to the right."""
    angles = np.deg2rad(np.linspace(first, last, points))
    return np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def _moved(outline: Outline, right: float, down: float) -> Outline:
    """Return an outline moved to the right and down."""
    moved: Outline = outline + np.array([right, down])
    return moved


def _turned(degrees: float) -> NDArray[np.float64]:
    """Return the matrix that turns points, if they are multiplied with it from the right."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


_KINDS: tuple[Callable[[np.random.Generator], list[Part]], ...] = (
    _around_a_centre,
    _in_a_grid,
    _side_by_side,
    _one_above_the_other,
    _in_an_outline,
    _with_spokes,
    _without_a_sector,
    _rings,
)
