"""MNIST's digits as people photograph, scan and draw them: the images that `scruffy.py` preprocesses and classifies.

A kind is a function that takes random numbers and a digit, and returns the bytes of an image file. The kind has its
name. The kinds draw most digits from their skeletons, so that strokes may be as thin or as thick as pens make them.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import matplotlib as mpl
import numpy as np
from cv2.typing import MatLike
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

Random: TypeAlias = np.random.Generator

Plane: TypeAlias = MatLike
"""Shares of ink or of light, 0 to 1, float32 (height, width). OpenCV's functions return this type."""

Scene: TypeAlias = MatLike
"""Levels, 0 to 255 and beyond, float32 (height, width), grey, or (height, width, 3 or 4), RGB or RGBA."""

Picture: TypeAlias = MatLike
"""Grey levels, uint8 (height, width)."""

Colour: TypeAlias = Sequence[float]
"""Red, green and blue, 0 to 255."""

Kind: TypeAlias = Callable[[Random, "Digit"], bytes]
"""A function that returns the bytes of an image file that shows the digit."""

WHITE = (255, 255, 255)
_DETAIL = 4  # pixels of the skeleton per pixel of MNIST
_SUBPIXEL = 4  # fractional bits of a coordinate, as OpenCV draws
_NOISE_SIDE = 2048  # of the noise from which grain is cut, in pixels


# Strokes


def _deletable(first: bool) -> NDArray[np.uint8]:
    """Return whether Zhang and Suen's thinning deletes the centre of each neighbourhood, uint8 (256,).

    Each neighbour is one bit, clockwise from the north.

    Args:
        first: Whether the table is for the first of the two alternating passes.
    """
    codes = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
    north, east, south, west = codes[:, ::2].T
    count, runs = codes.sum(1), ((codes == 0) & (np.roll(codes, -1, 1) == 1)).sum(1)
    ends = (north * east * south, east * south * west) if first else (north * east * west, north * south * west)
    deleted: NDArray[np.uint8] = ((count >= 2) & (count <= 6) & (runs == 1) & (ends[0] == 0) & (ends[1] == 0)).astype(
        np.uint8
    )
    return deleted


_NEIGHBOURS = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
_THINNING = (_deletable(first=True), _deletable(first=False))


def skeleton(digit: Picture) -> NDArray[np.floating]:
    """Return the line that the pen drew, as short pieces.

    T. Y. Zhang, C. Y. Suen, "A Fast Parallel Algorithm for Thinning Digital Patterns", CACM 27 (1984).

    Args:
        digit: Digit of MNIST, uint8 (28, 28), light ink on black.

    Returns:
        Column and row of both ends of each piece, as shares of the side, (n, 2, 2).
    """
    digit = cv2.copyMakeBorder(digit, 1, 1, 1, 1, cv2.BORDER_CONSTANT)  # some digits touch the border
    large = cv2.resize(digit, None, fx=_DETAIL, fy=_DETAIL, interpolation=cv2.INTER_CUBIC)
    line: NDArray[np.uint8] = (large > 110).astype(np.uint8)
    before = -1
    while (left := cv2.countNonZero(line)) != before:
        before = left
        for table in _THINNING:
            line[cv2.LUT(cv2.filter2D(line, cv2.CV_8U, _NEIGHBOURS), table) > 0] = 0
    # Each point moves to the mean of the points around it, so that the line is not a staircase.
    rows, columns = np.nonzero(line)
    share = np.maximum(cv2.blur(line.astype(np.float32), (9, 9)), 1e-6)
    grid = np.indices(line.shape, np.float32)
    smooth = np.stack([cv2.blur(axis * line, (9, 9)) / share for axis in grid[::-1]], axis=-1)
    pieces = [np.stack([smooth[rows, columns]] * 2, axis=1)]  # a single point becomes a dot
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        goes_on = line[np.minimum(rows + down, len(line) - 1), columns + right] > 0
        pieces.append(
            np.stack([smooth[rows, columns], smooth[rows + down * goes_on, columns + right * goes_on]], 1)[goes_on]
        )
    return np.concatenate(pieces) / len(line)


def traced(lines: NDArray[np.floating], width: float) -> Plane:
    """Draw lines with a round pen, and crop the image to the ink.

    Args:
        lines: Column and row of each point of each line in pixels, 0 or more, (lines, points, 2).
        width: Width of the pen in pixels.
    """
    lines = lines + width / 2 + 1
    columns, rows = np.ceil(lines.max((0, 1)) + width / 2 + 1).astype(int)
    ink = np.zeros((rows, columns), np.uint8)
    corners = np.rint(lines * 2**_SUBPIXEL).astype(np.int32)
    cv2.polylines(ink, list(corners), False, 255, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL)
    return ink / np.float32(255)


def lettered(text: str, font: str, size: int, margin: float) -> NDArray[np.uint8]:
    """Set text in one of Matplotlib's fonts, light on black.

    Args:
        text: Text of one line.
        font: Name of the font's file.
        size: Size of the font in pixels.
        margin: Width of the margin around the text in pixels.
    """
    face = ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts", "ttf", font)), size)
    left, top, right, bottom = face.getbbox(text)
    image = Image.new("L", (int(right - left + 2 * margin), int(bottom - top + 2 * margin)))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill=255, font=face)
    return np.asarray(image)


class Digit:
    """One digit of MNIST, and its skeleton."""

    def __init__(self, image: Picture) -> None:
        self.image = image
        self.pieces = skeleton(image)

    def drawn(self, random: Random, size: float, width: float) -> Plane:
        """Draw the skeleton with a pen, slightly turned, and crop the image to the ink.

        Args:
            random: Source of random numbers.
            size: Length of the longer side of the skeleton in pixels.
            width: Width of the pen in pixels.
        """
        turn = np.deg2rad(random.uniform(-6, 6))
        matrix = size * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        points = self.pieces @ matrix
        low, high = points.min((0, 1)), points.max((0, 1))
        return traced((points - low) * (size / max(high - low)), width)

    def enlarged(self, size: float) -> Plane:
        """Enlarge MNIST's own strokes smoothly to a longer side of `size` pixels, and crop the image to them."""
        left, top, width, height = cv2.boundingRect(self.image)
        cut = cv2.copyMakeBorder(self.image[top : top + height, left : left + width], 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        scale = size / max(width, height)
        large = cv2.resize(cut.astype(np.float32) / 255, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        large = cv2.GaussianBlur(large, (0, 0), max(0.1, 0.35 * scale))
        sharp: Plane = np.clip((large - 0.5) * np.clip(scale / 3, 1, 3) + 0.5, 0, 1)
        return sharp

    def by_hand(self, random: Random, size: float, widths: tuple[float, float] = (0.04, 0.13)) -> Plane:
        """Draw with a pen, whose width is within these shares of the size, or enlarge MNIST's own strokes."""
        if random.random() < 0.3 and widths[1] > 0.1:
            return self.enlarged(size)
        return self.drawn(random, size, size * random.uniform(*widths))


def placed(random: Random, ink: Plane, shape: tuple[int, int], margin: float = 0.04) -> Plane:
    """Place ink at random on a page of this shape. The page grows if the ink needs it."""
    rows, columns = (max(side, round(own * (1 + 2 * margin)) + 2) for side, own in zip(shape, ink.shape, strict=True))
    page = np.zeros((rows, columns), np.float32)
    free = [side - own for side, own in zip(page.shape, ink.shape, strict=True)]
    top, left = (round(random.uniform(margin * side, max(margin * side, space - margin * side)))
                 for side, space in zip(page.shape, free, strict=True))  # fmt: skip
    top, left = min(top, free[0]), min(left, free[1])
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page


# Paper, light and camera


def grain(random: Random, shape: tuple[int, int], size: float = 1) -> Plane:
    """Return noise of mean 0 and deviation 1, in blobs of about `size` pixels."""
    rows, columns = (int(np.ceil(side / size)) + 2 for side in shape)
    top, left = random.integers(0, _NOISE_SIDE - rows), random.integers(0, _NOISE_SIDE - columns)
    cut = _noise()[top : top + rows, left : left + columns]
    return cut if size == 1 and shape == cut.shape else _to_shape(cut, shape, size)


@cache
def _noise() -> Plane:
    """Return noise that all images share, because new noise takes longer."""
    return np.random.default_rng(0).standard_normal((_NOISE_SIDE, _NOISE_SIDE), np.float32)


def _to_shape(cut: Plane, shape: tuple[int, int], size: float) -> Plane:
    if size > 1:
        cut = cv2.resize(cut, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    return cut[: shape[0], : shape[1]]


def gradient(random: Random, shape: tuple[int, int], low: float) -> Plane:
    """Return light that falls from 1 to `low` across the page, in a random direction."""
    angle = random.uniform(0, 2 * np.pi)
    along = _axes(shape)[0] * np.float32(np.sin(angle)) + _axes(shape)[1] * np.float32(np.cos(angle))
    along = (along - along.min()) / (along.max() - along.min())
    light: Plane = 1 - (1 - low) * along ** random.uniform(0.7, 1.6)
    return light


def shadow(random: Random, shape: tuple[int, int], dark: float, softness: float) -> Plane:
    """Return light that drops from 1 to `dark` at a random edge, over the share `softness` of the page."""
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = _axes(shape)
    along = rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))
    bend = random.uniform(-0.5, 0.5) * (rows * np.float32(np.cos(angle)) - columns * np.float32(np.sin(angle))) ** 2
    edge = (along + bend - random.uniform(-0.3, 0.3)) / max(softness, 1 / shape[0])
    return dark + (1 - dark) / (1 + np.exp(-np.clip(edge, -20, 20)))


def _axes(shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """Return row and column of every pixel, from -0.5 to 0.5, shapes (height, 1) and (1, width)."""
    rows, columns = (np.linspace(-0.5, 0.5, side, dtype=np.float32) for side in shape)
    return rows[:, np.newaxis], columns[np.newaxis]


def coloured(ink: Plane, ink_colour: Colour, paper_colour: Colour) -> Scene:
    """Return ink of one colour on paper of another, (height, width, 3)."""
    paper, difference = _float32(paper_colour), _float32(ink_colour) - _float32(paper_colour)
    scene: Scene = paper + ink[..., np.newaxis] * difference
    return scene


def _float32(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def photographed(random: Random, scene: Scene, light: Plane | float, *, noise: float = 3, blur: float = 0.8) -> Scene:
    """Photograph a scene in some light, with a camera that has noise and is a little out of focus.

    Args:
        random: Source of random numbers.
        scene: Scene, float32 (height, width, channels).
        light: Share of the light, for each pixel or for all of them.
        noise: Standard deviation of the noise, in levels.
        blur: Standard deviation of the blur, in pixels; 0 for none.
    """
    lit: Scene = scene * (light[..., np.newaxis] if isinstance(light, np.ndarray) else light)
    lit = cv2.GaussianBlur(lit, (0, 0), blur) if blur else lit
    return lit + noise * grain(random, lit.shape[:2])[..., np.newaxis]


def jpeg(random: Random, scene: Scene, quality: tuple[int, int] = (50, 92)) -> bytes:
    """Return the bytes of a JPEG of random quality, from the first number to below the second."""
    return encoded(eight_bits(scene), "JPEG", quality=int(random.integers(*quality)))


def png(scene: Scene) -> bytes:
    """Return the bytes of a PNG."""
    return encoded(eight_bits(scene), "PNG", compress_level=1)


def eight_bits(scene: Scene) -> Picture:
    """Return the scene rounded and clipped to 0 … 255, uint8."""
    return cv2.convertScaleAbs(np.maximum(scene, 0))


def encoded(pixels: MatLike | Image.Image, kind: str, **options: Any) -> bytes:
    """Return the bytes of an image file of this kind."""
    file = BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def _paper(random: Random) -> Colour:
    """Return the colour of paper under a lamp: bright to dim, warm to cool."""
    bright = random.uniform(150, 245)
    return tuple(bright * (1 + random.uniform(-0.06, 0.0) * channel) for channel in range(3))


def _pen(random: Random) -> Colour:
    """Return the colour of a ballpoint or felt pen: black, blue, or sometimes red."""
    pens = ((35, 35, 40), (30, 45, 130), (60, 70, 150), (20, 20, 20), (170, 30, 40))
    return pens[random.choice(len(pens), p=(0.35, 0.25, 0.1, 0.2, 0.1))]


def _page(
    random: Random, digit: Digit, side: tuple[int, int] = (200, 420), widths: tuple[float, float] = (0.04, 0.13)
) -> Plane:
    """Place a digit, a third to four fifths as long as the page, on a page of random size."""
    height = int(random.integers(*side))
    shape = height, int(height * random.uniform(0.75, 1.35))
    return placed(random, digit.by_hand(random, min(shape) * random.uniform(0.35, 0.8), widths), shape)


def _scene(
    random: Random, digit: Digit, side: tuple[int, int] = (200, 420), widths: tuple[float, float] = (0.04, 0.13)
) -> Scene:
    """Write a digit on textured paper, not yet lit, as `_page` places it."""
    return _on_paper(random, _page(random, digit, side, widths))


def _on_paper(random: Random, ink: Plane) -> Scene:
    """Return ink of a pen on textured paper."""
    scene = coloured(ink, _pen(random), _paper(random))
    texture = 1 + 0.01 * grain(random, ink.shape, 2) + 0.015 * grain(random, ink.shape, 60)
    return scene * texture[..., np.newaxis]


# Kinds


def clean(random: Random, digit: Digit) -> bytes:
    """Draw a tidy digit in black on white. It shows what the drawing itself costs in accuracy."""
    return png(coloured(_page(random, digit), (0, 0, 0), WHITE))


def lamp(random: Random, digit: Digit) -> bytes:
    """Photograph a digit by telephone, under light that falls off to between 0.7 and 0.3."""
    scene = _scene(random, digit)
    return jpeg(random, photographed(random, scene, gradient(random, scene.shape[:2], random.uniform(0.3, 0.7))))


def soft_shadow(random: Random, digit: Digit) -> bytes:
    """Throw the shadow of a hand or a telephone on the page, with a blurred edge."""
    scene = _scene(random, digit)
    light = shadow(random, scene.shape[:2], random.uniform(0.35, 0.65), random.uniform(0.03, 0.12))
    return jpeg(random, photographed(random, scene, light * gradient(random, scene.shape[:2], 0.8)))


def hard_shadow(random: Random, digit: Digit) -> bytes:
    """Throw a sharp shadow, like that of an object in the sun, across the digit or beside it."""
    scene = _scene(random, digit)
    light = shadow(random, scene.shape[:2], random.uniform(0.4, 0.7), random.uniform(0.002, 0.01))
    return jpeg(random, photographed(random, scene, light))


def _lined(random: Random, ink: Plane, *, both_ways: bool) -> Scene:
    """Return ink on paper with blue, grey or reddish lines, a few pixels wide, one way or both ways."""
    paper = _paper(random)
    colours = ((150, 175, 215), (170, 170, 175), (200, 160, 170), (130, 160, 200))
    strength = random.uniform(0.5, 1)
    colour = _float32(colours[random.integers(len(colours))]) / 255 * paper[0]
    lines: Plane = np.zeros(ink.shape, np.float32)
    spacing = ink.shape[0] * (random.uniform(0.05, 0.2) if both_ways else random.uniform(0.12, 0.35))
    width = max(1, round(ink.shape[0] * random.uniform(0.002, 0.006)))
    for axis in range(1 + both_ways):
        for place in np.arange(random.uniform(0, spacing), ink.shape[axis], spacing):
            lines[(slice(None),) * axis + (slice(int(place), int(place) + width),)] = strength
    angle = random.uniform(-4, 4)
    rows, columns = ink.shape
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, 1.0)
    lines = cv2.warpAffine(lines, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    page = coloured(lines, tuple(colour.tolist()), paper)
    return page + ink[..., np.newaxis] * (_float32(_pen(random)) - page)


def ruled_paper(random: Random, digit: Digit) -> bytes:
    """Write a digit across the lines of ruled paper."""
    scene = _lined(random, _page(random, digit), both_ways=False)
    return jpeg(random, photographed(random, scene, gradient(random, scene.shape[:2], random.uniform(0.6, 0.95))))


def squared_paper(random: Random, digit: Digit) -> bytes:
    """Write a digit over several squares of squared paper."""
    scene = _lined(random, _page(random, digit), both_ways=True)
    return jpeg(random, photographed(random, scene, gradient(random, scene.shape[:2], random.uniform(0.6, 0.95))))


def printed_box(random: Random, digit: Digit) -> bytes:
    """Cut a digit out of a form with the printed box around it, which it may touch."""
    height = int(random.integers(60, 400))
    ink = digit.by_hand(random, height * random.uniform(0.5, 0.85))
    page = placed(random, ink, (height, int(height * random.uniform(0.8, 1.1))), 0.02)
    top, bottom, left, right = (max(2, int(side * random.uniform(0.03, 0.12))) for side in (height,) * 4)
    page = cv2.copyMakeBorder(page, top, bottom, left, right, cv2.BORDER_CONSTANT)
    box = np.zeros_like(page)
    width = max(1, round(height * random.uniform(0.008, 0.025)))
    cv2.rectangle(box, (left - 1, top - 1), (page.shape[1] - right, page.shape[0] - bottom), 1.0, width)
    scene = np.maximum(page, box * random.uniform(0.5, 1))
    return png(photographed(random, coloured(scene, (40, 40, 45), (235, 235, 230)), 1.0, blur=0.6))


def form_rest(random: Random, digit: Digit) -> bytes:
    """Cut a small field out of a scanned form, with what remains of a grid line at one or two sides."""
    height = int(random.integers(28, 64))
    page = placed(random, digit.by_hand(random, height * random.uniform(0.5, 0.85)), (height, height), 0.08)
    for side in random.choice(4, int(random.integers(1, 3)), replace=False):
        turned = np.rot90(page, side)  # a view: drawing on it draws on the page
        width, tilt = random.integers(1, 4), random.uniform(0, 2)
        for column in range(turned.shape[1]):
            turned[: max(0, int(width - tilt * column / turned.shape[1] + 0.5)), column] = random.uniform(0.5, 0.9)
    scene = photographed(random, coloured(page, (70, 70, 70), (225, 225, 225)), 1.0, blur=0.6, noise=4)
    return png(scene[..., 0])


def sheet_on_table(random: Random, digit: Digit) -> bytes:
    """Photograph a sheet on a table of wood or stone, at an angle."""
    scene = _scene(random, digit)
    rows, columns = scene.shape[:2]
    border = int(max(rows, columns) * random.uniform(0.05, 0.2))
    table = _float32([(110, 80, 55), (60, 45, 35), (95, 95, 100), (160, 125, 90)][random.integers(4)])
    texture = 1 + 0.06 * grain(random, (rows + 2 * border, columns + 2 * border), 3)
    corners = _float32([(0, 0), (columns, 0), (columns, rows), (0, rows)])
    seen = corners + border + _float32(random.uniform(-0.8, 0.8, (4, 2)) * border * 0.7)
    warp = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    size = columns + 2 * border, rows + 2 * border
    page = cv2.warpPerspective(scene, warp, size)
    mask = cv2.warpPerspective(np.ones((rows, columns, 1), np.float32), warp, size)[..., np.newaxis]
    whole = page + (1 - mask) * table * texture[..., np.newaxis]
    return jpeg(random, photographed(random, whole, gradient(random, whole.shape[:2], random.uniform(0.6, 0.95))))


def table_at_one_side(random: Random, digit: Digit) -> bytes:
    """Photograph a page so that the table shows at one side or one corner."""
    scene = _scene(random, digit)
    rows, columns = _axes(scene.shape[:2])
    angle = random.choice((0, 0.5, 1, 1.5)) * np.pi + random.uniform(-0.2, 0.2)
    along = rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))
    beyond = along > random.uniform(0.33, 0.5)
    ink_there = scene.mean(2)[beyond].min(initial=255) < 0.5 * np.median(scene.mean(2))
    if not ink_there:
        wood = _float32((90, 70, 50)) * random.uniform(0.5, 1.3)
        scene[beyond] = wood * (1 + 0.08 * grain(random, scene.shape[:2], 4)[beyond, np.newaxis])
    return jpeg(random, photographed(random, scene, gradient(random, scene.shape[:2], random.uniform(0.6, 0.95))))


def faint_pencil(random: Random, digit: Digit) -> bytes:
    """Photograph the line of a hard pencil, broken by the grain of the paper."""
    ink = _page(random, digit, widths=(0.02, 0.06))
    ink = ink * np.clip(0.75 + 0.3 * grain(random, ink.shape, 1.7), 0.15, 1) * random.uniform(0.16, 0.45)
    scene = coloured(ink, (50, 50, 55), _paper(random)) * (1 + 0.008 * grain(random, ink.shape, 2))[..., np.newaxis]
    light = gradient(random, ink.shape, random.uniform(0.6, 0.95))
    return jpeg(random, photographed(random, scene, light, noise=1.5, blur=0.6), (75, 95))


def hairline(random: Random, digit: Digit) -> bytes:
    """Draw the line of a ballpoint, one to three pixels wide, on a large page."""
    size = int(random.integers(400, 850))
    page = placed(
        random, digit.drawn(random, size * random.uniform(0.5, 0.85), int(random.integers(1, 4))), (size, size)
    )
    scene = _on_paper(random, page)
    return jpeg(random, photographed(random, scene, gradient(random, page.shape, 0.8), noise=1.5, blur=0.5), (75, 95))


def marker(random: Random, digit: Digit) -> bytes:
    """Draw with a marker up to a fifth of the digit wide, so that strokes touch each other and the border."""
    size = int(random.integers(120, 400))
    ink = digit.drawn(random, size * 0.85, size * random.uniform(0.14, 0.2))
    cut = int(0.02 * size) + 1
    return jpeg(random, photographed(random, _on_paper(random, ink[cut:-cut, cut:-cut]), 1.0))


def coarse_jpeg(random: Random, digit: Digit) -> bytes:
    """Save a digit as a JPEG of quality 10 to 30, with blocks and ringing."""
    scene = _scene(random, digit, side=(80, 350))
    return jpeg(random, photographed(random, scene, 1.0), (10, 30))


def sensor_noise(random: Random, digit: Digit) -> bytes:
    """Photograph a digit in poor light, with noise of 15 to 40 levels."""
    scene = _scene(random, digit, side=(120, 500), widths=(0.06, 0.14))
    return jpeg(random, photographed(random, scene, 0.8, noise=random.uniform(15, 40)), (60, 90))


def motion_blur(random: Random, digit: Digit) -> bytes:
    """Photograph a digit with a shaking hand, smeared by 2 to 6 % of the image."""
    scene = photographed(random, _scene(random, digit, widths=(0.06, 0.13)), gradient(random, (8, 8), 1).item(0))
    length = max(3, int(min(scene.shape[:2]) * random.uniform(0.02, 0.06)))
    smear = np.zeros((length, length), np.float32)
    half, angle = length / 2, random.uniform(0, np.pi)
    start, end = (
        (int(half + sign * half * np.cos(angle)), int(half + sign * half * np.sin(angle))) for sign in (-1, 1)
    )
    cv2.line(smear, start, end, 1.0)
    return jpeg(random, cv2.filter2D(scene, -1, smear / smear.sum(), borderType=cv2.BORDER_REPLICATE))


def old_paper(random: Random, digit: Digit) -> bytes:
    """Write with faded ink on paper that is yellowed, stained and brown at the edges."""
    ink = _page(random, digit)
    paper = coloured(ink * random.uniform(0.5, 0.9), (70, 50, 40), (225, 200, 150))
    stains = 1 - 0.08 * np.maximum(0, grain(random, ink.shape, 90)) - 0.03 * np.abs(grain(random, ink.shape, 15))
    rows, columns = _axes(ink.shape)
    brown = 1 - 0.35 * np.maximum(np.abs(rows), np.abs(columns)) ** 6 * 64
    return jpeg(random, photographed(random, paper, stains * brown))


def chalk(random: Random, digit: Digit) -> bytes:
    """Write with chalk on a badly wiped blackboard."""
    ink = _page(random, digit, widths=(0.05, 0.1))
    ink = ink * np.clip(0.75 + 0.35 * grain(random, ink.shape, 2), 0.1, 1) * random.uniform(0.6, 0.95)
    board = ((40, 60, 50), (50, 50, 52), (25, 45, 38))[random.integers(3)]
    wiped = 14 * np.maximum(0, grain(random, ink.shape, 70)) + 4 * np.abs(grain(random, ink.shape, 9))
    scene = coloured(ink, (225, 225, 220), board) + (wiped * (1 - ink))[..., np.newaxis]
    return jpeg(random, photographed(random, scene, gradient(random, ink.shape, random.uniform(0.5, 0.9))))


def transparent_dark(random: Random, digit: Digit) -> bytes:
    """Draw dark ink on a transparent ground of any hidden colour."""
    return _transparent(random, digit, ((0, 0, 0), (20, 20, 60), (90, 10, 10)))


def transparent_light(random: Random, digit: Digit) -> bytes:
    """Draw light ink on a transparent ground of any hidden colour."""
    return _transparent(random, digit, (WHITE, (250, 240, 200), (200, 220, 255)))


def _transparent(random: Random, digit: Digit, inks: tuple[tuple[int, int, int], ...]) -> bytes:
    ink = _page(random, digit, side=(28, 400))
    pixels = np.empty((*ink.shape, 4), np.uint8)
    pixels[..., :3] = inks[random.integers(len(inks))]
    pixels[..., 3] = np.rint(ink * 255)
    hidden = pixels[..., 3] == 0
    nothing = random.integers(3)
    if nothing == 0:
        pixels[hidden, :3] = random.choice((0, 255))  # as most programs write
    elif nothing == 1:
        pixels[hidden, :3] = random.integers(0, 256, (np.count_nonzero(hidden), 3))
    return encoded(pixels, "PNG", compress_level=1)


def transparent_two_colours(random: Random, digit: Digit) -> bytes:
    """Draw partly transparent ink with a gradient of colour on a transparent ground."""
    ink = _page(random, digit, side=(60, 400), widths=(0.06, 0.13))
    dark = random.random() < 0.5
    shade = 40 * gradient(random, ink.shape, 0)[..., np.newaxis] * _float32(random.uniform(0.2, 1, 3))
    pixels = np.empty((*ink.shape, 4), np.float32)
    pixels[..., :3] = shade if dark else 255 - shade
    pixels[..., 3] = 255 * ink * random.uniform(0.6, 1)
    return png(pixels)


def transparent_sticker(random: Random, digit: Digit) -> bytes:
    """Draw a digit on a patch of paper with round corners, on a transparent ground."""
    scene = coloured(_page(random, digit, side=(120, 400)), _pen(random), _paper(random))
    rows, columns = scene.shape[:2]
    opaque = np.zeros((rows, columns), np.float32)
    radius = int(min(rows, columns) * random.uniform(0.05, 0.2))
    cv2.rectangle(opaque, (radius, 0), (columns - 1 - radius, rows - 1), 255.0, -1)
    cv2.rectangle(opaque, (0, radius), (columns - 1, rows - 1 - radius), 255.0, -1)
    for corner in ((radius, radius), (columns - 1 - radius, radius)):
        for row in (corner[1], rows - 1 - radius):
            cv2.circle(opaque, (corner[0], row), radius, 255.0, -1, cv2.LINE_AA)
    return png(np.dstack([scene, opaque]))


def postal(random: Random, digit: Digit) -> bytes:
    """Draw a digit in two levels that fills 16×16 pixels, stretched unless it is narrow, in either polarity."""
    return _coarse(random, digit, 16, levels=2)


def postal_grey(random: Random, digit: Digit) -> bytes:
    """Draw a digit in grey with a longer side of 16 pixels, on 16×16 pixels."""
    return _coarse(random, digit, 16, levels=256)


def postal_small(random: Random, digit: Digit) -> bytes:
    """Draw a digit in two levels on 8×8 pixels."""
    return _coarse(random, digit, 8, levels=2)


def _coarse(random: Random, digit: Digit, side: int, levels: int) -> bytes:
    ink = digit.by_hand(random, 160, (0.11, 0.18) if side > 8 else (0.14, 0.2))
    cut = cv2.boundingRect((ink > 0.5).astype(np.uint8))
    ink = ink[cut[1] : cut[1] + cut[3], cut[0] : cut[0] + cut[2]]
    least = 0.4  # a share of the side, so that a one is not stretched to a square
    height, width = (max(round(side * own / max(ink.shape)), round(side * least * 0.9)) for own in ink.shape)
    if levels == 2 and min(height, width) > 0.6 * side:
        height = width = side
    small = cv2.resize(ink, (min(width, side), min(height, side)), interpolation=cv2.INTER_AREA)
    small = placed(random, small, (1, 1), 0)[: small.shape[0], : small.shape[1]]
    if levels == 2:
        small = (small > 0.4).astype(np.float32)
    page = np.zeros((side, side), np.float32)
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    picture = Image.fromarray(eight_bits(255 * (page if random.random() < 0.5 else 1 - page)))
    return encoded(picture.convert("1") if levels == 2 and random.random() < 0.5 else picture, "PNG")


def tight(random: Random, digit: Digit) -> bytes:
    """Crop a digit to its ink, which touches all four sides, in either polarity."""
    ink = digit.by_hand(random, int(random.integers(40, 300)), (0.06, 0.16))
    left, top, width, height = cv2.boundingRect((ink > 0.5).astype(np.uint8))
    ink = ink[top : top + height, left : left + width]
    dark, light = random.uniform(10, 60), random.uniform(190, 250)
    scene = light + (dark - light) * (ink if random.random() < 0.5 else 1 - ink)
    return png(scene + 2 * grain(random, ink.shape))


def palette(random: Random, digit: Digit) -> bytes:
    """Save a digit as a GIF of a few colours, dithered or not."""
    colours = ((0, 0, 0), (40, 90, 200), (200, 40, 40), (20, 120, 60))
    page = coloured(_page(random, digit, side=(28, 350)), colours[random.integers(4)], WHITE)
    dither = Image.Dither.FLOYDSTEINBERG if random.random() < 0.5 else Image.Dither.NONE
    picture = Image.fromarray(eight_bits(page)).quantize(int(random.choice((2, 4, 16))), dither=dither)
    return encoded(picture, "GIF")


def sixteen_bits(random: Random, digit: Digit) -> bytes:
    """Save a digit as a scanner's TIFF of 12 to 16 significant bits."""
    scene = _scene(random, digit).mean(2) / 255 + 0.004 * grain(random, (8, 8)).mean()
    white = 2.0 ** random.choice((12, 14, 16)) - 1
    return encoded(np.clip(scene * white, 0, white).astype(np.uint16), "TIFF")


def tiny_on_a_page(random: Random, digit: Digit) -> bytes:
    """Scan an A4 page at 100 dots per inch with one digit on it, a twelfth to a thirtieth of its height."""
    ink = digit.by_hand(random, random.uniform(40, 100), (0.05, 0.12))
    scene = _on_paper(random, placed(random, ink, (1170, 827), 0.03))
    return jpeg(random, photographed(random, scene, gradient(random, scene.shape[:2], 0.85), noise=1.5), (75, 92))


def small_on_a_scan(random: Random, digit: Digit) -> bytes:
    """Scan a letter page at 200 dots per inch with one digit of 40 to 90 pixels, dust, and the noise of the scanner."""
    ink = digit.by_hand(random, random.uniform(40, 90), (0.035, 0.13))
    page = placed(random, ink, (2200, 1700), 0.03)
    for _ in range(int(random.integers(5, 60))):
        centre = [int(random.integers(side)) for side in page.shape[::-1]]
        axes = random.integers(1, 5, 2) // random.integers(1, 3)
        cv2.ellipse(page, centre, axes.tolist(), random.uniform(0, 180), 0, 360, random.uniform(0.3, 1), -1)
    grey = random.uniform(235, 255) - random.uniform(150, 235) * page
    grey += random.uniform(1, 6) * grain(random, (1100, 850)).repeat(2, 0).repeat(2, 1)
    if random.random() < 0.3:
        picture = Image.fromarray(eight_bits(grey)).point(lambda level: 255 * (level > 150)).convert("1")
        return encoded(picture, "TIFF", compression="group4", dpi=(200, 200))
    return encoded(Image.fromarray(eight_bits(grey)), "JPEG", quality=int(random.integers(70, 93)))


def neighbours(random: Random, digit: Digit) -> bytes:
    """Cut a digit from a number, with strokes of its neighbours at the border."""
    size = int(random.integers(60, 300))
    ink = digit.by_hand(random, size)
    page = placed(random, ink, (int(size * 1.15), int(ink.shape[1] * 1.1) + int(0.5 * size)), 0.12)
    rows, columns = page.shape
    for side in random.choice(2, int(random.integers(1, 3)), replace=False):
        reach = 0.09 * columns * random.uniform(0.4, 1)
        column = reach - 0.5 * size if side == 0 else columns - reach + 0.5 * size
        centre = (round(column), round(rows * random.uniform(0.3, 0.7)))
        other = np.zeros_like(page)
        cv2.ellipse(other, centre, (size // 2, round(size * 0.4)), 0, 0, 360, 1.0, max(2, size // 14), cv2.LINE_AA)
        page = np.maximum(page, other)
    return jpeg(random, photographed(random, _on_paper(random, page), 1.0))


def punch_holes(random: Random, digit: Digit) -> bytes:
    """Photograph a sheet with two punched holes, through which the dark table shows."""
    size = int(random.integers(250, 450))
    page = placed(random, digit.by_hand(random, size * random.uniform(0.4, 0.6)), (size, size), 0.05)
    page = cv2.copyMakeBorder(page, 0, 0, int(0.17 * size), 0, cv2.BORDER_CONSTANT)
    scene = _on_paper(random, page)
    for row in (0.25, 0.75):
        centre = int(0.07 * size), int((row + random.uniform(-0.03, 0.03)) * size)
        cv2.circle(scene, centre, int(size * random.uniform(0.022, 0.035)), (45, 35, 30), -1, cv2.LINE_AA)
    return jpeg(random, photographed(random, scene, gradient(random, page.shape, random.uniform(0.6, 0.95))))


def paper_clip(random: Random, digit: Digit) -> bytes:
    """Photograph a sheet with a paper clip at its edge, and the clip's shadow."""
    size = int(random.integers(250, 450))
    page = placed(random, digit.by_hand(random, size * random.uniform(0.4, 0.65)), (size, size), 0.05)
    page = cv2.copyMakeBorder(page, int(0.16 * size), 0, 0, 0, cv2.BORDER_CONSTANT)
    scene = _on_paper(random, page)
    column, wire = random.uniform(0.2, 0.8) * size, max(1, size // 120)
    for shift, colour in ((wire * 2, 0.65 * np.array(_paper(random))), (0, np.array((140.0, 140.0, 145.0)))):
        for length, half in ((0.12, 0.025), (0.09, 0.015)):
            left, right = (int(column + sign * half * size + shift) for sign in (-1, 1))
            cv2.polylines(scene, [np.array([(left, shift), (left, int(length * size)), (right, int(length * size)),
                          (right, shift)], np.int32)], False, colour.tolist(), wire, cv2.LINE_AA)  # fmt: skip
    return jpeg(random, photographed(random, scene, gradient(random, page.shape, random.uniform(0.7, 0.95))))


def shadow_band(random: Random, digit: Digit) -> bytes:
    """Throw the shadow of an arm, a pen or a window bar, with two edges, across the digit or beside it."""
    scene = _scene(random, digit)
    angle, rows, columns = random.uniform(0, np.pi), *_axes(scene.shape[:2])
    along = np.abs(rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle)) - random.uniform(-0.3, 0.3))
    edge = (along - random.uniform(0.03, 0.2)) / random.uniform(0.003, 0.03)
    dark = random.uniform(0.45, 0.75)
    return jpeg(random, photographed(random, scene, dark + (1 - dark) / (1 + np.exp(-np.clip(edge, -20, 20)))))


def strong_lines(random: Random, digit: Digit) -> bytes:
    """Write on printed lines that are nearly as dark as the ink, but thinner, beside a red margin."""
    ink = _page(random, digit, widths=(0.06, 0.12))
    scene = np.broadcast_to(_float32(_paper(random)), (*ink.shape, 3)).copy()
    spacing, width = ink.shape[0] * random.uniform(0.15, 0.4), max(1, round(ink.shape[0] * 0.005))
    for row in np.arange(random.uniform(0, spacing), ink.shape[0], spacing).astype(int):
        scene[row : row + width] = _float32((90, 90, 100))
    margin = int(ink.shape[1] * random.uniform(0.05, 0.2))
    scene[:, margin : margin + width] = _float32((200, 70, 80))
    scene += ink[..., np.newaxis] * (_float32(_pen(random)) - scene)
    return jpeg(random, photographed(random, scene, gradient(random, ink.shape, random.uniform(0.7, 0.95))))


def dotted_paper(random: Random, digit: Digit) -> bytes:
    """Write on a grid of dots, as in bullet journals."""
    ink = _page(random, digit)
    spacing, dots = ink.shape[0] * random.uniform(0.05, 0.12), np.zeros_like(ink)
    for row in np.arange(random.uniform(0, spacing), ink.shape[0], spacing):
        for column in np.arange(random.uniform(0, 2), ink.shape[1], spacing):
            cv2.circle(dots, (int(column), int(row)), max(1, ink.shape[0] // 150), random.uniform(0.3, 0.6), -1)
    scene = coloured(np.maximum(ink, dots), _pen(random), _paper(random))
    return jpeg(random, photographed(random, scene, gradient(random, ink.shape, random.uniform(0.6, 0.95))))


def underexposed(random: Random, digit: Digit) -> bytes:
    """Photograph a digit in too little light, with noise, so that paper is darker than middle grey."""
    scene = _scene(random, digit)
    light = random.uniform(0.15, 0.35) * gradient(random, scene.shape[:2], 0.6)
    return jpeg(random, photographed(random, scene, light, noise=random.uniform(2, 5)))


def printed_text(random: Random, digit: Digit) -> bytes:
    """Write a digit above or below a line of small print, as on a form."""
    ink = _page(random, digit)
    size = ink.shape[0] / 400
    page = cv2.copyMakeBorder(ink, int(60 * size), int(60 * size), 0, 0, cv2.BORDER_CONSTANT)
    text = np.zeros(page.shape, np.uint8)
    for row in random.choice((int(40 * size), page.shape[0] - int(20 * size)), int(random.integers(1, 3)), False):
        cv2.putText(text, "Please write clearly: your code", (int(10 * size), row),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.55 * size, 230, max(1, round(size)), cv2.LINE_AA)  # fmt: skip
    scene = _on_paper(random, np.maximum(page, text / np.float32(255)))
    return jpeg(random, photographed(random, scene, gradient(random, page.shape, random.uniform(0.6, 0.95))))


def finger(random: Random, digit: Digit) -> bytes:
    """Photograph a sheet that a fingertip holds at its edge."""
    page = cv2.copyMakeBorder(_page(random, digit), 0, 0, 0, 40, cv2.BORDER_CONSTANT)
    scene, (rows, columns) = _on_paper(random, page), page.shape
    centre = (columns + 10, int(rows * random.uniform(0.1, 0.9)))
    skin = np.array((205, 150, 120)) * random.uniform(0.5, 1)
    cv2.ellipse(scene, centre, (60, 35), random.uniform(-20, 20), 0, 360, (0.8 * skin).tolist(), -1, cv2.LINE_AA)
    cv2.ellipse(scene, centre, (56, 30), random.uniform(-20, 20), 0, 360, skin.tolist(), -1, cv2.LINE_AA)
    return jpeg(random, photographed(random, scene, gradient(random, page.shape, random.uniform(0.6, 0.95))))


def light_pen(random: Random, digit: Digit) -> bytes:
    """Write with a white pen on dark or coloured card."""
    cards = ((40, 40, 45), (90, 60, 40), (30, 60, 110), (120, 30, 40), (110, 110, 115))
    scene = coloured(_page(random, digit), (235, 230, 220), cards[random.integers(len(cards))])
    texture = 1 + 0.03 * grain(random, scene.shape[:2], 2)
    return jpeg(random, photographed(random, scene * texture[..., np.newaxis], gradient(random, texture.shape, 0.6)))


def thumbnail(random: Random, digit: Digit) -> bytes:
    """Photograph a digit, and reduce the photograph to a width of 24 to 48 pixels."""
    scene = _scene(random, digit)
    scene = photographed(random, scene, gradient(random, scene.shape[:2], random.uniform(0.5, 0.9)), noise=8)
    side = int(random.integers(24, 49))
    small = cv2.resize(scene, (side, side * scene.shape[0] // scene.shape[1]), interpolation=cv2.INTER_AREA)
    return jpeg(random, small, (60, 95))


def vignette(random: Random, digit: Digit) -> bytes:
    """Photograph a digit through a cheap lens that leaves a quarter to a half of the light in the corners."""
    scene = _scene(random, digit)
    rows, columns = _axes(scene.shape[:2])
    light = 1 - (1 - random.uniform(0.25, 0.5)) * (rows**2 + columns**2) * 2
    return jpeg(random, photographed(random, scene, light))


def crease(random: Random, digit: Digit) -> bytes:
    """Photograph a folded sheet: each part has its own light, and each fold is a bright or a dark line."""
    scene = _scene(random, digit)
    light = np.ones(scene.shape[:2], np.float32)
    for _ in range(int(random.integers(1, 3))):
        light *= shadow(random, scene.shape[:2], random.uniform(0.8, 0.92), 0.004)
        edge = shadow(random, scene.shape[:2], 0.0, 0.004)
        light *= 1 - random.uniform(-0.6, 0.6) * edge * (1 - edge)
    return jpeg(random, photographed(random, scene, light))


def coloured_ink(random: Random, digit: Digit) -> bytes:
    """Write with a felt pen that is nearly as light as its paper, such as yellow on white or red on green."""
    pairs = (((235, 215, 40), WHITE), ((220, 60, 60), (90, 160, 90)), ((250, 150, 180), (200, 225, 240)),
             ((60, 130, 220), (235, 120, 90)), ((120, 220, 120), (250, 250, 245)))  # fmt: skip
    scene = coloured(_page(random, digit, side=(60, 400), widths=(0.06, 0.13)), *pairs[random.integers(len(pairs))])
    return jpeg(random, photographed(random, scene, 1.0, noise=2), (75, 95))


def photocopy(random: Random, digit: Digit) -> bytes:
    """Draw a digit in two levels, with the specks and broken edges of a copy of a copy."""
    ink = cv2.GaussianBlur(_page(random, digit, side=(100, 400)), (0, 0), 1)
    rough = ink + 0.12 * grain(random, ink.shape, 1.5) > 0.5
    specks = random.uniform(0.0005, 0.01)
    flipped = random.random(ink.shape, np.float32) < specks
    return encoded(Image.fromarray((~(rough ^ flipped)).astype(np.uint8) * 255).convert("1"), "PNG")


def paint_program(random: Random, digit: Digit) -> bytes:
    """Draw with a mouse: one pixel to a sixth of the digit wide, in two colours, at any position."""
    height = int(random.integers(28, 400))
    size = height * random.uniform(0.3, 0.9)
    width = int(random.choice((1, 2, 3, 5, 8, 12, 20, 35)))
    page = placed(random, digit.drawn(random, size, min(width, size / 6)), (height, height), 0.0)
    if random.random() < 0.5:
        page = (page > 0.5).astype(np.float32)
    pairs = (((0, 0, 0), WHITE), (WHITE, (0, 0, 0)), ((200, 30, 30), WHITE), (WHITE, (30, 60, 120)))
    return png(coloured(page, *pairs[random.integers(len(pairs))]))


def whiteboard(random: Random, digit: Digit) -> bytes:
    """Write with a marker on a whiteboard that mirrors a window."""
    scene = _scene(random, digit, widths=(0.04, 0.09))
    rows, columns = _axes(scene.shape[:2])
    at = random.uniform(-0.45, 0.45, 2)
    glare = np.exp(-((rows - np.float32(at[0])) ** 2 + (columns - np.float32(at[1])) ** 2) / 0.02)
    lit = scene * gradient(random, scene.shape[:2], 0.7)[..., np.newaxis] + 70 * glare[..., np.newaxis]
    return jpeg(random, photographed(random, lit, 1.0))


# How the digit itself is drawn


_PAIRS = (((0, 0, 0), WHITE), (WHITE, (0, 0, 0)), ((200, 30, 30), WHITE), ((40, 60, 140), (235, 230, 215)))
"""Colours of ink and of paper."""


def _painted(random: Random, page: Plane) -> bytes:
    """Return a page in one of a few pairs of colours."""
    return png(coloured(page, *_PAIRS[random.integers(len(_PAIRS))]))


def _spread(random: Random, points: NDArray[np.floating], spacing: float) -> NDArray[np.floating]:
    """Return points of a line that are about as far apart as `spacing`, as if one went along the line, (m, 2)."""
    left = points[random.permutation(len(points))]
    chosen = [left[0]]
    while len(left := left[np.linalg.norm(left - chosen[-1], axis=1) >= spacing]):
        chosen.append(left[np.linalg.norm(left - chosen[-1], axis=1).argmin()])
    return np.array(chosen)


def one_pixel(random: Random, digit: Digit) -> bytes:
    """Draw with lines of one pixel in an image of MNIST's size or little more, which they may touch."""
    side = int(random.integers(24, 57))
    return _thin(random, digit.drawn(random, side * random.uniform(0.75, 0.98) - 3, 1), side)


def thin_lines(random: Random, digit: Digit) -> bytes:
    """Draw with lines of one or two pixels on a page of any size, which they may touch."""
    side = int(random.integers(56, 400))
    ink = digit.drawn(random, side * random.uniform(0.6, 0.98) - 3, int(random.integers(1, 3)))
    return _thin(random, ink, side)


def _thin(random: Random, ink: Plane, side: int) -> bytes:
    """Place ink on a page, or crop it to its strokes along one axis or both, smooth or in two levels."""
    left, top, width, height = cv2.boundingRect((ink > 0.5).astype(np.uint8))
    if random.random() < 0.25:
        ink = ink[top : top + height]
    if random.random() < 0.25:
        ink = ink[:, left : left + width]
    crop = random.random() < 0.4
    page = ink if crop else placed(random, ink, (side, side), 0.0)
    return _painted(random, (page > 0.5).astype(np.float32) if random.random() < 0.5 else page)


def two_levels(random: Random, digit: Digit) -> bytes:
    """Save MNIST's own strokes in two levels, of which the lighter one may be as dark as 1, or their negative."""
    side = int(random.integers(16, 65))
    page = placed(random, digit.enlarged(side * random.uniform(0.7, 0.95) - 2), (side, side), 0.0) > 0.5
    light = int(random.choice((1, 3, 255)))
    return encoded((page if random.random() < 0.7 else ~page).astype(np.uint8) * np.uint8(light), "PNG")


def eight_by_eight(random: Random, digit: Digit) -> bytes:
    """Reduce a digit to 8×8 pixels of 0 to 16, as a well-known set has them, or to 0 to 255, or their negative."""
    left, top, width, height = cv2.boundingRect(digit.image)
    cut = digit.image[top : top + height, left : left + width]
    margin = max(0, height - width) // 2
    square = cv2.copyMakeBorder(cut, 0, 0, margin, margin, cv2.BORDER_CONSTANT)
    most = int(random.choice((16, 16, 15, 255)))
    small = np.rint(cv2.resize(square, (8, 8), interpolation=cv2.INTER_AREA) * (most / 255)).astype(np.uint8)
    return encoded(small if random.random() < 0.7 else np.uint8(most) - small, "PNG")


def dotted(random: Random, digit: Digit) -> bytes:
    """Draw a digit in dots, as for tracing."""
    size = random.uniform(60, 300)
    spacing = random.uniform(0.055, 0.09)
    points = _spread(random, digit.pieces[:, 0], spacing)
    return _drawn_at(random, points * size, size, size * spacing * random.uniform(0.4, 0.75))


def dashed(random: Random, digit: Digit) -> bytes:
    """Draw a digit in dashes."""
    size = random.uniform(60, 300)
    spacing = random.uniform(0.1, 0.15)
    middles = _spread(random, digit.pieces[:, 0], spacing)
    apart = np.linalg.norm(digit.pieces[:, :1] - middles, axis=2).min(axis=1)
    pieces = digit.pieces[apart < spacing * random.uniform(0.25, 0.33)]
    return _drawn_at(random, pieces * size, size, size * random.uniform(0.025, 0.05))


def _drawn_at(random: Random, points: NDArray[np.floating], size: float, width: float) -> bytes:
    """Draw points, (n, 2), or short lines, (n, 2, 2), with a round pen on a page somewhat larger than `size`."""
    points = points if points.ndim == 3 else np.stack([points, points], axis=1)
    ink = traced(points - points.min((0, 1)), width)
    side = round(size * random.uniform(1.1, 1.8))
    return _painted(random, placed(random, ink, (side, side)))


def hollow(random: Random, digit: Digit) -> bytes:
    """Draw the outline of a digit, as of a letter to be coloured in."""
    size = random.uniform(80, 300)
    ink = cv2.copyMakeBorder(digit.enlarged(size), 4, 4, 4, 4, cv2.BORDER_CONSTANT)
    outlines, _ = cv2.findContours((ink > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    line = np.zeros(ink.shape, np.uint8)
    cv2.drawContours(line, outlines, -1, 255, int(random.integers(1, max(2, round(size / 50)) + 1)), cv2.LINE_AA)
    side = round(size * random.uniform(1.1, 1.8))
    return _painted(random, placed(random, line / np.float32(255), (side, side)))


def half_inverted(random: Random, digit: Digit) -> bytes:
    """Invert a band of an image of MNIST from side to side, or a part of it up to a side."""
    image = digit.image.copy()
    along = image.T if random.random() < 0.5 else image  # a view: changing it changes the image
    start = int(random.integers(0, 16))
    band = along[start : start + int(random.integers(6, 15))]
    band[:] = 255 - band
    return encoded(255 - image if random.random() < 0.3 else image, "PNG")


KINDS: tuple[Kind, ...] = (
    clean, lamp, soft_shadow, hard_shadow, shadow_band, vignette, underexposed, crease, whiteboard, old_paper,
    ruled_paper, squared_paper, strong_lines, dotted_paper, printed_text, printed_box, form_rest, neighbours,
    sheet_on_table, table_at_one_side, punch_holes, paper_clip, finger, tiny_on_a_page, small_on_a_scan, thumbnail,
    faint_pencil, hairline, marker, chalk, light_pen, coloured_ink,
    coarse_jpeg, sensor_noise, motion_blur, photocopy, palette, sixteen_bits, paint_program,
    transparent_dark, transparent_light, transparent_two_colours, transparent_sticker,
    postal, postal_grey, postal_small, tight,
    one_pixel, thin_lines, two_levels, eight_by_eight, dotted, dashed, hollow, half_inverted,
)  # fmt: skip


def files_of(kind: Kind, digits: Sequence[Digit]) -> list[bytes]:
    """Draw each digit as one kind. The images do not depend on the other kinds."""
    seed = zlib.crc32(kind.__name__.encode())
    return [kind(np.random.default_rng([seed, number]), digit) for number, digit in enumerate(digits)]
