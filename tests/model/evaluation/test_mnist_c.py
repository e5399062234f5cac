"""The corruptions are those of MNIST-C: their kinds, their constants, and what they do to a digit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.data.digits import Dataset
from model.evaluation.corrupting import corrupted
from model.evaluation.mnist_c import MNIST_C
from model.images.fitting import SIDE

FIXED = {"scale", "brightness", "stripe", "canny_edges"}
"""The kinds that have no random numbers."""


def block(light: int = 255) -> NDArray[np.uint8]:
    """Return 300 images with a block of 8 × 8 pixels in the middle."""
    images = np.zeros((300, SIDE, SIDE), np.uint8)
    images[:, 10:18, 10:18] = light
    return images


def test_the_kinds_are_mnist_cs_in_its_order():
    """The fifteen names are those of the paper's table, and each is the name of its function."""
    names = "shot_noise impulse_noise glass_blur motion_blur shear scale rotate brightness translate stripe fog spatter"
    assert list(MNIST_C) == [*names.split(), "dotted_line", "zigzag", "canny_edges"]


@pytest.mark.parametrize("name", MNIST_C)
def test_each_is_reproducible_and_changes_every_image(name: str, samples: Dataset):
    """The same seed gives the same images, another seed gives others, and the originals stay as they are."""
    images = samples.train.images[:40]
    before = images.copy()
    first, again, other = (corrupted(MNIST_C, name, images, seed) for seed in (1, 1, 2))
    assert np.array_equal(images, before)
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == (name in FIXED)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert (first != images).any(axis=(1, 2)).mean() > 0.85


def test_impulses_hit_one_pixel_in_six():
    """Impulse noise turns 8.5 % of black pixels white and as many of white ones black."""
    for light, changed in ((0, 255), (255, 0)):
        noisy = corrupted(MNIST_C, "impulse_noise", np.full((100, SIDE, SIDE), light, np.uint8))
        assert (noisy == changed).mean() == pytest.approx(0.085, abs=0.005)


def test_shot_noise_counts_three_photons_in_white():
    """White becomes 0, 85, 170 or 255 as Poisson's distribution of mean 3 has it. Black stays black."""
    white = corrupted(MNIST_C, "shot_noise", np.full((100, SIDE, SIDE), 255, np.uint8))
    shares = [(white == level).mean() for level in (0, 85, 170)]
    assert shares == pytest.approx([0.0498, 0.1494, 0.2240], abs=0.01)
    assert not corrupted(MNIST_C, "shot_noise", np.zeros((5, SIDE, SIDE), np.uint8)).any()


def test_brightness_adds_half_of_white():
    """Black becomes the middle grey, and everything above the middle becomes white."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, SIDE, SIDE), np.uint8)
    brighter = corrupted(MNIST_C, "brightness", levels)[:, 0, 0]
    assert brighter[0] == 128
    assert (brighter[128:] == 255).all()


def test_stripes_invert_the_outer_quarters():
    """Seven columns on each side are inverted, and the fourteen between them are not."""
    striped = corrupted(MNIST_C, "stripe", np.full((1, SIDE, SIDE), 50, np.uint8))[0]
    assert (striped[:, :7] == 205).all()
    assert (striped[:, 7:21] == 50).all()
    assert (striped[:, 21:] == 205).all()


def test_translation_moves_three_pixels_along_both_axes():
    """A block in the middle lies at one of four places."""
    moved = corrupted(MNIST_C, "translate", block())
    places = {(int(rows.min()) - 10, int(columns.min()) - 10) for rows, columns in map(np.nonzero, moved)}
    assert places == {(-3, -3), (-3, 3), (3, -3), (3, 3)}


def test_the_geometric_kinds_have_one_strength_either_way():
    """Scale shrinks to seven tenths; rotation and shear give two images each, which mirror each other."""
    disc = np.hypot(*(np.indices((1, SIDE, SIDE))[1:] - 13.5)) < 12
    small = corrupted(MNIST_C, "scale", disc * np.uint8(255)) / 255
    assert small.sum() == pytest.approx(disc.sum() * 0.7**2, rel=0.03)
    for name in ("rotate", "shear"):
        kinds = np.unique(corrupted(MNIST_C, name, block()), axis=0).astype(int)
        assert len(kinds) == 2
        assert np.abs(kinds[0] - kinds[1][:, ::-1]).max() <= 10


def test_glass_keeps_the_light():
    """Exchanging pixels and blurring keeps the sum of the light, within the rounding."""
    frosted = corrupted(MNIST_C, "glass_blur", block())
    assert frosted.mean() == pytest.approx(block().mean(), rel=0.03)
    assert len(np.unique(frosted, axis=0)) == 300


def test_motion_moves_the_digit_to_one_side():
    """The average takes pixels from the right, within 45 degrees of level, so the block moves to the left."""
    moved = corrupted(MNIST_C, "motion_blur", block()).astype(float)
    columns = (moved.sum(axis=1) @ np.arange(SIDE)) / moved.sum(axis=(1, 2)) - 13.5
    rows = (moved.sum(axis=2) @ np.arange(SIDE)) / moved.sum(axis=(1, 2)) - 13.5
    assert columns.max() < -1.0
    assert np.hypot(columns, rows) == pytest.approx(np.full(300, 2.0), abs=0.4)


def test_fog_keeps_a_quarter_of_the_contrast():
    """The ink stands out from the cloud around it by a quarter of white at most, at whatever place."""
    fogged = corrupted(MNIST_C, "fog", block()).astype(float)
    contrast = fogged[:, 13, 13] - (fogged[:, 13, 8] + fogged[:, 13, 19]) / 2
    assert np.median(contrast) == pytest.approx(255 / 4, abs=6)
    assert fogged.min(axis=(1, 2)).std() > 20


def test_mud_is_dark_grey():
    """Drops of spatter darken white and lighten black to the same grey, about 63, and cover a few per cent."""
    on_black, on_white = (
        corrupted(MNIST_C, "spatter", np.full((200, SIDE, SIDE), light, np.uint8)) for light in (0, 255)
    )
    assert on_black.max() == pytest.approx(63, abs=1)
    assert on_white.min() == pytest.approx(63, abs=2)
    assert 0.02 < (on_black > 0).mean() < 0.3


def test_a_dotted_line_has_two_columns_in_four():
    """On black, the line shows in columns 2, 3, 6, 7 and so on, and each of its dots reaches white or nearly."""
    lines = corrupted(MNIST_C, "dotted_line", np.zeros((50, SIDE, SIDE), np.uint8))
    shown = lines.any(axis=1)
    expected = (np.arange(SIDE) // 2 % 2 == 1) & (np.arange(SIDE) < SIDE - 1)
    assert (shown == expected).all()
    assert lines.max(axis=1)[:, expected].min() > 150


def test_a_zigzag_runs_from_the_left_to_the_right():
    """On black, it crosses columns 3 to 24, with crests four pixels apart and troughs four pixels below them."""
    zigzags = corrupted(MNIST_C, "zigzag", np.zeros((200, SIDE, SIDE), np.uint8))
    inside = [image for image in zigzags if not image[:3].any() and not image[-3:].any()]
    assert len(inside) > 50
    for image in inside:
        assert image[:, 3:24].any(axis=0).all()
        assert not image[:, :1].any()
    spans = [np.ptp(np.nonzero(image.max(axis=1) > 200)[0]) for image in inside]
    assert 3 <= min(spans) <= 5


def test_edges_surround_the_ink():
    """The edge of a block is a closed line one pixel wide around it, in white on black."""
    edges = corrupted(MNIST_C, "canny_edges", block())[0]
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[12:16, 12:16].any()
    assert 24 <= (edges > 0).sum() <= 36
