"""Digits with something around them, shapes with nothing in them, and zeros: the images that `surroundings.py` reads.

A kind is a function that takes random numbers and a pen, and returns the bytes of an image file. The pen draws the ink
of a digit at a size, and the kind draws what is around it: a circle, a disc, a tile, a button, a box, an underline.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scruffy_images import Colour, Digit, Plane, Random, Scene, eight_bits, encoded, gradient, grain, lettered

Pen: TypeAlias = Callable[[Random, float], Plane]
"""A function that draws a digit whose longer side has this many pixels, and crops the plane to it."""

Kind: TypeAlias = Callable[[Random, Pen], bytes]
"""A function that returns the bytes of an image file with the pen's digit in it."""

Points: TypeAlias = NDArray[np.float64]
"""Column and row of the corners of an outline, in pixels, (n, 2)."""

FONTS = (
    *(f"DejaVuSans{kind}.ttf" for kind in ("", "-Bold", "-Oblique")),
    *(f"DejaVuSerif{kind}.ttf" for kind in ("", "-Bold")),
    *(f"STIXGeneral{kind}.ttf" for kind in ("", "Bol")),
)
_SUBPIXEL = 4
_DARK: tuple[Colour, ...] = ((15, 15, 20), (30, 45, 130), (110, 20, 30), (20, 80, 40), (60, 60, 60))
_LIGHT: tuple[Colour, ...] = ((255, 255, 255), (245, 243, 235), (225, 230, 240), (250, 240, 200))
_VIVID: tuple[Colour, ...] = (
    (20, 90, 190), (200, 40, 40), (30, 140, 70), (230, 120, 20),
    (90, 50, 150), (20, 20, 20), (70, 75, 85), (0, 120, 140),
)  # fmt: skip


_BRIGHT: tuple[Colour, ...] = ((250, 90, 90), (120, 200, 255), (240, 200, 60))

_HEADS = ("MON", "FRI", "JAN", "JULY", "No.", "ROW", "TEAM")


# Pens


def handwriting(digit: Digit) -> Pen:
    """Return a pen that writes a digit of MNIST."""
    return lambda random, size: digit.by_hand(random, size, (0.06, 0.14))


def print_of(label: int) -> Pen:
    """Return a pen that prints a digit in a random font."""

    def draw(random: Random, size: float) -> Plane:
        font = FONTS[random.integers(len(FONTS))]
        return lettered(str(label), font, max(8, round(size * 1.4)), margin=2) / np.float32(255)

    return draw


def nothing(_random: Random, size: float) -> Plane:
    """Draw nothing: the pen of an empty shape."""
    return np.zeros((max(3, round(size)), max(3, round(size * 0.7))), np.float32)


# Canvas


class Canvas:
    """A page on which a kind paints, in colour, at least `DETAIL` pixels a side, whatever the size of its file.

    Attributes:
        scene: Levels, float32 (height, width, 3).
        side: Length of the shorter side in pixels.
        fill: Size of the shape around the digit, as a share of `side`.
        centre: Column and row of the middle of the shape.
    """

    DETAIL = 240

    def __init__(self, random: Random, ground: Colour, least: int = 28) -> None:
        """Choose the size of the file and the place of the shape.

        Args:
            random: Source of random numbers.
            ground: Colour of the page.
            least: Minimum length of the shorter side of the file, in pixels.
        """
        lowest, highest = ((28, 64), (64, 200), (200, 1000))[random.choice(3, p=(0.2, 0.45, 0.35))]
        self._file_side = int(random.integers(max(least, lowest), max(least + 1, highest)))
        self.side = max(self.DETAIL, self._file_side)
        self.fill = random.uniform(0.8, 0.96) if self._file_side < 64 else random.uniform(0.45, 0.95)
        rows, columns = self.side, self.side
        if random.random() < 0.5:
            longer = round(self.side * random.uniform(1, 1.6 if self._file_side >= 64 else 1.1))
            rows, columns = (longer, columns) if random.random() < 0.4 else (rows, longer)
        self.scene: Scene = np.empty((rows, columns, 3), np.float32)
        self.scene[:] = np.asarray(ground, np.float32)
        radius = self.fill * self.side / 2
        self.centre = np.array([random.uniform(radius, columns - radius), random.uniform(radius, rows - radius)])

    def pixels(self, length: float) -> float:
        """Return the width of a line, at least one pixel of the file."""
        return max(length, 1.2 * self.side / self._file_side)

    def paint(self, plane: Plane, colour: Colour | Scene) -> None:
        """Paint a colour where a plane of the canvas' shape has ink."""
        self.scene += plane[..., np.newaxis] * (np.asarray(colour, np.float32) - self.scene)

    def filled(self, outline: Points) -> Plane:
        """Return the plane inside an outline."""
        plane = np.zeros(self.scene.shape[:2], np.uint8)
        cv2.fillPoly(plane, [_fixed(outline)], 255, cv2.LINE_AA, _SUBPIXEL)
        return plane / np.float32(255)

    def line(self, points: Points, width: float, *, closed: bool = False) -> Plane:
        """Return the plane of a line through points."""
        plane = np.zeros(self.scene.shape[:2], np.uint8)
        cv2.polylines(plane, [_fixed(points)], closed, 255, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL)
        return plane / np.float32(255)

    def ink(self, ink: Plane, centre: Points) -> Plane:
        """Return the plane of ink whose middle is at a place. What lies outside the canvas is cut off."""
        plane = np.zeros(self.scene.shape[:2], np.float32)
        rows, columns = ink.shape
        left, top = (round(at - own / 2) for at, own in zip(centre, (columns, rows), strict=True))
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(plane.shape[1], left + columns), min(plane.shape[0], top + rows)
        if x1 > x0 and y1 > y0:
            plane[y0:y1, x0:x1] = ink[y0 - top : y1 - top, x0 - left : x1 - left]
        return plane

    def file(self, random: Random) -> bytes:
        """Return the bytes of the file: a screenshot, a JPEG, or a photograph in uneven light."""
        scene, way = self.scene, random.random()
        if way > 0.6:
            scene = scene * gradient(random, scene.shape[:2], random.uniform(0.65, 0.98))[..., np.newaxis]
            scene = cv2.GaussianBlur(scene, (0, 0), 0.5 + 0.002 * self.side)
        factor = self._file_side / self.side
        if factor < 1:
            scene = cv2.resize(scene, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        if way > 0.6:
            scene = scene + random.uniform(1, 5) * grain(random, scene.shape[:2])[..., np.newaxis]
        if random.random() < 0.15:
            scene = np.repeat(scene.mean(axis=2, keepdims=True), 3, axis=2)
        if way < 0.3:
            return encoded(eight_bits(scene), "PNG", compress_level=1)
        return encoded(eight_bits(scene), "JPEG", quality=int(random.integers(55, 95)))


def _fixed(points: Points) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.rint(np.asarray(points) * 2**_SUBPIXEL).astype(np.int32)
    return fixed


def _one(random: Random, choices: tuple[Colour, ...]) -> Colour:
    return choices[random.integers(len(choices))]


def _page(random: Random, least: int = 28) -> tuple[Canvas, Colour]:
    """Return a page and the colour of its ink: dark on light, or one time in four light on dark."""
    paper, ink = _one(random, _LIGHT), _one(random, _DARK)
    if random.random() < 0.25:
        paper, ink = ink, paper
    return Canvas(random, paper, least), ink


def _contrasting(random: Random, colour: Colour) -> Colour:
    """Return the colour of ink that people can see on this one."""
    level = float(np.dot(colour, (0.299, 0.587, 0.114)))
    return _one(random, _LIGHT) if level < 130 else _one(random, _DARK)


# Shapes


def _ellipse(centre: Points, across: float, down: float, turn: float = 0, ends: tuple[float, float] = (0, 1)) -> Points:
    """Return an ellipse of these semi-axes, or the part of it between two shares of a turn."""
    angle = 2 * np.pi * np.linspace(*ends, 160)
    points = np.stack([across * np.cos(angle), down * np.sin(angle)], axis=1)
    ellipse: Points = centre + points @ _turn(turn)
    return ellipse


def _turn(angle: float) -> Points:
    """Return the matrix that turns points by an angle."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _rounded(centre: Points, across: float, down: float, radius: float) -> Points:
    """Return a rectangle of these half sides, with round corners."""
    angle = np.linspace(0, np.pi / 2, 24)
    corner = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius
    corners = []
    for index, (right, bottom) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        turn = index * np.pi / 2
        matrix = _turn(turn)
        corners.append(corner @ matrix + (right * (across - radius), bottom * (down - radius)))
    rectangle: Points = centre + np.concatenate(corners)
    return rectangle


def _wobbling(random: Random, points: Points, share: float) -> Points:
    """Move the points of an outline in and out, as a hand does."""
    middle = points.mean(axis=0)
    angle = np.linspace(0, 2 * np.pi, len(points))
    factor = np.ones(len(points))
    for order in (2, 3, 5):
        factor += random.normal(0, share / order) * np.cos(order * angle + random.uniform(0, 2 * np.pi))
    wobbling: Points = middle + (points - middle) * factor[:, np.newaxis]
    return wobbling


def _written(random: Random, canvas: Canvas, pen: Pen, room: float, *, centred: float = 0.06) -> Plane:
    """Return the plane of a digit with a diagonal of `room` pixels at most, near the canvas' centre."""
    ink = pen(random, room)
    if (longest := float(np.hypot(*ink.shape))) > room:
        ink = pen(random, room * room / longest)
    return canvas.ink(ink, canvas.centre + random.uniform(-centred, centred, 2) * room)


def _circled(
    random: Random,
    pen: Pen,
    *,
    by_hand: bool,
    other_colour: bool = False,
    shape: float = 1,
    room: tuple[float, float] = (0.55, 0.85),
) -> bytes:
    canvas, ink = _page(random)
    radius = canvas.fill * canvas.side / 2
    across, down = (radius, radius / shape) if random.random() < 0.5 else (radius / shape, radius)
    turn = random.uniform(-0.4, 0.4) if by_hand and shape != 1 else 0
    width = canvas.pixels(radius * random.uniform(0.015, 0.11))
    points = _ellipse(canvas.centre, across - width / 2 - 1, down - width / 2 - 1, turn)
    if by_hand:
        points = _wobbling(random, points, 0.025)
    colour = ink
    if other_colour:
        colour = _one(random, _VIVID[:5] if np.mean(ink) < 128 else _BRIGHT)
    canvas.paint(canvas.line(points, width, closed=True), colour)
    diagonal = 2 * (min(across, down) - width) * random.uniform(*room)
    canvas.paint(_written(random, canvas, pen, diagonal), ink)
    return canvas.file(random)


# Kinds with a line around the digit


def circle(random: Random, pen: Pen) -> bytes:
    """Print a circle around a digit."""
    return _circled(random, pen, by_hand=False)


def pen_circle(random: Random, pen: Pen) -> bytes:
    """Draw a circle around a digit by hand."""
    return _circled(random, pen, by_hand=True)


def coloured_circle(random: Random, pen: Pen) -> bytes:
    """Draw a circle of another colour around a digit, as teachers do."""
    return _circled(random, pen, by_hand=random.random() < 0.6, other_colour=True)


def ellipse(random: Random, pen: Pen) -> bytes:
    """Draw an ellipse around a digit."""
    return _circled(random, pen, by_hand=random.random() < 0.5, shape=random.uniform(1.15, 1.7))


def open_circle(random: Random, pen: Pen) -> bytes:
    """Draw a circle whose ends leave a gap, pass each other, or run on."""
    canvas, ink = _page(random, 40)
    radius = canvas.fill * canvas.side / 2
    width = canvas.pixels(radius * random.uniform(0.02, 0.09))
    start, beyond = random.uniform(0, 1), random.uniform(-0.1, 0.12)
    points = _ellipse(canvas.centre, radius - width, radius - width, 0, (start, start + 1 + beyond))
    points = _wobbling(random, points, 0.02)
    drift = np.linspace(1, 1 - random.uniform(0, 0.14), len(points))[:, np.newaxis]
    points = canvas.centre + (points - canvas.centre) * drift
    canvas.paint(canvas.line(points, width), ink)
    room = 2 * (radius * drift.min() - width) * random.uniform(0.55, 0.8)
    canvas.paint(_written(random, canvas, pen, room), ink)
    return canvas.file(random)


def wide_open_circle(random: Random, pen: Pen) -> bytes:
    """Draw a circle that ends 20 to 130 degrees before its start."""
    canvas, ink = _page(random, 40)
    radius = canvas.fill * canvas.side / 2
    width = canvas.pixels(radius * random.uniform(0.02, 0.1))
    start, gap = random.uniform(0, 1), random.uniform(20, 130) / 360
    down = (radius - width) * random.uniform(0.88, 1)
    points = _ellipse(canvas.centre, radius - width, down, random.uniform(0, np.pi), (start, start + 1 - gap))
    points = canvas.centre + _wobbling(random, points - canvas.centre, 0.02)
    canvas.paint(canvas.line(points, width), ink)
    canvas.paint(_written(random, canvas, pen, 2 * (down - width) * random.uniform(0.5, 0.78)), ink)
    return canvas.file(random)


def double_circle(random: Random, pen: Pen) -> bytes:
    """Draw two circles, one in the other, around a digit."""
    canvas, ink = _page(random, 48)
    radius = canvas.fill * canvas.side / 2
    width = canvas.pixels(radius * random.uniform(0.02, 0.06))
    gap = width + canvas.pixels(radius * random.uniform(0.05, 0.14))
    by_hand, colour = random.random() < 0.4, ink if random.random() < 0.6 else _one(random, _VIVID[:5])
    if np.mean(ink) > 128:
        colour = ink
    for size in (radius - width / 2 - 1, radius - width / 2 - 1 - gap):
        points = _ellipse(canvas.centre, size, size)
        canvas.paint(canvas.line(_wobbling(random, points, 0.008) if by_hand else points, width, closed=True), colour)
    room = 2 * (radius - gap - 2 * width) * random.uniform(0.55, 0.85)
    canvas.paint(_written(random, canvas, pen, room), ink)
    return canvas.file(random)


def touching_circle(random: Random, pen: Pen) -> bytes:
    """Draw a circle that a digit touches."""
    canvas, ink = _page(random)
    radius = canvas.fill * canvas.side / 2
    width = canvas.pixels(radius * random.uniform(0.02, 0.08))
    points = _ellipse(canvas.centre, radius - width / 2 - 1, radius - width / 2 - 1)
    if random.random() < 0.5:
        points = _wobbling(random, points, 0.015)
    canvas.paint(canvas.line(points, width, closed=True), ink)
    drawn = pen(random, 2 * radius * random.uniform(0.6, 0.72))
    inner = radius - 1.5 * width
    rows, columns = np.nonzero(drawn > 0.5)
    if len(rows):
        # The digit moves in some direction until its farthest ink lies in the line.
        angle = random.uniform(0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle)])
        at = np.stack([columns, rows], axis=1) - np.array(drawn.shape[::-1]) / 2
        for step in np.arange(0, radius, 0.5):
            if np.hypot(*(at + way * step).T).max() >= inner + 0.5 * width:
                break
        canvas.paint(canvas.ink(drawn, canvas.centre + way * step), ink)
    return canvas.file(random)


def _box(random: Random, pen: Pen, lines: int, least: int) -> bytes:
    canvas, ink = _page(random, least)
    half = canvas.fill * canvas.side / 2
    across, down = half, half * random.uniform(0.75, 1)
    if random.random() < 0.5:
        across, down = down, across
    width = canvas.pixels(half * random.uniform(0.015, 0.07))
    gap = width + canvas.pixels(half * random.uniform(0.05, 0.12))
    radius = min(across, down) * (random.uniform(0.1, 0.6) if lines == 1 or random.random() < 0.5 else 0.02)
    colour = ink if random.random() < 0.6 or np.mean(ink) > 128 else _one(random, _VIVID)
    for line in range(lines):
        inset = width / 2 + 1 + line * gap
        points = _rounded(canvas.centre, across - inset, down - inset, max(1, radius - line * gap))
        canvas.paint(canvas.line(points, width, closed=True), colour)
    room = 2 * (min(across, down) - width - (lines - 1) * gap) * random.uniform(0.6, 0.95)
    canvas.paint(_written(random, canvas, pen, room), ink)
    return canvas.file(random)


def rounded_box(random: Random, pen: Pen) -> bytes:
    """Print a box with round corners around a digit."""
    return _box(random, pen, 1, 28)


def double_box(random: Random, pen: Pen) -> bytes:
    """Print a box of two lines around a digit, with round or sharp corners."""
    return _box(random, pen, 2, 48)


def polygon(random: Random, pen: Pen) -> bytes:
    """Draw a digit in a diamond, a hexagon or a triangle, as on signs."""
    canvas, ink = _page(random, 40)
    radius = canvas.fill * canvas.side / 2 - 2
    corners, inner = ((3, 0.5), (4, 0.7), (6, 0.86))[random.integers(3)]  # and the radius of the circle in it
    turn = random.uniform(-0.15, 0.15) - np.pi / 2
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    points = canvas.centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    width = canvas.pixels(radius * random.uniform(0.02, 0.08))
    canvas.paint(canvas.line(points, width, closed=True), ink)
    room = 2 * (inner * radius - width) * random.uniform(0.6, 0.85)
    canvas.paint(_written(random, canvas, pen, room, centred=0.04), ink)
    return canvas.file(random)


def divided_box(random: Random, _pen: Pen) -> bytes:
    """Draw a box that lines divide into cells, with nothing in them."""
    canvas, ink = _page(random, 48)
    half = (canvas.fill * canvas.side / 2 - 2) * random.uniform(0.6, 1, 2)
    width = canvas.pixels(half.min() * random.uniform(0.02, 0.05))
    canvas.paint(canvas.line(_rounded(canvas.centre, half[0], half[1], 0), width, closed=True), ink)
    for axis in range(2):
        for share in np.linspace(-1, 1, int(random.integers(3, 6)))[1:-1]:
            ends = np.array(((-1.0, -1.0), (1.0, 1.0)))
            ends[:, axis] = share
            canvas.paint(canvas.line(canvas.centre + ends * half, width), ink)
    return canvas.file(random)


def small_in_a_circle(random: Random, pen: Pen) -> bytes:
    """Print or draw a circle around a digit that leaves much room in it."""
    return _circled(random, pen, by_hand=random.random() < 0.5, room=(0.38, 0.55))


# Kinds with a line of dashes or dots around the digit


def _dashes(random: Random, canvas: Canvas, outline: Points, width: float, *, closed: bool = True) -> Plane:
    """Return the plane of the dashes, or one time in three the dots, that run along an outline."""
    outline = np.vstack([outline, outline[:1]]) if closed else outline
    along = np.concatenate([[0], np.hypot(*np.diff(outline, axis=0).T).cumsum()])
    least = canvas.pixels(2.2 * width)  # a dash and its gap are told apart in the file
    plane = np.zeros(canvas.scene.shape[:2], np.float32)
    if random.random() < 1 / 3:
        width = canvas.pixels(1.6 * width)
        count = int(min(random.integers(12, 40), along[-1] / max(least, 1.7 * width)))
        for at in np.arange(count) * along[-1] / count:
            middle = np.array([np.interp(at, along, line) for line in outline.T])
            plane = np.maximum(plane, canvas.filled(_ellipse(middle, width / 2, width / 2)))
        return plane
    count, filled = int(min(random.integers(10, 36), along[-1] / (2 * least))), random.uniform(0.4, 0.7)
    for start in np.arange(count) * along[-1] / count:
        at = np.linspace(start, start + filled * along[-1] / count, 12)
        points = np.stack([np.interp(at, along, line) for line in outline.T], axis=1)
        plane = np.maximum(plane, canvas.line(points, width))
    return plane


def _dashed(random: Random, pen: Pen, outline: Callable[[Points, float], Points]) -> bytes:
    """Draw an outline of this middle and half side in dashes, with a digit in it."""
    canvas, ink = _page(random, 36)
    half = canvas.fill * canvas.side / 2
    width = canvas.pixels(half * random.uniform(0.02, 0.09))
    points = outline(canvas.centre, half - width)
    colour = ink
    if random.random() < 0.4:
        colour = _one(random, _VIVID[:5] if np.mean(ink) < 128 else _BRIGHT)
    canvas.paint(_dashes(random, canvas, points, width), colour)
    room = 2 * (np.abs(points - canvas.centre).max(axis=0).min() - width) * random.uniform(0.5, 0.85)
    canvas.paint(_written(random, canvas, pen, room), ink)
    return canvas.file(random)


def dashed_circle(random: Random, pen: Pen) -> bytes:
    """Draw a circle or an ellipse of dashes or dots around a digit."""
    shape = np.array([1, random.choice((1, random.uniform(0.7, 1)))])
    across, down = shape if random.random() < 0.5 else shape[::-1]
    return _dashed(random, pen, lambda centre, half: _ellipse(centre, half * across, half * down))


def dashed_box(random: Random, pen: Pen) -> bytes:
    """Draw a box of dashes or dots around a digit, with sharp or round corners."""
    across, down = random.permutation([1, random.uniform(0.75, 1)])
    radius = random.choice((0.02, random.uniform(0.1, 0.5)))
    return _dashed(
        random,
        pen,
        lambda centre, half: _rounded(centre, half * across, half * down, half * radius * min(across, down)),
    )


# Kinds with cells


def _celled(random: Random, pen: Pen, ends: int) -> bytes:
    """Draw a digit in one of several cells, of which the image shows one whole.

    Args:
        random: Source of random numbers.
        pen: Pen that draws the digit.
        ends: Whether the lines between the cells of a row end at the row (0) or run on (1).
    """
    canvas, ink = _page(random, 36)
    rows, columns = canvas.scene.shape[:2]
    strips = random.choice((random.uniform(0.04, 0.2, 4), random.uniform(0.15, 0.3, 4)))
    left, right = strips[0] * columns, (1 - strips[1]) * columns
    top, bottom = strips[2] * rows, (1 - strips[3]) * rows
    lean = np.array([0, random.choice((0, random.uniform(-0.015, 0.015)))]) @ np.array([[0, 0], [-1, 1]])
    width = canvas.pixels(canvas.side * random.uniform(0.006, 0.035))
    colour = ink if random.random() < 0.5 or np.mean(ink) > 128 else _one(random, ((120, 120, 120), *_VIVID[:5]))
    far = np.array([-0.1, 1.1])
    for y in (top, bottom):
        canvas.paint(canvas.line(np.stack([far * columns, y + lean * columns], axis=1), width), colour)
    for x in (left, right):
        down = far * rows if ends else np.array([top, bottom])
        canvas.paint(canvas.line(np.stack([x - lean * rows, down], axis=1), width), colour)
    canvas.centre = np.array([left + right, top + bottom]) / 2
    for side in random.permutation([(-1, 0), (1, 0), (0, -1), (0, 1)])[: random.choice((0, 1, 2), p=(0.5, 0.3, 0.2))]:
        if ends or side[0]:
            away = canvas.centre + side * np.array([right - left, bottom - top])
            canvas.paint(canvas.ink(pen(random, 0.7 * (bottom - top)), away), ink)
    room = min(right - left, bottom - top) - 2 * width
    canvas.paint(_written(random, canvas, pen, room * random.uniform(0.55, 1)), ink)
    return canvas.file(random)


def table_cell(random: Random, pen: Pen) -> bytes:
    """Cut a cell out of a table, with strips of its neighbours and perhaps a part of their digits."""
    return _celled(random, pen, 1)


def form_cell(random: Random, pen: Pen) -> bytes:
    """Cut a cell out of a row of a form, with strips of the cells beside it and of the paper above and below."""
    return _celled(random, pen, 0)


# Kinds with a surface under the digit


def _surface(
    random: Random,
    pen: Pen,
    outline: Callable[[Points, float], Points],
    room: tuple[float, float] = (0.5, 0.85),
    centred: float = 0.06,
) -> bytes:
    """Paint a surface of one colour with a digit on it.

    Args:
        random: Source of random numbers.
        pen: Pen of the digit.
        outline: Function that returns the outline of the surface from its middle and half its side.
        room: Minimum and maximum diagonal of the digit, as shares of the shorter side of the surface.
        centred: Maximum distance of the digit from the middle in each direction, as a share of its diagonal.
    """
    ground = _one(random, _LIGHT) if random.random() < 0.75 else _one(random, _DARK)
    face = _one(random, _VIVID) if np.mean(ground) > 128 else _one(random, (*_LIGHT, (230, 120, 20), (90, 160, 220)))
    canvas = Canvas(random, ground)
    half = canvas.fill * canvas.side / 2 - 1
    points = outline(canvas.centre, half)
    canvas.paint(canvas.filled(points), face)
    size = 2 * np.abs(points - canvas.centre).max(axis=0).min() * random.uniform(*room)
    ink = _contrasting(random, face)
    canvas.paint(_written(random, canvas, pen, size, centred=centred), ink)
    return canvas.file(random)


def disc(random: Random, pen: Pen) -> bytes:
    """Paint a disc with a digit on it, as a bullet of a list, a badge or a ball."""
    return _surface(random, pen, lambda centre, half: _ellipse(centre, half, half))


def elliptic_disc(random: Random, pen: Pen) -> bytes:
    """Paint a filled ellipse with a digit on it."""
    shape = random.uniform(1.1, 1.6)
    across, down = (1, 1 / shape) if random.random() < 0.6 else (1 / shape, 1)
    return _surface(random, pen, lambda centre, half: _ellipse(centre, half * across, half * down))


def rounded_tile(random: Random, pen: Pen) -> bytes:
    """Paint a tile with round corners, as the keys of a telephone on a screen."""
    across, down, radius = random.uniform(0.75, 1), random.uniform(0.75, 1), random.uniform(0.03, 0.5)
    return _surface(
        random,
        pen,
        lambda centre, half: _rounded(centre, half * across, half * down, half * radius * min(across, down)),
    )


def full_disc(random: Random, pen: Pen) -> bytes:
    """Paint a disc or a tile that a digit nearly fills. The digit has about 0.6 to 0.85 of its height."""
    radius = random.choice((0.3, 0.7, 1))
    return _surface(
        random, pen, lambda centre, half: _rounded(centre, half, half, half * radius), room=(0.72, 0.92), centred=0.015
    )


def button(random: Random, pen: Pen) -> bytes:
    """Paint a button with a gradient, and perhaps with a shadow, a border and gloss, as on screens and in lifts."""
    ground: Colour = tuple(random.uniform(150, 255) * np.array((1, random.uniform(0.96, 1), random.uniform(0.92, 1))))
    if random.random() < 0.3:
        ground = tuple(np.array(ground) * 0.25)
    canvas = Canvas(random, ground)
    half = canvas.fill * canvas.side / 2 - 1
    is_round, radius = random.random() < 0.5, random.uniform(0.1, 0.5)
    across, down = (1.0, 1.0) if is_round else (1.0, random.uniform(0.75, 1))

    def outline(size: float) -> Points:
        if is_round:
            return _ellipse(canvas.centre, size, size)
        return _rounded(canvas.centre, size * across, size * down, radius * size * down)

    size = half * 0.92
    if random.random() < 0.5:
        cast = canvas.filled(outline(size) + random.uniform(0, 0.05, 2) * half)
        canvas.paint(
            cv2.GaussianBlur(cast, (0, 0), half * random.uniform(0.01, 0.05)) * random.uniform(0.2, 0.5), (0, 0, 0)
        )
    face = np.asarray(_one(random, (*_VIVID, (190, 195, 200), (235, 235, 235))), np.float32)
    if np.mean(np.abs(face - np.asarray(ground))) < 45:
        face = np.asarray((20, 90, 190) if np.mean(ground) > 128 else (220, 220, 225), np.float32)
    light = gradient(random, canvas.scene.shape[:2], random.uniform(0.5, 0.85))[..., np.newaxis]
    canvas.paint(canvas.filled(outline(size)), face * light)
    if random.random() < 0.4:
        width = canvas.pixels(half * random.uniform(0.02, 0.07))
        edge = face * 0.5 if random.random() < 0.5 else 0.5 * face + 127
        canvas.paint(canvas.line(outline(size - width / 2), width, closed=True), edge)
    if random.random() < 0.4:
        gloss = canvas.filled(outline(size * 0.94)) * canvas.filled(
            _ellipse(canvas.centre - (0, size * 0.8), size * 1.3, size * random.uniform(0.5, 0.85))
        )
        canvas.paint(gloss * random.uniform(0.1, 0.3), (255, 255, 255))
    room = 2 * size * min(across, down) * random.uniform(0.45, 0.75)
    canvas.paint(_written(random, canvas, pen, room), _contrasting(random, tuple(face * 0.8)))
    return canvas.file(random)


def ball(random: Random, pen: Pen) -> bytes:
    """Paint a ball of the lottery or of billiards: a shaded disc with a white one, on which the digit is."""
    canvas = Canvas(random, _one(random, (*_LIGHT, (30, 90, 50), (25, 25, 30))), 40)
    radius = canvas.fill * canvas.side / 2 - 1
    colour = _one(random, _VIVID)
    if np.abs(np.mean(canvas.scene) - np.mean(colour)) < 40:
        colour = (230, 190, 40) if np.mean(canvas.scene) < 128 else (30, 30, 140)
    rows, columns = np.indices(canvas.scene.shape[:2], np.float32)
    away = np.hypot(columns - canvas.centre[0] + 0.3 * radius, rows - canvas.centre[1] + 0.3 * radius) / radius
    shade = np.clip(1.25 - 0.5 * away, 0.4, 1.3)[..., np.newaxis]
    canvas.paint(canvas.filled(_ellipse(canvas.centre, radius, radius)), np.asarray(colour, np.float32) * shade)
    face = radius * random.uniform(0.55, 0.75)
    canvas.paint(canvas.filled(_ellipse(canvas.centre, face, face)), (245, 243, 235))
    canvas.paint(_written(random, canvas, pen, 2 * face * random.uniform(0.6, 0.85)), (20, 20, 25))
    return canvas.file(random)


def map_pin(random: Random, pen: Pen) -> bytes:
    """Paint the pin of a map: a drop with a digit on it."""
    canvas = Canvas(random, _one(random, (*_LIGHT, (215, 225, 205))), 40)
    half = canvas.fill * canvas.side / 2 - 1
    radius = half * 0.72
    head = canvas.centre - (0, half - radius)
    angle = np.linspace(np.pi * 0.85, np.pi * 2.15, 120)
    points = np.vstack(
        [head + radius * np.stack([np.cos(angle), np.sin(angle)], 1), canvas.centre + np.array((0, half))]
    )
    colour = _one(random, _VIVID)
    canvas.paint(canvas.filled(points), colour)
    canvas.centre = head
    room = 2 * radius * random.uniform(0.5, 0.8)
    canvas.paint(_written(random, canvas, pen, room, centred=0.03), _contrasting(random, colour))
    return canvas.file(random)


def _star(random: Random) -> tuple[Points, float]:
    """Return a star of radius 1, and the radius of the circle that it holds."""
    count = int(random.integers(5, 25))
    inner = random.uniform(0.5 if count < 8 else 0.7, 0.93)
    angle = np.pi * np.arange(2 * count) / count
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(np.arange(2 * count) % 2, inner, 1)[:, None]
    return points, inner * np.cos(np.pi / count / 2)


def _flower(random: Random) -> tuple[Points, float]:
    """Return a flower, or a seal with a scalloped rim, of radius 1, and the radius of the circle that it holds."""
    count, inner = int(random.integers(5, 25)), random.uniform(0.75, 0.93)
    angle = 2 * np.pi * np.arange(600) / 600
    scallops = np.abs(np.cos(count * angle / 2)) if random.random() < 0.6 else (1 + np.cos(count * angle)) / 2
    radius = inner + (1 - inner) * scallops
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None], inner


def _gear(random: Random) -> tuple[Points, float]:
    """Return a gear of radius 1, and the radius of the circle that it holds."""
    count, inner, slope = int(random.integers(6, 19)), random.uniform(0.7, 0.9), random.uniform(0.05, 0.2)
    edges = np.array([-0.25 - slope / 2, -0.25 + slope / 2, 0.25 - slope / 2, 0.25 + slope / 2])
    angle = (2 * np.pi / count * (np.arange(count)[:, None] + edges)).ravel()
    radius = np.tile([inner, 1, 1, inner], count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None], inner * np.cos(np.pi / count)


def _badge(random: Random, pen: Pen, shapes: tuple[Callable[[Random], tuple[Points, float]], ...]) -> bytes:
    shape, inner = shapes[random.integers(len(shapes))](random)
    shape = shape @ _turn(random.uniform(0, 2 * np.pi))
    reach = float(np.abs(shape).max())
    room = (0.55 * inner / reach, 0.85 * inner / reach)
    return _surface(random, pen, lambda centre, half: centre + half * shape / reach, room, centred=0.05)


def star_badge(random: Random, pen: Pen) -> bytes:
    """Paint a star of 5 to 24 points with a digit on it, as on labels of prices."""
    return _badge(random, pen, (_star,))


def seal(random: Random, pen: Pen) -> bytes:
    """Paint a seal, a flower or a gear with a digit on it."""
    return _badge(random, pen, (_flower, _gear))


def _bubble(random: Random, down: float) -> Points:
    """Return a speech bubble, round or with corners, with a tail at some side, of half side 1.

    Args:
        random: Source of random numbers.
        down: Height of its body, as a share of the width.
    """
    tail, lean, wide = random.uniform(0.2, 0.45), random.uniform(-0.6, 0.6), random.uniform(0.15, 0.3)
    across, middle = 500 / (1 + tail), np.full(2, 512)
    if random.random() < 0.4:
        body = _ellipse(middle, across, across * down)
    else:
        body = _rounded(middle, across, across * down, across * down * random.uniform(0.05, 0.8))
    root, side = np.array([lean * across * 0.5, 0]), np.array([wide * across, 0])
    tip = np.array([lean * across, across * (down + tail)])
    plane = np.zeros((1024, 1024), np.uint8)
    for points in (body, middle + np.stack([root - side, tip, root + side])):
        cv2.fillPoly(plane, [np.rint(points).astype(np.int32)], 255)
    [rim], _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    bubble: Points = (rim[:, 0] - 512) / 500 @ _turn(random.integers(4) * np.pi / 2)
    return bubble


def speech_bubble(random: Random, pen: Pen) -> bytes:
    """Paint a speech bubble with a digit in it."""
    bubble = _bubble(random, random.uniform(0.65, 1))
    return _surface(random, pen, lambda centre, half: centre + half * bubble, (0.45, 0.65), centred=0.03)


def bent_outline(random: Random, pen: Pen) -> bytes:
    """Draw the outline of a speech bubble, a star or a shirt around a digit."""
    shirt = np.array([(0.35, -0.9), (1, -0.5), (0.8, -0.1), (0.52, -0.25), (0.52, 0.9)])
    shape, down = int(random.integers(3)), random.uniform(0.65, 1)
    if shape == 0:
        points, inner = _bubble(random, down), down / 1.45
    elif shape == 1:
        points, inner = _star(random)
    else:
        points, inner = np.concatenate([shirt, shirt[::-1] * (-1, 1)]), 0.5
    canvas, ink = _page(random, 48)
    half = canvas.fill * canvas.side / 2
    width = canvas.pixels(half * random.uniform(0.02, 0.07))
    canvas.paint(canvas.line(canvas.centre + (half - width) * points, width, closed=True), ink)
    canvas.paint(_written(random, canvas, pen, 2 * half * inner * random.uniform(0.5, 0.75), centred=0.03), ink)
    return canvas.file(random)


def _with_margin(random: Random, pen: Pen, sides: tuple[tuple[int, int], ...], width: tuple[float, float]) -> bytes:
    """Paint a card with a margin of another colour along one side, and a digit on the rest.

    One card in two has a line around it, and one wide, level margin in two has a word in it.

    Args:
        random: Source of random numbers.
        pen: Pen of the digit.
        sides: Sides of the margin to choose from, as directions from the middle of the card.
        width: Minimum and maximum width of the margin, as shares of the card's width or height.
    """
    is_dark = random.random() < 0.2
    face = (45, 48, 55) if is_dark else _one(random, _LIGHT)
    ground: Colour = tuple(np.array(face) * random.uniform(0.75, 1)) if random.random() < 0.7 else face
    canvas = Canvas(random, ground, 64)
    half = (canvas.fill * canvas.side / 2 - 1) * random.uniform(0.75, 1, 2)
    outline = _rounded(canvas.centre, half[0], half[1], half.min() * random.uniform(0, 0.2))
    card = canvas.filled(outline)
    canvas.paint(card, face)
    towards, share = np.array(sides[random.integers(len(sides))]), random.uniform(*width)
    rows, columns = np.indices(card.shape, np.float32) - canvas.centre[::-1, np.newaxis, np.newaxis]
    colours = tuple(each for each in (*_VIVID, *_BRIGHT) if abs(np.mean(each) - np.mean(face)) > 45)
    canvas.paint(
        card * (columns * towards[0] / half[0] + rows * towards[1] / half[1] >= 1 - 2 * share), _one(random, colours)
    )
    if random.random() < 0.5:
        canvas.paint(
            canvas.line(outline, canvas.pixels(half.min() * random.uniform(0.01, 0.03)), closed=True), (128,) * 3
        )
    if towards[1] and share > 0.15 and random.random() < 0.5:
        word = lettered(_HEADS[random.integers(len(_HEADS))], FONTS[0], max(8, round(half[1] * share)), margin=2)
        canvas.paint(canvas.ink(word / np.float32(255), canvas.centre + towards * half * (1 - share)), face)
    canvas.centre = canvas.centre - towards * half * share
    room = 2 * (half * (1 - share * np.abs(towards))).min() * random.uniform(0.5, 0.8)
    canvas.paint(_written(random, canvas, pen, room, centred=0.04), _contrasting(random, face))
    return canvas.file(random)


def headed_card(random: Random, pen: Pen) -> bytes:
    """Paint a card with a coloured head or foot, as the leaf of a calendar."""
    return _with_margin(random, pen, ((0, -1), (0, -1), (0, -1), (0, 1)), (0.08, 0.35))


def side_band(random: Random, pen: Pen) -> bytes:
    """Paint a card with a coloured band along its left or right side."""
    return _with_margin(random, pen, ((-1, 0), (-1, 0), (1, 0)), (0.1, 0.25))


# Kinds with a line under the digit


def _underlined(random: Random, pen: Pen, lines: int, *, wavy: bool = False, touching: bool = False) -> bytes:
    canvas, ink = _page(random)
    size = canvas.fill * canvas.side * random.uniform(0.6, 0.8)
    drawn = pen(random, size)
    rows, columns = drawn.shape
    height, width = canvas.scene.shape[:2]
    if width > columns * 1.9 and height > rows * 1.4:
        low, high = (columns * 0.9, rows * 0.55 + 2), (width - columns * 0.9, height - rows * 0.8)
        canvas.centre = np.clip(canvas.centre, low, high)
    else:
        canvas.centre = np.array([width / 2, height / 2 - rows * 0.1])
    canvas.paint(canvas.ink(drawn, canvas.centre), ink)
    width = canvas.pixels(size * random.uniform(0.02, 0.07))
    bottom = canvas.centre[1] + rows / 2
    colour = ink if touching or random.random() < 0.7 or np.mean(ink) > 128 else _one(random, _VIVID[:5])
    gap = -width * 0.3 if touching else width / 2 + canvas.pixels(size * random.uniform(0.04, 0.15))
    half = max(columns * random.uniform(0.6, 0.85), size * random.uniform(0.35, 0.5))
    if touching:
        half = columns * random.uniform(0.75, 0.95)
    for line in range(lines):
        across = np.linspace(-half, half, 60) * random.uniform(0.9, 1)
        down = across * random.uniform(-0.05, 0.05) + random.uniform(-0.03, 0.03) * size * np.cos(across / half * 2)
        if touching:
            down = across * random.uniform(-0.02, 0.02)
        if wavy:
            down = down + size * random.uniform(0.02, 0.04) * np.sin(across / half * random.uniform(9, 18))
            gap = max(gap, width / 2 + size * 0.08)
        points = canvas.centre + np.stack([across, down], axis=1)
        points[:, 1] += (
            bottom - canvas.centre[1] + gap + line * (width + canvas.pixels(size * random.uniform(0.05, 0.1)))
        )
        canvas.paint(canvas.line(points, width), colour)
    return canvas.file(random)


def underline(random: Random, pen: Pen) -> bytes:
    """Draw a line under a digit."""
    return _underlined(random, pen, 1)


def double_underline(random: Random, pen: Pen) -> bytes:
    """Draw two lines under a digit."""
    return _underlined(random, pen, 2)


def wavy_underline(random: Random, pen: Pen) -> bytes:
    """Draw a wavy line under a digit."""
    return _underlined(random, pen, 1, wavy=True)


def touching_underline(random: Random, pen: Pen) -> bytes:
    """Draw a line under a digit that touches it."""
    return _underlined(random, pen, 1, touching=True)


def open_frame(random: Random, pen: Pen) -> bytes:
    """Draw a digit in a frame with two or three sides, as fields on screens and the combs of forms have."""
    canvas, ink = _page(random)
    half = canvas.fill * canvas.side / 2 - 1
    across, down = half, half * random.uniform(0.7, 1)
    corners = canvas.centre + np.array([(-across, -down), (across, -down), (across, down), (-across, down)])
    first, sides = int(random.integers(4)), int(random.integers(2, 4))
    points = np.roll(corners, -first, axis=0)[: sides + 1]
    canvas.paint(canvas.line(points, canvas.pixels(half * random.uniform(0.02, 0.08))), ink)
    drawn = pen(random, 2 * down * random.uniform(0.45, 0.7))
    canvas.paint(canvas.ink(drawn, canvas.centre), ink)
    return canvas.file(random)


# Digits with nothing around them


def plain(random: Random, pen: Pen) -> bytes:
    """Draw a digit with nothing around it."""
    canvas, ink = _page(random)
    canvas.paint(_written(random, canvas, pen, canvas.fill * canvas.side), ink)
    return canvas.file(random)


def fat(random: Random, pen: Pen) -> bytes:
    """Draw a digit with nothing around it, with strokes thickened by a marker."""

    def thick(random: Random, size: float) -> Plane:
        drawn = np.pad(pen(random, size), round(0.05 * size))
        reach = max(1, round(size * random.uniform(0.03, 0.08)))
        return cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))

    return plain(random, thick)


def narrow(random: Random, pen: Pen) -> bytes:
    """Draw a digit with nothing around it, squeezed from both sides as condensed fonts are."""

    def squeezed(random: Random, size: float) -> Plane:
        drawn = pen(random, size)
        columns = max(3, round(drawn.shape[1] * random.uniform(0.4, 0.7)))
        return cv2.resize(drawn, (columns, len(drawn)), interpolation=cv2.INTER_AREA)

    return plain(random, squeezed)


def outlined(random: Random, pen: Pen) -> bytes:
    """Draw the outlines of a digit with nothing around it, as a letter to be coloured in."""

    def lines(random: Random, size: float) -> Plane:
        drawn = np.pad(pen(random, size), 4)
        outlines, _ = cv2.findContours((drawn > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        width = int(random.integers(1, max(2, round(size / 50)) + 1))
        line = cv2.drawContours(np.zeros(drawn.shape, np.uint8), outlines, -1, 255, width, cv2.LINE_AA)
        return line / np.float32(255)

    return plain(random, lines)


def _zero(
    random: Random, mark: Callable[[Random, Canvas, float, float, float], Plane] | None, lightest: float = 0.05
) -> bytes:
    canvas, ink = _page(random)
    down = canvas.fill * canvas.side / 2
    across = down * random.uniform(0.5, 0.95)
    width = canvas.pixels(down * random.uniform(lightest, 0.3))
    points = _ellipse(canvas.centre, across - width / 2 - 1, down - width / 2 - 1, random.uniform(-0.25, 0.25))
    points = _wobbling(random, points, random.choice((0, 0.02)))
    canvas.paint(canvas.line(points, width, closed=True), ink)
    if mark is not None:
        canvas.paint(mark(random, canvas, across, down, width), ink)
    return canvas.file(random)


def drawn_zero(random: Random, _pen: Pen) -> bytes:
    """Draw a zero as an ellipse, with a pen of any width."""
    return _zero(random, None)


def slashed_zero(random: Random, _pen: Pen) -> bytes:
    """Draw a zero with a slash through it, which may stay inside."""

    def slash(random: Random, canvas: Canvas, across: float, down: float, width: float) -> Plane:
        reach = random.uniform(0.75, 1.15)
        end = np.array([across * 0.7, -down * 0.7]) * reach
        return canvas.line(np.stack([canvas.centre - end, canvas.centre + end]), min(width, across * 0.2))

    return _zero(random, slash)


def dotted_zero(random: Random, _pen: Pen) -> bytes:
    """Draw a zero with a dot in it."""

    def dot(random: Random, canvas: Canvas, across: float, _down: float, width: float) -> Plane:
        size = max(canvas.pixels(2), (across - width) * random.uniform(0.15, 0.35))
        return canvas.filled(_ellipse(canvas.centre, size, size * random.uniform(1, 1.5)))

    return _zero(random, dot)


def boxy_zero(random: Random, _pen: Pen) -> bytes:
    """Draw a zero with round corners, as displays and form fields ask for."""
    canvas, ink = _page(random)
    down = canvas.fill * canvas.side / 2
    across, width = down * random.uniform(0.5, 0.8), canvas.pixels(down * random.uniform(0.06, 0.3))
    points = _rounded(canvas.centre, across - width, down - width, across * random.uniform(0.2, 0.9) - width * 0.2)
    canvas.paint(canvas.line(points, width, closed=True), ink)
    return canvas.file(random)


def dashed_zero(random: Random, _pen: Pen) -> bytes:
    """Draw a zero in dashes or dots, and one time in four with a slash in dashes through it."""
    canvas, ink = _page(random, 48)
    down = canvas.fill * canvas.side / 2
    across = down * random.uniform(0.5, 1)
    width = canvas.pixels(down * random.uniform(0.03, 0.14))
    points = _ellipse(canvas.centre, across - width, down - width, random.uniform(-0.25, 0.25))
    canvas.paint(_dashes(random, canvas, _wobbling(random, points, 0.015), width), ink)
    if random.random() < 0.25:
        end = np.array([across * 0.6, -down * 0.6]) * random.uniform(0.8, 1.1)
        there = np.linspace(canvas.centre - end, canvas.centre + end, 40)
        canvas.paint(_dashes(random, canvas, there, width, closed=False), ink)
    return canvas.file(random)


def zero_inside(random: Random, _pen: Pen) -> bytes:
    """Draw a zero, narrow or round, in a circle or in a box, or on a surface."""
    shape, width = random.uniform(0.6, 1), random.uniform(0.06, 0.25)

    def oval(_random: Random, size: float) -> Plane:
        """Draw an ellipse at eight times the size, and reduce it."""
        rows = max(4, round(size))
        columns, line = max(4, round(shape * rows)), 8 * max(1, width * rows)
        half = np.array([8 * columns - line, 8 * rows - line]) / 2
        points = _ellipse(np.array([4.0 * columns, 4.0 * rows]), *half)
        plane = np.zeros((8 * rows, 8 * columns), np.uint8)
        cv2.polylines(plane, [_fixed(points)], True, 255, round(line), cv2.LINE_AA, _SUBPIXEL)
        return cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA) / np.float32(255)

    kinds = (circle, ellipse, double_circle, rounded_box, double_box, disc, elliptic_disc, rounded_tile, button, ball)
    return kinds[random.integers(len(kinds))](random, oval)


def round_zero(random: Random, _pen: Pen) -> bytes:
    """Draw a zero that is nearly as wide as high, with a broad pen."""
    canvas, ink = _page(random)
    down = canvas.fill * canvas.side / 2
    across, width = down * random.uniform(0.85, 1), canvas.pixels(down * random.uniform(0.2, 0.5))
    points = _ellipse(canvas.centre, across - width / 2 - 1, down - width / 2 - 1)
    canvas.paint(canvas.line(points, width, closed=True), ink)
    return canvas.file(random)


# Digits beside something larger


def _beside(random: Random, pen: Pen, other: Plane) -> bytes:
    """Put a digit to one side of something else, with a gap wider than one between the strokes of a digit."""
    digit = pen(random, max(other.shape) * random.uniform(0.4, 0.9))
    gap = round(max(*digit.shape, *other.shape) * random.uniform(0.5, 1))
    turned = random.random() < 0.3
    pair = [plane.T if turned else plane for plane in (digit, other)]
    if random.random() < 0.5:
        pair.reverse()
    height, width = max(plane.shape[0] for plane in pair), sum(plane.shape[1] for plane in pair) + gap
    ink, left = np.zeros((height, width), np.float32), 0
    for plane in pair:
        top = round(random.uniform(0, height - plane.shape[0]))
        ink[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        left += plane.shape[1] + gap
    ink = np.pad(ink.T if turned else ink, round(0.08 * max(ink.shape)))
    canvas, colour = _page(random, 80)
    scale = min(side / own for side, own in zip(canvas.scene.shape, ink.shape, strict=False))
    ink = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas.paint(canvas.ink(ink, np.array(canvas.scene.shape[1::-1]) / 2), colour)
    return canvas.file(random)


def beside_a_drawing(random: Random, pen: Pen) -> bytes:
    """Draw a digit beside a drawing: a house, a star, a flower or a face."""
    size, width = 300, int(random.integers(8, 20))
    drawing = np.zeros((size + 40, size + 40), np.uint8)
    middle, at = np.full(2, drawing.shape[0] / 2), np.linspace(0, 2 * np.pi, 160)
    star = np.stack([np.sin(at[::16]), -np.cos(at[::16])], 1) * np.where(np.arange(10) % 2, 0.4, 1)[:, np.newaxis]
    flower = np.stack([np.sin(at), np.cos(at)], 1) * (0.7 + 0.3 * np.cos(5 * at))[:, np.newaxis]
    door = (0.8, 1), (0.25, 1), (0.25, 0.3), (-0.25, 0.3), (-0.25, 1)
    house = np.array([(-0.8, 1), (-0.8, -0.1), (0, -1), (0.8, -0.1), *door])
    shapes = [[star], [house], [flower, _ellipse(np.zeros(2), 0.3, 0.3)],
              [_ellipse(np.zeros(2), 1, 1), _ellipse(np.array((-0.4, -0.3)), 0.1, 0.15),
               _ellipse(np.array((0.4, -0.3)), 0.1, 0.15), _ellipse(np.array((0, 0.3)), 0.4, 0.2)]]  # fmt: skip
    for outline in shapes[random.integers(len(shapes))]:
        points = middle + outline * (size / 2)
        cv2.polylines(drawing, [_fixed(points)], True, 255, width, cv2.LINE_AA, _SUBPIXEL)
    return _beside(random, pen, drawing / np.float32(255))


def beside_a_word(random: Random, pen: Pen) -> bytes:
    """Write a digit beside a word in capitals, as on a label."""
    words = ("ROOM", "PAGE", "TABLE", "TOTAL", "GATE", "KM", "FLOOR", "TEAM")
    word = lettered(words[random.integers(len(words))], FONTS[random.integers(len(FONTS))], 120, margin=2)
    return _beside(random, pen, word / np.float32(255))


# Digits that are crossed out


def _struck(random: Random, pen: Pen, lines: Callable[[Random, float, float], list[Points]]) -> bytes:
    canvas, ink = _page(random, 40)
    size = canvas.fill * canvas.side * random.uniform(0.6, 0.85)
    drawn = pen(random, size)
    rows, columns = drawn.shape
    canvas.centre = np.array(canvas.scene.shape[1::-1]) / 2
    canvas.paint(canvas.ink(drawn, canvas.centre), ink)
    width = canvas.pixels(size * random.uniform(0.05, 0.1))
    for points in lines(random, max(columns, 0.45 * size) / 2, rows / 2):
        canvas.paint(canvas.line(canvas.centre + points, width), ink)
    return canvas.file(random)


def one_stroke(random: Random, pen: Pen) -> bytes:
    """Cross out a digit with one stroke, beyond both of its sides."""

    def line(random: Random, across: float, down: float) -> list[Points]:
        end = np.array([across * random.uniform(1.15, 1.4), down * random.uniform(-0.9, 0.9)])
        return [np.stack([-end, end])]

    return _struck(random, pen, line)


def two_strokes(random: Random, pen: Pen) -> bytes:
    """Cross out a digit with two strokes side by side."""

    def lines(random: Random, across: float, down: float) -> list[Points]:
        end = np.array([across * random.uniform(1.15, 1.4), down * random.uniform(-0.8, 0.8)])
        beside = np.array([0, down * random.uniform(0.1, 0.2)])
        return [np.stack([-end, end]) + beside, np.stack([-end, end]) - beside]

    return _struck(random, pen, lines)


def cross(random: Random, pen: Pen) -> bytes:
    """Cross out a digit with a cross."""

    def lines(random: Random, across: float, down: float) -> list[Points]:
        ends = np.array([across, down]) * random.uniform(0.95, 1.2, (2, 2)) * [[1, 1], [1, -1]]
        return [np.stack([-end, end]) for end in ends]

    return _struck(random, pen, lines)


def scribble(random: Random, pen: Pen) -> bytes:
    """Scribble over a digit, to and fro."""

    def line(random: Random, across: float, down: float) -> list[Points]:
        turns = int(random.integers(5, 10))
        sides = np.where(np.arange(turns) % 2, 1, -1) * random.uniform(0.85, 1.2, turns)
        steps = np.linspace(-1, 1, turns) * random.uniform(0.8, 1.1)
        return [np.stack([sides * across, steps * down], axis=1)]

    return _struck(random, pen, line)


AROUND: tuple[Kind, ...] = (
    circle, pen_circle, coloured_circle, ellipse, open_circle, wide_open_circle, double_circle, touching_circle,
    small_in_a_circle, rounded_box, double_box, polygon, dashed_circle, dashed_box, table_cell, form_cell,
    disc, elliptic_disc, rounded_tile, full_disc, button, ball, map_pin, star_badge, seal, speech_bubble, bent_outline,
    headed_card, side_band,
    underline, double_underline, wavy_underline, touching_underline, open_frame,
)  # fmt: skip
"""Kinds with a digit in or on something, which must be read."""

EMPTY: tuple[Kind, ...] = (
    double_circle, double_box, rounded_box, polygon, divided_box, disc, elliptic_disc, rounded_tile, button, star_badge,
    seal, speech_bubble,
)  # fmt: skip
"""Kinds that must be reviewed if they are empty. A single circle may be read as a 0."""

ALONE: tuple[Kind, ...] = (plain, fat, narrow, outlined)
"""Kinds of digits with nothing around them."""

ZEROS: tuple[Kind, ...] = (
    drawn_zero, round_zero, slashed_zero, dotted_zero, boxy_zero, dashed_zero, zero_inside,
)  # fmt: skip
"""Kinds of zeros, which draw them themselves."""

BESIDE: tuple[Kind, ...] = (beside_a_drawing, beside_a_word)
"""Kinds of digits beside more ink than their own, which must be reviewed."""

CROSSED_OUT: tuple[Kind, ...] = (one_stroke, two_strokes, cross, scribble)
"""Kinds of digits that are crossed out, which must be reviewed."""
