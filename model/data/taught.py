"""The images that users have taught, in a folder that people can look at and correct by hand.

Each image is a PNG file `<label>/<sha256>.png` of 28×28 pixels. The SHA-256 of its pixels is its name, so an image that
users teach twice is there once. To remove an image, delete its file. To correct a label, move the file into another
folder. The file's text `Source` holds the user's name for the image.

An image whose label is suspicious (`model.evaluation.suspicion`) is `held-back/<label>/<sha256>.png` instead, and no
training uses it. Its text `Looks like` has the digit that the model reads. To confirm its label, move the file into
`<label>/`: the text stays, so the image is not held back again.
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
from model.private_files import make_private_folder, open_private

HELD_OUT = 0.2
"""Share of the taught images that no training ever sees.

It is larger than `validation` in every recipe, and the same hashes choose both. So a network trains on all the other
taught images, and only the data set's own images validate it."""

WEIGHT = 0.1
"""Wanted share of taught images among the images of an epoch. Training distorts an image anew each time it shows it."""

MAX_REPEATS = 25
"""Maximum number of times that an epoch shows a taught image. With more, the network learns a few images by heart.

Where an epoch shows only a share of the images, more copies may be among them."""

HELD_BACK = "held-back"
"""Folder of the images whose labels are suspicious."""

_MAX_FILE_BYTES = 1024**2
_SOURCE = "Source"
_LOOKS_LIKE = "Looks like"
_NAME = re.compile(r"[0-9a-f]{64}\.png")


class Taught(NamedTuple):
    """One taught image."""

    label: int
    sha256: str
    path: Path

    @property
    def is_held_back(self) -> bool:
        """Whether no training uses the image, because its label is suspicious."""
        return self.path.parent.parent.name == HELD_BACK

    @property
    def when(self) -> float:
        """Time at which the image was taught, unix time in seconds: the time at which its file was written.

        Raises:
            OSError: The file cannot be read, for example because it has been removed.
        """
        return self.path.stat().st_mtime

    def name(self) -> str:
        """Return the user's name for the image, or "" if the file does not hold one or cannot be read."""
        return self._text(_SOURCE)

    def looks_like(self) -> int | None:
        """Return the digit that the model read when the image was held back, or None if it never was.

        Where `is_held_back` is False, a digit means that a user has confirmed the label.
        """
        text = self._text(_LOOKS_LIKE)
        return int(text) if re.fullmatch("[0-9]", text) else None

    def image(self) -> NDArray[np.uint8] | None:
        """Return the pixels, uint8 (28, 28), or None if the file cannot be read or does not have this size."""
        with contextlib.suppress(OSError, ValueError, SyntaxError), _opened(self.path) as picture:
            if picture.size == (28, 28):
                return np.asarray(picture.convert("L"))
        return None

    def _text(self, name: str) -> str:
        with contextlib.suppress(OSError, ValueError, SyntaxError), _opened(self.path) as picture:
            return str(picture.info.get(name, ""))
        return ""


class TaughtFolder:
    """The folder that keeps the taught images.

    Args:
        folder: Path of the folder. `store` creates it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, image: NDArray[np.uint8], label: int, name: str = "", *, looks_like: int | None = None) -> bool:
        """Keep an image with its label, which replaces any label that it had before.

        When this returns, the image is on the disk under its new label only, and a power failure does not change that.

        Args:
            image: Pixels, uint8 (28, 28), light ink on black.
            label: Digit that the image shows, 0 to 9.
            name: User's name for the image.
            looks_like: Digit that the model reads, if the image is to be held back. An image whose label was confirmed
                is never held back with this label again.

        Returns:
            True if the image is new or its label changed, False if the folder already held it with this label.

        Raises:
            UsageError: The folder cannot be written.
        """
        file = f"{fingerprint(image)}.png"
        path = self.folder / str(label) / file
        if looks_like is not None and Taught(label, path.stem, path).looks_like() is None:
            path = self.folder / HELD_BACK / str(label) / file
        with self._writing():
            fresh = not path.exists()
            if fresh:
                self._make_place(path)
                _write(path, image, name, looks_like)
            self._remove_elsewhere(path)
        return fresh

    def hold_back(self, taught: Taught, looks_like: int) -> None:
        """Hold back an image of `list`, unless it has been removed or cannot be read.

        Args:
            taught: The image.
            looks_like: Digit that the model reads.

        Raises:
            UsageError: The folder cannot be written.
        """
        image = taught.image()
        if image is not None and taught.path.exists():
            self.store(image, taught.label, taught.name(), looks_like=looks_like)

    def confirm(self, sha256: str, label: int) -> None:
        """Let trainings use an image that is held back with this label. Do nothing if it is not.

        Raises:
            UsageError: The folder cannot be written.
        """
        taught = self.get(sha256)
        if taught and taught.is_held_back and taught.label == label:
            path = self.folder / str(label) / taught.path.name
            with self._writing():
                self._make_place(path)
                with contextlib.suppress(FileNotFoundError):  # someone else may just have moved it
                    taught.path.rename(path)
                for folder in (path.parent, taught.path.parent):
                    _sync(folder)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a fault of the disk into a `UsageError`."""
        try:
            yield
        except OSError as fault:
            raise UsageError(
                f"Cannot write taught images into {self.folder}: {fault.strerror}. Make it writable or make room there."
            ) from fault

    def _make_place(self, path: Path) -> None:
        for folder in reversed(path.relative_to(self.folder).parents):
            make_private_folder(self.folder / folder)

    def _remove_elsewhere(self, path: Path) -> None:
        for other in self._folders(HELD_BACK, ""):
            if other != path.parent and (other / path.name).exists():
                (other / path.name).unlink(missing_ok=True)  # someone else may just have removed it
                _sync(other)

    def state(self) -> tuple[tuple[str, int], ...]:
        """Return a value that changes whenever an image is added, removed or moved."""
        return tuple((str(folder), folder.stat().st_mtime_ns) for folder in self._folders("", HELD_BACK))

    def held_back(self) -> list[Taught]:
        """Return the images that are held back, ordered by label and SHA-256."""
        return list(self._taught(HELD_BACK))

    def list(self) -> list[Taught]:
        """Return the images that trainings use, ordered by label and SHA-256."""
        return list(self._taught(""))

    def get(self, sha256: str) -> Taught | None:
        """Return the image with this SHA-256, even if it is held back, or None if it is not taught."""
        for folder in self._folders("", HELD_BACK) if _NAME.fullmatch(f"{sha256}.png") else ():
            if (path := folder / f"{sha256}.png").is_file():
                return Taught(int(folder.name), sha256, path)
        return None

    def remove(self, sha256: str) -> bool:
        """Remove the image with this SHA-256. Return False if it was not there."""
        found = False
        while taught := self.get(sha256):
            taught.path.unlink(missing_ok=True)
            found = True
        return found

    def load(self) -> tuple[Digits, Digits]:
        """Return the images to train on and the images held out of training. Skip files that are not such images."""
        images, labels = [], []
        for taught in self.list():
            if (image := taught.image()) is not None:
                images.append(image)
                labels.append(taught.label)
        stacked = np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
        digits, held = Digits(stacked, np.array(labels, np.uint8)), held_out(stacked, HELD_OUT)
        return digits[np.flatnonzero(~held)], digits[np.flatnonzero(held)]

    def _folders(self, *places: str) -> Iterator[Path]:
        return (
            folder for place in places for digit in range(10) if (folder := self.folder / place / str(digit)).is_dir()
        )

    def _taught(self, place: str) -> Iterator[Taught]:
        for folder in self._folders(place):
            for path in sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name)):
                yield Taught(int(folder.name), path.stem, path)


def _opened(path: Path) -> Image.Image:
    """Open a picture that people may have put there.

    Raises:
        OSError: It cannot be read, or is not a PNG file.
        ValueError: It is far too large for 28×28 pixels.
    """
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise ValueError(f"{path} is too large")
    return Image.open(path, formats=["PNG"])


def fingerprint(image: NDArray[np.uint8]) -> str:
    """Return the hexadecimal SHA-256 of an image's pixels, uint8 (28, 28)."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


def mixed(train: Digits, taught: Digits, share: float = 1.0) -> Digits:
    """Return the training images followed by the taught images, repeated until they have the share `WEIGHT`.

    `MAX_REPEATS` limits the repetition.

    Args:
        train: Training images of the data set.
        taught: Images that users taught. May be empty.
        share: Share of the images that an epoch shows.
    """
    if not len(taught):
        return train
    wanted = round(WEIGHT * len(train) / ((1 - WEIGHT) * len(taught)))
    repeats = min(max(wanted, 1), round(MAX_REPEATS / share))
    return Digits(
        np.concatenate([train.images, *[taught.images] * repeats]),
        np.concatenate([train.labels, *[taught.labels] * repeats]),
    )


def _write(path: Path, image: NDArray[np.uint8], name: str, looks_like: int | None) -> None:
    """Write the file durably, so that it appears completely or not at all."""
    texts = PngInfo()
    texts.add_itxt(_SOURCE, name.encode("utf-8", "backslashreplace").decode())
    if looks_like is not None:
        texts.add_text(_LOOKS_LIKE, str(looks_like))
    draft = path.with_suffix(".part")
    with open_private(draft, "wb") as file:
        Image.fromarray(image).save(file, "PNG", pnginfo=texts)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Wait until the folder's list of files is on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
