"""Draw digits for the tests of decoding and normalisation."""

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image
from pillow_heif import register_heif_opener

from model.images.raster import mask_above

SEVEN = ((0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
FIVE = ((0.66, 0.2), (0.4, 0.2), (0.37, 0.46), (0.52, 0.43), (0.65, 0.55), (0.6, 0.74), (0.45, 0.8), (0.34, 0.75))


def drawing(
    height: int = 80,
    width: int = 60,
    *,
    stroke: float = 0.08,
    line: tuple[tuple[float, float], ...] = SEVEN,
    ink: int = 30,
    paper: int = 255,
) -> NDArray[np.uint8]:
    """Draw a digit on paper, uint8 (height, width).

    The digit has no symmetry, so that tests can see its orientation.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        stroke: Width of the strokes, as a share of the height.
        line: Corners of the line, right and down, as shares of the width and the height.
        ink: Grey level of the ink, 0 to 255.
        paper: Grey level of the paper, 0 to 255.
    """
    canvas = np.full((height, width), paper, np.uint8)
    points = np.array([(x * width, y * height) for x, y in line], np.int32)
    thickness = max(1, round(stroke * height))
    cv2.polylines(canvas, [points], isClosed=False, color=ink, thickness=thickness, lineType=cv2.LINE_AA)
    return canvas


def encoded(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """Return the bytes of an image file of this kind."""
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def heic(image: Image.Image | NDArray[Any], kind: str = "HEIF", **options: Any) -> bytes:
    """Return the bytes of a HEIC photograph, as telephones take it."""
    register_heif_opener()
    return encoded(image, kind, **options)


def shares_ink(image: MatLike, other: MatLike) -> float:
    """Return the correlation of two images of the same size: 1 for the same drawing, -1 for its negative."""
    return float(np.corrcoef(image.ravel(), other.ravel())[0, 1])


def strokes_of(height: int = 120, width: int = 100, **options: Any) -> NDArray[np.uint8]:
    """Draw the strokes of a digit as a mask, uint8 (height, width)."""
    return np.asarray(mask_above(255 - drawing(height, width, ink=0, **options), 127), np.uint8)


def put(mask: NDArray[np.uint8], height: int, width: int, top: int, left: int) -> NDArray[np.uint8]:
    """Return a mask of this height and width with another mask in it. The page may cut that off."""
    page = np.zeros((height, width), np.uint8)
    cut = page[top : top + mask.shape[0], left : left + mask.shape[1]]
    cut |= mask[: cut.shape[0], : cut.shape[1]]
    return page


def ink_of(
    height: int = 120,
    width: int = 100,
    line: tuple[tuple[float, float], ...] = FIVE,
    strength: int = 255,
    **options: Any,
) -> NDArray[np.uint8]:
    """Draw the ink of a digit, uint8 (height, width), 0 on paper."""
    return drawing(height, width, line=line, ink=strength, paper=0, **options)
