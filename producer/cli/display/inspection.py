"""Pictures of the stages of preprocessing, drawn in characters on a terminal or as a PNG file."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.errors import UsageError
from model.images.stages import Stage
from producer.cli.display.answers import answer_text
from producer.cli.notices import printable
from producer.report.files import check_writable, replacing

CAPTIONS = {
    Stage.IMAGE: "the image",
    Stage.SHEET: "the sheet",
    Stage.INK: "its ink",
    Stage.DIGIT: "the digit",
    Stage.STROKES: "normal strokes",
    Stage.SHOWN: "network input",
}

_MARK = ("Software", "digitmill inspect")
"""Text in the PNG file by which the next `inspect` knows that it may replace the file."""

_SIDE = 28  # pixels of a picture on a terminal, like the network's input
_GAP = 3  # columns between two pictures
_SHADES = " .:-=+*#%@"  # for terminals without colours
_TILE, _MARGIN, _LINE = 168, 12, 22  # pixels of the PNG file; a tile is six times the network's input


@dataclass(frozen=True, slots=True)
class Inspected:
    """One inspected image.

    Attributes:
        answer: Answer as `digitmill classify --json` prints it, with probabilities.
        stages: Image after each stage that succeeded, uint8 (height, width).
    """

    answer: dict[str, Any]
    stages: dict[str, NDArray[np.uint8]]

    def as_json(self) -> dict[str, Any]:
        """Return the answer, the height and width of each stage, and the pixels of the last stage if it succeeded."""
        body = self.answer | {"steps": {name: list(image.shape) for name, image in self.stages.items()}}
        if Stage.SHOWN in self.stages:
            body["shown"] = self.stages[Stage.SHOWN].tolist()
        return body


def print_inspected(inspected: Sequence[Inspected]) -> None:
    """Print the pictures of each image, side by side where there is room, and its digit."""
    console = Console(highlight=False)
    per_row = max(1, (console.width + _GAP) // (_SIDE + _GAP))
    for each in inspected:
        console.print(Text(printable(each.answer["name"]), style="bold"))
        pictures = list(each.stages.items())
        for start in range(0, len(pictures), per_row):
            row = pictures[start : start + per_row]
            table = Table.grid(padding=(0, _GAP, 0, 0))
            table.add_row(*(Text(CAPTIONS[Stage(name)], style="dim") for name, _ in row))
            table.add_row(*(_characters(image, colours=console.color_system is not None) for _, image in row))
            console.print(table)
        for line in _reading(each.answer):
            console.print(line)
        console.print()


def _reading(answer: dict[str, Any]) -> list[Text]:
    """Return the answer in words, and bars for the most likely digits."""
    lines = [Text.from_ansi(answer_text(answer))]
    probabilities = np.array(answer.get("probabilities") or [])
    for digit in np.argsort(-probabilities, kind="stable")[:3].tolist():
        share = float(probabilities[digit])
        lines.append(Text(f"  {digit} {100 * share:5.1f} % ") + Text("█" * round(40 * share), style="cyan"))
    return lines


def _characters(image: NDArray[np.uint8], *, colours: bool) -> Text:
    """Return a picture of at most `_SIDE` columns. Each character shows two pixels, one above the other.

    Args:
        image: uint8 (height, width).
        colours: Whether the terminal has colours. Without them, characters stand for shades.
    """
    small = _within(image, _SIDE)
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


def save_sheet(inspected: Sequence[Inspected], path: Path) -> None:
    """Write the pictures as one PNG file, a row for each image.

    Args:
        inspected: Images with their stages.
        path: File to write.

    Raises:
        OSError: The file cannot be written.
    """
    columns = max(1, *(len(each.stages) for each in inspected))
    font = ImageFont.load_default(15)
    height = _TILE + 2 * _LINE + 2 * _MARGIN
    sheet = Image.new("L", (columns * (_TILE + _MARGIN) + _MARGIN, height * len(inspected)), 255)
    draw = ImageDraw.Draw(sheet)
    for row, each in enumerate(inspected):
        top = row * height + _MARGIN
        heading = f"{printable(each.answer['name'])}   {answer_text(each.answer, styled=False)}"
        draw.text((_MARGIN, top), heading, fill=0, font=font)
        for column, (name, image) in enumerate(each.stages.items()):
            left = _MARGIN + column * (_TILE + _MARGIN)
            tile = _within(image, _TILE, enlarge=True)
            sheet.paste(Image.fromarray(tile), (left, top + _LINE))
            draw.rectangle((left - 1, top + _LINE - 1, left + tile.shape[1], top + _LINE + tile.shape[0]), outline=170)
            draw.text((left, top + _LINE + _TILE + 4), CAPTIONS[Stage(name)], fill=90, font=font)
    texts = PngInfo()
    texts.add_text(*_MARK)
    with replacing(path) as draft:
        sheet.save(draft, "PNG", pnginfo=texts)


def check_sheet(path: Path) -> None:
    """Check that pictures can be saved in a file that does not exist, or that `save_sheet` wrote.

    Raises:
        UsageError: There is something else, or the file cannot be written.
    """
    if os.path.lexists(path) and not _is_sheet(path):
        raise UsageError(
            f"{path} was not written by `digitmill inspect`, which replaces nothing else. Choose another file with "
            "--out."
        )
    try:
        check_writable(path)
    except OSError as fault:
        raise UsageError(f"Cannot write {path}: {fault.strerror}. Choose another file with --out.") from fault


def _is_sheet(path: Path) -> bool:
    if not stat.S_ISREG(path.lstat().st_mode):
        return False
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.info.get(_MARK[0]) == _MARK[1]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _within(image: NDArray[np.uint8], side: int, *, enlarge: bool = False) -> NDArray[np.uint8]:
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
