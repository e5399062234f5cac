"""Pictures of the steps to what the network is shown: in half-height characters on a terminal, or as a PNG file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.images.stages import Stage
from producer.cli.display.answers import wording
from producer.cli.exits import printable

CAPTIONS = {
    Stage.IMAGE: "the image",
    Stage.SHEET: "the sheet on it",
    Stage.INK: "ink on it",
    Stage.DIGIT: "the digit",
    Stage.STROKES: "usual strokes",
    Stage.SHOWN: "what is shown",
}

_SIDE = 28  # pixels of a picture on a terminal: those of what the network is shown
_GAP = 3  # columns between two
_SHADES = " .:-=+*#%@"  # where a terminal has no colours
_TILE, _MARGIN, _LINE = 168, 12, 22  # pixels of the PNG file; a tile is six times what the network is shown


@dataclass(frozen=True, slots=True)
class Inspected:
    """One image.

    Attributes:
        answer: as `digitmill classify --json` prints it, with probabilities.
        steps: the image after each step that it got through, uint8 (height, width).
    """

    answer: dict[str, Any]
    steps: dict[str, NDArray[np.uint8]]

    def as_json(self) -> dict[str, Any]:
        """The answer, and of each step the height and width; of the last one the pixels too."""
        body = self.answer | {"steps": {name: list(image.shape) for name, image in self.steps.items()}}
        if Stage.SHOWN in self.steps:
            body["shown"] = self.steps[Stage.SHOWN].tolist()
        return body


def print_inspected(inspected: Sequence[Inspected]) -> None:
    """Print the pictures of each image, as many beside each other as there is room for, and how it was read."""
    console = Console(highlight=False)
    a_row = max(1, (console.width + _GAP) // (_SIDE + _GAP))
    for each in inspected:
        console.print(Text(printable(each.answer["name"]), style="bold"))
        pictures = list(each.steps.items())
        for start in range(0, len(pictures), a_row):
            row = pictures[start : start + a_row]
            table = Table.grid(padding=(0, _GAP, 0, 0))
            table.add_row(*(Text(CAPTIONS[Stage(name)], style="dim") for name, _ in row))
            table.add_row(*(_characters(image, colours=console.color_system is not None) for _, image in row))
            console.print(table)
        for line in _reading(each.answer):
            console.print(line)
        console.print()


def _reading(answer: dict[str, Any]) -> list[Text]:
    """How it was read, in words, and the likeliest digits as bars."""
    lines = [Text.from_ansi(wording(answer))]
    probabilities = np.array(answer.get("probabilities") or [])
    for digit in np.argsort(-probabilities, kind="stable")[:3].tolist():
        share = float(probabilities[digit])
        lines.append(Text(f"  {digit} {100 * share:5.1f} % ") + Text("█" * round(40 * share), style="cyan"))
    return lines


def _characters(image: NDArray[np.uint8], *, colours: bool) -> Text:
    """The picture, `_SIDE` columns wide at most: each character is two pixels, one above the other."""
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

    Raises:
        OSError: it cannot be written.
    """
    columns = max(1, *(len(each.steps) for each in inspected))
    font = ImageFont.load_default(15)
    height = _TILE + 2 * _LINE + 2 * _MARGIN
    sheet = Image.new("L", (columns * (_TILE + _MARGIN) + _MARGIN, height * len(inspected)), 255)
    draw = ImageDraw.Draw(sheet)
    for row, each in enumerate(inspected):
        top = row * height + _MARGIN
        heading = f"{printable(each.answer['name'])}   {wording(each.answer, styled=False)}"
        draw.text((_MARGIN, top), heading, fill=0, font=font)
        for column, (name, image) in enumerate(each.steps.items()):
            left = _MARGIN + column * (_TILE + _MARGIN)
            tile = _within(image, _TILE, enlarge=True)
            sheet.paste(Image.fromarray(tile), (left, top + _LINE))
            draw.rectangle((left - 1, top + _LINE - 1, left + tile.shape[1], top + _LINE + tile.shape[0]), outline=170)
            draw.text((left, top + _LINE + _TILE + 4), CAPTIONS[Stage(name)], fill=90, font=font)
    sheet.save(path, "PNG")


def _within(image: NDArray[np.uint8], side: int, *, enlarge: bool = False) -> NDArray[np.uint8]:
    """The image with its longer side brought to this many pixels; a smaller one stays as it is, or is enlarged."""
    scale = side / max(image.shape)
    if scale >= 1 and not enlarge:
        return image
    height, width = (max(1, round(length * scale)) for length in image.shape)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(image, (width, height), interpolation=way).astype(np.uint8, copy=False)
