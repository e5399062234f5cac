"""A small digit on a large page is looked at again, more closely."""

import numpy as np
import pytest

from model.images.layout.view import LIMITS, closer, fine_view_of, view_of
from model.images.raster import Region


def page_with_patch(height=960, width=800, top=600, left=300, size=60):
    """Return a page of grey noise with one white patch."""
    page = np.random.default_rng(0).integers(0, 100, (height, width)).astype(np.uint8)
    page[top : top + size, left : left + size] = 255
    return page


def patch_in(view):
    """Return the white patch in a view."""
    return Region.of(np.where(view.reduced > 200, np.uint8(255), np.uint8(0)))


@pytest.mark.parametrize(("shape", "factor"), [((160, 100), 1), ((161, 100), 2), ((28, 28), 1), ((500, 960), 6)])
def test_a_view_is_reduced_by_a_whole_factor(shape, factor):
    """The first view shows the whole image, at most `side` pixels long, and no place where a digit was seen."""
    view = view_of(np.zeros(shape, np.uint8))
    assert view.full.shape == shape
    assert view.factor == factor
    assert max(view.reduced.shape) <= LIMITS.side
    assert view.near is None


def test_a_closer_view_shows_the_digit_larger_and_where_it_was_seen():
    """A closer view holds the whole digit, with at least half its size around it, at a smaller factor."""
    view = view_of(page_with_patch())
    nearer = closer(view, patch_in(view))
    assert nearer is not None
    assert nearer.factor < view.factor
    assert nearer.near is not None
    assert nearer.near.shape == nearer.reduced.shape
    assert (nearer.full == 255).sum() == 60 * 60
    assert min(nearer.full.shape) >= 110
    assert nearer.near[patch_in(nearer).mask > 0].all()
    assert not nearer.near.all()


def test_nothing_is_closer_than_the_pixels_or_a_large_digit():
    """An image that was not reduced has no closer view, nor has a digit that covers much of its view."""
    unreduced = view_of(page_with_patch(150, 150, 60, 60, 10))
    assert closer(unreduced, patch_in(unreduced)) is None
    large = view_of(page_with_patch(size=340))
    assert closer(large, patch_in(large)) is not None
    larger = view_of(page_with_patch(size=400, left=200, top=300))
    assert closer(larger, patch_in(larger)) is None


@pytest.mark.parametrize(
    ("shape", "factor"), [((550, 425), 1), ((1000, 1000), 2), ((1000, 500), 2), ((160, 100), None)]
)
def test_a_fine_view_shows_as_much_as_components_can_be_counted_in(shape, factor):
    """It shows the whole image. Where the first view shows every pixel, it would show no more."""
    image = np.zeros(shape, np.uint8)
    fine = fine_view_of(view_of(image))
    assert (fine and fine.factor) == factor
    if fine:
        assert fine.reduced.size <= LIMITS.fine_pixels
