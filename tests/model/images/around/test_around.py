"""What is drawn around a digit is left out, an empty shape is refused, and a zero stays a zero."""

import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import FailureCode, ImageError
from model.images.normalise import normalise
from model.images.stages import Stage
from tests.model.images.drawings import FIVE, SEVEN, drawing, shares_ink
from tests.support.images import slashed_zeros

QUICK = settings(max_examples=25, deadline=None)
SIDE = 240
MIDDLE = (120, 120)


def page(paper=250):
    """Return an empty page, uint8 (240, 240)."""
    return np.full((SIDE, SIDE), paper, np.uint8)


def write(image, ink=20, line=FIVE, size=100, width=9, shift=(0, 0)):
    """Write a digit, `size` pixels high, in the middle of a page, and return the page."""
    points = np.array([(120 + shift[0] + (x - 0.5) * size, 120 + shift[1] + (y - 0.5) * size * 1.4) for x, y in line])
    return cv2.polylines(image, [points.round().astype(np.int32)], False, ink, width, cv2.LINE_AA)


def circle(radius=100, width=5, ink=20, image=None):
    """Return a page with a circle."""
    return cv2.circle(page() if image is None else image, MIDDLE, radius, ink, width, cv2.LINE_AA)


def rounded(image, half, radius, ink, width):
    """Draw a box with round corners around the middle of a page; a negative width fills it."""
    low, high = 120 - half, 120 + half
    mask = np.zeros_like(image)
    cv2.rectangle(mask, (low + radius, low), (high - radius, high), 255, -1)
    cv2.rectangle(mask, (low, low + radius), (high, high - radius), 255, -1)
    for x in (low + radius, high - radius):
        for y in (low + radius, high - radius):
            cv2.circle(mask, (x, y), radius, 255, -1)
    if width > 0:
        mask = cv2.subtract(mask, cv2.erode(mask, np.ones((2 * width + 1,) * 2, np.uint8)))
    image[mask > 0] = ink
    return image


def open_circle():
    """Return a page with a circle that has a gap at its lower right."""
    return cv2.ellipse(page(), MIDDLE, (100, 100), 60, 0, 330, 20, 5, cv2.LINE_AA)


def button():
    """Return a page with a button: a gradient, a border and the shadow of the whole."""
    image = cv2.GaussianBlur(cv2.circle(page(200), (124, 126), 102, 120, -1), (0, 0), 4)
    face = np.broadcast_to(np.linspace(120, 50, SIDE).astype(np.uint8)[:, np.newaxis], image.shape)
    disc = cv2.circle(np.zeros_like(image), MIDDLE, 100, 255, -1)
    image = np.where(disc, face, image)
    return cv2.circle(image, MIDDLE, 97, 40, 5, cv2.LINE_AA)


OUTLINES = {
    "a circle": circle,
    "a circle in grey": lambda: circle(ink=130),
    "an open circle": open_circle,
    "an ellipse": lambda: cv2.ellipse(page(), MIDDLE, (115, 85), 20, 0, 360, 20, 4, cv2.LINE_AA),
    "two circles": lambda: circle(86, 4, image=circle(102, 4)),
    "a box with round corners": lambda: rounded(page(), 95, 30, 20, 5),
    "a box of two lines": lambda: rounded(rounded(page(), 105, 20, 20, 4), 90, 12, 20, 4),
}
SURFACES = {
    "a disc": lambda: circle(100, -1, 90),
    "a filled ellipse": lambda: cv2.ellipse(page(), MIDDLE, (115, 85), 0, 0, 360, 60, -1, cv2.LINE_AA),
    "a tile": lambda: rounded(page(), 100, 25, 80, -1),
    "a button": button,
    "a disc on dark ground": lambda: circle(100, -1, 110, page(20)),
}


def alone(line, ink=20, paper=250):
    """Return what the network is shown of a digit with nothing around it."""
    return normalise(write(page(paper), ink, line))


@pytest.mark.parametrize("line", [FIVE, SEVEN])
@pytest.mark.parametrize("kind", OUTLINES)
def test_an_outline_is_left_out(kind, line):
    """A digit in an outline is shown as if it were alone."""
    assert shares_ink(normalise(write(OUTLINES[kind](), line=line)), alone(line)) > 0.9


@pytest.mark.parametrize("line", [FIVE, SEVEN])
@pytest.mark.parametrize("kind", SURFACES)
def test_a_surface_is_left_out(kind, line):
    """A light digit on a dark surface is shown as if it were alone."""
    assert shares_ink(normalise(write(SURFACES[kind](), ink=245, line=line)), alone(line)) > 0.9


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("sides", [2, 3])
def test_a_frame_with_two_or_three_sides_is_left_out(sides, turn):
    """As that of a field on a screen, which is dark on two sides, and of a comb, which is open above."""
    corners = np.roll([(30, 40), (210, 40), (210, 200), (30, 200)], turn, axis=0)[: sides + 1]
    frame = cv2.polylines(page(), [corners.astype(np.int32)], False, 20, 5)
    assert shares_ink(normalise(write(frame, size=80)), alone(FIVE)) > 0.9


def test_a_seven_with_a_loose_bar_is_not_a_frame():
    """Its upright stem and its top enclose the bar, which is flat."""
    seven = cv2.polylines(page(), [np.array([(70, 60), (150, 60), (150, 190)])], False, 20, 8)
    assert strokes_kept(cv2.line(seven, (85, 125), (130, 125), 20, 8))


def test_the_corner_of_a_four_is_not_a_frame():
    """The stroke beside it is not within its bounds."""
    four = cv2.polylines(page(), [np.array([(80, 50), (80, 130), (150, 130)])], False, 20, 8)
    assert strokes_kept(cv2.line(four, (165, 50), (165, 200), 20, 8))


@pytest.mark.parametrize("line", [FIVE, SEVEN])
def test_a_digit_in_a_thick_ring_is_shown_alone(line):
    """A ball with a white disc is a ring whose line is nearly half as wide as its radius."""
    assert shares_ink(normalise(write(circle(82, 48), line=line, size=70, width=6)), alone(line)) > 0.9


@pytest.mark.parametrize("line", [FIVE, SEVEN])
def test_a_bold_digit_on_a_disc_is_shown_alone(line):
    """It leaves less than four fifths of the disc."""
    bold = normalise(write(page(), line=line, size=120, width=30))
    assert shares_ink(normalise(write(circle(92, -1, 60), ink=245, line=line, size=120, width=30)), bold) > 0.9


def two_loops(image, ink, size):
    """Draw an eight around the middle of a page, `size` pixels high."""
    cv2.ellipse(image, (120, 120 - size // 4), (size // 5, size // 4 - 8), 0, 0, 360, ink, 16, cv2.LINE_AA)
    return cv2.ellipse(image, (120, 120 + size // 4), (size // 4, size // 4 - 8), 0, 0, 360, ink, 16, cv2.LINE_AA)


def one_loop(image, ink, size):
    """Draw a six around the middle of a page, `size` pixels high."""
    low, across, down = 120 + size // 2, size // 4, size // 4
    cv2.ellipse(image, (120, low - down), (across, down - 8), 0, 0, 360, ink, 16, cv2.LINE_AA)
    stroke = np.array([(120 - across, low - down), (120 - across + 6, 120 - size // 5), (130, 128 - size // 2)])
    return cv2.polylines(image, [stroke], False, ink, 16, cv2.LINE_AA)


@pytest.mark.parametrize("digit", [one_loop, two_loops])
@pytest.mark.parametrize("radius", [30, 65, 92])
@pytest.mark.parametrize("shift", [0, 28])
def test_a_digit_that_nearly_fills_a_disc_or_a_tile_is_shown_alone(digit, radius, shift):
    """Its loops are islands of ink in the hole, which a zero does not have. The tile may touch a side of the image."""
    image = rounded(page(), 92, radius, 60, -1)
    digit(image, 245, 140)
    moved = np.roll(image, shift, axis=0)[shift:]
    assert shares_ink(normalise(moved), normalise(digit(page(), 20, 140))) > 0.85


@pytest.mark.parametrize("side", [40, 64, 400, 1000])
@pytest.mark.parametrize("kind", [circle, lambda: circle(100, -1, 240, page(60))])
def test_size_matters_little(kind, side):
    """A digit in a circle or on a disc is found in a small image and in a large one."""
    image = cv2.resize(write(kind()), (side, side), interpolation=cv2.INTER_AREA)
    assert shares_ink(normalise(image), alone(FIVE)) > 0.85


def test_a_digit_that_touches_its_circle_is_cut_out():
    """A digit that touches its circle is shown without the circle."""
    image = write(circle(100, 4), line=SEVEN, size=130, shift=(-28, 0))
    lowest = np.flatnonzero((image < 128).any(axis=1))
    assert len(lowest) == lowest[-1] - lowest[0] + 1
    assert shares_ink(normalise(image), alone(SEVEN)) > 0.8


NINE = [(0.75, 0.1), (0.4, 0.0), (0.1, 0.12), (0.1, 0.35), (0.4, 0.45), (0.75, 0.35), (0.75, 0.1), (0.7, 1.0)]


@pytest.mark.parametrize("way", [(0, -1), (-0.7, -0.7)])
def test_a_stroke_that_lies_on_the_circle_stays_whole(way):
    """The loop of a nine keeps its width where it touches the circle, and so it stays closed."""
    for reach in range(60):
        shift = round(way[0] * reach), round(way[1] * reach)
        nine = write(page(), line=NINE, width=12, shift=shift)
        rows, columns = np.nonzero(nine < 128)
        if np.hypot(rows - 120, columns - 120).max() >= 98:
            break
    shown = normalise(write(circle(100, 6), line=NINE, width=12, shift=shift))
    assert shares_ink(shown, normalise(write(page(), line=NINE, width=12))) > 0.8


@pytest.mark.parametrize(("turn", "away"), [(0, 60), (20, 55), (35, 45), (-30, 50)])
def test_a_one_from_side_to_side_is_a_one_if_it_is_off_centre(turn, away):
    """The slash of a zero runs through the middle."""
    angle = np.radians(turn)
    normal, way = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    start, end = ((120 + away * normal + sign * 110 * way).round().astype(int).tolist() for sign in (-1, 1))
    within = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), MIDDLE, 98, 255, -1)
    bar = cv2.line(page(), start, end, 20, 9, cv2.LINE_AA)
    bar = np.where(within, bar, 250).astype(np.uint8)
    assert shares_ink(normalise(np.minimum(bar, circle(100, 6))), normalise(bar)) > 0.7


@pytest.mark.parametrize("size", [45, 60, 80])
def test_a_small_digit_in_a_large_frame_is_read(size):
    """A frame is not a zero, so what is in it need not be large."""
    frame = cv2.rectangle(page(), (10, 10), (230, 230), 20, 3)
    assert shares_ink(normalise(write(frame, size=size, width=max(2, size // 10))), alone(FIVE)) > 0.8


def test_a_bold_short_one_in_a_circle_is_not_a_dot():
    """It is two and a half times as long as wide."""
    image = cv2.line(circle(100, 6), (120, 95), (120, 145), 20, 34)
    assert not strokes_kept(image)


@pytest.mark.parametrize(("face", "gloss"), [(85, 25), (85, 40), (100, 0), (100, 25)])
def test_a_dim_button_with_a_bright_digit_is_left_out(face, gloss):
    """The digit alone is ink then, and the button was taken for paper."""
    disc = circle(60, -1, 255, page(0))
    light = cv2.bitwise_and(disc, cv2.circle(page(0), (120, 30), 86, 255, -1))
    image = np.where(light, face + gloss, circle(60, -1, face, page(40)))
    image = image + np.random.default_rng(0).normal(0, 1.5, image.shape)
    image = write(np.clip(image, 0, 255).astype(np.uint8), ink=240, size=70, width=7)
    assert shares_ink(normalise(image), normalise(write(page(), size=70, width=7))) > 0.9


@pytest.mark.parametrize("line", [FIVE, SEVEN, [(0.5, 0.0), (0.5, 1.0)], [(0.7, 0.0), (0.3, 1.0)]])
@pytest.mark.parametrize("size", [46, 60])
def test_a_small_digit_in_a_circle_is_shown_alone(size, line):
    """A digit of a fifth of the diameter is read, also a one, which in a narrow zero would be a mark."""
    image = write(circle(), line=line, size=size, width=7)
    assert shares_ink(normalise(image), normalise(write(page(), line=line, size=size, width=7))) > 0.5


@pytest.mark.parametrize("kind", ["a disc", "a filled ellipse", "a tile", "two circles", *list(OUTLINES)[-2:]])
def test_a_shape_with_nothing_in_it_is_refused(kind):
    """An empty disc, tile, box or double circle is blank, and not a zero."""
    with pytest.raises(ImageError, match="a shape with nothing in it") as caught:
        normalise({**OUTLINES, **SURFACES}[kind]())
    assert caught.value.code == FailureCode.BLANK


@pytest.mark.parametrize(("outer", "inner"), [((110, 110), (40, 40)), ((110, 80), (75, 45)), ((85, 105), (60, 80))])
def test_a_ring_within_a_ring_is_refused_and_a_zero_in_it_is_not(outer, inner):
    """Rings with the same gap on all sides are a shape with nothing in it. A zero leaves larger gaps at its sides."""
    ring = cv2.ellipse(page(), MIDDLE, outer, 0, 0, 360, 20, 5, cv2.LINE_AA)
    with pytest.raises(ImageError, match="a shape with nothing in it"):
        normalise(cv2.ellipse(ring.copy(), MIDDLE, inner, 0, 0, 360, 20, 5, cv2.LINE_AA))
    zero = round(0.6 * inner[1]), inner[1]
    alone = normalise(cv2.ellipse(page(), MIDDLE, zero, 0, 0, 360, 20, 5, cv2.LINE_AA))
    assert shares_ink(normalise(cv2.ellipse(ring, MIDDLE, zero, 0, 0, 360, 20, 5, cv2.LINE_AA)), alone) > 0.8


@pytest.mark.parametrize("radii", [(105, 72, 40), (110, 90, 70, 50), (110, 92, 74, 56, 38)])
def test_three_rings_and_more_are_refused_however_they_are_drawn(radii):
    """Rings, one in the other, are a shape with nothing in it, also if they are bent."""
    image = page()
    for radius in radii:
        cv2.ellipse(image, (120 + radius // 20, 120), (radius, radius - 4), radius, 0, 360, 20, 6, cv2.LINE_AA)
    bent = cv2.warpAffine(image, np.array([[1, 0.12, -14], [0.05, 1, -6]]), (SIDE, SIDE), borderValue=(250,))
    with pytest.raises(ImageError, match="a shape with nothing in it"):
        normalise(bent)


def strokes_kept(image):
    """Return whether normalisation finds one digit that spans all ink of the image."""
    seen = {}
    normalise(image, lambda stage, picture: seen.update({stage: picture}))
    _, _, width, height = cv2.boundingRect(seen[Stage.DIGIT])
    _, _, across, down = cv2.boundingRect((image < 128).astype(np.uint8))
    factor = max(image.shape) / max(seen[Stage.DIGIT].shape)
    return abs(width * factor - across) <= 4 * factor and abs(height * factor - down) <= 4 * factor


@pytest.mark.parametrize("kind", ["a box with round corners", "a box of two lines", "a tile"])
@pytest.mark.parametrize("across", [38, 45, 50])
@pytest.mark.parametrize("width", [6, 12, 26])
def test_a_round_zero_in_a_box_or_on_a_tile_stays_a_zero(kind, across, width):
    """It does not have the form of the box around it."""
    ink = 245 if kind in SURFACES else 20
    image = cv2.ellipse({**OUTLINES, **SURFACES}[kind](), MIDDLE, (across, 50), 0, 0, 360, ink, width, cv2.LINE_AA)
    alone = normalise(cv2.ellipse(page(), MIDDLE, (across, 50), 0, 0, 360, 20, width, cv2.LINE_AA))
    assert shares_ink(normalise(image), alone) > 0.85


@pytest.mark.parametrize("kind", ["a disc", "two circles"])
@pytest.mark.parametrize("across", [30, 35])
def test_a_zero_on_a_disc_or_in_two_circles_stays_a_zero(kind, across):
    """A disc is not a ring, and two circles side by side are one."""
    ink = 245 if kind in SURFACES else 20
    image = cv2.ellipse({**OUTLINES, **SURFACES}[kind](), MIDDLE, (across, 45), 0, 0, 360, ink, 12, cv2.LINE_AA)
    alone = normalise(cv2.ellipse(page(), MIDDLE, (across, 45), 0, 0, 360, 20, 12, cv2.LINE_AA))
    assert shares_ink(normalise(image), alone) > 0.7


@pytest.mark.parametrize("kind", ["a disc", "a tile"])
def test_a_line_along_the_rim_of_a_surface_is_not_a_zero(kind):
    """A ring on a disc, or a box on a tile, is a shape with nothing in it."""
    image = SURFACES[kind]()
    image = circle(66, 5, 245, image) if kind == "a disc" else rounded(image, 66, 15, 245, 5)
    with pytest.raises(ImageError, match="a shape with nothing in it"):
        normalise(image)


@pytest.mark.parametrize("width", [30, 44, 60])
@pytest.mark.parametrize("across", [66, 72, 76])
def test_a_bold_round_zero_stays_a_zero(width, across):
    """A ring as wide as a marker's stroke is not a disc with a digit on it, because its hole is as round."""
    assert strokes_kept(cv2.ellipse(page(), MIDDLE, (across, 76), 0, 0, 360, 20, width, cv2.LINE_AA))


@pytest.mark.parametrize("side", [30, 60, 120, 240])
def test_the_dot_in_a_bold_narrow_zero_is_not_a_second_line(side):
    """It is near the line on both sides, but it does not go around the middle."""
    image = cv2.ellipse(page(), MIDDLE, (46, 84), 0, 0, 360, 20, 30, cv2.LINE_AA)
    cv2.ellipse(image, MIDDLE, (13, 15), 0, 0, 360, 20, -1, cv2.LINE_AA)
    assert strokes_kept(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))


@QUICK
@given(
    across=st.integers(35, 80),
    down=st.integers(80, 105),
    width=st.integers(4, 32),
    turn=st.integers(-15, 15),
    mark=st.sampled_from(["nothing", "dot", "slash"]),
)
def test_a_zero_stays_a_zero(across, down, width, turn, mark):
    """A zero keeps all its strokes, however wide it is drawn, with a dot or a slash in it or with nothing."""
    image = cv2.ellipse(page(), MIDDLE, (across, down), turn, 0, 360, 20, width, cv2.LINE_AA)
    if mark == "dot":
        cv2.circle(image, MIDDLE, max(3, (across - width) // 4), 20, -1, cv2.LINE_AA)
    elif mark == "slash":
        end = round(max(across, 0.45 * down) * 0.75), round(down * 0.75)  # steeper, it may be a one in an ellipse
        cv2.line(image, (120 - end[0], 120 + end[1]), (120 + end[0], 120 - end[1]), 20, min(width, 12), cv2.LINE_AA)
    assert strokes_kept(image)


@pytest.mark.parametrize(("width", "slash", "side"), [(33, 7, 36), (36, 6, 42), (43, 8, 51), (40, 5, 57)])
def test_a_bold_zero_with_a_slash_is_not_a_surface(width, slash, side):
    """What is left of its hole are two slivers around its middle. A digit on a disc is not centred so."""
    image = cv2.ellipse(page(), MIDDLE, (54 - width // 2, 82 - width // 2), 3, 0, 360, 20, width, cv2.LINE_AA)
    cv2.line(image, (88, 169), (152, 71), 20, slash, cv2.LINE_AA)
    assert strokes_kept(cv2.resize(image[20:220, 20:220], (side, side), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("lean", [25, 35, 45])
@pytest.mark.parametrize("share", [0.55, 0.65, 0.75, 0.95])
def test_a_slanted_one_in_an_ellipse_is_not_a_slash(share, lean):
    """A bar that leaves room at its ends is a one, and one that runs from side to side is the slash of a zero."""
    across, down, angle = 68, 100, np.radians(lean)
    way = np.array([np.sin(angle), -np.cos(angle)])
    reach = way * share / np.hypot(way[0] / across, way[1] / down)
    start, end = ((120 + sign * reach).round().astype(int).tolist() for sign in (-1, 1))
    bar = cv2.line(page(), start, end, 20, 6, cv2.LINE_AA)
    image = cv2.ellipse(bar.copy(), MIDDLE, (across + 5, down + 5), 0, 0, 360, 20, 6, cv2.LINE_AA)
    if share > 0.9:
        assert strokes_kept(image)
    else:
        assert shares_ink(normalise(image), normalise(bar)) > 0.9


@pytest.mark.parametrize("lean", [5, 30, 45])
@pytest.mark.parametrize("share", [0.35, 0.5, 0.95])
def test_a_small_one_in_a_circle_may_lean(share, lean):
    """Only a bar that runs through the middle from side to side is the slash of a zero."""
    way = np.array([np.sin(np.radians(lean)), -np.cos(np.radians(lean))])
    start, end = ((120 + sign * share * 95 * way).round().astype(int).tolist() for sign in (-1, 1))
    bar = cv2.line(page(), start, end, 20, 6, cv2.LINE_AA)
    image = cv2.circle(bar.copy(), MIDDLE, 100, 20, 8, cv2.LINE_AA)
    if share > 0.9 and lean > 20:  # less, and it is a one
        assert strokes_kept(image)
    else:
        assert shares_ink(normalise(image), normalise(bar)) > 0.7


def test_a_zero_on_the_pin_of_a_map_is_read():
    """The ink in the zero belongs to the pin, though it does not touch the rest."""
    angle = np.linspace(np.pi * 0.85, np.pi * 2.15, 60)
    head = np.stack([120 + 75 * np.cos(angle), 90 + 75 * np.sin(angle)], axis=1)
    pin = cv2.fillPoly(page(), [np.vstack([head, (120, 225)]).round().astype(np.int32)], 20)
    zero = (120, 90), (38, 48), 0, 0, 360
    shown = normalise(cv2.ellipse(page(), *zero, 20, 8, cv2.LINE_AA))
    assert shares_ink(normalise(cv2.ellipse(pin, *zero, 250, 8, cv2.LINE_AA)), shown) > 0.8


@pytest.mark.parametrize("width", [6, 14, 24])
def test_loops_stay(width):
    """A six, an eight and a nine keep their loops."""
    eight = cv2.circle(cv2.circle(page(), (120, 80), 36, 20, width), (120, 160), 44, 20, width)
    six = cv2.polylines(
        cv2.circle(page(), (120, 160), 44, 20, width), [np.array([(140, 30), (95, 80), (78, 150)])], False, 20, width
    )
    nine = np.rot90(six, 2).copy()
    for image in (eight, six, nine):
        assert strokes_kept(image)


@pytest.mark.parametrize("shift", [0, 6, 12])
@pytest.mark.parametrize("lines", [1, 2])
def test_an_underline_is_left_out(lines, shift):
    """One line or two under a digit, straight or a little slanted, are left out."""
    image = write(page(), line=FIVE)
    for line in range(lines):
        cv2.line(image, (60, 186 + 14 * line + shift), (180, 186 + 14 * line), 20, 5, cv2.LINE_AA)
    assert shares_ink(normalise(image), alone(FIVE)) > 0.95


@pytest.mark.parametrize("digit", [FIVE, SEVEN, [(0.5, 0.0), (0.5, 1.0)]])
def test_a_line_above_is_left_out_if_one_below_is_like_it(digit):
    """As on ruled paper whose lines end before the border. The loose bar of an underlined five stays."""
    image = write(page(), line=digit)
    for row in (36, 200):
        cv2.line(image, (50, row), (190, row), 20, 4, cv2.LINE_AA)
    assert shares_ink(normalise(image), alone(digit)) > 0.95
    body = np.array([(80, 70), (80, 110), (140, 120), (140, 160), (80, 170)])
    loose = cv2.line(cv2.polylines(page(), [body], False, 20, 9, cv2.LINE_AA), (80, 50), (150, 50), 20, 9, cv2.LINE_AA)
    underlined = cv2.line(loose.copy(), (75, 200), (155, 200), 20, 5, cv2.LINE_AA)
    assert shares_ink(normalise(underlined), normalise(loose)) > 0.95


@pytest.mark.parametrize("apart", [5, 9])
def test_two_underlines_that_meet_are_left_out(apart):
    """They are one line that is as thick as both, near to the digit."""
    image = write(page(), line=SEVEN)
    bottom = int(np.flatnonzero((image < 128).any(axis=1))[-1])
    for start in (bottom + 7, bottom + 7 + apart):
        cv2.line(image, (60, start), (180, bottom + 7), 20, 5, cv2.LINE_AA)
    assert shares_ink(normalise(image), alone(SEVEN)) > 0.94


def test_a_wavy_underline_is_left_out():
    """A wavy line under a digit is left out."""
    across = np.arange(60, 181)
    wave = np.stack([across, 190 + 4 * np.sin(across / 6)], axis=1).round().astype(np.int32)
    image = cv2.polylines(write(page(), line=SEVEN), [wave], False, 20, 4, cv2.LINE_AA)
    assert shares_ink(normalise(image), alone(SEVEN)) > 0.95


def test_an_underline_that_touches_is_left_out_and_the_foot_of_a_two_is_not():
    """A line that a seven touches is left out, and that with which a two ends is not, however long it is."""
    image = write(page(), line=SEVEN)
    bottom = int(np.flatnonzero((image < 128).any(axis=1))[-1])
    underlined = cv2.line(image, (50, bottom), (180, bottom), 20, 5, cv2.LINE_AA)
    assert shares_ink(normalise(underlined), alone(SEVEN)) > 0.8
    points = np.array([(90, 80), (110, 60), (140, 70), (140, 100), (85, 180), (190, 180)])
    assert strokes_kept(cv2.polylines(page(), [points], False, 20, 7, cv2.LINE_AA))


@pytest.mark.parametrize(
    "points",
    [
        [(90, 80), (120, 60), (140, 70), (140, 100), (100, 172), (68, 176), (100, 172), (130, 180), (180, 178)],
        [(106, 70), (122, 52), (142, 70), (138, 105), (104, 176), (86, 176), (164, 176)],
    ],
    ids=["bent", "narrow"],
)
def test_a_foot_beyond_both_sides_of_a_two_is_not_an_underline(points):
    """A foot bends where the two meets it. That of a narrow two may be straight, but it is as thick as the two."""
    assert strokes_kept(cv2.polylines(page(), [np.array(points)], False, 20, 9, cv2.LINE_AA))


TWO = [(90, 80), (110, 60), (140, 70), (140, 100), (92, 176), (150, 176)]
SIX = [(140, 60), (105, 100), (95, 150), (105, 174), (130, 176), (145, 150), (130, 130), (100, 145)]


@pytest.mark.parametrize("below", [3, 5])
@pytest.mark.parametrize("points", [TWO, SIX], ids=["a two", "a six"])
def test_an_underline_that_touches_leaves_the_foot_of_a_digit(points, below):
    """The foot of a two, or the bowl of a six, stays, although it lies on the line."""
    digit = cv2.polylines(page(), [np.array(points)], False, 20, 11, cv2.LINE_AA)
    underlined = cv2.line(digit.copy(), (50, 176 + below), (195, 176 + below), 20, 5, cv2.LINE_AA)
    assert shares_ink(normalise(underlined), normalise(digit)) > 0.9


@QUICK
@given(
    seed=st.integers(0, 10_000),
    side=st.integers(8, 200),
    shapes=st.lists(st.sampled_from(["circle", "disc", "box", "tile", "line", "digit"]), max_size=6),
)
def test_any_shapes_give_a_digit_or_an_image_error(seed, side, shapes):
    """Shapes of any kind, anywhere and in any grey, never raise another error."""
    random = np.random.default_rng(seed)
    image = np.full((side, max(8, side // int(random.integers(1, 3)))), int(random.integers(256)), np.uint8)
    for shape in shapes:
        first, second = (random.integers(-side // 4, side * 5 // 4, 2).tolist() for _ in range(2))
        ink, width = int(random.integers(256)), int(random.integers(1, 8))
        if shape in {"circle", "disc"}:
            cv2.circle(image, first, int(random.integers(1, side)), ink, width if shape == "circle" else -1)
        elif shape in {"box", "tile"}:
            cv2.rectangle(image, first, second, ink, width if shape == "box" else -1)
        elif shape == "line":
            cv2.line(image, first, second, ink, width)
        else:
            digit = drawing(side, image.shape[1], line=FIVE, ink=0) < 128
            image[digit] = ink
    with contextlib.suppress(ImageError):
        assert normalise(image).shape == (28, 28)


def test_a_slashed_zero_of_mnists_size_is_not_a_surface():
    """With thick strokes it is as solid as one, but too small to carry a digit. So it is shown, and not refused."""
    for zero in slashed_zeros(60, seed=3):
        assert shares_ink(normalise(zero), zero) > 0.6


def polygon(corners, turn, width=6):
    """Return a page with the outline of a regular polygon."""
    angles = np.radians(turn) + np.arange(corners) * 2 * np.pi / corners
    points = np.array([(120 + 105 * np.cos(angle), 125 + 105 * np.sin(angle)) for angle in angles])
    return cv2.polylines(page(), [points.round().astype(np.int32)], True, 20, width, cv2.LINE_AA)


POLYGONS = {"a triangle": (3, -90), "a diamond": (4, 0), "a hexagon": (6, 0), "a hexagon on its tip": (6, 30)}


@pytest.mark.parametrize("line", [FIVE, SEVEN, [(0.5, 0.0), (0.5, 1.0)]])
@pytest.mark.parametrize("kind", POLYGONS)
def test_a_digit_in_a_polygon_is_shown_alone(kind, line):
    """A sign around a digit is left out, whichever side it stands on."""
    shown = normalise(write(polygon(*POLYGONS[kind]), line=line, size=50, shift=(0, 10)))
    assert shares_ink(shown, normalise(write(page(), line=line, size=50))) > 0.9


@pytest.mark.parametrize("width", [3, 8])
@pytest.mark.parametrize("kind", POLYGONS)
def test_a_polygon_with_nothing_in_it_is_refused(kind, width):
    """A triangle is not a 4, and a diamond is not a 0."""
    with pytest.raises(ImageError) as caught:
        normalise(polygon(*POLYGONS[kind], width))
    assert caught.value.code is FailureCode.BLANK


def test_a_leaning_zero_with_corners_is_not_an_empty_polygon():
    """It is narrower than the polygons of signs."""
    corners = cv2.boxPoints(((120, 120), (100, 170), 15))
    assert strokes_kept(cv2.polylines(page(), [corners.round().astype(np.int32)], True, 20, 8, cv2.LINE_AA))


@pytest.mark.parametrize(("down", "across"), [(1, 1), (2, 1), (1, 3)])
def test_a_table_with_nothing_in_it_is_refused(down, across):
    """The lines between its cells are not a 1."""
    image = cv2.rectangle(page(), (20, 40), (220, 200), 20, 3)
    for x in np.linspace(20, 220, across + 2)[1:-1].astype(int).tolist():
        cv2.line(image, (x, 40), (x, 200), 20, 3)
    for y in np.linspace(40, 200, down + 2)[1:-1].astype(int).tolist():
        cv2.line(image, (20, y), (220, y), 20, 3)
    with pytest.raises(ImageError) as caught:
        normalise(image)
    assert caught.value.code is FailureCode.BLANK


def test_a_printed_one_in_a_box_is_not_a_table():
    """Its foot crosses its stem, but neither runs from side to side."""
    image = cv2.rectangle(page(), (40, 30), (200, 210), 20, 4)
    cv2.line(image, (120, 70), (120, 170), 20, 9)
    cv2.line(image, (85, 170), (155, 170), 20, 9)
    assert normalise(image).any()
