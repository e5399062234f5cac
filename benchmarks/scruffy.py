"""Measure how well the baseline reads images that nobody prepared: photographs, scans and drawings of MNIST's digits.

    python benchmarks/scruffy.py [--mnist FOLDER] [--count 200] [--training] [--kinds lamp …] [--sheets FOLDER]

The benchmark encodes each image, and then handles it as a worker does: it decodes and normalises the image, and the
baseline classifies it. For each kind, the worst first, it prints the shares that are read correctly, misread, misread
with a confidence of 0.8 or more, refused, and refused or read with less confidence. With --training it draws MNIST's
training digits, so that they may choose a limit. With --sheets it saves one picture per kind of the images that were
misread or refused: the image, what the network was shown, the label and the reading.
"""

import argparse
import time
import zlib
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scruffy_images import KINDS, Digit, Kind

from model.data import mnist
from model.data.digits import Digits
from model.inference.classifier import Classifier
from model.inference.review import REVIEW_BELOW
from model.inference.several import read_files
from model.metrics import NONE
from worker.settings import Settings

TILE = 160
"""Length of each side of an image on a sheet, in pixels."""


def main() -> None:
    """Measure the chosen kinds and print a table."""
    settings = Settings.from_environment()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=settings.mnist, help="folder with MNIST")
    parser.add_argument("--count", type=int, default=200, help="images of each kind (default 200)")
    names = [kind.__name__ for kind in KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--training", action="store_true", help="draw MNIST's training digits, not its test digits")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of misread and refused images")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    load = _load_training if arguments.training else mnist.load_test
    source = load(arguments.mnist, cache=settings.cache, download=not settings.offline)
    every = np.arange(arguments.count) * (len(source) // arguments.count)
    digits = [Digit(image) for image in source.images[every]]
    labels = source.labels[every].astype(np.int64)
    classifier = Classifier.baseline()
    kinds = [kind for kind in KINDS if kind.__name__ in arguments.kinds]
    rows = [_measure(kind, digits, labels, classifier, arguments.sheets) for kind in kinds]
    print(f"{'kind':26}{'right':>8}{'wrong':>7}{'sure':>7}{'refused':>9}{'reviewed':>10}{'ms each':>9}")
    for row in sorted(rows, key=lambda row: row.right):
        print(f"{row.kind:26}{row.right:>8.1%}{1 - row.right - row.refused:>7.1%}{row.sure:>7.1%}{row.refused:>9.1%}"
              f"{row.reviewed:>10.1%}{row.seconds * 1e3:>9.2f}  {row.mistakes}"[:120])  # fmt: skip
    print(f"{'mean':26}{np.mean([row.right for row in rows]):>8.2%}{'':7}{np.mean([row.sure for row in rows]):>7.2%}"
          f"{np.mean([row.refused for row in rows]):>9.2%}   {arguments.count} images a kind")  # fmt: skip


@dataclass(frozen=True)
class _Row:
    """What became of the images of one kind, as shares of them."""

    kind: str
    right: float
    sure: float  # misread with a confidence of `REVIEW_BELOW` or more
    refused: float
    reviewed: float  # refused, or read with less confidence
    seconds: float  # an image
    mistakes: str  # the most frequent ones


def _load_training(folder: Path, *, cache: Path, download: bool) -> Digits:
    return mnist.load(folder, cache=cache, download=download).train


def _measure(
    kind: Kind, digits: list[Digit], labels: NDArray[np.int64], classifier: Classifier, sheets: Path | None
) -> _Row:
    """Measure one kind."""
    seed = zlib.crc32(kind.__name__.encode())  # so that the images do not depend on the other kinds
    files = [kind(np.random.default_rng([seed, number]), digit) for number, digit in enumerate(digits)]
    started = time.perf_counter()
    found = read_files(classifier.classify, files)
    seconds = (time.perf_counter() - started) / len(files)
    images, refused = found.shown, np.zeros(len(files), np.bool_)
    refused[list(found.failures)] = True
    read = np.where(refused, NONE, found.predictions.digits.astype(np.int64))
    reviewed = refused | (found.predictions.confidences < REVIEW_BELOW)
    wrong = np.flatnonzero(read != labels)
    mistakes = Counter(f"{labels[index]}→{read[index]}" for index in wrong if not refused[index])
    if sheets and len(wrong):
        sheets.mkdir(parents=True, exist_ok=True)
        captions = [f"{index}: {labels[index]} as {read[index]}" for index in wrong[:40]]
        tiles = [_tile(files[index], images[index], caption) for index, caption in zip(wrong, captions, strict=False)]
        _sheet(tiles).save(sheets / f"{kind.__name__}.png")
    taken = ", ".join(f"{count} {mistake}" for mistake, count in mistakes.most_common(5))
    return _Row(
        kind=kind.__name__,
        right=1 - len(wrong) / len(files),
        sure=float(((read != labels) & ~reviewed).mean()),
        refused=float(refused.mean()),
        reviewed=float(reviewed.mean()),
        seconds=seconds,
        mistakes=taken,
    )


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


if __name__ == "__main__":
    main()
