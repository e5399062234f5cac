"""The tools for grey images and masks do what they promise, on any image."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.images.raster import (
    Region,
    border_pixels,
    connected_components,
    level_at,
    mask_above,
    ordered,
    otsu,
    quantile_above,
    quantiles,
    shrink,
)

QUICK = settings(max_examples=50, deadline=None)
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
IMAGES = arrays.arrays(np.uint8, SHAPES)
MASKS = arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 255]))


@QUICK
@given(image=IMAGES, longest=st.integers(1, 50))
def test_shrink_keeps_to_its_longest_side_and_to_the_greys_of_the_image(image, longest):
    """A reduced image is at most `longest` pixels long and at least one wide, and has no darker or lighter pixels."""
    small, factor = shrink(image, longest)
    assert small.dtype == np.uint8
    assert max(small.shape) <= longest
    assert small.shape == tuple(max(1, side // factor) for side in image.shape)
    assert image.min() <= small.min() <= small.max() <= image.max()


@QUICK
@given(image=IMAGES)
def test_shrink_leaves_a_small_image_alone(image):
    """An image that is short enough already comes back as the same array, with a factor of 1."""
    small, factor = shrink(image, max(image.shape))
    assert factor == 1
    assert small is image


def test_shrink_averages_areas():
    """Each pixel is the mean of its square, and an incomplete square at the right or at the bottom is cut off."""
    image = np.array([[0, 10, 100], [20, 30, 100], [100, 100, 100]], np.uint8)
    small, factor = shrink(image, 2)
    assert factor == 2
    assert small.tolist() == [[15]]


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 8, 12])
def test_shrink_averages_by_any_factor(factor):
    """By whatever steps the image is reduced, each pixel is within one level or two of the mean of its square."""
    image = np.random.default_rng(factor).integers(0, 256, (10 * factor, 20 * factor), np.uint8)
    small, found = shrink(image, 20)
    means = image.reshape(10, factor, 20, factor).mean(axis=(1, 3))
    assert found == factor
    assert np.abs(small - means).max() <= 2


@QUICK
@given(image=IMAGES, level=st.integers(0, 255))
def test_a_mask_holds_exactly_above_its_level(image, level):
    """The mask holds the pixels above the level, and not those at the level."""
    assert np.array_equal(mask_above(image, level), np.where(image > level, 255, 0))


@QUICK
@given(image=IMAGES)
def test_border_pixels_are_those_at_the_sides(image):
    """The border holds the pixels of the first and last row and column, and does not depend on the pixels inside."""
    changed = image.copy()
    changed[1:-1, 1:-1] ^= 255
    border = border_pixels(image)
    assert len(border) == 2 * sum(image.shape)
    assert np.array_equal(border, border_pixels(changed))
    at_side = np.ones(image.shape, np.bool_)
    at_side[1:-1, 1:-1] = False
    assert set(border.tolist()) == set(image[at_side].tolist())


@QUICK
@given(mask=MASKS)
def test_components_divide_the_mask(mask):
    """Each masked pixel belongs to one component. The component's box and area are those of its pixels."""
    components = connected_components(mask)
    numbers, stats = components.numbers, components.stats
    assert numbers.dtype == np.uint16
    assert np.array_equal(numbers > 0, mask > 0)
    assert numbers.max() == len(stats)
    for number, (left, top, width, height, area) in enumerate(stats.tolist(), 1):
        rows, columns = np.nonzero(numbers == number)
        assert area == len(rows)
        assert (left, left + width - 1) == (columns.min(), columns.max())
        assert (top, top + height - 1) == (rows.min(), rows.max())


def test_corners_connect():
    """Two pixels that touch at a corner are one component; with a pixel between them they are two."""
    mask = np.zeros((4, 4), np.uint8)
    mask[0, 0] = mask[1, 1] = 255
    assert len(connected_components(mask).stats) == 1
    mask[1, 1], mask[2, 2] = 0, 255
    assert len(connected_components(mask).stats) == 2


@QUICK
@given(data=st.data(), image=IMAGES, share=st.floats(0, 1) | st.sampled_from([0.25, 0.5, 0.75]))
def test_a_quantile_is_the_level_that_a_share_of_the_pixels_reaches(data, image, share):
    """At least the share of the masked pixels lies at or below the quantile, and less than the share lies below it."""
    mask = data.draw(arrays.arrays(np.uint8, image.shape, elements=st.sampled_from([0, 255])))
    levels = image[mask > 0]
    (level,) = quantiles(image, mask, share)
    if not len(levels):
        assert level == 0
        return
    assert level in levels
    assert np.count_nonzero(levels <= level) >= share * len(levels)
    assert share == 0 or np.count_nonzero(levels < level) < share * len(levels)


def test_quantiles_come_in_the_order_of_their_shares():
    """The quantiles of 0, a half and 1 are the lowest level, the median and the highest level."""
    image = np.array([[7, 3, 9, 200, 100]], np.uint8)
    assert quantiles(image, np.full_like(image, 255), 0, 0.5, 1) == [3, 9, 200]
    assert quantiles(image, np.zeros_like(image), 0.5, 1) == [0, 0]


def test_a_quantile_counts_the_pixel_that_completes_its_share():
    """Of four levels, the first is the quantile of 0.25, the second that of 0.5, and the third that of 0.51."""
    image = np.array([[10, 20], [30, 40]], np.uint8)
    assert quantiles(image, np.full_like(image, 255), 0.25, 0.5, 0.51) == [10, 20, 30]


@QUICK
@given(dark=st.integers(0, 200), step=st.integers(1, 55), pixels=arrays.arrays(np.bool_, (9, 11)))
def test_otsu_separates_any_two_levels(dark, step, pixels):
    """An image of two levels splits into exactly these two, however near they are."""
    image = np.where(pixels, dark + step, dark).astype(np.uint8)
    if len(np.unique(image)) < 2:
        return
    level, lighter = otsu(image)
    assert dark <= level < dark + step
    assert np.array_equal(lighter > 0, pixels)


def test_otsu_splits_where_the_variance_between_the_classes_is_greatest(samples):
    """On a real digit the level maximises Otsu's criterion, computed here from its definition."""
    image = cv2.resize(samples.train.images[3], (60, 60), interpolation=cv2.INTER_CUBIC)
    level, lighter = otsu(image)

    def between(threshold):
        upper = image > threshold
        share = upper.mean()
        return share * (1 - share) * (image[upper].mean() - image[~upper].mean()) ** 2

    thresholds = range(int(image.min()), int(image.max()))
    assert between(level) == pytest.approx(max(map(between, thresholds)))
    assert np.array_equal(lighter > 0, image > level)


@QUICK
@given(mask=MASKS)
def test_a_region_knows_its_bounds_and_whether_it_touches_the_border(mask):
    """The bounds hold the mask and no smaller rectangle does, for any number of components; an empty mask has none."""
    for region in (Region.of(mask), connected_components(mask).whole):
        left, top, width, height = region.bounds
        rows, columns = np.nonzero(mask)
        if len(rows):
            assert (left, left + width - 1) == (columns.min(), columns.max())
            assert (top, top + height - 1) == (rows.min(), rows.max())
        else:
            assert not any(region.bounds)
        assert region.touches_border == border_pixels(mask).any()


@QUICK
@given(image=IMAGES, level=st.integers(0, 255), share=st.floats(0, 1))
def test_a_quantile_above_a_level_is_that_of_the_mask_above_it(image, level, share):
    """Sorting the pixels gives the level that counting gives."""
    assert [quantile_above(image, level, share)] == quantiles(image, mask_above(image, level), share)


@QUICK
@given(image=IMAGES, mask_level=st.integers(0, 255), share=st.floats(0, 1))
def test_the_level_at_a_share_of_an_order_is_that_of_counting(image, mask_level, share):
    """Both parts of the sorted pixels, up to a level and above it, give the levels that counting gives."""
    mask = mask_above(image, mask_level)
    levels, bare = ordered(image), image.size - cv2.countNonZero(mask)
    assert [level_at(levels, share, last=bare)] == quantiles(image, 255 - mask, share)
    assert [level_at(levels, share, bare)] == quantiles(image, mask, share)


@QUICK
@given(data=st.data(), mask=MASKS)
def test_a_region_of_components_has_their_mask_and_its_bounds(data, mask):
    """Whichever components are chosen, their region is that of their mask."""
    components = connected_components(mask)
    count = len(components.stats)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    region, alone = components.region_of(chosen), Region.of(components.mask_of(chosen))
    assert np.array_equal(region.mask, alone.mask)
    assert tuple(region.bounds) == tuple(alone.bounds)


@QUICK
@given(mask=MASKS.filter(np.any))
def test_the_outlines_of_a_region_enclose_it_within_its_bounds(mask):
    """Filled by their tree, the outlines give the part of the mask that the bounds hold."""
    region = Region.of(mask)
    outlines, tree = region.outlines
    drawn = cv2.drawContours(np.zeros_like(region.within_bounds), outlines, -1, 255, cv2.FILLED, hierarchy=tree[None])
    assert np.array_equal(drawn, region.within_bounds)
