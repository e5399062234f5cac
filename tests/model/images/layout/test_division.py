"""Several digits are told from one digit in several pieces by their sizes and their arrangement."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.images.layout.division import LIMITS, divide
from model.images.layout.drawn import Drawn
from model.images.raster import connected_components
from tests.model.images.drawings import FIVE, SEVEN, strokes_of

QUICK = settings(max_examples=50, deadline=None)

ONE = ((0.5, 0.2), (0.5, 0.8))
ZERO = tuple((0.5 + 0.2 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 40))


def division_of(mask):
    """Divide strokes, none of which is a line or a frame."""
    components = connected_components(mask)
    return divide(Drawn(components, np.ones(len(components.stats), np.bool_)))


def digit(line, height=100, stroke=0.08):
    """Draw the strokes of a digit, cropped to them. The digit itself has 0.6 of the height."""
    strokes = strokes_of(height, height, line=line, stroke=stroke)
    left, top, width, rows = cv2.boundingRect(strokes)
    return strokes[top : top + rows, left : left + width]


def page_of(placed, height=400, width=600):
    """Return a page with strokes at some places: pairs of strokes and of their top and left."""
    page = np.zeros((height, width), np.uint8)
    for strokes, (top, left) in placed:
        page[top : top + strokes.shape[0], left : left + strokes.shape[1]] |= strokes
    return page


def row_of(strokes, gap, top=50):
    """Return a page with strokes side by side, with a gap in pixels."""
    lefts = [20, *(20 + np.cumsum([each.shape[1] + gap for each in strokes[:-1]])).tolist()]
    return page_of([(each, (top, left)) for each, left in zip(strokes, lefts, strict=True)])


def masks_of(page, division):
    """Return the mask of each digit, in reading order."""
    components = connected_components(page)
    return [components.mask_of(chosen) for chosen in division.digits]


@QUICK
@given(
    lines=st.lists(st.sampled_from([FIVE, SEVEN, ZERO]), min_size=2, max_size=4),
    gap=st.integers(5, 60),
    stroke=st.floats(0.04, 0.12),
    turned=st.booleans(),
)
def test_digits_in_a_row_or_a_column_are_found_in_reading_order(lines, gap, stroke, turned):
    """Digits side by side or above each other are told apart at any gap, from left to right or from top to bottom.

    Together they may be no longer than one digit in several pieces. Otherwise they are certain.
    """
    strokes = [digit(line, stroke=stroke) for line in lines]
    page = row_of([each.T for each in strokes] if turned else strokes, gap)
    page = page.T.copy() if turned else page
    division = division_of(page)
    assert division is not None
    _, _, width, height = cv2.boundingRect(page)
    assert division.certain or max(width / height, height / width) < LIMITS.min_column
    found = masks_of(page, division)
    assert len(found) == len(lines)
    for mask, strokes_there in zip(found, strokes, strict=True):
        left, top, width, height = cv2.boundingRect(mask)
        assert np.array_equal(mask[top : top + height, left : left + width] > 0, strokes_there > 0)


def test_lines_of_digits_are_read_from_the_top():
    """Digits in two lines are read line by line, and a power after its base."""
    upper, lower = 60, 200
    places = [(upper, 60), (upper + 15, 160), (lower, 40), (lower - 10, 180)]
    page = page_of([(digit(FIVE), place) for place in reversed(places)])
    division = division_of(page)
    found = [cv2.boundingRect(mask)[:2] for mask in masks_of(page, division)]
    assert found == [(left, top) for top, left in places]

    power = page_of([(digit(FIVE, 200), (100, 100)), (digit(SEVEN, 120), (70, 200))])
    division = division_of(power)
    assert division is not None
    assert [cv2.boundingRect(mask)[0] for mask in masks_of(power, division)] == [100, 200]


def five_with_flying_bar(random):
    """Draw a five whose bar is above its body, and tilted."""
    body = page_of([(digit(FIVE, 160), (80, 80))])
    top, tilt = int(random.integers(50, 65)), int(random.integers(-8, 9))
    return cv2.line(body, (95, top), (95 + int(random.integers(25, 50)), top + tilt), 255, 12)


def dotted(random):
    """Draw a digit in dots."""
    page, size, last = np.zeros((300, 300), np.uint8), random.uniform(220, 300), np.zeros(2)
    for start, end in itertools.pairwise(size * np.array((FIVE, SEVEN, ZERO)[random.integers(3)])):
        for dot in np.linspace(start, end, 40):
            if np.hypot(*(dot - last)) > 20:
                last = dot
                cv2.circle(page, np.rint(dot).astype(int).tolist(), 5, 255, -1)
    return page


def with_point(random):
    """Draw a digit and a full stop beside it."""
    page = page_of([(digit(SEVEN, 160), (80, 80))])
    return cv2.circle(page, (int(random.integers(170, 200)), 170), int(random.integers(5, 10)), 255, -1)


def with_specks(random):
    """Draw a digit among specks."""
    page = page_of([(digit(FIVE, 160), (80, 80))])
    for row, column in random.integers(10, 290, (12, 2)).tolist():
        cv2.circle(page, (column, row), 2, 255, -1)
    return page


def seven_with_loose_bar(random):
    """Draw a seven with a bar beside its stem."""
    page = page_of([(digit(SEVEN, 160), (80, 80))])
    return cv2.line(page, (150, 125 + int(random.integers(10))), (180, 130), 255, 10)


def one_with_loose_parts(random):
    """Draw a one whose serif and foot do not touch its stem."""
    page = page_of([(digit(ONE, 160, 0.1), (80, 150))])
    cv2.line(page, (135, 90), (110, 90 + int(random.integers(20, 35))), 255, 10)
    return cv2.line(page, (130, 200), (190, 200 + int(random.integers(4))), 255, 10)


@pytest.mark.parametrize(
    "draw", [five_with_flying_bar, dotted, with_point, with_specks, seven_with_loose_bar, one_with_loose_parts]
)
def test_one_digit_in_several_pieces_is_one(draw):
    """Bars, dots, points, specks, serifs and feet are pieces of one digit, or no pieces at all."""
    for seed in range(20):
        page = draw(np.random.default_rng(seed))
        assert len(connected_components(page).stats) > 1
        division = division_of(page)
        assert division is None, seed


def halved_zero():
    """Draw a zero in two halves."""
    page = page_of([(digit(ZERO, 200), (80, 80))])
    page[:110, 110:130] = page[170:, 110:130] = 0
    return page


def open_four():
    """Draw a four of two strokes that do not touch."""
    page = cv2.polylines(
        np.zeros((300, 300), np.uint8), [np.array([(120, 80), (80, 170), (150, 170)], np.int32)], False, 255, 10
    )
    return cv2.line(page, (165, 100), (165, 220), 255, 10)


def two_loops():
    """Draw an eight of two loops that do not touch."""
    page = cv2.circle(np.zeros((300, 300), np.uint8), (150, 90), 30, 255, 8)
    return cv2.circle(page, (150, 168), 36, 255, 8)


@pytest.mark.parametrize("draw", [halved_zero, open_four, two_loops])
def test_what_may_be_one_digit_is_not_certain(draw):
    """Two strokes that may be one digit, and may be two, are left to the network."""
    division = division_of(draw())
    assert division is not None
    assert len(division.digits) == 2
    assert not division.certain


def test_only_digits_beside_each_other_are_in_a_row():
    """Digits of about one height with gaps between them are in a row. Low ones and those above each other are not."""
    assert division_of(row_of([digit(FIVE), digit(ONE), digit(SEVEN)], 8)).in_row
    assert not division_of(row_of([digit(FIVE).T, digit(SEVEN).T], 8).T.copy()).in_row
    assert not division_of(page_of([(digit(FIVE, 200), (50, 50)), (digit(SEVEN, 100), (80, 200))])).in_row
    frame = row_of([digit(FIVE, 200, 0.1), np.full((110, 2), 255, np.uint8)], 20)  # a rest of one
    assert not division_of(frame).in_row


def cut_one(random):
    """Draw a one that a band crosses."""
    turn, stroke = random.uniform(-0.35, 0.35), int(random.integers(8, 20))
    start, end = (np.rint([150 + turn * row, 150 + row]).astype(int).tolist() for row in (-100, 100))
    page = cv2.line(np.zeros((300, 300), np.uint8), start, end, 255, stroke)
    slant, middle = random.uniform(-0.4, 0.4), 150 + random.uniform(-60, 60)
    rows, columns = np.indices(page.shape)
    page[np.abs(rows + slant * (columns - 150) - middle) < random.uniform(3, 0.45 * stroke)] = 0
    return page


def test_a_stroke_with_a_gap_is_one():
    """A one that is cut once is one digit, wherever the cut is. So is a seven that is cut across its stem."""
    for seed in range(40):
        page = cut_one(np.random.default_rng(seed))
        assert len(connected_components(page).stats) == 2
        assert division_of(page) is None, seed
    page = page_of([(digit(SEVEN, 200), (80, 80))])
    page[140:148] = 0
    assert len(connected_components(page).stats) == 2
    assert division_of(page) is None


def test_small_digits_are_digits_and_marks_are_not():
    """A digit of a third of the height is never certain. A comma and a degree sign of that height are not digits."""
    large = digit(FIVE, 200)
    small = digit(FIVE, 70, 0.1)
    division = division_of(page_of([(large, (80, 80)), (small, (120, 200))]))
    assert [
        cv2.boundingRect(mask)[0] for mask in masks_of(page_of([(large, (80, 80)), (small, (120, 200))]), division)
    ] == [80, 200]
    assert division.is_one_large
    assert not division.certain
    assert not division_of(row_of([large, digit(SEVEN, 200)], 20)).is_one_large
    bottom = 80 + len(large)
    assert division_of(page_of([(large, (80, 80)), (small, (bottom - len(small) // 2, 200))])) is None
    degree = cv2.circle(page_of([(large, (80, 80))]), (210, 95), 20, 255, 6)
    assert division_of(degree) is None


def test_slivers_at_both_sides_are_not_a_column():
    """What is neither beside nor above something else is not certain: paper at both sides of a broad stroke."""
    page = np.zeros((160, 32), np.uint8)
    page[5:60, :4] = page[90:158, 28:] = 255
    division = division_of(page)
    assert division is not None
    assert not division.certain


def test_a_drawing_without_candidates_is_not_divided():
    """If everything drawn is a line or a frame, there are no digits to divide."""
    components = connected_components(row_of([digit(FIVE), digit(SEVEN)], 20))
    assert divide(Drawn(components, np.zeros(len(components.stats), np.bool_))) is None


def test_small_print_beside_a_digit_does_not_count():
    """Print that is much lower than the digit is not another digit."""
    page = page_of([(digit(FIVE, 200), (80, 80))])
    cv2.putText(page, "Item 17", (250, 150), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    assert division_of(page) is None


def test_a_digit_in_dots_beside_a_whole_one_is_a_digit():
    """Pieces that are digits only together count as one if they are far from the other digit."""
    page = page_of([(digit(SEVEN, 160), (80, 80))])
    for top in range(85, 170, 22):
        cv2.line(page, (300, top), (300, top + 12), 255, 10)
    division = division_of(page)
    assert division is not None
    assert len(division.digits) == 2


@QUICK
@given(
    mask=arrays.arrays(
        np.uint8,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60),
        elements=st.sampled_from([0, 255]),
    ).filter(np.any),
    candidates=st.integers(0, 2**32),
)
def test_digits_are_disjoint_parts_of_the_candidates(mask, candidates):
    """Whatever is drawn, the digits are two or more, not empty, disjoint, and consist of candidates."""
    components = connected_components(mask)
    is_candidate = np.random.default_rng(candidates).random(len(components.stats)) < 0.8
    division = divide(Drawn(components, is_candidate))
    if division is None:
        return
    together = np.sum(division.digits, axis=0)
    assert len(division.digits) >= 2
    assert all(chosen.any() for chosen in division.digits)
    assert together.max() == 1
    assert np.array_equal(together > 0, division.together)
    assert is_candidate[division.together].all()


def test_a_texture_is_not_divided():
    """More pieces than digits fit into an image are a texture, and cost no time."""
    page = np.zeros((160, 160), np.uint8)
    page[::8, ::8] = page[1::8, ::8] = 255
    assert len(connected_components(page).stats) > LIMITS.max_pieces
    assert division_of(page) is None
