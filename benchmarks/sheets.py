"""Pictures of images that were misread or refused, for people to look at."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

TILE = 160
"""Length of each side of an image on a sheet, in pixels."""

MAX_TILES = 40
"""Maximum number of images on a sheet."""


def save_sheet(path: Path, files: list[bytes], shown: NDArray[np.uint8], captions: Mapping[int, str]) -> None:
    """Save a picture of images, each beside what the network was shown. Nothing is saved if there are none.

    Args:
        path: File of the picture. Its folder is created.
        files: Bytes of n image files.
        shown: What the network was shown of each, uint8 (n, 28, 28).
        captions: Text above each image that is on the sheet, by index.
    """
    tiles = [_tile(files[index], shown[index], caption) for index, caption in list(captions.items())[:MAX_TILES]]
    if tiles:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sheet(tiles).save(path)


def _tile(data: bytes, shown: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    """Return the image on a grey ground, which shows transparency, beside what the network was shown."""
    with Image.open(BytesIO(data)) as file:
        picture: Image.Image = file
        if file.mode.startswith("I"):
            pixels = np.asarray(file, np.float64)
            picture = Image.fromarray((pixels * (255 / pixels.max())).astype(np.uint8))
        rgba = picture.convert("RGBA")
    scale = TILE / max(rgba.size)
    rgba = rgba.resize(
        (max(1, round(rgba.width * scale)), max(1, round(rgba.height * scale))),
        Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST,
    )
    tile = Image.new("RGB", (2 * TILE + 4, TILE + 14), (120, 140, 160))
    tile.paste(rgba, (0, 14), rgba)
    tile.paste(Image.fromarray(shown).resize((TILE, TILE), Image.Resampling.NEAREST), (TILE + 2, 14))
    result = np.array(tile)
    cv2.putText(result, caption, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1, cv2.LINE_AA)
    return result


def _sheet(tiles: list[NDArray[np.uint8]], columns: int = 5) -> Image.Image:
    blank = np.zeros_like(tiles[0])
    tiles = tiles + [blank] * (-len(tiles) % columns)
    return Image.fromarray(np.vstack([np.hstack(tiles[row : row + columns]) for row in range(0, len(tiles), columns)]))
