"""Keeping what is taught: from the inbox in Redis into the trainer's folder, and from that folder into the account.

The files are written first, and only then does Redis forget what it had: whoever is killed in between does it again,
which changes nothing, for a file is named by its pixels.
"""

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from secrets import token_hex

from model.data.taught import Taught, TaughtFolder
from model.errors import UsageError
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.teaching import BATCH, LabelChange, Settled, Teaching

AT_ONCE = 50
"""Changes that are settled before the trainer says again that it is alive: a slow disk writes them in a second."""

_IDENTITY = ".keeper"
"""A file in the folder: tells it from other trainers' folders, and is locked by whoever changes what is in it."""

_log = logging.getLogger(__name__)


class TaughtKeeper:
    """Keeps what is taught in one folder.

    Several trainers may share a folder. One with a folder of its own takes nothing while another keeps what is taught:
    parts of it in two places would be worse.

    Args:
        teaching: the inbox and the account.
        data: the trainer's folder; images are kept in `taught` there.
    """

    def __init__(self, teaching: Teaching, data: Path) -> None:
        self._teaching, self._folder = teaching, TaughtFolder(data / "taught")
        self._accounted: object = None  # the folder's state when it was listed last
        self._complained: set[str] = set()

    @property
    def folder(self) -> Path:
        """Where images are kept."""
        return self._folder.folder

    def keep(self) -> bool:
        """Settle some of what waits; if no more does, account for what was done to the folder by hand.

        Returns:
            Whether more waits.

        Raises:
            UsageError: the folder cannot be written.
            RedisError: as it comes.
        """
        if not self._teaching.waiting() and not self.folder.is_dir():
            return False
        try:
            with self._alone() as identity:
                if not self._teaching.claim_keeper(identity):
                    self._complain(
                        f"Another trainer keeps what is taught, so {self.folder} gets none of it. Let all "
                        "trainers share one data folder."
                    )
                    return False
                settled = list(islice(self._settled(), AT_ONCE))
                if settled:
                    self._teaching.settle(settled)
                if len(settled) == AT_ONCE:
                    return True
                self._account()
        except OSError as fault:
            raise UsageError(
                f"Cannot keep what is taught in {self.folder}: {fault.strerror or fault}. Mend that."
            ) from fault
        return False

    def changes(self) -> int:
        """Return how many changes the account of this folder has had; 0 if another folder is what is accounted for."""
        with self._alone() as identity:
            return self._teaching.changes() if self._teaching.claim_keeper(identity) else 0

    def release(self) -> None:
        """Let a trainer with another folder take over at once."""
        if self.folder.is_dir():
            with self._alone() as identity:
                self._teaching.release_keeper(identity)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[str]:
        """Lock the folder; gives its identity."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _IDENTITY).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            identity = file.read()
            if not identity:
                identity = token_hex(16)
                file.write(identity)
                file.flush()
            yield identity

    def _settled(self) -> Iterator[Settled]:
        """Do what waits, one after the other; what this program cannot read waits for one that can."""
        for sha256, record in self._teaching.inbox():
            try:
                lesson = LabelChange.from_wire(sha256, record)
            except UnknownFormat as fault:
                self._complain(f"{sha256[:12]} waits on. {fault}")
                continue
            except WireError as fault:
                _log.error("passed over: %s", fault)
                yield Settled(sha256, record, self._kept(sha256))
                continue
            if lesson.label is None:
                self._folder.remove(sha256)
            elif lesson.image is not None:
                self._folder.store(lesson.image, lesson.label, lesson.name)
            yield Settled(sha256, record, self._kept(sha256))

    def _kept(self, sha256: str) -> LabelChange | None:
        taught = self._folder.get(sha256)
        return _listed(taught) if taught else None

    def _account(self) -> None:
        """Find what was done by hand, or by a trainer that was killed before it could say so."""
        state = self._folder.state()
        if state == self._accounted:
            return
        known = self._teaching.labels()
        there = {taught.sha256: taught for taught in self._folder.list()}
        changed = [Settled(sha256, b"", None) for sha256 in known.keys() - there.keys()]
        changed += [
            Settled(sha256, b"", _listed(taught))
            for sha256, taught in there.items()
            if known.get(sha256) != taught.label
        ]
        for start in range(0, len(changed), BATCH):
            self._teaching.settle(changed[start : start + BATCH])
        self._accounted = state

    def _complain(self, sentence: str) -> None:
        """Say it once."""
        if sentence not in self._complained:
            self._complained.add(sentence)
            _log.error("%s", sentence)


def _listed(taught: Taught) -> LabelChange | None:
    try:
        return LabelChange(taught.sha256, taught.label, taught.name(), taught.when)
    except FileNotFoundError:  # removed by hand just now
        return None
