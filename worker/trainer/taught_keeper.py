"""Keeps taught images: moves them from the inbox in Redis to the trainer's folder, and reports the folder's contents.

The keeper writes the files first, and only then lets Redis forget the inbox records. If it is killed in between, it
does the same again, which changes nothing because a file is named after its pixels.
"""

import contextlib
import fcntl
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from secrets import token_hex

import numpy as np
from numpy.typing import NDArray

from model.data.taught import Taught, TaughtFolder, fingerprint
from model.errors import UsageError
from model.evaluation.suspicion import suspicious
from model.inference.predictions import Predictions
from model.private_files import make_private_folder
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.teaching import BATCH, LabelChange, Settled, Teaching

MAX_SETTLED = 50
"""Maximum number of changes between two heartbeats. A slow disk writes them in a second."""

_IDENTITY = ".keeper"
"""File that distinguishes the folder from those of other trainers. A trainer locks it to change the folder."""

_log = logging.getLogger(__name__)


class TaughtKeeper:
    """Keeps taught images in one folder.

    Several trainers may share a folder. A trainer with another folder takes nothing meanwhile, because taught images
    must not be spread over two places.

    Args:
        teaching: Inbox and account of the taught images.
        data: Data folder of the trainer. Images are kept in its folder `taught`.
    """

    def __init__(self, teaching: Teaching, data: Path) -> None:
        self._teaching, self._folder = teaching, TaughtFolder(data / "taught")
        self._accounted: object = None  # state of the folder when it was last compared with the account
        self._logged: set[str] = set()

    @property
    def folder(self) -> Path:
        """The folder of the images."""
        return self._folder.folder

    def keep(self) -> bool:
        """Settle some waiting changes. If none are left, account for changes that users made in the folder.

        Returns:
            Whether more changes wait.

        Raises:
            UsageError: The folder cannot be written.
            RedisError: Redis does not answer, or refuses.
        """
        if not self._teaching.waiting() and not self.folder.is_dir():
            return False
        try:
            with self._locked() as identity:
                if not self._teaching.claim_keeper(identity):
                    self._log_once(
                        f"Another trainer keeps the taught images, so {self.folder} gets none. Let all trainers "
                        "share one data folder."
                    )
                    return False
                settled = list(islice(self._settled(), MAX_SETTLED))
                if settled:
                    self._teaching.settle(settled)
                if len(settled) == MAX_SETTLED:
                    return True
                self._account()
        except OSError as fault:
            raise UsageError(
                f"Cannot keep what is taught in {self.folder}: {fault.strerror or fault}. Correct that."
            ) from fault
        return False

    def changes(self) -> int:
        """Return the number of changes that this folder's account has had, or 0 if another folder is the keeper."""
        with self._locked() as identity:
            return self._teaching.changes() if self._teaching.claim_keeper(identity) else 0

    def release(self) -> None:
        """Let a trainer with another folder take over at once."""
        if self.folder.is_dir():
            with self._locked() as identity:
                self._teaching.release_keeper(identity)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[str]:
        """Lock the folder, and yield its identity."""
        for folder in (self.folder.parent, self.folder):
            make_private_folder(folder)
        with (self.folder / _IDENTITY).open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            identity = file.read()
            if not identity:
                identity = token_hex(16)
                file.write(identity)
                file.flush()
            yield identity

    def _settled(self) -> Iterator[Settled]:
        """Carry out waiting changes one by one. Records of an unknown format wait for a newer trainer."""
        for sha256, record in self._teaching.inbox():
            try:
                change = LabelChange.from_wire(sha256, record)
            except UnknownFormat as fault:
                self._log_once(f"{sha256[:12]} keeps waiting. {fault}")
                continue
            except WireError as fault:
                _log.error("passed over: %s", fault)
                yield Settled(sha256, record, self._kept(sha256))
                continue
            if change.label is None:
                self._folder.remove(sha256)
            elif change.image is None:
                self._folder.confirm(sha256, change.label)
            else:
                self._folder.store(change.image, change.label, change.name, looks_like=change.looks_like)
            yield Settled(sha256, record, self._kept(sha256))

    def hold_back(self, read: Callable[[NDArray[np.uint8]], tuple[Predictions, Sequence[float]]]) -> int:
        """Hold back the images whose labels a model contradicts wholesale, unless a user has confirmed them.

        Args:
            read: Function that returns what the model reads in images, uint8 (n, 28, 28), and its mean confidence in
                each digit's own images.

        Returns:
            Number of images that this call holds back.

        Raises:
            UsageError: The folder cannot be written.
        """
        found = [
            (taught, image)
            for taught in self._folder.list()
            if taught.looks_like() is None and (image := taught.image()) is not None
        ]
        if not found:
            return 0
        predictions, typical = read(np.stack([image for _, image in found]))
        labels = np.array([taught.label for taught, _ in found])
        rows = np.flatnonzero(suspicious(labels, predictions.digits, predictions.confidences, typical)).tolist()
        with self._locked():
            for row in rows:
                self._folder.hold_back(found[row][0], int(predictions.digits[row]))
        return len(rows)

    def _kept(self, sha256: str) -> LabelChange | None:
        taught = self._folder.get(sha256)
        return _as_change(taught) if taught else None

    def _account(self) -> None:
        """Account for changes made by hand, or by a trainer that was killed before it could report them."""
        state = self._folder.state()
        if state == self._accounted:
            return
        known, held = self._teaching.labels(), self._teaching.labels(held=True)
        used = {taught.sha256: taught for taught in self._folder.list()}
        found = {taught.sha256: taught for taught in self._folder.held_back()} | used
        changed = [Settled(sha256, b"", None) for sha256 in (known.keys() | held.keys()) - found.keys()]
        changed += [
            Settled(sha256, b"", _as_change(taught))
            for sha256, taught in found.items()
            if (known.get(sha256), held.get(sha256))
            != ((None, taught.label) if taught.is_held_back else (taught.label, None))
        ]
        for start in range(0, len(changed), BATCH):
            self._teaching.settle(changed[start : start + BATCH])
        self._accounted = state

    def _log_once(self, sentence: str) -> None:
        if sentence not in self._logged:
            self._logged.add(sentence)
            _log.error("%s", sentence)


def _as_change(taught: Taught) -> LabelChange | None:
    try:
        change = LabelChange(taught.sha256, taught.label, taught.name(), taught.when)
    except FileNotFoundError:  # a user has just removed it
        return None
    if not taught.is_held_back:
        return change
    image = taught.image()
    if image is None or fingerprint(image) != taught.sha256:
        image = None  # a user has put some other file there
    looks_like = taught.looks_like()
    # A user may hold an image back by moving its file there. Then the model's opinion is not known.
    return replace(change, image=image, looks_like=taught.label if looks_like is None else looks_like)
