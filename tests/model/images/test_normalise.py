"""Normalisation brings images of any size and kind to MNIST's conventions, and keeps images that follow them."""

import contextlib

import cv2
import numpy as np
import pytest
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.data.digits import Dataset
from model.errors import FailureCode, ImageError
from model.images.fitting import BOX, SIDE
from model.images.ink import find_ink_on_any_paper, find_ink_on_flat_paper
from model.images.normalise import normalise
from model.images.raster import Coarse
from tests.model.images.drawings import FIVE, SEVEN, drawing, shares_ink


def difference(image: MatLike, other: MatLike) -> float:
    """Return the mean absolute difference of two images, 0 to 255, at the best of nine shifts by up to one pixel.

    The shifts allow for a centre of mass that is rounded either way.
    """
    places = [np.roll(image, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return float(min(np.abs(place.astype(int) - other).mean() for place in places))


@pytest.fixture(scope="session")
def digits(mnist: Dataset) -> NDArray[np.uint8]:
    """Return a hundred of MNIST's test images."""
    return mnist.test.images[::100]


def large(digit: NDArray[np.uint8], times: int = 8) -> NDArray[np.uint8]:
    """Return a digit of MNIST, enlarged smoothly as if drawn at that size, uint8 (28 × times, 28 × times)."""
    return np.asarray(cv2.resize(digit, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.uint8)


def test_mnist_comes_through_unchanged(mnist):
    """MNIST's 10,000 test images and a sample of the training images come out unchanged."""
    for image in np.concatenate([mnist.test.images, mnist.train.images[::20]]):
        assert np.array_equal(normalise(image), image)


def test_mnist_in_negative_comes_back_as_itself(mnist):
    """The negatives of MNIST's digits, dark on white, become MNIST's digits."""
    for image in mnist.test.images[::5]:
        assert np.array_equal(normalise(255 - image), image)


def test_an_unchanged_image_is_a_copy():
    """A result shares no memory with its image, even where both have the same pixels."""
    image = normalise(drawing())
    assert not np.shares_memory(normalise(image), image)


@pytest.mark.parametrize("line", [SEVEN, FIVE])
@pytest.mark.parametrize("size", [(16, 16), (28, 28), (60, 200), (500, 375), (999, 1000)])
def test_every_size_becomes_mnists(size, line):
    """The ink of the result is twenty pixels long, centred by mass, and white in its strokes."""
    image = normalise(drawing(*size, line=line, stroke=0.12))
    assert image.dtype == np.uint8
    assert image.shape == (SIDE, SIDE)
    _, _, width, height = cv2.boundingRect(image)
    assert BOX - 1 <= max(width, height) <= BOX
    moments = cv2.moments(image)
    assert moments["m10"] / moments["m00"] == pytest.approx(14, abs=0.5)
    assert moments["m01"] / moments["m00"] == pytest.approx(14, abs=0.5)
    assert image.max() == 255
    assert image[0, 0] == 0


def test_a_drawing_comes_back_as_the_digit_it_shows(digits):
    """Enlarged digits of MNIST become nearly the same digits again."""
    differences = [difference(normalise(large(digit)), digit) for digit in digits]
    assert np.mean(differences) < 8
    assert max(differences) < 20


@pytest.mark.parametrize("times", [2, 3, 5, 12, 20])
def test_scale_matters_little(digits, times):
    """A drawing becomes nearly the same image at every size."""
    differences = [difference(normalise(large(digit, times)), normalise(large(digit))) for digit in digits[::4]]
    assert np.mean(differences) < 5
    assert max(differences) < 13


def test_polarity_does_not_matter(digits):
    """An image and its negative become nearly the same image, also where the ink fills the image to its borders."""
    for digit in digits:
        drawn = large(digit)
        left, top, width, height = cv2.boundingRect(cv2.threshold(drawn, 127, 255, cv2.THRESH_BINARY)[1])
        for image in (drawn, drawn[top : top + height, left : left + width]):
            assert difference(normalise(255 - image), normalise(image)) < 10


@pytest.mark.parametrize("margins", [(0, 90, 0, 90), (90, 0, 0, 40), (150, 150, 150, 150), (10, 0, 200, 5)])
def test_margin_and_position_matter_little(digits, margins):
    """A digit becomes nearly the same image wherever it stands on the paper."""
    above, below, left, right = margins
    for digit in digits[::4]:
        drawn = large(digit, 4)
        moved = cv2.copyMakeBorder(drawn, above, below, left, right, cv2.BORDER_CONSTANT)
        assert difference(normalise(moved), normalise(drawn)) < 13


def lamp(shape: tuple[int, int], low: float) -> NDArray[np.float32]:
    """Return light that falls from 1 at the upper left to `low` at the lower right."""
    rows, columns = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    return np.asarray(1 - (1 - low) * (rows + columns) / 2, np.float32)


def hard_shadow(shape: tuple[int, int], left: float) -> NDArray[np.float32]:
    """Return half the light to the right of a slanting edge, and all of it elsewhere."""
    rows, columns = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    return np.where(columns > left + 0.2 * rows, 0.5, 1.0).astype(np.float32)


def wide_shadow(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return four tenths of the light below a slanting edge through the middle, and all of it elsewhere."""
    rows, columns = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    return np.where(rows > 0.6 - 0.3 * columns, 0.4, 1.0).astype(np.float32)


def narrow_shadow(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return six tenths of the light in a slanting band of a tenth of the page, and all of it elsewhere."""
    rows, columns = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    return np.where(np.abs(rows - 0.3 - 0.3 * columns) < 0.05, 0.6, 1.0).astype(np.float32)


def noisy(image: MatLike, deviation: float, seed: int = 0) -> NDArray[np.uint8]:
    """Return an image with the noise of a camera, of this standard deviation in levels."""
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def on_paper(digit: NDArray[np.uint8], ink: float = 40, paper: float = 220, times: int = 8) -> NDArray[np.float32]:
    """Return a digit of MNIST in ink on paper of these greys, a quarter of its size away from every side."""
    share = with_margin(large(digit, times), 7 * times, 0) / np.float32(255)
    return np.asarray(paper + (ink - paper) * share, np.float32)


def with_margin(image: MatLike, width: int, grey: int) -> MatLike:
    """Return an image with a margin of this width and grey on each side."""
    return cv2.copyMakeBorder(image, width, width, width, width, cv2.BORDER_CONSTANT, value=grey)


SCENES = {
    "a lamp at one side": lambda paper: noisy(paper * lamp(paper.shape, 0.35), 2),
    "a hard shadow": lambda paper: noisy(paper * hard_shadow(paper.shape, 0.7), 2),
    "a hard shadow across it": lambda paper: noisy(paper * hard_shadow(paper.shape, 0.3), 2),
    "a hard shadow over half of it": lambda paper: noisy(paper * wide_shadow(paper.shape), 2),
    "a hard shadow around it": lambda paper: noisy(paper * wide_shadow(paper.shape)[::-1, ::-1], 2),
    "the shadow of a pen across it": lambda paper: noisy(paper * narrow_shadow(paper.shape), 2),
    "faint pencil": lambda paper: noisy((220 - (220 - paper) * 0.2) * lamp(paper.shape, 0.8), 2),
    "noise": lambda paper: noisy(paper, 30),
    "ruled paper": lambda paper: noisy(_ruled(paper, 170), 2),
    "squared paper": lambda paper: noisy(_ruled(_ruled(paper, 180).T, 180).T, 2),
    "a printed frame": lambda paper: noisy(_framed(paper, 60), 2),
    "a printed box": lambda paper: noisy(_boxed(paper, 60), 2),
    "a dark table at two sides": lambda paper: noisy(_beside_table(paper, 50), 2),
    "a corner of a dark table": lambda paper: noisy(_beside_corner(paper, 50), 2),
    "strokes of the digits beside it": lambda paper: noisy(_between_others(paper, 40), 2),
    "a sheet on a dark table": lambda paper: noisy(with_margin(paper, 120, 60), 2),
    "a sheet seen at an angle": lambda paper: noisy(_in_perspective(paper, 60), 2),
    "specks": lambda paper: noisy(_specked(paper), 0),
}


def _ruled(paper, grey):
    ruled = paper.copy()
    for row in range(20, len(paper), 40):
        ruled[row : row + 2] = np.minimum(ruled[row : row + 2], grey)
    return ruled


def _framed(paper, grey):
    framed = paper.copy()
    framed[:, 6:9] = framed[-5:-2] = grey
    return framed


def _boxed(paper, grey):
    return cv2.rectangle(paper.copy(), (20, 20), (len(paper) - 20, len(paper) - 20), grey, 3)


def _beside_table(paper, grey):
    image = paper.copy()
    rows, columns = np.mgrid[0 : 1 : paper.shape[0] * 1j, 0 : 1 : paper.shape[1] * 1j]
    image[(columns < 0.1 - 0.04 * rows) | (rows > 0.93)] = grey
    return image


def _beside_corner(paper, grey):
    image = paper.copy()
    rows, columns = np.mgrid[0 : 1 : paper.shape[0] * 1j, 0 : 1 : paper.shape[1] * 1j]
    image[columns < 0.13 - 0.2 * rows] = grey
    return image


def _between_others(paper, grey):
    height, width = paper.shape
    for left in (-height // 4, width + height // 4):
        cv2.circle(paper, (left, height // 2), int(height * 0.34), grey, height // 20, cv2.LINE_AA)
    return paper


def _in_perspective(paper, table):
    height, width = paper.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    seen = corners + np.array([(90, 110), (60, 20), (130, 60), (10, 100)], np.float32)
    warp = cv2.getPerspectiveTransform(corners, seen)
    size = (width + 140, height + 140)
    return cv2.warpPerspective(paper, warp, size, borderMode=cv2.BORDER_CONSTANT, borderValue=table)


def _specked(paper):
    specked = paper.copy()
    for row, column in np.random.default_rng(3).integers(0, min(paper.shape) - 3, (12, 2)):
        specked[row : row + 3, column : column + 3] = 40
    return specked


@pytest.fixture(scope="session")
def read_alone(digits, baseline) -> NDArray[np.uint8]:
    """Return what the baseline reads the digits as on clean paper."""
    images = np.stack([normalise(on_paper(digit).astype(np.uint8)) for digit in digits])
    return np.asarray(baseline.classify(images).digits, np.uint8)


@pytest.mark.parametrize("scene", SCENES)
def test_what_is_not_the_digit_is_left_out(digits, baseline, read_alone, scene):
    """In each scene, the baseline reads at least 94 % of the digits as on clean paper."""
    images = np.stack([normalise(SCENES[scene](on_paper(digit))) for digit in digits])
    assert (baseline.classify(images).digits == read_alone).mean() >= 0.94


@pytest.mark.parametrize("stroke", [0.004, 0.01, 0.03, 0.15, 0.22])
def test_hairlines_and_markers_come_near_mnists_strokes(stroke):
    """Strokes of a 250th to a fifth of the drawing's height cover as much of the result as MNIST's digits do."""
    image = normalise(drawing(500, 400, stroke=stroke, line=FIVE))
    assert 0.06 < (image > 127).mean() < 0.30  # of MNIST's: 0.05 to 0.33


def test_paper_between_thick_strokes_is_not_a_sheet():
    """A seven that fills its image keeps both strokes, although they and the border enclose a patch of paper."""
    seven = drawing(240, 260, stroke=0.15, line=((0.08, 0.09), (0.92, 0.09), (0.85, 0.93)), ink=40, paper=220)
    on_more_paper = with_margin(seven, 90, 220)
    assert shares_ink(normalise(noisy(seven[10:-10, 10:-10], 2)), normalise(on_more_paper)) > 0.9


def test_lines_of_one_pixel_are_thickened_at_mnists_size_too():
    """A line one pixel wide becomes wider, even if its size and position are already MNIST's."""
    points = np.array([(8, 4), (20, 4), (8, 23), (20, 23)], np.int32)
    line = cv2.polylines(np.zeros((28, 28), np.uint8), [points], isClosed=False, color=255)
    assert (normalise(line) > 127).sum() > 1.5 * (line > 127).sum()


def test_a_faint_stroke_that_ends_at_the_edge_of_a_small_image_is_kept():
    """The grey stem of a nine of 16x16 pixels is kept, because in so small an image it can only be a stroke."""
    nine = np.zeros((16, 16), np.uint8)
    cv2.ellipse(nine, (7, 5), (5, 3), 0, 0, 360, 255, 3)
    nine[6:, 12] = 120
    assert (normalise(nine)[16:22] > 127).any(axis=1).all()


def test_the_bar_of_a_five_may_hover():
    """A bar that hovers a third of the body's size above it belongs to the five."""
    five = np.full((300, 300), 255, np.uint8)
    cv2.ellipse(five, (140, 200), (40, 40), 0, -100, 140, 30, 12)
    bar_and_body = five.copy()
    cv2.line(bar_and_body, (130, 115), (190, 113), 30, 12)
    assert difference(normalise(bar_and_body), normalise(five)) > 20


@pytest.mark.parametrize("turn", range(-24, 25, 6))
def test_a_small_sheet_on_a_table_may_be_turned_any_way(turn):
    """A sheet is found at any angle, though its outline in the coarse image is short and its corners are blunt."""
    page = drawing(240, 320, line=FIVE, paper=220)
    matrix = cv2.getRotationMatrix2D((160, 120), turn, 0.95)
    matrix[:, 2] += 120, 110
    table = cv2.warpAffine(page, matrix, (560, 460), borderMode=cv2.BORDER_CONSTANT, borderValue=60)
    turned = cv2.warpAffine(page, matrix, (560, 460), borderMode=cv2.BORDER_CONSTANT, borderValue=220)
    assert difference(normalise(noisy(table, 2)), normalise(noisy(turned, 2))) < 12


def test_a_shadow_that_the_edge_cuts_off_is_not_the_digit():
    """A large dark shadow at the border is left out, because no stroke is as thick and the digit beside it is whole."""
    page = drawing(320, 300, stroke=0.03, ink=60, paper=200)
    shadow = cv2.fillPoly(page.copy(), [np.array([(190, 320), (200, 200), (290, 215), (280, 320)])], 80)
    assert difference(normalise(noisy(shadow, 2)), normalise(noisy(page, 2))) < 8


def test_a_zero_may_be_nearly_as_large_as_its_sheet():
    """A sheet is found although a zero covers most of it, because the paper inside the zero does not count as ink."""
    sheet = cv2.ellipse(np.full((300, 300), 220, np.uint8), (150, 150), (120, 130), 0, 0, 360, 40, 14)
    on_table = with_margin(sheet, 70, 90)
    assert difference(normalise(on_table), normalise(sheet)) < 8


@pytest.mark.parametrize("at", ["top", "bottom"])
def test_pieces_at_the_edge_of_a_small_image_are_the_digits(at):
    """The bar of a five that fills 16x16 pixels is kept, though a gap of one pixel separates it from the rest."""
    five = np.zeros((16, 16), np.uint8)
    five[:3, 2:14] = five[4:8, 2:4] = five[6:8, 2:12] = five[7:14, 11:14] = five[12:15, 2:13] = 255
    image = five if at == "top" else five[::-1, ::-1]
    assert np.count_nonzero(normalise(image).any(axis=1)) == BOX
    assert (normalise(image)[[5, 22]] > 127).sum(axis=1).min() >= 8


def test_pieces_of_a_broken_stroke_stay_together():
    """A five with a gap through its stem stays one digit."""
    broken = drawing(200, 160, line=FIVE)
    broken[58:66] = 255
    assert shares_ink(normalise(broken), normalise(drawing(200, 160, line=FIVE))) > 0.9


def test_a_small_digit_on_a_large_page_keeps_its_detail(digits):
    """A digit with sides a sixteenth of the page's comes out nearly as if it filled the page."""
    for digit in digits[::10]:
        page = np.full((900, 900), 230, np.uint8)
        page[600:656, 300:356] = 230 - (large(digit, 2) * 0.8).astype(np.uint8)
        assert shares_ink(normalise(page), normalise(large(digit, 2))) > 0.85


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((28, 28), np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((300, 200), 255, np.uint8),
        noisy(np.full((100, 100), 200, np.float32), 3),
        noisy(np.full((400, 300), 128, np.float32), 25),
        np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8),
        noisy(np.full((250, 250), 210, np.float32) * lamp((250, 250), 0.6), 2),
        np.where(np.arange(10_000).reshape(100, 100) % 3331 == 0, 0, 255).astype(np.uint8),
        np.array([[255] * 160 + [0]], np.uint8),
    ],
    ids=[
        "black",
        "one pixel",
        "white",
        "faint noise",
        "noise",
        "random",
        "empty paper under a lamp",
        "three specks",
        "a dot cut off",
    ],
)
def test_blank_images_are_refused(image):
    """An image without a drawing is refused as blank, and never becomes a digit."""
    with pytest.raises(ImageError) as caught:
        normalise(image)
    assert caught.value.code is FailureCode.BLANK


def test_two_levels_suffice_however_near():
    """A mask of zeros and ones, black to the eye, is read as a drawing."""
    mask = (drawing(100, 80, line=FIVE) < 128).astype(np.uint8)
    assert shares_ink(normalise(mask), normalise(drawing(100, 80, line=FIVE))) > 0.95


def test_eight_by_eight_pixels_of_sixteen_levels_suffice(digits):
    """An image of 8×8 pixels of 0 to 16 is a drawing, because nobody photographs paper so small."""
    for digit in digits[::10]:
        small = np.rint(cv2.resize(digit[4:24, 4:24], (8, 8), interpolation=cv2.INTER_AREA) * (16 / 255))
        assert shares_ink(normalise(small.astype(np.uint8)), digit) > 0.5


def test_flat_paper_is_a_shortcut(digits):
    """On paper of one grey, the shortcut finds nearly the same ink as the search for paper in photographs."""
    for digit in digits[::4]:
        drawn = np.clip(on_paper(digit), 0, 255).astype(np.uint8)
        short, long = find_ink_on_flat_paper(drawn), find_ink_on_any_paper(drawn, Coarse.of(drawn))
        assert short is not None
        assert np.abs(short.levels.astype(int) - long.levels).max() <= 2


@pytest.mark.parametrize("scene", ["a lamp at one side", "a hard shadow", "noise", "a printed frame"])
def test_paper_of_several_greys_is_not_flat(digits, scene):
    """The shortcut refuses images with light, noise or a frame on their paper."""
    assert find_ink_on_flat_paper(SCENES[scene](on_paper(digits[0]))) is None


def test_a_row_of_dots_becomes_an_image_or_is_blank():
    """An image two pixels high with a few dots becomes an image with ink, or is refused as blank."""
    for seed in range(200):
        random = np.random.default_rng(seed)
        dots = np.where(random.random((2, random.integers(90, 160))) < 0.03, 255, 0).astype(np.uint8)
        with contextlib.suppress(ImageError):
            assert normalise(dots).any()


def test_stripes_as_regular_as_the_sampled_pixels_become_an_image_or_are_refused():
    """Paper is fitted to every few columns and rows, and in some stripes none of those is paper."""
    stripes = np.tile(np.array([7, 1, 3, 0], np.uint8), (60, 12))
    for upright in (stripes, 255 - stripes):
        for image in (upright, np.ascontiguousarray(upright.T)):
            with contextlib.suppress(ImageError):
                assert normalise(image).any()


@pytest.mark.parametrize("ends", [((0, 9), (27, 15)), ((0, 22), (27, 20)), ((18, 0), (12, 27)), ((24, 0), (27, 27))])
def test_a_line_from_edge_to_edge_is_left_out_even_through_the_digit(digits, ends):
    """Most digits come out as they do without a line from edge to edge."""
    kept = 0
    start, end = ends
    for digit in digits:
        lined = normalise(cv2.line(digit.copy(), start, end, 200, lineType=cv2.LINE_AA))
        kept += shares_ink(lined, digit) > 0.7
    assert kept >= 0.6 * len(digits)


def test_a_digit_that_reaches_two_borders_is_not_a_line():
    """A slash from corner to corner is kept where it is the only thing drawn."""
    slash = cv2.line(np.zeros((40, 30), np.uint8), (29, 0), (0, 39), 255, 3)
    assert shares_ink(normalise(slash), normalise(np.pad(slash, 4))) > 0.9
