"""What users have taught: labelled images in a folder, which people can look at and correct by hand.

Each is a PNG file `<label>/<sha256>.png` of 28×28 pixels, named by the SHA-256 of its pixels: what is taught twice is
there once. To remove one, delete its file; to correct a label, move the file into another folder. The file's text
`Source` says what its user called it.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model.data.digits import Digits, held_out
from model.errors import UsageError

HELD_OUT = 0.2
"""Share of what is taught that is never trained on. More than any recipe's `validation`, and chosen by the same hashes:
so what is left is all trained on, and the validation images are none but the data set's own."""

WEIGHT = 0.1
"""Share of the images of an epoch that what was taught should have, each distorted anew each time it is shown, …"""

MAX_REPEATS = 25
"""… unless each would be shown more often than this: then the network would learn a few by heart."""

_SOURCE = "Source"
_NAME = re.compile(r"[0-9a-f]{64}\.png")


class Taught(NamedTuple):
    """One taught image."""

    label: int
    sha256: str
    path: Path

    @property
    def when(self) -> float:
        """When it was taught, unix time in seconds: when its file was written.

        Raises:
            OSError: it has been removed.
        """
        return self.path.stat().st_mtime

    def name(self) -> str:
        """What its user called it; "" if its file does not say, or is no such image any more."""
        with contextlib.suppress(OSError, ValueError), Image.open(self.path, formats=["PNG"]) as picture:
            return str(picture.info.get(_SOURCE, ""))
        return ""


class TaughtFolder:
    """The folder in which taught images are kept.

    Args:
        folder: made when something is stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, image: NDArray[np.uint8], label: int, name: str = "") -> bool:
        """Keep an image, uint8 (28, 28), with its label; return False if it was there with this label already.

        With another label it is there only under the new one afterwards. It is on the disk when this returns, also
        should the power fail.

        Raises:
            UsageError: the folder cannot be written.
        """
        file = f"{fingerprint(image)}.png"
        path = self.folder / str(label) / file
        try:
            fresh = not path.exists()
            if fresh:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, image, name)
            for other in self._folders():
                if other != path.parent:
                    (other / file).unlink(missing_ok=True)
        except OSError as fault:
            raise UsageError(f"Cannot keep what is taught in {self.folder}: {fault.strerror}. Mend that.") from fault
        return fresh

    def state(self) -> tuple[tuple[int, int], ...]:
        """Something that changes whenever an image comes, goes or moves."""
        return tuple((int(folder.name), folder.stat().st_mtime_ns) for folder in self._folders())

    def list(self) -> list[Taught]:
        """All images, by label and name."""
        return [Taught(int(path.parent.name), path.stem, path) for path in self._paths()]

    def get(self, sha256: str) -> Taught | None:
        """The image with this SHA-256, or None if it is not taught."""
        for folder in self._folders() if _NAME.fullmatch(f"{sha256}.png") else ():
            if (path := folder / f"{sha256}.png").is_file():
                return Taught(int(folder.name), sha256, path)
        return None

    def remove(self, sha256: str) -> bool:
        """Forget the image with this SHA-256; return False if it was not there."""
        taught = self.get(sha256)
        if taught:
            taught.path.unlink(missing_ok=True)
        return taught is not None

    def load(self) -> tuple[Digits, Digits]:
        """What to train on, and what is held out of it. A file that is no such image any more is passed over."""
        images, labels = [], []
        for taught in self.list():
            with contextlib.suppress(OSError, ValueError), Image.open(taught.path, formats=["PNG"]) as picture:
                if picture.size == (28, 28):
                    images.append(np.asarray(picture.convert("L")))
                    labels.append(taught.label)
        stacked = np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
        digits, held = Digits(stacked, np.array(labels, np.uint8)), held_out(stacked, HELD_OUT)
        return digits[np.flatnonzero(~held)], digits[np.flatnonzero(held)]

    def _folders(self) -> Iterator[Path]:
        return (folder for digit in range(10) if (folder := self.folder / str(digit)).is_dir())

    def _paths(self) -> Iterator[Path]:
        for folder in self._folders():
            yield from sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def fingerprint(image: NDArray[np.uint8]) -> str:
    """Return the hexadecimal SHA-256 of an image's pixels, uint8 (28, 28)."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


def mixed(train: Digits, taught: Digits) -> Digits:
    """The training images with what was taught among them, so often that it counts beside them."""
    if not len(taught):
        return train
    wanted = round(WEIGHT * len(train) / ((1 - WEIGHT) * len(taught)))
    repeats = min(max(wanted, 1), MAX_REPEATS)
    return Digits(
        np.concatenate([train.images, *[taught.images] * repeats]),
        np.concatenate([train.labels, *[taught.labels] * repeats]),
    )


def _write(path: Path, image: NDArray[np.uint8], name: str) -> None:
    """The file appears whole or not at all."""
    texts = PngInfo()
    texts.add_itxt(_SOURCE, name.encode("utf-8", "backslashreplace").decode())
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        Image.fromarray(image).save(file, "PNG", pnginfo=texts)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
