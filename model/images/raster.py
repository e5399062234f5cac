"""Small tools for grey images and masks, shared by the stages of normalisation."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, cast

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Pixels: TypeAlias = MatLike
"""uint8 (height, width), grey, or (height, width, channels), where channels is 3 for RGB and 4 for RGBA.

OpenCV's own type, because its functions return no narrower one."""

Grey: TypeAlias = MatLike
"""Grey levels, uint8 (height, width)."""

Mask: TypeAlias = MatLike
"""uint8 (height, width): 255 where the mask holds, 0 elsewhere. OpenCV makes and takes masks in this form."""

Bounds: TypeAlias = Sequence[int]
"""Left, top, width and height in pixels."""

FULL = 255
"""Greatest grey level, and the level of the strongest ink."""

SQUARE = np.ones((3, 3), np.uint8)
"""Structuring element of a pixel and its eight neighbours."""

COARSE_SIDE = 64
"""Length of the longer side, in pixels, at which paper and sheets are looked for.

Light and sheets have no finer detail, and noise averages out."""

DETAILED_SIDE = 24
"""Minimum length of the longer side, in pixels, at which noise, ruled lines and shadows differ from strokes.

In smaller images strokes are as narrow as noise and lines, and as wide as shadows."""


def shrink(image: Grey, longest: int) -> tuple[Grey, int]:
    """Reduce an image by area averaging.

    The factor is a whole number, because OpenCV averages by whole factors thirty times faster than by others. An even
    one is halved step by step, because OpenCV halves several times faster still. Up to `factor - 1` pixels are cut off
    at the right and at the bottom.

    Args:
        image: Grey levels, uint8 (height, width).
        longest: Maximum length of the longer side of the result, in pixels.

    Returns:
        The reduced image, and the factor by which each side became shorter. With a factor of 1 it is the image itself.
    """
    factor = math.ceil(max(image.shape) / longest)
    if factor == 1:
        return image, 1
    rows, columns = image.shape
    height, width = max(1, rows // factor), max(1, columns // factor)
    reduced, left = image[: height * factor, : width * factor], factor
    while left > 1:
        step = 1 if left % 2 else left // 2
        reduced = cv2.resize(reduced, (width * step, height * step), interpolation=cv2.INTER_AREA)
        left = step
    return reduced, factor


def mask_above(image: Grey, level: float) -> Mask:
    """Return the mask, uint8 (height, width), of the pixels that are lighter than a level of 0 to 255."""
    return cv2.threshold(image, level, 255, cv2.THRESH_BINARY)[1]


@dataclass(slots=True, eq=False)
class Region:
    """A mask with its bounds and outlines, which several stages ask for. So they are found once, and not by each.

    Attributes:
        mask: Mask, (height, width).
        bounds: Left, top, width and height of the smallest rectangle that holds the mask, in pixels; all 0 if it is
            empty.
        touches_border: Whether the region holds any of the outermost pixels.
    """

    mask: Mask
    bounds: Bounds
    touches_border: bool
    _outlines: tuple[Sequence[MatLike], MatLike] | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, mask: Mask) -> "Region":
        """Return the region that a mask covers."""
        bounds = cv2.boundingRect(mask)
        return cls(mask, bounds, touches_border(bounds, mask.shape))

    @property
    def within_bounds(self) -> Mask:
        """The part of the mask that its bounds hold."""
        left, top, width, height = self.bounds
        return self.mask[top : top + height, left : left + width]

    @property
    def outlines(self) -> tuple[Sequence[MatLike], MatLike]:
        """The outlines within the bounds, outer and inner ones, and their tree, as `cv2.findContours` gives them.

        An outline has corners, column and row, int32 (n, 1, 2). The region is not empty.
        """
        if self._outlines is None:
            outlines, tree = cv2.findContours(self.within_bounds, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
            self._outlines = outlines, tree[0]
        return self._outlines


def touches_border(bounds: Bounds, shape: tuple[int, ...]) -> bool:
    """Return whether what has these bounds, left, top, width and height, holds any of the outermost pixels."""
    left, top, width, height = bounds
    rows, columns = shape
    return width > 0 and (left == 0 or top == 0 or left + width == columns or top + height == rows)


def strokes_width(mask: Mask, area: int) -> float:
    """Return the mean width of strokes in pixels: twice their area over the number of pixels along their edges.

    `fitting.stroke_width` measures grey ink, at its soft edges.

    Args:
        mask: Mask, not empty.
        area: Number of its pixels.
    """
    return 2 * area / (area - cv2.countNonZero(cv2.erode(mask, SQUARE, borderValue=0)))


def has_hole(mask: Mask) -> bool:
    """Return whether a mask, not empty, encloses paper, as a bold zero and most of the digits of a dial do."""
    _, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return bool((tree[0, :, 3] >= 0).any())  # an outline has a parent if it is that of a hole


def without_holes(mask: Mask) -> Mask:
    """Return a mask with all that it encloses."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.fillPoly(np.zeros_like(mask), outlines, 255)


def border_pixels(image: MatLike) -> MatLike:
    """Return the outermost pixels of an image, shape (n,). Each corner is there twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


@dataclass(slots=True, eq=False)
class Components:
    """The connected components of a mask.

    Attributes:
        stats: Left, top, width, height and area of each component, in pixels, int32 (n, 5).
        whole: The mask itself, with its bounds.
    """

    stats: MatLike
    whole: Region
    _within: NDArray[np.uint16]  # number of the component of each pixel within the bounds; of all if the mask is empty

    @classmethod
    def of(cls, whole: Region) -> "Components":
        """Find the connected components of a region. Pixels that touch at a corner are connected.

        Args:
            whole: Region of at most 250,000 pixels, because the numbers have 16 bits. With 32 bits OpenCV takes twice
                as long.
        """
        left, top, width, _ = whole.bounds
        inside = whole.within_bounds if width else whole.mask  # OpenCV takes no empty array
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8, ltype=cv2.CV_16U)
        stats = stats[1:]
        if len(stats) == 1:  # as in most images
            stats[0, 0] += left
            stats[0, 1] += top
        else:
            stats[:, :2] += (left, top)
        # The numbers have 16 bits because `ltype` asks for it. OpenCV's types do not say so.
        return cls(stats, whole, cast("NDArray[np.uint16]", numbers))

    @property
    def mask(self) -> Mask:
        """The mask itself, (height, width)."""
        return self.whole.mask

    @property
    def numbers(self) -> NDArray[np.uint16]:
        """Number of the component of each pixel, (height, width), from 1; 0 for the background."""
        return self._in_place(self._within)

    def mask_of(self, chosen: NDArray[np.bool_]) -> Mask:
        """Return the mask of the chosen components.

        Args:
            chosen: Whether each component is chosen, bool (n,).
        """
        if all(chosen.tolist()):  # quicker than NumPy, because most images have few components
            return self.whole.mask
        values = np.concatenate([[np.uint8(0)], np.where(chosen, np.uint8(255), np.uint8(0))])
        return self._in_place(values.take(self._within))

    def region_of(self, chosen: NDArray[np.bool_]) -> Region:
        """Return the chosen components together, with their bounds.

        Args:
            chosen: Whether each component is chosen, bool (n,).
        """
        mask = self.mask_of(chosen)
        return self.whole if mask is self.whole.mask else Region.of(mask)

    def mask_of_one(self, index: int) -> Mask:
        """Return the mask of one component, which is at `index` in `stats`."""
        if len(self.stats) == 1:
            return self.whole.mask
        return self._in_place(cv2.inRange(self._within, index + 1, index + 1))

    def _in_place(self, within: NDArray[Any]) -> NDArray[Any]:
        """Return values within the bounds, with zeros around them, (height, width)."""
        if within.shape == self.mask.shape:
            return within
        left, top, width, height = self.whole.bounds
        values = np.zeros(self.mask.shape, within.dtype)
        values[top : top + height, left : left + width] = within
        return values


def connected_components(mask: Mask) -> Components:
    """Find the connected components of a mask, as `Components.of` does."""
    return Components.of(Region.of(mask))


def cumulative(image: Grey, mask: Mask | None = None) -> list[float]:
    """Count the pixels up to each grey level.

    Args:
        image: Grey levels, uint8 (height, width), of at most 16 million pixels.
        mask: Mask of the pixels that count; None for all of them.

    Returns:
        Number of the pixels that are at most as light as each of the 256 levels. All are whole numbers.
    """
    counts: list[float] = cv2.calcHist([image], [0], mask, [256], [0, 256]).cumsum().tolist()
    return counts


def quantile(counts: Sequence[float], share: float, above: int = -1, highest: int = 255) -> int:
    """Return the grey level at which a share of the pixels between two levels is reached.

    Args:
        counts: Number of pixels up to each level, as `cumulative` returns it.
        share: Share of the pixels, 0 to 1; 0.5 gives the median.
        above: Level above which pixels count; -1 for all.
        highest: Level up to which pixels count.

    Returns:
        A level, 0 to 255; 0 where no pixel counts.
    """
    darker = int(counts[above]) if above >= 0 else 0
    total = int(counts[highest]) - darker
    return bisect_left(counts, darker + max(1, math.ceil(share * total))) if total else 0


def quantiles(image: Grey, mask: Mask, *shares: float) -> list[int]:
    """Return the grey levels at which these shares of the masked pixels are reached.

    Args:
        image: Grey levels, uint8 (height, width).
        mask: Mask of the pixels that count.
        *shares: Shares, 0 to 1; 0.5 gives the median.

    Returns:
        One level per share, 0 to 255; all 0 where the mask is empty.
    """
    counts = cumulative(image, mask)
    return [quantile(counts, share) for share in shares]


def quantile_above(image: Grey, level: float, share: float) -> int:
    """Return the grey level at which a share of the pixels lighter than a level is reached, in a small image.

    Args:
        image: Grey levels, uint8 (height, width), of a few thousand pixels. Sorting them is quicker than counting then.
        level: Level above which pixels count.
        share: Share of the pixels, 0 to 1; 0.5 gives the median.

    Returns:
        A level, 0 to 255; 0 where no pixel counts.
    """
    levels = ordered(image)
    return level_at(levels, share, bisect_right(levels, level))


def ordered(image: Grey) -> bytes:
    """Return the levels of a small image, from the darkest to the lightest, for `level_at`.

    Args:
        image: Grey levels, uint8, of any shape, of a few thousand pixels. Sorting them is quicker than counting then.
    """
    levels = image.flatten()
    levels.sort(kind="stable")  # by radix
    return levels.tobytes()  # Python reads bytes sooner than NumPy's


def level_at(levels: bytes, share: float, first: int = 0, last: int | None = None) -> int:
    """Return the grey level at which a share of the pixels in a part of an order is reached.

    Args:
        levels: Levels as `ordered` returns them.
        share: Share of the pixels, 0 to 1; 0.5 gives the median.
        first: Place of the first pixel that counts.
        last: Place after the last one; None for the end.

    Returns:
        A level, 0 to 255; 0 where no pixel counts.
    """
    count = (len(levels) if last is None else last) - first
    return levels[first + max(1, math.ceil(share * count)) - 1] if count > 0 else 0


def lightest_of(image: Grey) -> int:
    """Return the level of the lightest pixel, 0 to 255."""
    return int(cv2.norm(image, cv2.NORM_INF))  # twice as fast as minMaxLoc, which looks for the place as well


def scaled(ink: Grey, full: int) -> Grey:
    """Return ink with its levels scaled so that `full`, 1 to 255, becomes 255; the same array if it is 255."""
    return ink if full == FULL else cv2.convertScaleAbs(ink, alpha=FULL / full)


def otsu(image: Grey) -> tuple[int, Mask]:
    """Split an image into a darker and a lighter class, where the variance between the two is greatest.

    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC 9 (1979).

    Returns:
        The highest level of the darker class, 0 to 255, and the mask of the lighter class.
    """
    level, lighter = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return int(level), lighter


class Coarse(NamedTuple):
    """An image reduced to `COARSE_SIDE`, and split into a darker and a lighter class: what shows paper and sheets.

    Attributes:
        image: Grey levels, uint8 (height, width).
        light: Mask of the lighter class, (height, width).
        light_area: Share of the pixels that are in that class.
        light_border: Share of the outermost pixels that are.
    """

    image: Grey
    light: Mask
    light_area: float
    light_border: float

    @classmethod
    def of(cls, image: Grey) -> "Coarse":
        """Reduce and split an image of any size."""
        reduced, _ = shrink(image, COARSE_SIDE)
        light = otsu(reduced)[1]
        border = border_pixels(light)
        return cls(reduced, light, cv2.countNonZero(light) / light.size, cv2.countNonZero(border) / border.size)
