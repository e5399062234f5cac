"""What the images of an array look like: dark ink or light, upright or on their side."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PolarityLimits:
    """Limits by which an image, and then a file, is taken for dark ink on light. Chosen on MNIST's training images.

    `benchmarks/array_forms.py` prints the errors on subsets of 1, 2, 5 and 20 images.

    Attributes:
        frame_share: Least share of the pixels on the edge that are light (above half) in a dark-on-light image, and
            dark in a light-on-dark one. In MNIST, no image has more than 4 % of ink there. Of digits that are
            cropped to their ink, three quarters have less than 30 %, and of noise none has 70 % of one kind.
        mean: Least mean of a dark-on-light image, 0 to 1. No MNIST image has a mean above 0.4, so an inverted one has
            0.6 or more.
        contrast: Number of times by which the ink must be further from the edge's level than the opposite extreme.
        visible: Least contrast of an image that counts at all, 0 to 1. Blank images tell nothing.
        most: Least share of images with dark ink, for the file to have dark ink. In the others, ink is on the edge.
        few: Share of images of the other kind up to which the file is still of one kind.
        paper: Least level of the edge, 0 to 1, of an image whose background is white, and not the grey of a scan.
    """

    frame_share: float = 0.7
    mean: float = 0.5
    contrast: float = 2.0
    visible: float = 0.1
    most: float = 0.3
    few: float = 0.02
    paper: float = 0.95


@dataclass(frozen=True, slots=True)
class OrientationLimits:
    """Limits by which digits are said to lie on their side. Chosen on MNIST's training images, as above.

    Attributes:
        images: Least number of images of which one side is longer. The edges of a few digits prove nothing.
        wider: Least share of those images that are wider than tall. Of MNIST's images it is 13 %, and of its twos and
            fives, which are the widest, 37 %.
    """

    images: int = 16
    wider: float = 0.7


POLARITY = PolarityLimits()
ORIENTATION = OrientationLimits()


class Polarity(Enum):
    """Which ink the images of a file have."""

    LIGHT = auto()  # light ink on black, or nothing is known
    DARK = auto()  # dark ink on white
    GREY = auto()  # dark ink on the grey of a scan
    MIXED = auto()  # some of each


def frame_of(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels are on the edge of an image, bool (height, width)."""
    frame = np.ones(shape, np.bool_)
    frame[1:-1, 1:-1] = False
    return frame


def find_polarity(levels: NDArray[np.float32]) -> Polarity:
    """Return which ink most images have.

    Args:
        levels: float32 (n, height, width), 0 for the lowest number of the file and 1 for the highest.
    """
    flat = levels.reshape(len(levels), -1)
    edge = levels[:, frame_of((levels.shape[1], levels.shape[2]))]
    level = np.median(edge, axis=1)
    several = max(flat.shape[1] // 50, 1)  # the mean of some extreme pixels is not moved by one of noise
    ordered = np.partition(flat, (several - 1, -several), axis=1)
    below, above = level - ordered[:, :several].mean(axis=1), ordered[:, -several:].mean(axis=1) - level
    light_edge = (edge > 0.5).mean(axis=1)
    dark_ink = (light_edge >= POLARITY.frame_share) & (flat.mean(axis=1) >= POLARITY.mean)
    dark_ink &= below > POLARITY.contrast * above
    light_ink = (light_edge <= 1 - POLARITY.frame_share) & (above > POLARITY.contrast * below)
    seen = below + above >= POLARITY.visible
    if not seen.any():
        return Polarity.LIGHT
    dark, light = float(dark_ink[seen].mean()), float(light_ink[seen].mean())
    if dark > POLARITY.few and light > POLARITY.few:
        return Polarity.MIXED
    if dark < POLARITY.most:
        return Polarity.LIGHT
    return Polarity.DARK if np.median(level[dark_ink & seen]) >= POLARITY.paper else Polarity.GREY


def lie_on_their_side(images: NDArray[np.uint8]) -> bool:
    """Return whether most digits are wider than tall, as if their rows and columns were swapped.

    Args:
        images: uint8 (n, height, width), light ink on black.
    """
    ink: NDArray[np.bool_] = images > 127
    height, width = _extent(np.asarray(ink.any(axis=2))), _extent(np.asarray(ink.any(axis=1)))
    wider, taller = int((width > height).sum()), int((width < height).sum())
    return wider + taller >= ORIENTATION.images and wider >= ORIENTATION.wider * (wider + taller)


def _extent(lines: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the distance from the first line with ink to the last one, (n,), of lines (n, length)."""
    extent: NDArray[np.intp] = lines.shape[1] - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)
    return extent
