"""Pictures of the stages of preprocessing, drawn in characters on a terminal or as a PNG file."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import UNSET
from msgspec.structs import asdict
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from rich.console import Console
from rich.text import Text

from model.errors import UsageError
from model.images.stages import Stage
from producer.cli.display.answers import answer_text
from producer.cli.display.pictures import print_pictures, within
from producer.cli.notices import printable
from producer.public.answers import Answer, InspectedAnswer
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

_TILE, _MARGIN, _LINE = 168, 12, 22  # pixels of the PNG file; a tile is six times the network's input


@dataclass(frozen=True, slots=True)
class Inspected:
    """One inspected image.

    Attributes:
        answer: Answer, with probabilities.
        stages: Image after each stage that succeeded, uint8 (height, width).
    """

    answer: Answer
    stages: dict[str, NDArray[np.uint8]]

    def as_json(self) -> InspectedAnswer:
        """Return the image for programs."""
        shown = self.stages.get(Stage.SHOWN)
        return InspectedAnswer(
            **asdict(self.answer),
            stages={name: list(image.shape) for name, image in self.stages.items()},
            network_input=UNSET if shown is None else shown.tolist(),
        )


def print_inspected(inspected: Sequence[Inspected]) -> None:
    """Print the pictures of each image, side by side where there is room, and its digit."""
    console = Console(highlight=False)
    for each in inspected:
        console.print(Text(printable(str(each.answer.name)), style="bold"))
        print_pictures(console, [(CAPTIONS[Stage(name)], image) for name, image in each.stages.items()])
        for line in _reading(each.answer):
            console.print(line)
        console.print()


def _reading(answer: Answer) -> list[Text]:
    """Return the answer in words, and bars for the most likely digits."""
    lines = [Text.from_ansi(answer_text(answer))]
    probabilities = np.array(answer.probabilities or [])
    for digit in np.argsort(-probabilities, kind="stable")[:3].tolist():
        share = float(probabilities[digit])
        lines.append(Text(f"  {digit} {100 * share:5.1f} % ") + Text("█" * round(40 * share), style="cyan"))
    return lines


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
        heading = f"{printable(str(each.answer.name))}   {answer_text(each.answer, styled=False)}"
        draw.text((_MARGIN, top), heading, fill=0, font=font)
        for column, (name, image) in enumerate(each.stages.items()):
            left = _MARGIN + column * (_TILE + _MARGIN)
            tile = within(image, _TILE, enlarge=True)
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
