"""Images of several digits, and images of one digit in several parts: what `several.py` preprocesses and classifies.

A digit's width, in which gaps are counted, is 0.7 of its height, as most digits are written.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scruffy_images import WHITE, Digit, Plane, Random, coloured, encoded, gradient, jpeg, lettered, photographed, png

Style: TypeAlias = Callable[[Random, Sequence[Digit], Sequence[int], float], list[Plane]]
"""A function that returns the ink of each digit, given random numbers, the digits, their labels and their height."""

Single: TypeAlias = Callable[[Random, Digit], bytes]
"""A function that returns the bytes of an image file of one digit."""

Stroke: TypeAlias = Sequence[tuple[float, float]]
"""Corners of a stroke, right and down, as shares of the height."""

WIDTH = 0.7
"""Width of a digit, as a share of its height."""

TOUCHING = 0.05
"""Length by which digits overlap that touch, in digit widths, and width of the line of a box, so that boxes join."""

LAYOUTS = ("row", "column")

FONTS = tuple(
    f"{name}.ttf"
    for name in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "STIXGeneralItalic")
)

RAW_HEIGHT = 20
"""Height of MNIST's digits in pixels."""


# Several digits


def enlarged(_random: Random, digits: Sequence[Digit], _labels: Sequence[int], height: float) -> list[Plane]:
    """Enlarge MNIST's own strokes smoothly."""
    return [_cropped(digit.enlarged(height)) for digit in digits]


def raw(_random: Random, digits: Sequence[Digit], _labels: Sequence[int], _height: float) -> list[Plane]:
    """Return MNIST's own pixels."""
    return [_cropped(digit.image / np.float32(255)) for digit in digits]


def pen(random: Random, digits: Sequence[Digit], _labels: Sequence[int], height: float) -> list[Plane]:
    """Draw the digits' skeletons with one pen."""
    width = height * random.uniform(0.05, 0.13)
    return [_cropped(digit.drawn(random, height * random.uniform(0.85, 1.1), width)) for digit in digits]


def uneven(random: Random, digits: Sequence[Digit], _labels: Sequence[int], height: float) -> list[Plane]:
    """Draw the digits with one pen in different heights, as in a power: the lowest has half to 0.7 of the height."""
    sizes = random.permutation([random.uniform(0.5, 0.7), *random.uniform(0.5, 1, len(digits) - 2), 1.0])
    width = height * random.uniform(0.05, 0.08)
    return [
        _cropped(digit.drawn(random, height * size, width)) for digit, size in zip(digits, sizes.tolist(), strict=True)
    ]


def beside_small(random: Random, digits: Sequence[Digit], _labels: Sequence[int], height: float) -> list[Plane]:
    """Draw the digits with one pen, one of them as large as it is, the others with 0.3 to 0.45 of the height."""
    sizes = random.permutation([1.0, *random.uniform(0.3, 0.45, len(digits) - 1)]).tolist()
    width = height * random.uniform(0.04, 0.06)
    return [_cropped(digit.drawn(random, height * size, width)) for digit, size in zip(digits, sizes, strict=True)]


def in_dots(random: Random, digits: Sequence[Digit], _labels: Sequence[int], height: float) -> list[Plane]:
    """Draw the digits in dots, as for tracing."""
    step = random.uniform(0.07, 0.1)
    radius = height * step * random.uniform(0.25, 0.38)
    return [_along(digit, step, height, radius) for digit in digits]


def in_dashes(random: Random, digits: Sequence[Digit], _labels: Sequence[int], height: float) -> list[Plane]:
    """Draw the digits in dashes."""
    width, seed = height * random.uniform(0.05, 0.09), int(random.integers(2**31))
    inks = (digit.drawn(random, height, width) for digit in digits)
    return [_cropped(_striped(np.random.default_rng(seed), ink, height)) for ink in inks]


def printed(random: Random, _digits: Sequence[Digit], labels: Sequence[int], height: float) -> list[Plane]:
    """Set the digits in one font."""
    font = FONTS[random.integers(len(FONTS))]
    return [_set(label, font, height) for label in labels]


def beside_print(random: Random, digits: Sequence[Digit], labels: Sequence[int], height: float) -> list[Plane]:
    """Set the first digit in a font, and draw the others with a pen."""
    return printed(random, digits, labels[:1], height * random.uniform(0.7, 1)) + pen(random, digits[1:], (), height)


def boxes(random: Random, digits: Sequence[Digit], labels: Sequence[int], height: float) -> list[Plane]:
    """Draw each digit in a box, as in the cells of a form."""
    line = math.ceil(TOUCHING * WIDTH * height)
    return [_in_square(ink, height, lambda square: cv2.rectangle(square, (0, 0), _last(square), 1.0, 2 * line - 1))
            for ink in pen(random, digits, labels, height)]  # fmt: skip


def circles(random: Random, digits: Sequence[Digit], labels: Sequence[int], height: float) -> list[Plane]:
    """Draw each digit in a circle."""
    line = max(1, round(height * random.uniform(0.03, 0.08)))

    def circle(square: Plane) -> None:
        middle = len(square) // 2
        cv2.circle(square, (middle, middle), middle - line, 1.0, line, cv2.LINE_AA)

    return [_in_square(ink, height, circle) for ink in pen(random, digits, labels, height)]


def tiles(random: Random, digits: Sequence[Digit], labels: Sequence[int], height: float) -> list[Plane]:
    """Paint each digit light on a dark tile, as on keys."""
    return [1 - _in_square(ink, height, lambda _square: None) for ink in pen(random, digits, labels, height)]


def pen_or_print(random: Random, digits: Sequence[Digit], labels: Sequence[int], height: float) -> list[Plane]:
    """Draw the digits with one pen, or set them in one font."""
    return (pen if random.random() < 0.5 else printed)(random, digits, labels, height)


STYLES: dict[str, Style] = {
    "raw": raw,
    "enlarged": enlarged,
    "pen": pen,
    "photograph": pen,
    "print": printed,
    "uneven": uneven,
    "beside small": beside_small,
    "beside print": beside_print,
    "boxes": boxes,
    "circles": circles,
    "tiles": tiles,
    "dots": in_dots,
    "dashes": in_dashes,
    "one disc": pen_or_print,
    "one tile": pen_or_print,
    "one card": pen_or_print,
}


def on_disc(random: Random, page: Plane) -> Plane:
    """Put a dark disc around all ink, and leave the ink out of it."""
    radius = math.hypot(*page.shape) / 2 * random.uniform(0.9, 1.1)
    page = np.pad(page, max(1, math.ceil(1.1 * radius - min(page.shape) / 2)))
    middle = page.shape[1] // 2, page.shape[0] // 2
    surface = cv2.circle(
        np.zeros(page.shape, np.float32), middle, round(radius), random.uniform(0.5, 1), -1, cv2.LINE_AA
    )
    return surface * (1 - page)


def on_tile(random: Random, page: Plane) -> Plane:
    """Put a dark tile around all ink, and leave the ink out of it."""
    rows, columns = page.shape
    page = np.pad(page, ((round(max(0, columns * random.uniform(0.5, 0.9) - rows) / 2),) * 2, (0, 0)))
    return np.pad(random.uniform(0.5, 1) * (1 - page), round(0.1 * columns))


def on_card(random: Random, page: Plane) -> Plane:
    """Put a dark band above or under ink, as on a leaf of a calendar, and perhaps a line around both."""
    rows, columns = page.shape
    page = np.pad(page, ((round(max(0, columns * random.uniform(0.6, 0.9) - rows) / 2),) * 2, (rows // 4,) * 2))
    band = np.full((round(len(page) * random.uniform(0.15, 0.5)), page.shape[1]), random.uniform(0.4, 1), np.float32)
    card = np.vstack([band, page] if random.random() < 0.7 else [page, band])
    line = max(1, rows // 60)
    if random.random() < 0.5:
        card = np.maximum(card, np.pad(np.zeros_like(card)[line:-line, line:-line], line, constant_values=0.5))
    return np.pad(card, round(0.1 * columns))


SURFACES: dict[str, Callable[[Random, Plane], Plane]] = {"one disc": on_disc, "one tile": on_tile, "one card": on_card}
"""The surface that carries all digits of an image, by style: a function that takes random numbers and ink, and returns
how dark each pixel is, 0 to 1."""


def several(
    random: Random, style: str, digits: Sequence[Digit], labels: Sequence[int], layout: str, gap: float
) -> bytes:
    """Draw several digits in one image.

    Args:
        random: Source of random numbers.
        style: Key of `STYLES`.
        digits: Digits of MNIST.
        labels: True digit of each.
        layout: One of `LAYOUTS`.
        gap: Distance between the digits, in digit widths. If it is negative, they overlap.
    """
    height = RAW_HEIGHT if style == "raw" else random.uniform(40, 180)
    inks = STYLES[style](random, digits, labels, height)
    pixels = max(1, round(gap * WIDTH * height)) if gap >= 0 else math.floor(gap * WIDTH * height)
    page = arranged(random, inks, layout, pixels, margin=round(height * 0.2))
    if style in SURFACES:
        page = SURFACES[style](random, page)
    if style == "photograph":
        scene = coloured(page, (35, 40, 60), (225, 222, 215))
        return jpeg(random, photographed(random, scene, gradient(random, page.shape, random.uniform(0.6, 0.95))))
    if style == "raw" and random.random() < 0.7:
        return png(255 * page)
    return png(coloured(page, (20, 20, 30), WHITE))


def as_array(digits: Sequence[Digit]) -> bytes:
    """Put MNIST's images side by side as they are, as arrays of 28 by 56 pixels have them."""
    return encoded(np.hstack([digit.image for digit in digits]), "PNG")


def arranged(random: Random, inks: Sequence[Plane], layout: str, gap: int, margin: int) -> Plane:
    """Place inks in a row or a column, with a gap in pixels between them, not quite on one line."""
    if layout == "column":
        return arranged(random, [ink.T for ink in inks], "row", gap, margin).T
    tallest = max(len(ink) for ink in inks)
    page = np.zeros((tallest, sum(ink.shape[1] for ink in inks) + max(gap, 0) * len(inks)), np.float32)
    right = -gap
    for ink in inks:
        left, top = right + gap, round(random.uniform(0, tallest - len(ink)))
        right = left + ink.shape[1]
        place = slice(top, top + len(ink)), slice(left, right)
        page[place] = np.maximum(page[place], ink)
    return np.pad(page[:, :right], margin)


def _in_square(ink: Plane, height: float, draw: Callable[[Plane], object]) -> Plane:
    """Put ink into the middle of a square that is twice as high as a digit, with something drawn around it."""
    square = np.zeros((round(2 * height),) * 2, np.float32)
    draw(square)
    top, left = (len(square) - ink.shape[0]) // 2, (len(square) - ink.shape[1]) // 2
    place = slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1])
    square[place] = np.maximum(square[place], ink)
    return square


def _last(square: Plane) -> tuple[int, int]:
    """Return the column and the row of the last pixel."""
    return square.shape[1] - 1, square.shape[0] - 1


def _cropped(ink: Plane) -> Plane:
    left, top, width, height = cv2.boundingRect((ink > 0.2).astype(np.uint8))
    return ink[top : top + height, left : left + width].astype(np.float32)


def _set(label: int, name: str, height: float) -> Plane:
    return _cropped(lettered(str(label), name, round(height * 1.35), margin=2) / np.float32(255))


# One digit in several parts


def whole(random: Random, digit: Digit) -> bytes:
    """Draw one digit with a pen."""
    return _on_white(random, digit.by_hand(random, random.uniform(40, 180)))


def small(random: Random, digit: Digit) -> bytes:
    """Place MNIST's own pixels away from the middle of a small image."""
    ink = _cropped(digit.image / np.float32(255))
    return png(255 * np.pad(ink, [(int(a), int(b)) for a, b in random.integers(0, 14, (2, 2))]))


def broken(random: Random, digit: Digit) -> bytes:
    """Let the pen skip once or twice: a straight band across the digit is missing."""
    size = random.uniform(40, 180)
    ink = digit.by_hand(random, size)
    rows, columns = np.indices(ink.shape)
    for _ in range(int(random.integers(1, 3))):
        angle, at = random.uniform(0, np.pi), random.uniform(0.25, 0.75, 2) * ink.shape
        distance = (rows - at[0]) * np.sin(angle) + (columns - at[1]) * np.cos(angle)
        ink = ink * (np.abs(distance) > size * random.uniform(0.01, 0.04))
    return _on_white(random, ink)


def cut_across(random: Random, digit: Digit) -> bytes:
    """Cut a digit across once, as a pen that skips does: a band of 0.02 to 0.1 of its height is missing."""
    size = random.uniform(40, 180)
    ink = digit.by_hand(random, size)
    rows, columns = np.indices(ink.shape)
    slant, at = random.uniform(-0.5, 0.5), random.uniform(0.2, 0.8) * len(ink)
    distance = (rows - at + slant * (columns - ink.shape[1] / 2)) / math.hypot(1, slant)
    return _on_white(random, ink * (np.abs(distance) > size * random.uniform(0.01, 0.05)))


def dotted(random: Random, digit: Digit) -> bytes:
    """Draw a digit in dots, as for tracing."""
    step, size = random.uniform(0.07, 0.1), random.uniform(80, 180)
    return _on_white(random, _along(digit, step, size, size * step * random.uniform(0.25, 0.38)))


def dashed(random: Random, digit: Digit) -> bytes:
    """Draw a digit in dashes: slanting stripes of it are missing."""
    size = random.uniform(80, 180)
    ink = digit.drawn(random, size, size * random.uniform(0.05, 0.09))
    return _on_white(random, _striped(random, ink, size))


def stroked(random: Random, strokes: Sequence[Stroke]) -> bytes:
    """Draw strokes with a pen that shakes, turned a little.

    Args:
        random: Source of random numbers.
        strokes: Strokes.
    """
    size = random.uniform(50, 180)
    turn = np.deg2rad(random.uniform(-8, 8))
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    width = max(1, round(size * random.uniform(0.04, 0.11)))
    ink = np.zeros((round(size * 1.8),) * 2, np.uint8)
    for stroke in strokes:
        points = (np.array(stroke) + random.normal(0, 0.015, (len(stroke), 2))) @ matrix
        cv2.polylines(ink, [np.rint((points + 0.35) * size).astype(np.int32)], False, 255, width, cv2.LINE_AA)
    return _on_white(random, _cropped(ink / np.float32(255)))


def flying_bar(random: Random, _digit: Digit) -> bytes:
    """Draw a five with its bar away from the body."""
    away = random.uniform(0.1, 0.22)
    body = [(0.12, 0.0), (0.1, 0.42), *_arc(0.28, 0.66, 0.3, 0.32, -130, 140)]
    start = random.uniform(0.12, 0.3)
    bar = [(start, -away), (start + random.uniform(0.25, 0.5), -away - random.uniform(-0.06, 0.1))]
    return stroked(random, [body, bar])


def open_four(random: Random, _digit: Digit) -> bytes:
    """Draw a four of two strokes that do not touch."""
    gap = random.uniform(0.1, 0.2)
    right = random.uniform(0.45, 0.55)
    low = random.uniform(0.55, 0.68)
    corner = [(random.uniform(0, 0.25), 0.0), (0.0, low), (right - gap if random.random() < 0.5 else right, low)]
    above = corner[2][0] < right
    return stroked(random, [corner, [(right, 0.1 if above else 0.0), (right, 1.0 if above else low - gap)]])


def loose_seven(random: Random, _digit: Digit) -> bytes:
    """Draw a seven whose top bar, or the bar through its stem, does not touch the stem."""
    gap = random.uniform(0.1, 0.18)
    if random.random() < 0.5:
        return stroked(random, [[(0, 0), (0.55, 0)], [(0.52, gap), (0.25, 1)]])
    return stroked(random, [[(0, 0), (0.55, 0), (0.25, 1)], [(0.5, 0.5), (0.7, 0.5)]])


def halved_zero(random: Random, _digit: Digit) -> bytes:
    """Draw a zero in two halves, like brackets."""
    gap, wide = random.uniform(18, 40), random.uniform(0.28, 0.45)
    halves = [_arc(wide, 0.5, wide, 0.5, side + gap / 2, side + 180 - gap / 2) for side in (-90, 90)]
    return stroked(random, halves)


def two_loops(random: Random, _digit: Digit) -> bytes:
    """Draw an eight of two loops that do not touch."""
    gap, upper, lower = random.uniform(0.09, 0.14), random.uniform(0.18, 0.22), random.uniform(0.22, 0.28)
    wide = random.uniform(0.9, 1.2)
    return stroked(
        random,
        [
            _arc(0.3, upper, upper * wide, upper, 0, 360),
            _arc(0.3, 2 * upper + gap + lower, lower * wide, lower, 0, 360),
        ],
    )


def loose_one(random: Random, _digit: Digit) -> bytes:
    """Draw a one whose serif or foot does not touch the stem."""
    gap = random.uniform(0.1, 0.16)
    strokes: list[Stroke] = [[(0.3, 0), (0.3, 1)]]
    choice = random.integers(3)
    if choice != 1:
        strokes.append([(0.3 - gap, 0.05), (0.3 - gap - random.uniform(0.1, 0.25), random.uniform(0.2, 0.35))])
    if choice != 0:
        strokes.append([(0.05, 1 + gap), (0.55, 1 + gap)])
    return stroked(random, strokes)


def with_point(random: Random, digit: Digit) -> bytes:
    """Draw a digit with a full stop, a comma or an accent beside it."""
    size = random.uniform(50, 180)
    ink = np.pad(digit.by_hand(random, size), round(size * 0.4))
    centre = round(random.uniform(0.85, 0.95) * ink.shape[1] - 0.2 * size), round(len(ink) - 0.42 * size)
    end = (centre[0] - round(0.04 * size), centre[1] + round(random.uniform(0, 0.12) * size))
    cv2.line(ink, centre, end, 1.0, max(2, round(random.uniform(0.08, 0.14) * size)), cv2.LINE_AA)
    return _on_white(random, ink)


def with_comma(random: Random, digit: Digit) -> bytes:
    """Draw a digit with a comma of 0.28 to 0.4 of its height."""
    size = random.uniform(50, 180)
    ink = np.pad(digit.by_hand(random, size), round(size * 0.5))
    height = random.uniform(0.28, 0.4) * size
    top = len(ink) - 0.5 * size - random.uniform(0.4, 0.55) * height
    left = ink.shape[1] - 0.5 * size + random.uniform(0.1, 0.25) * size
    bend = [(left + 0.25 * height, top), (left + 0.35 * height, top + 0.4 * height), (left, top + height)]
    width = max(1, round(0.2 * height))
    cv2.polylines(ink, [np.rint(bend).astype(np.int32)], False, 1.0, width, cv2.LINE_AA)
    cv2.circle(ink, np.rint(bend[0]).astype(int).tolist(), width, 1.0, -1, cv2.LINE_AA)
    return _on_white(random, ink)


def with_specks(random: Random, digit: Digit) -> bytes:
    """Draw a digit among specks of up to a tenth of its size."""
    size = random.uniform(50, 180)
    ink = np.pad(digit.by_hand(random, size), round(size * 0.4))
    for row, column in (random.uniform(0, 1, (int(random.integers(2, 12)), 2)) * ink.shape).astype(int).tolist():
        cv2.circle(ink, (column, row), round(size * random.uniform(0.01, 0.05)), 1.0, -1, cv2.LINE_AA)
    return _on_white(random, ink)


def with_lines(random: Random, digit: Digit) -> bytes:
    """Draw a digit between ruled lines that are as dark as its ink."""
    size = random.uniform(60, 180)
    ink = np.pad(digit.by_hand(random, size), round(size * 0.4))
    for row in (0.15 * size, len(ink) - random.uniform(0.15, 0.3) * size):
        cv2.line(ink, (0, round(row)), (ink.shape[1], round(row)), 1.0, max(1, round(size * 0.02)), cv2.LINE_AA)
    return _on_white(random, ink)


def beside_rest(random: Random, digit: Digit) -> bytes:
    """Cut a digit out of a row so that a rest of its neighbour stays at the border."""
    size = random.uniform(50, 180)
    ink = np.pad(digit.by_hand(random, size), round(size * 0.3))
    neighbour = digit.by_hand(random, size)[: len(ink)]
    shown = max(1, round(min(neighbour.shape[1] * 0.35, ink.shape[1] * random.uniform(0.03, 0.1))))
    top = int(random.integers(0, len(ink) - len(neighbour) + 1))
    if random.random() < 0.5:
        columns, rest = slice(ink.shape[1] - shown, None), neighbour[:, :shown]
    else:
        columns, rest = slice(shown), neighbour[:, -shown:]
    rows = slice(top, top + len(neighbour))
    ink[rows, columns] = np.maximum(ink[rows, columns], rest)
    return png(coloured(ink, (20, 20, 30), WHITE))


SINGLES: dict[str, Single] = {
    "whole": whole,
    "small": small,
    "broken": broken,
    "cut across": cut_across,
    "1 cut across": cut_across,
    "dotted": dotted,
    "dashed": dashed,
    "5 with flying bar": flying_bar,
    "4 of two strokes": open_four,
    "7 with loose bar": loose_seven,
    "0 in two halves": halved_zero,
    "8 in two loops": two_loops,
    "1 with loose parts": loose_one,
    "point": with_point,
    "comma": with_comma,
    "specks": with_specks,
    "ruled lines": with_lines,
    "neighbour's rest": beside_rest,
}

LABELS = {name: int(name[0]) for name in SINGLES if name[0].isdigit()}
"""Label of the kinds that draw one digit only. The others draw the digit that they are given."""


def _arc(x: float, y: float, across: float, down: float, start: float, stop: float) -> list[tuple[float, float]]:
    """Return points of an ellipse, clockwise from `start` to `stop` degrees; 0 is at the right."""
    angles = np.deg2rad(np.linspace(start, stop, 24))
    return [(x + across * float(np.cos(angle)), y + down * float(np.sin(angle))) for angle in angles]


def _striped(random: Random, ink: Plane, size: float) -> Plane:
    """Take slanting stripes out of a digit of this size."""
    rows, columns = np.indices(ink.shape) / size
    period, gap = random.uniform(0.16, 0.28), random.uniform(0.04, 0.08)
    slant = random.uniform(-0.4, 0.4)
    striped: Plane = ink * ((rows + slant * columns) % period > gap)
    return striped


def _along(digit: Digit, step: float, size: float, radius: float) -> Plane:
    """Draw dots of a radius in pixels along the skeleton, `step` apart as a share of the size in pixels."""
    points = digit.pieces.mean(axis=1)
    points = (points - points.min(0)) / np.ptp(points, axis=0).max()
    ink = np.zeros((round(1.2 * size),) * 2, np.uint8)
    left: NDArray[np.float64] = points
    while len(left):
        place = tuple(np.rint((left[0] + 0.1) * size).astype(int).tolist())
        cv2.circle(ink, place, max(1, round(radius)), 255, -1, cv2.LINE_AA)
        left = left[np.linalg.norm(left - left[0], axis=1) >= step]
    return _cropped(ink / np.float32(255))


def _on_white(random: Random, ink: Plane) -> bytes:
    margin = round(max(ink.shape) * random.uniform(0.05, 0.4))
    page = np.pad(ink, margin)
    if random.random() < 0.3:
        scene = coloured(page, (35, 40, 60), (225, 222, 215))
        return jpeg(random, photographed(random, scene, gradient(random, page.shape, random.uniform(0.6, 0.95))))
    return png(coloured(page, (20, 20, 30), WHITE))
