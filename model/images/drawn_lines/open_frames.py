"""Leave out frames with two sides or more around a digit, as those of fields on screens and of combs on forms."""

from dataclasses import dataclass

import cv2
import numpy as np

from model.images.raster import Components, Mask, connected_components


@dataclass(frozen=True, slots=True)
class OpenFrameLimits:
    """What an open frame looks like.

    The limits were chosen on MNIST's training digits with `benchmarks/surroundings.py --training --kinds open_frame`.
    """

    band: float = 0.12
    """Distance from the bounds of a frame, as a share of their shorter side, within which its lines are."""

    min_band: int = 2
    """The same in pixels, at least."""

    max_elsewhere: float = 0.03
    """Maximum share of the ink of a frame that is not there. Of a round stroke more is."""

    covered: float = 0.9
    """Minimum share of each side of the frame along which there is ink."""

    content: float = 0.3
    """Minimum length of something else within the bounds of the frame, as a share of their shorter side."""

    min_sides: int = 2
    """Minimum number of sides of the frame."""

    flat: float = 2.5
    """Width of the largest thing inside, as a multiple of its height, from which it is the loose bar of a seven."""


LIMITS = OpenFrameLimits()


def without_open_frames(strokes: Components) -> Components:
    """Return the strokes without a frame of straight lines along two sides or more of its bounds.

    Args:
        strokes: Components of all strokes, at least one.
    """
    if len(strokes.stats) == 1:
        return strokes
    left, top, width, height, _ = strokes.stats.T
    frame = int((width * height).argmax())
    x, y = left[frame], top[frame]
    columns, rows = int(width[frame]), int(height[frame])
    shorter = min(columns, rows)
    is_within = (left > x) & (top > y) & (left + width < x + columns) & (top + height < y + rows)
    is_content = is_within & (np.maximum(width, height) >= LIMITS.content * shorter)
    is_content[frame] = False
    if not is_content.any():
        return strokes
    largest = int(np.where(is_content, strokes.stats[:, 4], 0).argmax())
    if width[largest] >= LIMITS.flat * height[largest]:
        return strokes
    lines = strokes.mask_of_one(frame)[y : y + rows, x : x + columns]
    if not _is_open_frame(lines, max(LIMITS.min_band, round(LIMITS.band * shorter))):
        return strokes
    return connected_components(strokes.mask_of(np.arange(len(strokes.stats)) != frame))


def _is_open_frame(ink: Mask, band: int) -> bool:
    """Return whether ink is straight lines along two or more sides of its bounds.

    Args:
        ink: Mask that fills its bounds, (height, width).
        band: Distance from the bounds, in pixels, within which the lines are.
    """
    inner = ink[band:-band, band:-band]
    if cv2.countNonZero(inner) > LIMITS.max_elsewhere * cv2.countNonZero(ink):
        return False
    sides = ink[:band].any(axis=0), ink[-band:].any(axis=0), ink[:, :band].any(axis=1), ink[:, -band:].any(axis=1)
    return sum(bool(side.mean() >= LIMITS.covered) for side in sides) >= LIMITS.min_sides
