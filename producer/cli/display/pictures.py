"""Pictures in characters on a terminal."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SIDE = 28  # pixels of a picture, like the network's input
_GAP = 3  # columns between two pictures
_SHADES = " .:-=+*#%@"  # for terminals without colours


def per_row(console: Console) -> int:
    """Return the number of pictures that fit side by side."""
    return max(1, (console.width + _GAP) // (_SIDE + _GAP))


def print_pictures(console: Console, pictures: Sequence[tuple[str, NDArray[np.uint8]]]) -> None:
    """Print pictures, side by side where there is room.

    Args:
        console: Terminal to print on.
        pictures: Captions, and images uint8 (height, width).
    """
    for start in range(0, len(pictures), per_row(console)):
        row = pictures[start : start + per_row(console)]
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.add_row(*(Text(caption, style="dim") for caption, _ in row))
        table.add_row(*(_characters(image, colours=console.color_system is not None) for _, image in row))
        console.print(table)


def _characters(image: NDArray[np.uint8], *, colours: bool) -> Text:
    """Return a picture of at most `_SIDE` columns. Each character shows two pixels, one above the other.

    Args:
        image: uint8 (height, width).
        colours: Whether the terminal has colours. Without them, characters stand for shades.
    """
    small = within(image, _SIDE)
    if len(small) % 2:
        small = np.vstack([small, small[-1:]])
    text = Text()
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        for above, below in zip(upper, lower, strict=True):
            if colours:
                text.append("▀", style=f"rgb({above},{above},{above}) on rgb({below},{below},{below})")
            else:
                text.append(_SHADES[(above + below) * len(_SHADES) // (2 * 256)])
        text.append("\n")
    return text


def within(image: NDArray[np.uint8], side: int, *, enlarge: bool = False) -> NDArray[np.uint8]:
    """Return the image scaled so that its longer side has `side` pixels.

    Args:
        image: uint8 (height, width).
        side: Length of the longer side, in pixels.
        enlarge: Whether to enlarge a smaller image. If not, it keeps its size.
    """
    scale = side / max(image.shape)
    if scale >= 1 and not enlarge:
        return image
    height, width = (max(1, round(length * scale)) for length in image.shape)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(image, (width, height), interpolation=interpolation).astype(np.uint8, copy=False)
