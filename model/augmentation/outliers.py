"""Images that do not show a digit, for training: the network learns to have a low confidence in them.

D. Hendrycks, M. Mazeika, T. Dietterich, "Deep Anomaly Detection with Outlier Exposure", ICLR 2019,
https://arxiv.org/abs/1812.04606: a network that saw some kinds of outliers in training also recognises other kinds.
This module draws as many outliers as training needs, by rule. They look like preprocessed images: light ink on black,
in MNIST's box, with MNIST's stroke widths.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.augmentation import emblems, glyphs
from model.augmentation.pen import SUPERSAMPLING, Strokes, centre_by_mass, distort_strokes, draw_strokes, fit_into_box
from model.data.digits import Digits
from model.images.fitting import BOX, SIDE


def draw(count: int, random: np.random.Generator, digits: Digits | None = None) -> NDArray[np.uint8]:
    """Draw images that do not show a digit: letters, signs, words, emblems, scribbles, lines, textures and empty tiles.

    They do not include what people write like a digit (see `model.augmentation.glyphs`), such as a plain vertical line.

    Args:
        count: Number of images, 0 or more.
        random: Source of random numbers. The same state gives the same images.
        digits: Digits in MNIST's form. If given, some of the images show two to four of them, or one that is crossed
            out.

    Returns:
        Images, uint8 (count, 28, 28), light ink on black, in random order.
    """
    kinds = dict(_KINDS)
    if digits is not None and len(digits):
        kinds[partial(_numbers, digits=digits.images)] = 14
        kinds[partial(_crossed_out, digits=digits)] = 10
    weights = np.array(list(kinds.values()), float)
    images = [
        kind(n, random) for kind, n in zip(kinds, random.multinomial(count, weights / weights.sum()), strict=True)
    ]
    return centre_by_mass(np.concatenate(images)[random.permutation(count)])


def _letters(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    return draw_strokes(distort_strokes(_chosen("letters", count, random), random), random)


def _signs(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    return draw_strokes(distort_strokes(_chosen("signs", count, random), random), random)


def _words(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw two to four letters side by side."""
    letters = _chosen("letters", 4 * count, random).reshape(count, 4, glyphs.STROKES, glyphs.POINTS, 2)
    letters = letters * random.uniform(0.6, 1.0, (count, 4, 1, 1, 2))
    letters[..., 0] += np.arange(4)[:, np.newaxis, np.newaxis] * random.uniform(0.9, 1.2, (count, 1, 1, 1))
    letters[np.arange(4) >= random.integers(2, 5, (count, 1))] = np.nan
    return draw_strokes(
        distort_strokes(letters.reshape(count, 4 * glyphs.STROKES, glyphs.POINTS, 2), random), random, width_limit=8
    )


def _scribbles(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one long line that goes to and fro at random. With fewer turns it might be a digit."""
    corners = random.uniform(0, 1, (count, 13, 2))
    return draw_strokes(_as_strokes(glyphs.curve(corners, 96)), random, width_limit=9)


def _zigzags(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a line that goes to and fro while it moves across the image, pointed or round, at any angle."""
    time = np.linspace(0, 1, 64)
    turns, loops = random.uniform(3.5, 6, (count, 1)), random.uniform(-0.2, 0.2, (count, 1))
    phase = 2 * np.pi * (turns * time + random.uniform(0, 1, (count, 1)))
    across = np.where(random.random((count, 1)) < 0.5, np.sin(phase), np.arcsin(np.sin(phase)) * 2 / np.pi)
    line = np.stack([time + loops * np.cos(phase), across * random.uniform(0.25, 0.5, (count, 1))], axis=-1)
    return draw_strokes(distort_strokes(_as_strokes(line), random, turn=180), random, width_limit=8)


def _spirals(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw spirals of two and a half turns or more. With fewer turns they might be a 6, a 9 or a 0."""
    time = np.linspace(0.1, 1, 64)
    phase = 2 * np.pi * (random.uniform(2.5, 3.2, (count, 1)) * time + random.uniform(0, 1, (count, 1)))
    phase *= random.choice([-1, 1], (count, 1))
    line = time[:, np.newaxis] * np.stack([np.cos(phase), np.sin(phase)], axis=-1)
    return draw_strokes(distort_strokes(_as_strokes(line), random), random, width_limit=7)


def _lines(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw five or six straight lines across each other."""
    ends = random.uniform(0, 1, (count, 6, 2, 2))
    ends[random.random(count) < 0.5, 5] = np.nan
    return draw_strokes(distort_strokes(ends, random, turn=0), random, width_limit=9)


def _grids(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw grids like squared paper, at any angle: three lines one way, two or three the other, not quite parallel."""
    at = np.sort(random.uniform(0, 1, (count, 6)), axis=1)
    across, down = np.array([0.0, 1.0]), np.stack([at, at], axis=-1) + random.normal(0, 0.03, (count, 6, 2))
    ends = np.stack([np.broadcast_to(across, down.shape), down], axis=-1)
    ends[:, ::2] = ends[:, ::2, :, ::-1]
    ends[random.random(count) < 0.5, 5] = np.nan
    return draw_strokes(distort_strokes(ends, random, turn=180), random)


def _blobs(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw filled outlines, smooth or with corners, at least half as wide as high; some have a texture inside."""
    corners = random.integers(3, 10, count)
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones((count, len(angle)))
    for order in (1, 2, 3, 5):
        phase = random.uniform(0, 2 * np.pi, (count, 1))
        radius += random.uniform(0, 0.35 / order, (count, 1)) * np.cos(order * angle + phase)
    outline = radius[..., np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    outline *= np.stack([random.uniform(0.7, 1.5, count), np.ones(count)], axis=1)[:, np.newaxis]
    outline, _ = fit_into_box(outline[:, np.newaxis], np.ones(count, int))
    canvas, images = (
        np.empty((SIDE * SUPERSAMPLING, SIDE * SUPERSAMPLING), np.uint8),
        np.empty((count, SIDE, SIDE), np.uint8),
    )
    for points, corner_count, image in zip(outline[:, 0], corners, images, strict=True):
        canvas[:] = 0
        cv2.fillPoly(canvas, [points if corner_count > 6 else points[:: 48 // corner_count].copy()], 255)
        cv2.resize(canvas, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_AREA)
    textured = random.random(count) < 0.3
    images[textured] = np.minimum(images[textured], _textures(int(textured.sum()), random))
    return images


def _textures(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw noise of any coarseness over the whole image, as photographs of cloth and other surfaces show it."""
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for noise, image in zip(_noise(count, random), images, strict=True):
        cv2.resize(noise, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_AREA)
        cv2.normalize(image, image, 0, 255, cv2.NORM_MINMAX)
    return images


def _fragments(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the largest light component of noise, as preprocessing cuts one out of a photograph.

    A long thin component might be a 1, so everything that is light replaces it.
    """
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    for noise, level, image in zip(_noise(count, random), random.uniform(50, 75, count), images, strict=True):
        light = cv2.threshold(noise, np.percentile(noise, level), 255, cv2.THRESH_BINARY)[1]
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(light)
        largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        mask = np.where(numbers == largest, np.uint8(255), np.uint8(0))
        if _elongation(mask) > 2:
            mask = light
        left, top, width, height = cv2.boundingRect(mask)
        _place(mask[top : top + height, left : left + width], image)
    return images


def _elongation(mask: MatLike) -> float:
    """Return the ratio of a mask's standard deviations along its main axis and across it, 1 or more."""
    moments = cv2.moments(mask, binaryImage=True)
    mean = (moments["mu20"] + moments["mu02"]) / 2
    difference = float(np.hypot((moments["mu20"] - moments["mu02"]) / 2, moments["mu11"]))
    return float(np.sqrt((mean + difference) / max(mean - difference, 1e-9)))


def _noise(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return sums of one to four octaves of noise, stretched to all levels, uint8 (count, 56, 56)."""
    total = np.zeros((count, 56, 56), np.float32)
    for cells in (4, 8, 16, 32):
        layer = random.normal(0, 1, (count, cells, cells)).astype(np.float32)
        weight = random.exponential(1, count).astype(np.float32) * (random.random(count) < 0.6)
        if cells == 8:
            weight += np.float32(0.2)  # so that at least one octave has a weight
        for index in np.flatnonzero(weight):
            total[index] += weight[index] * cv2.resize(layer[index], (56, 56), interpolation=cv2.INTER_CUBIC)
    low, high = total.min(axis=(1, 2), keepdims=True), total.max(axis=(1, 2), keepdims=True)
    stretched: NDArray[np.floating[Any]] = (total - low) * (255 / (high - low))
    return stretched.astype(np.uint8)


def _numbers(count: int, random: np.random.Generator, digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw two to four digits in a row, a column or a slanting line, of unequal size, near to each other or far apart.

    Strokes are thickened as preprocessing thickens them. Neighbours may touch, but they never lie over each other.
    """
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    sizes = random.choice([2, 3, 4], count, p=[0.6, 0.25, 0.15])
    for image, size, is_column in zip(images, sizes.tolist(), random.random(count) < 0.25, strict=True):
        gap = int(random.integers(0, 4) if random.random() < 0.7 else random.integers(4, 22))
        gap = max(gap, 3) if is_column else gap  # because two ones that touch are one
        parts = [_cut(digits[index], random) for index in random.integers(0, len(digits), size)]
        if is_column:
            parts = [np.ascontiguousarray(part.T) for part in parts]
        across, tallest = sum(part.shape[1] for part in parts) + gap * (size - 1), max(len(part) for part in parts)
        slope = random.integers(0, 12) if random.random() < 0.3 else 0
        page = np.zeros((tallest + int(slope) * (size - 1), across), np.uint8)
        left = 0
        for number, part in enumerate(parts):
            top = int(slope) * number + (tallest - len(part)) // 2
            page[top : top + len(part), left : left + part.shape[1]] = part
            left += part.shape[1] + gap
        pen = np.ones((int(random.integers(1, 4)),) * 2, np.uint8)
        _place(cv2.dilate(page.T if is_column else page, pen), image)
    return images


def _cut(digit: NDArray[np.uint8], random: np.random.Generator) -> MatLike:
    """Return a digit without its margins, at 0.7 to 1.3 of its size."""
    left, top, width, height = cv2.boundingRect(digit)
    size = random.uniform(0.7, 1.3)
    inside = digit[top : top + height, left : left + width]
    return cv2.resize(
        inside, (max(1, round(size * width)), max(1, round(size * height))), interpolation=cv2.INTER_LINEAR
    )


def _crossed_out(count: int, random: np.random.Generator, digits: Digits) -> NDArray[np.uint8]:
    """Cross digits out: by a big X, by three or more strokes, by a scribble, or by one or two strokes right across.

    A low zigzag is not enough, because people read through it. The digits that `_STRUCK` lacks get an X instead of
    strokes right across.
    """
    images = np.empty((count, SIDE, SIDE), np.uint8)
    ways, chosen = random.integers(0, 4, count).tolist(), random.integers(0, len(digits), count).tolist()
    for image, way, index in zip(images, ways, chosen, strict=True):
        page = np.pad(digits.images[index], SIDE // 2)
        left, top, width, height = cv2.boundingRect(page)
        wide = max(width, 0.6 * height)  # because a narrow scribble over a one would be a bar
        low, size = np.array([left - (wide - width) / 2, top]), np.array([wide, height])
        pen = {"color": 255, "thickness": int(random.integers(1, 3 if way == 2 else 4))}
        if way == 1:
            ends = np.linspace(0, 1, int(random.integers(3, 6)))
            tilt = random.uniform(-0.4, 0.4)
            lines = np.stack([np.stack([0 * ends, ends + tilt], 1), np.stack([0 * ends + 1, ends - tilt], 1)], axis=1)
            lines = lines[..., ::-1] if random.random() < 0.3 else lines
        elif way == 2:
            along = np.linspace(0, 1, int(random.integers(7, 14)))
            lines = np.stack([along, np.arange(len(along)) % 2 * 1.0], axis=1)[np.newaxis]
            lines = lines[..., ::-1] if random.random() < 0.3 else lines
        elif way == 3 and digits.labels[index] in _STRUCK:
            beyond, tilt, apart = random.uniform([0.1, -0.45, 0.05], [0.25, 0.45, 0.1])
            line = np.array([[-beyond, 0.5 - tilt], [1 + beyond, 0.5 + tilt]])
            lines = line + np.array([[[0, -apart]], [[0, apart]]]) if random.random() < 0.5 else line[np.newaxis]
        else:
            lines = np.array([[[0.0, 0], [1, 1]], [[0, 1], [1, 0]]])
        lines = lines + random.normal(0, 0.07 if way < 3 else 0.02, lines.shape)
        points = np.rint((lines * size + low) * 16).astype(np.int32)
        cv2.polylines(page, list(points), isClosed=False, lineType=cv2.LINE_AA, shift=4, **pen)
        left, top, width, height = cv2.boundingRect(page)
        image[:] = 0
        _place(page[top : top + height, left : left + width], image)
    return images


def _tiles(count: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw what usually surrounds a digit, with nothing in it: discs, tiles, boxes, double circles and double boxes.

    A single plain circle is not among them, because it is a zero.
    """
    canvas = np.empty((SIDE * SUPERSAMPLING, SIDE * SUPERSAMPLING), np.uint8)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for image, kind in zip(images, random.integers(0, 5, count).tolist(), strict=True):
        width, height = random.uniform([0.75, 0.75], [1, 1]) * BOX * SUPERSAMPLING
        pen, gap = int(random.integers(2, 9)), random.uniform(0.4, 0.65)
        canvas[:] = 0
        if kind == 0:
            _rounded(canvas, width, height, 1.0, cv2.FILLED)
        elif kind == 1:
            _rounded(canvas, width, height, random.uniform(0, 0.5), cv2.FILLED)
        elif kind == 2:
            _rounded(canvas, width, height, random.uniform(0, 0.25), pen)
        else:
            corner = 1.0 if kind == 3 else random.uniform(0, 0.5)
            _rounded(canvas, width, height, corner, min(pen, 4))  # thicker ones might touch the inner ones
            _rounded(canvas, gap * width, gap * height, corner, min(pen, 4))
        if random.random() < 0.3:
            light = np.linspace(random.uniform(0.4, 1), 1, len(canvas))
            canvas[:] = canvas * (light if random.random() < 0.5 else light[:, np.newaxis])
        cv2.resize(canvas, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_AREA)
    return images


def _rounded(canvas: NDArray[np.uint8], width: float, height: float, corner: float, pen: int) -> None:
    """Draw a shape into the middle of the canvas: from a rectangle, `corner` 0, to an ellipse, `corner` 1.

    Args:
        canvas: Image, uint8 (side, side). It is changed.
        width: Width of the shape in pixels.
        height: Height of the shape in pixels.
        corner: Share of the sides that are round.
        pen: Width of the line in pixels, or cv2.FILLED.
    """
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    arcs = np.sign(np.round(directions, 9)) * (1 - corner) + corner * directions
    points = np.rint(len(canvas) / 2 + arcs * [width / 2, height / 2]).astype(np.int32)
    if pen == cv2.FILLED:
        cv2.fillPoly(canvas, [points], 255)
    else:
        cv2.polylines(canvas, [points], isClosed=True, color=255, thickness=pen)


_STRUCK = (2, 3, 5, 6, 8, 9)
"""Digits that nobody writes with a stroke right across.

People bar 0 and 7, and a stroke across 1 or 4 can leave a digit."""

_KINDS: dict[Callable[[int, np.random.Generator], NDArray[np.uint8]], int] = {
    _letters: 40,
    _signs: 18,
    _words: 8,
    _scribbles: 5,
    _zigzags: 4,
    _spirals: 2,
    _lines: 4,
    _grids: 4,
    _blobs: 5,
    _textures: 4,
    _fragments: 6,
    _tiles: 10,
    emblems.draw: 10,
}
"""The functions that each draw one kind, and how often `draw` uses each, relative to the others."""


def _chosen(table: str, count: int, random: np.random.Generator) -> Strokes:
    known = glyphs.strokes(table)
    return known[random.integers(0, len(known), count)]


def _place(cut: MatLike, image: NDArray[np.uint8]) -> None:
    """Scale ink so that its longer side fills the box, and write it into the middle of an empty image."""
    scale = BOX / max(cut.shape)
    height, width = (max(1, round(side * scale)) for side in cut.shape)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(cut, (width, height), interpolation=kind)
    image[top : top + height, left : left + width] = cv2.convertScaleAbs(small, alpha=255 / max(1, int(small.max())))


def _as_strokes(line: NDArray[np.float64]) -> Strokes:
    """Return lines of points, (n, points, 2), as drawings of one stroke each, (n, 1, points, 2)."""
    return line[:, np.newaxis]
